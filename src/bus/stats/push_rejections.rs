//! Counts the pushes that a stream refused, by reason.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The reason for which a push was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushRejection {
    /// It has no token, or a wrong one.
    NotAllowed,
    /// The stream takes none, is paused, or has another publisher now.
    Conflict,
    /// It is larger than allowed.
    TooLarge,
    /// It is not a picture.
    Unreadable,
    /// It broke off, came too slowly, or is not as a form or as points must be.
    Broken,
    /// The CPU workers were busy, the relay was stopping, or too many wrong tokens were sent.
    Busy,
}

impl PushRejection {
    /// Every reason, in the order of the counters.
    pub const ALL: [Self; 6] =
        [Self::NotAllowed, Self::Conflict, Self::TooLarge, Self::Unreadable, Self::Broken, Self::Busy];

    /// Returns the name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::Unreadable => "unreadable",
            Self::Broken => "broken",
            Self::Busy => "busy",
        }
    }
}

/// The number of rejections for each reason.
#[derive(Debug, Default)]
pub struct PushRejections([AtomicU64; PushRejection::ALL.len()]);

impl PushRejections {
    /// Counts a refused push.
    pub fn count(&self, why: PushRejection) {
        self.0[why as usize].fetch_add(1, Relaxed);
    }

    /// Returns the count of each reason.
    pub fn all(&self) -> impl Iterator<Item = (PushRejection, u64)> {
        PushRejection::ALL.into_iter().map(|why| (why, self.0[why as usize].load(Relaxed)))
    }
}
