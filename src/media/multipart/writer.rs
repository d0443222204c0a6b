//! Renders frames as the parts of a `multipart/x-mixed-replace` response, once per frame for any number of
//! viewers.
//!
//! The delimiter is written before the first part and again directly after each frame: Firefox shows a frame
//! only when the next delimiter has arrived, ffmpeg and OpenCV need the one before the frame.
//! `Content-Length` is written in this letter case because motionEye's client searches for it literally.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{BufMut, Bytes, BytesMut};

/// The boundary of mjpg-streamer, which some clients search for. It has no dashes or quotes: VLC fails on
/// both.
pub const BOUNDARY: &str = "boundarydonotcross";

/// `Content-Type` of a stream; nothing may follow the boundary.
pub const STREAM_CONTENT_TYPE: &str = "multipart/x-mixed-replace;boundary=boundarydonotcross";

/// The delimiter before a viewer's first part.
pub const FIRST_DELIMITER: &[u8] = b"--boundarydonotcross\r\n";

/// The delimiter after each frame, which announces the next part's headers.
pub const NEXT_DELIMITER: &[u8] = b"\r\n--boundarydonotcross\r\n";

/// The rest of the closing delimiter when a stream ends, after the delimiter that was already sent.
pub const CLOSING_AFTER_DELIMITER: &[u8] = b"--boundarydonotcross--\r\n";

/// A part's headers that are sent ahead of its picture, without a length, which is not known yet.
const HEAD_AHEAD: &[u8] = b"Content-Type: image/jpeg\r\n\r\n";

const CRLF: &[u8] = b"\r\n";

/// The framing of a viewer's response body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// No framing: the body ends with the connection.
    Raw,
    /// Chunks (HTTP/1.1).
    Chunked,
    /// No framing, and each part's headers are sent with the previous part (`HEAD_AHEAD`): Chromium and
    /// WebKit draw a part when they have the next one's headers.
    RawHeadAhead,
    /// As [`Framing::RawHeadAhead`], in chunks.
    ChunkedHeadAhead,
}

impl Framing {
    /// Returns this framing with each part's headers sent ahead.
    #[must_use]
    pub fn with_head_ahead(self) -> Self {
        if self.is_chunked() { Self::ChunkedHeadAhead } else { Self::RawHeadAhead }
    }

    /// Returns the headers of the first part that follow the first delimiter immediately.
    pub fn first_head(self) -> &'static [u8] {
        if self.has_head_ahead() { HEAD_AHEAD } else { b"" }
    }

    /// Returns the bytes after a part's picture, the next part's delimiter included.
    fn tail(self) -> &'static [u8] {
        let chunked = if self.has_head_ahead() {
            &b"\r\n--boundarydonotcross\r\nContent-Type: image/jpeg\r\n\r\n\r\n"[..]
        } else {
            b"\r\n--boundarydonotcross\r\n\r\n"
        };
        if self.is_chunked() { chunked } else { &chunked[..chunked.len() - CRLF.len()] }
    }

    fn is_chunked(self) -> bool {
        matches!(self, Self::Chunked | Self::ChunkedHeadAhead)
    }

    fn has_head_ahead(self) -> bool {
        matches!(self, Self::RawHeadAhead | Self::ChunkedHeadAhead)
    }
}

/// A rendered frame, in three pieces of which the middle one is the frame's own bytes.
#[derive(Debug, Clone)]
pub struct PreparedPart {
    /// The chunk size line, then the part's headers; raw viewers start after the former. Then the chunk size
    /// line of viewers that have the headers already.
    head: Bytes,
    raw_start: usize,
    head_end: usize,
    jpeg: Bytes,
}

impl PreparedPart {
    /// Renders the headers of a part that carries `jpeg`, taken at `taken`.
    pub fn new(jpeg: Bytes, taken: SystemTime) -> Self {
        Self::with_headers(jpeg, taken, "")
    }

    /// Renders the part like [`PreparedPart::new`], with further header lines, each ended by CRLF
    /// (ustreamer's `extra_headers`).
    pub fn with_headers(jpeg: Bytes, taken: SystemTime, more: &str) -> Self {
        let headers = format!(
            "Content-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {}\r\n{more}\r\n",
            jpeg.len(),
            timestamp(taken),
        );
        let chunk = format!("{:x}\r\n", headers.len() + jpeg.len() + NEXT_DELIMITER.len());
        let chunk_ahead = format!("{:x}\r\n", jpeg.len() + Framing::RawHeadAhead.tail().len());
        let (raw_start, head_end) = (chunk.len(), chunk.len() + headers.len());
        let mut head = BytesMut::with_capacity(head_end + chunk_ahead.len());
        head.put_slice(chunk.as_bytes());
        head.put_slice(headers.as_bytes());
        head.put_slice(chunk_ahead.as_bytes());
        Self { head: head.freeze(), raw_start, head_end, jpeg }
    }

