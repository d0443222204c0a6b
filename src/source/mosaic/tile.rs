//! One stream of a mosaic: its newest picture, and the content of its tile.

use jiff::Zoned;

use super::canvas::{self, TileContent};
use crate::{
    media::frame::{Frame, FrameKind},
    source::{
        offline_image::card::since_when,
        traits::{JoinedStream, StreamHealth},
    },
};

/// Text of a tile whose stream is not known to be away.
const STARTING: &str = "waiting for the first picture";

/// A stream, and the painted state of its tile.
#[derive(Debug)]
pub(super) struct MosaicTile {
    upstream: JoinedStream,
    seen: u64,
    health: StreamHealth,
    /// The last reason why it was away, which stays readable during the next try.
    reason: Option<String>,
    /// The newest picture, not yet decoded.
    pending: Option<Frame>,
    /// The last picture that could be decoded.
    last: Option<Frame>,
    /// The error of the newest picture.
    refused: Option<String>,
    painted: Option<TileContent>,
}

impl MosaicTile {
    pub(super) fn new(upstream: JoinedStream) -> Self {
        let health = (upstream.health)();
        Self {
            upstream,
            seen: 0,
            health,
            reason: None,
            pending: None,
            last: None,
            refused: None,
            painted: None,
        }
    }

    pub(super) fn title(&self) -> &str {
        &self.upstream.title
    }

    /// Updates its newest picture and the state of its stream.
    pub(super) fn refresh(&mut self) {
        self.health = (self.upstream.health)();
        if let StreamHealth::Away(reason) = &self.health {
            // All viewers of the mosaic see a tile.
            self.reason = Some(reason.public().to_owned());
        }
        // An error means that the stream has ended, which its state shows too.
        if !self.upstream.frames.has_changed().unwrap_or(false) {
            return;
        }
        let newest = self.upstream.frames.borrow_and_update().frame.clone();
        let picture =
            newest.filter(|newest| newest.frame.kind() == FrameKind::Picture && newest.seq != self.seen);
        if let Some(picture) = picture {
            self.seen = picture.seq;
            self.pending = Some(picture.frame.clone());
        }
    }

    /// Returns whether its first picture may arrive at any moment.
    pub(super) fn is_expected(&self) -> bool {
        self.pending.is_none() && self.reason.is_none() && !matches!(self.health, StreamHealth::Away(_))
    }

    /// Returns the aspect ratio of its picture.
    pub(super) fn aspect(&self) -> Option<f64> {
        self.pending.as_ref().or(self.last.as_ref()).map(canvas::aspect)
    }

    /// Marks its tile as cleared, so that everything is painted again.
    pub(super) fn invalidate(&mut self) {
        self.painted = None;
        if self.pending.is_none() {
            self.pending = self.last.take();
        }
    }

    /// Returns the picture to decode, if there is a new one.
    pub(super) fn take_pending(&mut self) -> Option<Frame> {
        self.pending.take()
    }

    /// Records that `frame` was decoded, or why it could not be.
    pub(super) fn set_decoded(&mut self, frame: Frame, refused: Option<String>) {
        if refused.is_none() {
            self.last = Some(frame);
            self.painted = None;
        }
        self.refused = refused;
    }

    /// Returns the content to paint, if it differs from the painted one.
    pub(super) fn take_changed_content(&mut self) -> Option<TileContent> {
        let content = self.content();
        if self.painted.as_ref() == Some(&content) {
            return None;
        }
        self.painted = Some(content.clone());
        Some(content)
    }

    fn content(&self) -> TileContent {
        match (&self.last, &self.health) {
            (Some(_), StreamHealth::Live) => TileContent::Picture,
            (Some(last), _) if last.arrived_at().elapsed() < self.upstream.offline_after => {
                TileContent::Picture
            }
            (Some(last), _) => TileContent::Stale(since_when(last.captured_at(), &Zoned::now())),
            (None, _) => {
                let reason = self.refused.as_ref().or(self.reason.as_ref());
                TileContent::Card(reason.map_or(STARTING, String::as_str).to_owned())
            }
        }
    }
}
