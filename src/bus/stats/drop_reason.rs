//! The reasons for which a frame is not shown.

/// The reason for which a frame was not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// The bytes were not a whole JPEG.
    Invalid,
    /// Larger than `max_frame_bytes`.
    TooLarge,
    /// Above the stream's `max_fps`.
    MaxFps,
    /// The CPU workers were busy with other frames.
    Busy,
    /// A file could not be read or was not a picture.
    Unreadable,
}

impl DropReason {
    /// Every reason, in the order of the counters.
    pub const ALL: [Self; 5] = [Self::Invalid, Self::TooLarge, Self::MaxFps, Self::Busy, Self::Unreadable];

    /// Returns the name in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::TooLarge => "too_large",
            Self::MaxFps => "max_fps",
            Self::Busy => "busy",
            Self::Unreadable => "unreadable",
        }
    }
}