    /// Returns the pieces to write, in order. The next part can follow directly.
    pub fn pieces(&self, framing: Framing) -> [Bytes; 3] {
        let start = match framing {
            Framing::Raw => self.raw_start..self.head_end,
            Framing::Chunked => 0..self.head_end,
            Framing::RawHeadAhead => self.head_end..self.head_end,
            Framing::ChunkedHeadAhead => self.head_end..self.head.len(),
        };
        [self.head.slice(start), self.jpeg.clone(), Bytes::from_static(framing.tail())]
    }

    /// Returns the number of bytes of [`PreparedPart::pieces`].
    pub fn len(&self, framing: Framing) -> usize {
        self.pieces(framing).iter().map(Bytes::len).sum()
    }
}

/// Returns the headers that ustreamer sends ahead on request (`advance_headers`): `HEAD_AHEAD` and a time.
pub fn advance_headers() -> Bytes {
    format!("Content-Type: image/jpeg\r\nX-Timestamp: {}\r\n\r\n", timestamp(SystemTime::now())).into()
}

/// Returns pieces that are not a [`PreparedPart`] as one chunk where chunks are used.
pub fn framed(pieces: [Bytes; 3], framing: Framing) -> [Bytes; 5] {
    let [first, second, third] = pieces;
    let len = first.len() + second.len() + third.len();
    // A chunk of no bytes would end the answer.
    let (size, end) = if framing.is_chunked() && len > 0 {
        (Bytes::from(format!("{len:x}\r\n")), Bytes::from_static(CRLF))
    } else {
        (Bytes::new(), Bytes::new())
    };
    [size, first, second, third, end]
}

/// Returns the seconds since 1970 with microseconds, as mjpg-streamer and ustreamer write them.
pub fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:06}", since.as_secs(), since.subsec_micros())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn written(pieces: impl IntoIterator<Item = Bytes>) -> Vec<u8> {
        pieces.into_iter().flatten().collect()
    }

    #[test]
    fn a_part_is_exactly_what_clients_expect() {
        let taken = UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789);
        let part = PreparedPart::new(Bytes::from_static(b"<jpeg>"), taken);
        let raw = "Content-Type: image/jpeg\r\nContent-Length: 6\r\nX-Timestamp: 1700000000.123456\r\n\r\n\
                   <jpeg>\r\n--boundarydonotcross\r\n";
        assert_eq!(String::from_utf8(written(part.pieces(Framing::Raw))).unwrap(), raw);
        let chunked = format!("{:x}\r\n{raw}\r\n", raw.len());
        assert_eq!(String::from_utf8(written(part.pieces(Framing::Chunked))).unwrap(), chunked);
        assert_eq!(part.len(Framing::Raw), raw.len());
        assert_eq!(part.len(Framing::Chunked), chunked.len());
    }

    #[test]
    fn headers_that_are_sent_ahead_have_no_length_and_no_time() {
        let part = PreparedPart::new(Bytes::from_static(b"<jpeg>"), SystemTime::now());
        let raw = "<jpeg>\r\n--boundarydonotcross\r\nContent-Type: image/jpeg\r\n\r\n";
        let chunked = format!("{:x}\r\n{raw}\r\n", raw.len());
        for (framing, expected) in [(Framing::Raw, raw), (Framing::Chunked, &chunked)] {
            let framing = framing.with_head_ahead();
            assert_eq!(String::from_utf8(written(part.pieces(framing))).unwrap(), expected);
            assert_eq!(part.len(framing), expected.len());
            assert_eq!(framing.first_head(), HEAD_AHEAD);
        }
    }

    #[test]
    fn a_part_carries_the_frame_itself_and_no_copy() {
        let jpeg = Bytes::from(vec![7; 1000]);
        let part = PreparedPart::new(jpeg.clone(), SystemTime::now());
        assert_eq!(part.pieces(Framing::Chunked)[1].as_ptr(), jpeg.as_ptr());
    }

    #[test]
    fn nothing_is_never_framed_as_the_chunk_that_ends_an_answer() {
        assert!(written(framed(Default::default(), Framing::Chunked)).is_empty());
        let some =
            framed([Bytes::from_static(b"ab"), Bytes::new(), Bytes::from_static(b"c")], Framing::Chunked);
        assert_eq!(written(some), b"3\r\nabc\r\n");
    }
}
