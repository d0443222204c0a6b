//! What is known about a picture besides its bytes: its number, the time at which it was taken and who states
//! that, and JSON of its publisher.
//!
//! The same headers carry them in both directions: a camera, a publisher or another framecast states them
//! ([`CaptureHeaders`]), and viewers that ask for them get them. Pure: the current time is an argument.

use std::{
    borrow::Cow,
    fmt::Write,
    num::NonZeroU64,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jiff::Timestamp;
use serde::de::IgnoredAny;

/// Maximum length of a frame's JSON. It travels in one header, and each frame of a replay buffer may have it.
pub const MAX_META_BYTES: usize = 4096;

/// Time by which a camera's clock may be ahead. A time beyond it is as wrong as one of a clock that was never
/// set.
pub const MAX_AHEAD: Duration = Duration::from_secs(24 * 60 * 60);

/// 2000-01-01: clocks that were never set, and those that count from the start of the machine, are before it.
const EARLIEST: Duration = Duration::from_secs(946_684_800);

/// Longest time that is parsed: RFC 3339 with an offset and nanoseconds has 35 bytes.
const MAX_TIME_BYTES: usize = 64;

/// Who states the time at which a picture was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSource {
    /// The camera, in a header.
    Camera,
    /// The camera, in RTP and RTCP packets.
    Rtp,
    /// The camera, in the picture's EXIF data.
    Exif,
    /// The publisher.
    Push,
    /// Nobody: it is the time at which the picture arrived.
    Arrival,
}

/// The error of an unknown time source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time source must be camera, rtp, exif, push or arrival")]
pub struct UnknownTimeSource;

impl TimeSource {
    /// Returns the word in `X-Framecast-Time-Source`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Rtp => "rtp",
            Self::Exif => "exif",
            Self::Push => "push",
            Self::Arrival => "arrival",
        }
    }
}

impl FromStr for TimeSource {
    type Err = UnknownTimeSource;

    fn from_str(text: &str) -> Result<Self, UnknownTimeSource> {
        let all = [Self::Camera, Self::Rtp, Self::Exif, Self::Push, Self::Arrival];
        all.into_iter().find(|source| source.as_str() == text).ok_or(UnknownTimeSource)
    }
}

/// The time at which a picture was taken, as well as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capture {
    /// The time.
    pub time: SystemTime,
    /// Who states it.
    pub source: TimeSource,
}

/// Returns whether a stated time can be true at `now`.
pub fn is_plausible(time: SystemTime, now: SystemTime) -> bool {
    time >= UNIX_EPOCH + EARLIEST && time <= now + MAX_AHEAD
}

/// JSON about a frame: one line of ASCII, so that it fits a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameMeta(Box<str>);

/// The error of JSON that cannot belong to a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetaError {
    /// It is too long.
    #[error(
        "it has {len} bytes, and at most {MAX_META_BYTES} are accepted (others than ASCII count as \\uXXXX)"
    )]
    TooLong {
        /// Number of bytes.
        len: usize,
    },
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    NotJson(String),
}

impl FrameMeta {
    /// Checks JSON. Line breaks between its values are removed, and letters beyond ASCII are escaped, since
    /// clients disagree on the encoding of headers; all else stays as it was written.
    ///
    /// # Errors
    /// [`MetaError`] when it is no JSON, or too long.
    pub fn parse(json: &[u8]) -> Result<Self, MetaError> {
        let len = json.len();
        if len > MAX_META_BYTES {
            return Err(MetaError::TooLong { len });
        }
        let text = str::from_utf8(json).map_err(|error| MetaError::NotJson(error.to_string()))?.trim();
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| MetaError::NotJson(error.to_string()))?;
        let mut line = String::with_capacity(len);
        for letter in text.chars() {
            match letter {
                // JSON has these only between its values.
                '\r' | '\n' | '\t' => {}
                ' '..='~' => line.push(letter),
                _ => letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                    // A String takes whatever is written to it.
                    let _ = write!(line, "\\u{unit:04x}");
                }),
            }
        }
        match line.len() {
            len @ ..=MAX_META_BYTES => Ok(Self(line.into())).inspect(|_| debug_assert!(len > 0)),
            len => Err(MetaError::TooLong { len }),
        }
    }

    /// Returns the JSON.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who sends a picture, which decides what is believed of the headers beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// A camera: its time.
    Camera,
    /// A camera of which the stream says `meta: true`: its number and JSON too.
    AnnotatedCamera,
    /// Another framecast: everything. A part without a number is an offline image.
    Framecast,
    /// A publisher: its time and JSON. The stream numbers its frames.
    Publisher,
}

