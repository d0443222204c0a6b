//! The time without frames of a source that is wanted, and the card that viewers see meanwhile.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use actix::SpawnHandle;

use crate::{
    bus::PublishedFrame,
    config::{Placeholder, StreamConfig},
    media::frame::{Frame, FrameKind},
    source::{Reason, offline_image::OfflineImage},
    stream::health::Gap,
};

/// A time without frames, of a source that is wanted or of a paused stream.
#[derive(Debug)]
pub(super) struct Offline {
    /// It is reported when it has lasted for `placeholder.after`: cameras that close after each picture are
    /// back before, and the first viewer of an idle stream mostly has its frame by then.
    pub(super) gap: Gap,
    since: SystemTime,
    /// The last picture before.
    last: Option<Frame>,
    /// Runs until the gap is reported.
    pub(super) timer: Option<SpawnHandle>,
}

impl Offline {
    /// Begins now, after `newest` was shown.
    pub(super) fn begin(newest: Option<Arc<PublishedFrame>>, timer: SpawnHandle) -> Self {
        let last = newest.map(|newest| newest.frame.clone());
        let last = last.filter(|frame| frame.kind() == FrameKind::Picture);
        Self { gap: Gap::begin(Instant::now()), since: SystemTime::now(), last, timer: Some(timer) }
    }

    /// Begins now because of a pause, which is shown at once.
    pub(super) fn paused() -> Self {
        let mut gap = Gap::begin(Instant::now());
        gap.report();
        Self { gap, since: SystemTime::now(), last: None, timer: None }
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
        if config.placeholder.style == Placeholder::None || shows_others {
            return None;
        }
        Some(OfflineImage {
            style: config.placeholder.style.clone(),
            title: config.title.clone(),
            // That of the failure before stays readable while the next try is on.
            reason: reason.public().to_owned(),
            since: self.since,
            last: self.last.clone(),
            max_pixels,
        })
    }
}
