//! One stream of a mosaic: its newest picture, and what its tile shows.

use std::time::Duration;

use jiff::Zoned;

use super::canvas::{self, Look};
use crate::{
    media::frame::{Frame, FrameKind},
    source::{Health, Upstream, offline_image::card::since_when},
};

/// A stream that was away for less than this is not called stale: cameras that close after each picture are
/// mostly away.
const STALE_AFTER: Duration = Duration::from_secs(2);

/// Said before anything is known.
const STARTING: &str = "waiting for the first picture";

/// A stream, and how its tile is painted.
#[derive(Debug)]
pub(super) struct Tile {
    upstream: Upstream,
    seen: u64,
    health: Health,
    /// Why it was away at last: it stays readable while the next try is on.
    reason: Option<String>,
    /// Came, and is not decoded yet.
    waiting: Option<Frame>,
    /// The last that could be decoded.
    last: Option<Frame>,
    /// The error of the newest picture.
    refused: Option<String>,
    painted: Option<Look>,
}

impl Tile {
    pub(super) fn new(upstream: Upstream) -> Self {
        let health = (upstream.health)();
        Self {
            upstream,
            seen: 0,
            health,
            reason: None,
            waiting: None,
            last: None,
            refused: None,
            painted: None,
        }
    }

    pub(super) fn title(&self) -> &str {
        &self.upstream.title
    }

    /// Takes what is newest, and how the stream is.
    pub(super) fn look_again(&mut self) {
        self.health = (self.upstream.health)();
        if let Health::Away(reason) = &self.health {
            // A tile is for everybody who may see the mosaic.
            self.reason = Some(reason.public().to_owned());
        }
        // An error means that the stream has ended, which its health says too.
        if !self.upstream.shows.has_changed().unwrap_or(false) {
            return;
        }
        let newest = self.upstream.shows.borrow_and_update().newest.clone();
        let picture =
            newest.filter(|newest| newest.frame.kind() == FrameKind::Picture && newest.seq != self.seen);
        if let Some(picture) = picture {
            self.seen = picture.seq;
            self.waiting = Some(picture.frame.clone());
        }
    }

    /// Whether its first picture can be expected at any moment.
    pub(super) fn may_come(&self) -> bool {
        self.waiting.is_none() && self.reason.is_none() && !matches!(self.health, Health::Away(_))
    }

    /// Width by height of its picture.
    pub(super) fn aspect(&self) -> Option<f64> {
        self.waiting.as_ref().or(self.last.as_ref()).map(canvas::aspect)
    }

    /// Its tile is empty: everything is to be painted again.
    pub(super) fn start_again(&mut self) {
        self.painted = None;
        if self.waiting.is_none() {
            self.waiting = self.last.take();
        }
    }

    /// A picture to decode.
    pub(super) fn next(&mut self) -> Option<Frame> {
        self.waiting.take()
    }

    /// It was decoded, or refused.
    pub(super) fn took(&mut self, frame: Frame, refused: Option<String>) {
        if refused.is_none() {
            self.last = Some(frame);
            self.painted = None;
        }
        self.refused = refused;
    }

    /// Returns the content to paint, if it differs from the painted one.
    pub(super) fn new_look(&mut self) -> Option<Look> {
        let look = self.look();
        if self.painted.as_ref() == Some(&look) {
            return None;
        }
        self.painted = Some(look.clone());
        Some(look)
    }

    fn look(&self) -> Look {
        match (&self.last, &self.health) {
            (Some(_), Health::Live) => Look::Picture,
            (Some(last), _) if last.arrived().elapsed() < STALE_AFTER => Look::Picture,
            (Some(last), _) => Look::Stale(since_when(last.taken(), &Zoned::now())),
            (None, _) => {
                let reason = self.refused.as_ref().or(self.reason.as_ref());
                Look::Card(reason.map_or(STARTING, String::as_str).to_owned())
            }
        }
    }
}
