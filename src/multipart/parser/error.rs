//! Why a body is given up.

use crate::{frame::JpegError, multipart::content::Content};

/// Why a body is given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Too many bytes passed without a frame.
    #[error("no JPEG in {bytes} bytes{content}; JPEGs, or multipart with JPEG parts, are expected")]
    NoFrame {
        /// How many.
        bytes: u64,
        /// What their first ones are.
        content: Content,
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
    #[error("the body ended after {bytes} bytes{content} without a whole JPEG{}", .cause.as_ref().map(|cause| format!("; {cause}")).unwrap_or_default())]
    Ended {
        /// How long it was.
        bytes: u64,
        /// What its first bytes are.
        content: Content,
        /// What was wrong with the last JPEG that began in it.
        cause: Option<JpegError>,
    },
}

impl ParseError {
    /// In words for everybody: nothing that the body holds but its type, of a closed list.
    pub fn public(&self) -> String {
        let (Self::NoFrame { content, .. } | Self::Ended { content, .. }) = self else {
            return self.to_string();
        };
        match (content.media, self) {
            (Some(media), _) => format!("it sent {media}"),
            (None, Self::Ended { .. }) => "its answer ended without a whole JPEG".to_owned(),
            (None, _) => "no JPEG in its answer".to_owned(),
        }
    }
}