/// The headers beside a picture, of a part, a request or a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaptureHeaders {
    /// `X-Framecast-Seq`.
    pub seq: Option<NonZeroU64>,
    /// `X-Framecast-Time-Source`.
    pub source: Option<TimeSource>,
    /// `X-Framecast-Meta`.
    pub meta: Option<FrameMeta>,
    capture_time: Option<SystemTime>,
    timestamp: Option<SystemTime>,
}

impl CaptureHeaders {
    /// Reads a header. Those that are not about the picture, and values that make no sense, are ignored.
    pub fn read(&mut self, name: &[u8], value: &[u8]) {
        if !name.first().is_some_and(|first| first.eq_ignore_ascii_case(&b'x')) {
            return;
        }
        let text = || str::from_utf8(value).ok();
        if name.eq_ignore_ascii_case(b"x-timestamp") {
            self.timestamp = text().and_then(parse_time);
        } else if name.eq_ignore_ascii_case(b"x-capture-time") {
            self.capture_time = text().and_then(parse_time);
        } else if name.eq_ignore_ascii_case(b"x-framecast-seq") {
            self.seq = text().and_then(|text| text.parse().ok());
        } else if name.eq_ignore_ascii_case(b"x-framecast-time-source") {
            self.source = text().and_then(|text| text.parse().ok());
        } else if name.eq_ignore_ascii_case(b"x-framecast-meta") {
            self.meta = FrameMeta::parse(value).ok();
        }
    }

    /// Returns the time at which the picture was taken, which `sender` states.
    pub fn capture(&self, sender: Sender) -> Option<Capture> {
        let time = self.capture_time.or(self.timestamp)?;
        let source = match sender {
            Sender::Publisher => TimeSource::Push,
            Sender::Camera => TimeSource::Camera,
            Sender::AnnotatedCamera | Sender::Framecast => self.source.unwrap_or(TimeSource::Camera),
        };
        Some(Capture { time, source })
    }
}

