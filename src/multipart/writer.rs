//! Frames as the parts of a `multipart/x-mixed-replace` answer, rendered once per frame however many viewers take it.
//!
//! The delimiter stands before the first part and again right after each frame: Firefox shows a frame only when the
//! delimiter behind it has arrived, ffmpeg and OpenCV need the one in front. `Content-Length` is written in this letter
//! case because motionEye's client searches for it literally.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{BufMut, Bytes, BytesMut};

/// mjpg-streamer's boundary; some clients look for it by name. Without dashes or quotes: VLC fails on both.
pub const BOUNDARY: &str = "boundarydonotcross";

/// `Content-Type` of a stream; nothing may follow the boundary.
pub const STREAM_CONTENT_TYPE: &str = "multipart/x-mixed-replace;boundary=boundarydonotcross";

/// Written once, before a viewer's first part.
pub const FIRST_DELIMITER: &[u8] = b"--boundarydonotcross\r\n";

/// Stands behind each frame: ends it and announces the next part's headers.
const NEXT_DELIMITER: &[u8] = b"\r\n--boundarydonotcross\r\n";

/// Turns the delimiter that was already sent into the closing one when a stream ends.
pub const CLOSING_AFTER_DELIMITER: &[u8] = b"--boundarydonotcross--\r\n";

const CRLF: &[u8] = b"\r\n";

/// How the bytes of a viewer's answer are delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// As they are, to the end of the connection.
    Raw,
    /// In chunks (HTTP/1.1).
    Chunked,
}

/// A frame ready for the wire, in three pieces of which the middle one is the frame's own bytes.
#[derive(Debug, Clone)]
pub struct PreparedPart {
    /// Chunk size line, then the part's headers; raw viewers start after the former.
    head: Bytes,
    raw_start: usize,
    jpeg: Bytes,
}

impl PreparedPart {
    /// Renders the headers of a part that carries `jpeg`, taken at `taken`.
    pub fn new(jpeg: Bytes, taken: SystemTime) -> Self {
        Self::with_headers(jpeg, taken, "")
    }

    /// As [`PreparedPart::new`], with further header lines, each ended by CRLF (ustreamer's `extra_headers`).
    pub fn with_headers(jpeg: Bytes, taken: SystemTime, more: &str) -> Self {
        let headers = format!(
            "Content-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {}\r\n{more}\r\n",
            jpeg.len(),
            timestamp(taken),
        );
        let chunk = format!("{:x}\r\n", headers.len() + jpeg.len() + NEXT_DELIMITER.len());
        let mut head = BytesMut::with_capacity(chunk.len() + headers.len());
        head.put_slice(chunk.as_bytes());
        head.put_slice(headers.as_bytes());
        Self { head: head.freeze(), raw_start: chunk.len(), jpeg }
    }

    /// The pieces to write, in order. Behind them the next part's headers can follow at once.
    pub fn pieces(&self, framing: Framing) -> [Bytes; 3] {
        const CHUNKED_TAIL: &[u8] = b"\r\n--boundarydonotcross\r\n\r\n";
        match framing {
            Framing::Raw => {
                [self.head.slice(self.raw_start..), self.jpeg.clone(), Bytes::from_static(NEXT_DELIMITER)]
            }
            Framing::Chunked => [self.head.clone(), self.jpeg.clone(), Bytes::from_static(CHUNKED_TAIL)],
        }
    }

    /// Bytes that [`PreparedPart::pieces`] add up to.
    pub fn len(&self, framing: Framing) -> usize {
        let raw = self.head.len() - self.raw_start + self.jpeg.len() + NEXT_DELIMITER.len();
        match framing {
            Framing::Raw => raw,
            Framing::Chunked => raw + self.raw_start + CRLF.len(),
        }
    }
}

/// Any few bytes of a multipart answer (the first and the closing delimiter), framed.
pub fn framed(bytes: &'static [u8], framing: Framing) -> Bytes {
    match framing {
        Framing::Raw => Bytes::from_static(bytes),
        Framing::Chunked => {
            let mut chunk = BytesMut::with_capacity(bytes.len() + 8);
            chunk.put_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
            chunk.put_slice(bytes);
            chunk.put_slice(CRLF);
            chunk.freeze()
        }
    }
}

/// Seconds since 1970 with microseconds, as mjpg-streamer and ustreamer write it.
pub fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:06}", since.as_secs(), since.subsec_micros())
}
