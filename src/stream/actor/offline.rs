//! The time without frames of a source that is wanted, and the card that viewers see meanwhile.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use actix::SpawnHandle;

use crate::{
    bus::PublishedFrame,
    config::{Placeholder, StreamConfig},
    media::frame::{Frame, FrameKind},
    source::{Reason, offline_image::OfflineImage},
};

/// Time after which a source that is away is worth a placeholder and a line in the log: cameras that close
/// after each picture are back before, and the first viewer of an idle stream mostly has its frame by then.
pub(super) const OFFLINE_AFTER: Duration = Duration::from_secs(2);

/// A time without frames, of a source that is wanted or of a paused stream.
#[derive(Debug)]
pub(super) struct Offline {
    since: SystemTime,
    /// The last picture before.
    last: Option<Frame>,
    /// Runs until it has lasted for [`OFFLINE_AFTER`].
    pub(super) timer: Option<SpawnHandle>,
    /// Whether it has lasted for [`OFFLINE_AFTER`].
    pub(super) is_due: bool,
}

impl Offline {
    /// Begins now, after `newest` was shown.
    pub(super) fn begin(newest: Option<Arc<PublishedFrame>>, timer: SpawnHandle) -> Self {
        let last = newest.map(|newest| newest.frame.clone());
        let last = last.filter(|frame| frame.kind() == FrameKind::Picture);
        Self { since: SystemTime::now(), last, timer: Some(timer), is_due: false }
    }

    /// Begins now because of a pause, which is shown at once.
    pub(super) fn paused() -> Self {
        Self { since: SystemTime::now(), last: None, timer: None, is_due: true }
    }

    /// Returns the card to draw, with the reason for which there is no picture; none if the stream shows
    /// none.
    pub(super) fn card(
        &self,
        config: &StreamConfig,
        reason: &Reason,
        max_pixels: u64,
    ) -> Option<OfflineImage> {
        // Of a stream that shows another's pictures that one's placeholder is shown, which says more.
        let shows_others = !config.has_fallbacks() && !config.source().origins().is_empty();
        if config.placeholder == Placeholder::None || shows_others {
            return None;
        }
        Some(OfflineImage {
            style: config.placeholder.clone(),
            title: config.title.clone(),
            // That of the failure before stays readable while the next try is on.
            reason: reason.public().to_owned(),
            since: self.since,
            last: self.last.clone(),
            max_pixels,
        })
    }
}
