//! Expected availability: cameras that die and return, streams that are added and removed.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    time::Duration,
};

/// After its return, framecast may be waiting for its next try (30 s and jitter, after many failures), and
/// viewers may still be reading what was on its way.
pub(crate) const BACK_WITHIN: Duration = Duration::from_secs(45);

/// A change of the file is seen within a second, and applied within another; a busy machine needs some more.
pub(crate) const HOLDS_WITHIN: Duration = Duration::from_secs(10);

/// The times at which a camera has sent, and at which its viewers may see a placeholder.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    away: AtomicBool,
    returned_us: AtomicU64,
    sent: AtomicU64,
}

impl Liveness {
    /// It is away from now on.
    pub(crate) fn leave(&self) {
        self.away.store(true, SeqCst);
    }

    /// It is back.
    pub(crate) fn come_back(&self, now_us: u64) {
        self.returned_us.store(now_us, SeqCst);
        self.away.store(false, SeqCst);
    }

    /// Whether a placeholder is no wonder now.
    pub(crate) fn excuses_placeholder(&self, now_us: u64) -> bool {
        let returned = self.returned_us.load(SeqCst);
        self.away.load(SeqCst) || (returned > 0 && is_within(BACK_WITHIN, returned, now_us))
    }

    /// It has sent the frame of this number.
    pub(crate) fn sent(&self, sequence: u64) {
        self.sent.store(sequence, SeqCst);
    }

    /// The number of its last frame.
    pub(crate) fn last_sent(&self) -> u64 {
        self.sent.load(SeqCst)
    }
}

/// Whether a stream that comes and goes is there.
#[derive(Debug, Default)]
pub(crate) struct StreamPresence {
    there: AtomicBool,
    changed_us: AtomicU64,
    removals: AtomicU64,
}

impl StreamPresence {
    /// It is about to be added.
    pub(crate) fn add(&self, now_us: u64) {
        self.changed_us.store(now_us, SeqCst);
        self.there.store(true, SeqCst);
    }

    /// It is about to be removed: its viewers may lose it.
    pub(crate) fn remove(&self, now_us: u64) {
        self.changed_us.store(now_us, SeqCst);
        self.removals.fetch_add(1, SeqCst);
        self.there.store(false, SeqCst);
    }

    /// Returns the number of removals so far.
    pub(crate) fn removals(&self) -> u64 {
        self.removals.load(SeqCst)
    }

    /// It is about to be given other settings.
    pub(crate) fn change(&self, now_us: u64) {
        self.changed_us.store(now_us, SeqCst);
    }

    /// Whether a change may be taking place, or has just.
    pub(crate) fn has_changed_just_now(&self, now_us: u64) -> bool {
        is_within(HOLDS_WITHIN, self.changed_us.load(SeqCst), now_us)
    }

    /// Whether 404 is no wonder now.
    pub(crate) fn excuses_absence(&self, now_us: u64) -> bool {
        !self.there.load(SeqCst) || self.has_changed_just_now(now_us)
    }

    /// Whether it is there, or will be in a moment.
    pub(crate) fn is_there(&self) -> bool {
        self.there.load(SeqCst)
    }
}

fn is_within(duration: Duration, since_us: u64, now_us: u64) -> bool {
    u128::from(now_us.saturating_sub(since_us)) < duration.as_micros()
}
