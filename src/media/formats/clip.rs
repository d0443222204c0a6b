//! The input and the output of every format: numbered pictures, and a file in pieces.

use std::time::SystemTime;

use bytes::Bytes;
use jiff::{Timestamp, Zoned, tz::TimeZone};

use crate::media::frame::Frame;

/// A picture with its number.
pub trait ClipFrame {
    /// Returns the picture.
    fn frame(&self) -> &Frame;
    /// Returns the picture's number in the stream.
    fn seq(&self) -> u64;
}

/// A file in pieces.
pub struct Clip {
    /// Number of bytes of all pieces.
    pub len: u64,
    /// The pieces, in order.
    pub chunks: Box<dyn Iterator<Item = Bytes> + Send>,
}

/// Returns a picture's file name, by local time: `20261122-140322-123-000042.jpg`.
pub fn picture_name(frame: &Frame, seq: u64) -> String {
    format!("{}-{seq:06}.jpg", local_time(frame.captured_at()).strftime("%Y%m%d-%H%M%S-%3f"))
}

/// Returns number, times and JSON of a picture as one line of JSON, with the name of its file.
pub fn fact_line(frame: &Frame, seq: u64) -> String {
    let more = format!(r#","file":"{}","bytes":{}"#, picture_name(frame, seq), frame.jpeg().len());
    frame.facts().json(&more) + "\n"
}

/// Returns a time in this machine's zone; 1970 for a time that cannot be expressed.
pub fn local_time(time: SystemTime) -> Zoned {
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::system())
}