/// Parses seconds since 1970 with any fraction, or RFC 3339.
pub fn parse_time(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    if text.len() > MAX_TIME_BYTES {
        return None;
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !seconds.is_empty() && digits(seconds) && digits(fraction) {
        let nanos = format!("{fraction:0<9}")[..9].parse().ok()?;
        return UNIX_EPOCH.checked_add(Duration::new(seconds.parse().ok()?, nanos));
    }
    text.parse::<Timestamp>().ok().map(SystemTime::from)
}

/// Returns a time as RFC 3339 with microseconds.
pub fn rfc3339(time: SystemTime) -> String {
    format!("{:.6}", Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// What viewers that ask for it get to know about a frame.
#[derive(Debug, Clone)]
pub struct FrameFacts {
    /// The number; none for an offline image.
    pub seq: Option<NonZeroU64>,
    /// The value of `X-Timestamp`.
    pub timestamp: SystemTime,
    /// The time at which it arrived at this framecast.
    pub arrival: SystemTime,
    /// The time at which it was taken.
    pub capture: Capture,
    /// The publisher's JSON.
    pub meta: Option<FrameMeta>,
}

impl FrameFacts {
    /// Returns the headers, beside `X-Timestamp`.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
        let seq = self.seq.map(|seq| ("X-Framecast-Seq", Cow::Owned(seq.to_string())));
        let capture = [
            ("X-Capture-Time", Cow::Owned(rfc3339(self.capture.time))),
            ("X-Framecast-Time-Source", Cow::Borrowed(self.capture.source.as_str())),
        ];
        let meta = self.meta.as_ref().map(|meta| ("X-Framecast-Meta", Cow::Borrowed(meta.as_str())));
        seq.into_iter().chain(capture).chain(meta)
    }

    /// Returns the headers as lines of a part's head.
    pub fn header_lines(&self) -> String {
        self.headers().fold(String::new(), |mut lines, (name, value)| {
            // A String takes whatever is written to it.
            let _ = write!(lines, "{name}: {value}\r\n");
            lines
        })
    }

    /// Returns a JSON object in one line, with `more` members before its end (each begins with a comma).
    pub fn json(&self, more: &str) -> String {
        let seq = self.seq.map_or_else(|| "null".to_owned(), |seq| seq.to_string());
        format!(
            r#"{{"seq":{seq},"capture_time":"{}","time_source":"{}","arrival":"{}","timestamp":{},"meta":{}{more}}}"#,
            rfc3339(self.capture.time),
            self.capture.source.as_str(),
            rfc3339(self.arrival),
            super::multipart::writer::timestamp(self.timestamp),
            self.meta.as_ref().map_or("null", FrameMeta::as_str),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64, micros: u32) -> SystemTime {
        UNIX_EPOCH + Duration::new(seconds, micros * 1000)
    }

    #[test]
    fn times_are_seconds_or_rfc_3339_and_nothing_else() {
        for (text, time) in [
            ("1700000000", at(1_700_000_000, 0)),
            ("1700000000.123456", at(1_700_000_000, 123_456)),
            (" 1700000000.1 ", at(1_700_000_000, 100_000)),
            ("1700000000.", at(1_700_000_000, 0)),
            ("1700000000.1234560009999", at(1_700_000_000, 123_456)),
            ("2023-11-14T22:13:20.5Z", at(1_700_000_000, 500_000)),
            ("2023-11-15T00:13:20+02:00", at(1_700_000_000, 0)),
        ] {
            assert_eq!(parse_time(text), Some(time), "{text}");
        }
        for wrong in ["", ".", ".5", "-1", "+5", "1e9", "now", "2023-11-14", "99999999999999999999", "1.2.3"]
        {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
        assert_eq!(parse_time(&"1".repeat(100)), None);
        assert_eq!(rfc3339(at(1_700_000_000, 123_456)), "2023-11-14T22:13:20.123456Z");
        assert_eq!(parse_time(&rfc3339(at(1_700_000_000, 1))), Some(at(1_700_000_000, 1)));
    }

    #[test]
    fn clocks_that_were_never_set_and_those_a_day_ahead_are_not_believed() {
        let now = at(1_700_000_000, 0);
        for (time, plausible) in [
            (at(946_684_799, 0), false),
            (at(946_684_800, 0), true),
            (now + MAX_AHEAD, true),
            (now + MAX_AHEAD + Duration::from_secs(1), false),
        ] {
            assert_eq!(is_plausible(time, now), plausible, "{time:?}");
        }
    }

    #[test]
    fn json_becomes_one_line_of_ascii_that_says_the_same() {
        let parse = |json: &str| FrameMeta::parse(json.as_bytes()).map(|meta| meta.as_str().to_owned());
        let kept = r#"{"boxes": [{"x":1.50,"y":2e0}], "z":"a\nb"}"#;
        assert_eq!(parse(kept).unwrap(), kept);
        assert_eq!(parse(" {\r\n\t\"a\" :\n1 }\n").unwrap(), "{\"a\" :1 }");
        let escaped = parse("{\"a\":\"Tür \u{7f} 🎥\"}").unwrap();
        assert_eq!(escaped, r#"{"a":"T\u00fcr \u007f \ud83c\udfa5"}"#);
        let value: serde_json::Value = serde_json::from_str(&escaped).unwrap();
        assert_eq!(value["a"], "Tür \u{7f} 🎥");
        for wrong in ["", "{", "{}{}", "nan", "{'a':1}", "\"a\nb\""] {
            assert!(matches!(parse(wrong), Err(MetaError::NotJson(_))), "{wrong}");
        }
        let long = |letter: &str, count| format!("\"{}\"", letter.repeat(count));
        assert!(parse(&long("a", 4094)).is_ok());
        assert_eq!(parse(&long("a", 4095)), Err(MetaError::TooLong { len: 4097 }));
        assert_eq!(parse(&long("ü", 683)), Err(MetaError::TooLong { len: 4100 }));
    }

    #[test]
    fn who_sends_decides_what_is_believed() {
        let mut headers = CaptureHeaders::default();
        for (name, value) in [
            ("X-Timestamp", "1700000001.5"),
            ("x-capture-time", "2023-11-14T22:13:20Z"),
            ("X-FRAMECAST-SEQ", "7"),
            ("X-Framecast-Time-Source", "exif"),
            ("X-Framecast-Meta", "{}"),
            ("Y-Timestamp", "1"),
        ] {
            headers.read(name.as_bytes(), value.as_bytes());
        }
        assert_eq!(headers.seq, NonZeroU64::new(7));
        for (sender, source) in [
            (Sender::Camera, TimeSource::Camera),
            (Sender::Publisher, TimeSource::Push),
            (Sender::Framecast, TimeSource::Exif),
            (Sender::AnnotatedCamera, TimeSource::Exif),
        ] {
            assert_eq!(headers.capture(sender), Some(Capture { time: at(1_700_000_000, 0), source }));
        }
        for (name, value) in [("X-Framecast-Seq", "0"), ("X-Framecast-Seq", "-1"), ("X-Framecast-Meta", "{")]
        {
            headers.read(name.as_bytes(), value.as_bytes());
        }
        assert_eq!((headers.seq, &headers.meta), (None, &None));
    }
}
