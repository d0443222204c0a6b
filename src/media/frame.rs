//! A frame: one complete, checked JPEG picture, its number, and the times at which it was taken and arrived.
//!
//! No I/O and no decoding happens here. A [`Frame`] can only be made from bytes whose segments were walked
//! from SOI to EOI, so the rest of the crate may rely on its size and on its Huffman tables.

use std::{
    num::NonZeroU64,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime},
};

use bytes::Bytes;

use super::{
    capture::{Capture, CaptureHeaders, FrameFacts, FrameMeta, Sender, TimeSource, is_plausible},
    jpeg::{
        JpegError, JpegInfo, Progress, Walk, completeness::with_missing_eoi, exif,
        huffman::with_huffman_tables, len_with_further_pictures, start,
    },
};

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
    seq: Option<NonZeroU64>,
    timestamp: SystemTime,
    arrived_at: Instant,
    details: Arc<Details>,
}

/// What stays the same in all pictures that are made from a frame.
#[derive(Debug)]
struct Details {
    arrival: SystemTime,
    capture: Capture,
    meta: Mutex<Option<FrameMeta>>,
}

impl Frame {
    /// Checks `jpeg` from SOI to EOI and keeps its very bytes; only missing Huffman tables are added, since
    /// browsers on Apple's systems show black without them.
    ///
    /// Bytes after EOI are cut off, unless they are a further picture that belongs to this one, and so are a
    /// few before SOI ([`start`]). An EOI that is missing though all data are there is added.
    ///
    /// # Errors
    /// [`JpegError`] when the bytes are not a whole JPEG.
    pub fn from_jpeg(jpeg: Bytes) -> Result<Self, JpegError> {
        let jpeg = jpeg.slice(start(&jpeg).unwrap_or_default()..);
        let mut walk = Walk::default();
        let info = match walk.advance(&jpeg)? {
            Progress::Done(info) => info,
            Progress::NeedMore => {
                let (jpeg, info) = with_missing_eoi(&jpeg).ok_or(JpegError::Truncated { len: jpeg.len() })?;
                return Ok(Self::from_checked(jpeg, info));
            }
        };
        let len = match jpeg.len() {
            len if len == info.len => len,
            _ => len_with_further_pictures(&jpeg, &info, walk.multi_picture()),
        };
        Ok(Self::from_checked(jpeg.slice(..len), info))
    }

    /// Returns a frame of bytes that a [`Walk`](super::jpeg::Walk) has already found to be whole, like
    /// [`Frame::from_jpeg`]: `info` must be what it said about `jpeg`, and `jpeg` must end with its EOI or with
    /// the pictures that belong to it.
    pub(crate) fn from_checked(jpeg: Bytes, info: JpegInfo) -> Self {
        debug_assert_eq!(super::jpeg::inspect(&jpeg).as_ref(), Ok(&info), "only walked bytes become frames");
        debug_assert!(jpeg.len() >= info.len, "a frame has its EOI");
        let arrival = SystemTime::now();
        let capture = exif::capture_time(&jpeg).filter(|time| is_plausible(*time, arrival)).map_or(
            Capture { time: arrival, source: TimeSource::Arrival },
            |time| Capture { time, source: TimeSource::Exif },
        );
        let jpeg = if info.has_huffman_tables { jpeg } else { with_huffman_tables(&jpeg) };
        Self {
            jpeg,
            info,
            kind: FrameKind::Picture,
            encoding: FrameEncoding::Received,
            seq: None,
            timestamp: arrival,
            arrived_at: Instant::now(),
            details: Arc::new(Details { arrival, capture, meta: Mutex::default() }),
        }
    }

    /// Returns this frame with the time at which it was taken, unless that cannot be true.
    #[must_use]
    pub fn with_capture(mut self, capture: Capture) -> Self {
        let arrival = self.details.arrival;
        if is_plausible(capture.time, arrival) {
            let meta = Mutex::new(self.meta().clone());
            self.details = Arc::new(Details { arrival, capture, meta });
        }
        self
    }

    /// Returns this frame with what the headers beside it say, as far as their sender is believed.
    #[must_use]
    pub fn with_headers(self, headers: &CaptureHeaders, sender: Sender) -> Self {
        let mut frame = match headers.capture(sender) {
            Some(capture) => self.with_capture(capture),
            None => self,
        };
        if sender != Sender::Camera {
            frame.meta().clone_from(&headers.meta);
        }
        match sender {
            Sender::Camera | Sender::Publisher => {}
            Sender::AnnotatedCamera => frame.seq = headers.seq,
            Sender::Framecast => {
                frame.seq = headers.seq;
                if headers.seq.is_none() {
                    frame.kind = FrameKind::OfflineImage;
                }
            }
        }
        frame
    }

    /// Returns this frame with its number in a stream.
    #[must_use]
    pub fn with_seq(self, seq: NonZeroU64) -> Self {
        Self { seq: Some(seq), ..self }
    }

    /// Returns this frame with another `X-Timestamp`.
    #[must_use]
    pub fn with_timestamp(self, timestamp: SystemTime) -> Self {
        Self { timestamp, ..self }
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

    /// Returns a frame with another picture made from this one's: all else is shared with it.
    ///
    /// # Errors
    /// [`JpegError`] when the bytes are not a whole JPEG.
    pub fn transformed(&self, jpeg: Bytes) -> Result<Self, JpegError> {
        let Self { jpeg, info, .. } = Self::from_jpeg(jpeg)?;
        Ok(Self { jpeg, info, ..self.clone() })
    }

    /// Returns the picture's bytes, SOI to EOI, and any further pictures that belong to it.
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

    /// Returns the number in its stream; none before the ingest, and of offline images.
    pub fn seq(&self) -> Option<NonZeroU64> {
        self.seq
    }

    /// Returns the time for `X-Timestamp`: that of its arrival, unless the stream was given another.
    pub fn captured_at(&self) -> SystemTime {
        self.timestamp
    }

    /// Returns the wall-clock time of arrival.
    pub fn arrival(&self) -> SystemTime {
        self.details.arrival
    }

    /// Returns the time at which the picture was taken, as well as it is known.
    pub fn capture(&self) -> Capture {
        self.details.capture
    }

    /// Returns the publisher's JSON, to read or to replace. It is shared by all pictures made from this one.
    pub fn meta(&self) -> MutexGuard<'_, Option<FrameMeta>> {
        self.details.meta.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what viewers may get to know about it.
    pub fn facts(&self) -> FrameFacts {
        FrameFacts {
            seq: self.seq,
            timestamp: self.timestamp,
            arrival: self.arrival(),
            capture: self.capture(),
            meta: self.meta().clone(),
        }
    }

    /// Returns the monotonic time of arrival, for ages.
    pub fn arrived_at(&self) -> Instant {
        self.arrived_at
    }
}
