//! The current frame of a bus, as its readers see it.

use tokio::time::Instant;

use crate::{
    media::{frame::Frame, multipart::writer::PreparedPart},
    platform::sync::Arc,
};

/// A frame with its number and its rendered part: all that a viewer needs, shared by all viewers.
#[derive(Debug)]
pub struct PublishedFrame {
    /// Number of the frame, counted from 1 over the life of the bus.
    pub seq: u64,
    /// The picture.
    pub frame: Frame,
    /// The frame as a multipart part, ready to be sent.
    pub part: PreparedPart,
}

impl PublishedFrame {
    pub(super) fn new(seq: u64, frame: Frame, part: PreparedPart) -> Self {
        Self { seq, frame, part }
    }
}

/// The current frame of a bus and its state.
#[derive(Debug, Clone, Default)]
pub struct Current {
    /// The newest frame; none before the first and after [`Bus::clear`](super::Bus::clear).
    pub frame: Option<Arc<PublishedFrame>>,
    /// Number of times that this frame was repeated.
    pub repeat: u64,
    /// Time at which the frame was shown or repeated.
    pub since: Option<Instant>,
    /// The stream has ended; its viewers leave.
    pub closed: bool,
}
