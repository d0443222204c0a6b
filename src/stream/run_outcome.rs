//! The end of a run of a source.

use crate::source::Reason;

/// The way in which a source ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEnd {
    /// Reason in words, without credentials.
    pub reason: Reason,
    /// Whether the source closed by itself after it gave frames, as cameras do that close after each picture.
    pub orderly: bool,
    /// Whether frames came.
    pub gave_frames: bool,
}
