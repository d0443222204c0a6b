//! A frame: one complete, checked JPEG picture, and its time of arrival.
//!
//! No I/O and no decoding happens here. A [`Frame`] can only be made from bytes whose segments were walked
//! from SOI to EOI, so the rest of the crate may rely on its size and on its Huffman tables.

use std::time::{Instant, SystemTime};

use bytes::Bytes;

use super::jpeg::{JpegError, JpegInfo, huffman::with_huffman_tables, inspect, start};

/// The origin of a frame's picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// A picture of the stream's source.
    Picture,
    /// An offline image, drawn because the source is away.
    OfflineImage,
}

/// The maker of a frame's JPEG, as far as transforms depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameEncoding {
    /// The source, or an earlier transform.
    Received,
    /// framecast, of a file with letters or lines: each pixel has its own colour, which it should keep.
    Sharp,
    /// framecast, with all that its stream wants: it is not encoded again.
    Final,
}

/// One JPEG picture. Cloning it shares the bytes.
#[derive(Debug, Clone)]
pub struct Frame {
    jpeg: Bytes,
    info: JpegInfo,
    kind: FrameKind,
    encoding: FrameEncoding,
    captured_at: SystemTime,
    arrived_at: Instant,
}

impl Frame {
    /// Checks `jpeg` from SOI to EOI and keeps its very bytes; only missing Huffman tables are added, since
    /// browsers on Apple's systems show black without them.
    ///
    /// Bytes after EOI are cut off, and so are a few before SOI ([`start`]).
    ///
    /// # Errors
    /// [`JpegError`] when the bytes are not a whole JPEG.
    pub fn from_jpeg(jpeg: Bytes) -> Result<Self, JpegError> {
        let jpeg = jpeg.slice(start(&jpeg).unwrap_or_default()..);
        let info = inspect(&jpeg)?;
        Ok(Self::from_checked(jpeg.slice(..info.len), info))
    }

    /// Returns a frame of bytes that a [`Walk`](super::jpeg::Walk) has already found to be whole, like
    /// [`Frame::from_jpeg`]: `info` must be what it said about `jpeg`, and `jpeg` must end with its EOI.
    pub(crate) fn from_checked(jpeg: Bytes, info: JpegInfo) -> Self {
        debug_assert_eq!(inspect(&jpeg).as_ref(), Ok(&info), "only walked bytes become frames");
        debug_assert_eq!(jpeg.len(), info.len, "a frame ends with its EOI");
        let jpeg = if info.has_huffman_tables { jpeg } else { with_huffman_tables(&jpeg) };
        Self {
            jpeg,
            info,
            kind: FrameKind::Picture,
            encoding: FrameEncoding::Received,
            captured_at: SystemTime::now(),
            arrived_at: Instant::now(),
        }
    }

    /// Returns this picture, marked as one that framecast drew because the source is away.
    #[must_use]
    pub fn into_offline_image(mut self) -> Self {
        self.kind = FrameKind::OfflineImage;
        self
    }

    /// Returns this picture, marked as made in this way.
    #[must_use]
    pub fn with_encoding(self, encoding: FrameEncoding) -> Self {
        Self { encoding, ..self }
    }

    /// Returns the maker of the JPEG.
    pub fn encoding(&self) -> FrameEncoding {
        self.encoding
    }

    /// Returns a frame with another picture made from this one's, of the same kind and with the same times.
    ///
    /// # Errors
    /// [`JpegError`] when the bytes are not a whole JPEG.
    pub fn transformed(&self, jpeg: Bytes) -> Result<Self, JpegError> {
        let Self { kind, captured_at, arrived_at, .. } = *self;
        Ok(Self { kind, captured_at, arrived_at, ..Self::from_jpeg(jpeg)? })
    }

    /// Returns the picture's bytes, SOI to EOI.
    pub fn jpeg(&self) -> &Bytes {
        &self.jpeg
    }

    /// Returns the width in pixels.
    pub fn width(&self) -> u16 {
        self.info.width
    }

    /// Returns the height in pixels.
    pub fn height(&self) -> u16 {
        self.info.height
    }

    /// Returns the content of the JPEG's segments at its arrival (before tables were added).
    pub fn info(&self) -> &JpegInfo {
        &self.info
    }

    /// Returns whether it is a picture or an offline image.
    pub fn kind(&self) -> FrameKind {
        self.kind
    }

    /// Returns the wall-clock time of arrival, for `X-Timestamp`.
    pub fn captured_at(&self) -> SystemTime {
        self.captured_at
    }

    /// Returns the monotonic time of arrival, for ages.
    pub fn arrived_at(&self) -> Instant {
        self.arrived_at
    }
}
