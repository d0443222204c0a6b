//! An error that ends the reading of a body.

use crate::media::{
    jpeg::JpegError,
    multipart::sniff::{BodyContent, MediaType},
};

/// An error that ends the reading of a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Too many bytes passed without a frame.
    #[error("no JPEG in {bytes} bytes{content}; JPEGs, or multipart with JPEG parts, are expected")]
    NoFrame {
        /// Number of bytes.
        bytes: u64,
        /// Type and title, from the first bytes.
        content: BodyContent,
    },
    /// No frame was found because the data were larger than a frame may be.
    #[error(
        "frames are larger than max_frame_bytes ({limit}); raise it, or lower the camera's resolution or \
         quality"
    )]
    TooLarge {
        /// `max_frame_bytes`.
        limit: usize,
    },
    /// The parts of the body hold something else than JPEGs.
    #[error("its parts are {media}; {}", .media.advice().unwrap_or("JPEG parts are expected"))]
    OtherParts {
        /// Their type.
        media: MediaType,
    },
    /// The body ended before its first frame was whole.
    #[error(
        "the body ended after {bytes} bytes{content} without a whole JPEG{}",
        .cause.as_ref().map(|cause| format!("; {cause}")).unwrap_or_default()
    )]
    Ended {
        /// Length of the body.
        bytes: u64,
        /// Type and title, from the first bytes.
        content: BodyContent,
        /// Error of the last JPEG that began in the body.
        cause: Option<JpegError>,
    },
}

impl ParseError {
    /// Returns the body's type, if it was recognised.
    pub fn media(&self) -> Option<MediaType> {
        match self {
            Self::NoFrame { content, .. } | Self::Ended { content, .. } => content.media,
            Self::OtherParts { media } => Some(*media),
            Self::TooLarge { .. } => None,
        }
    }

    /// Returns a text for everybody, which contains nothing of the body.
    pub fn public(&self) -> String {
        match self {
            Self::NoFrame { .. } => "no JPEG in its answer".to_owned(),
            Self::Ended { .. } => "its answer ended without a whole JPEG".to_owned(),
            Self::OtherParts { .. } | Self::TooLarge { .. } => self.to_string(),
        }
    }
}
