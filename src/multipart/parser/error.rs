//! Why a body is given up.

use crate::frame::JpegError;

/// Why a body is given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Too many bytes passed without a frame.
    #[error(
        "no JPEG in {bytes} bytes, which start with \"{seen}\"; JPEGs, or multipart with JPEG parts, are expected"
    )]
    NoFrame {
        /// How many.
        bytes: u64,
        /// Their first ones, escaped.
        seen: String,
    },
    /// The same, because what came was larger than allowed.
    #[error(
        "frames are larger than max_frame_bytes ({limit}); raise it, or lower the camera's resolution or quality"
    )]
    TooLarge {
        /// `max_frame_bytes`.
        limit: usize,
    },
    /// The body ended before its first frame was whole.
    #[error("the body ended after {bytes} bytes without a whole JPEG; it starts with \"{seen}\"{}", .cause.as_ref().map(|cause| format!("; {cause}")).unwrap_or_default())]
    Ended {
        /// How long it was.
        bytes: u64,
        /// Its first bytes, escaped.
        seen: String,
        /// What was wrong with the last JPEG that began in it.
        cause: Option<JpegError>,
    },
}
