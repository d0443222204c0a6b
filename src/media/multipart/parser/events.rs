//! The parser's events besides frames, counted so that no data are discarded silently.

use super::quirk::Quirk;
use crate::media::jpeg::JpegError;

/// A reason for discarding data that looked like a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscardReason {
    /// A JPEG that was not whole.
    Invalid,
    /// A JPEG larger than `max_frame_bytes`.
    TooLarge,
    /// A part with other content.
    NotJpeg,
    /// A part whose headers were longer than `max_header_bytes`.
    LongHeaders,
}

impl DiscardReason {
    /// All reasons.
    pub const ALL: [Self; 4] = [Self::Invalid, Self::TooLarge, Self::NotJpeg, Self::LongHeaders];

    /// Returns the name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::TooLarge => "too_large",
            Self::NotJpeg => "not_jpeg",
            Self::LongHeaders => "long_headers",
        }
    }

    /// Returns a description for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Invalid => "not a whole JPEG",
            Self::TooLarge => "larger than max_frame_bytes",
            Self::NotJpeg => "a part without a JPEG",
            Self::LongHeaders => "part headers longer than max_header_bytes",
        }
    }
}

/// Counts since the last
/// [`PartParser::take_events`](crate::media::multipart::parser::PartParser::take_events).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParserEvents {
    quirks: [u64; Quirk::ALL.len()],
    discards: [u64; DiscardReason::ALL.len()],
    /// Error of the last invalid JPEG.
    pub last_error: Option<JpegError>,
}

impl ParserEvents {
    /// Returns the quirks of the body, each with its count.
    pub fn quirks(&self) -> impl Iterator<Item = (Quirk, u64)> {
        Quirk::ALL.iter().map(|&quirk| (quirk, self.quirks[quirk.index()])).filter(|&(_, times)| times > 0)
    }

    /// Returns the reasons for discarded data, each with its count.
    pub fn discards(&self) -> impl Iterator<Item = (DiscardReason, u64)> {
        DiscardReason::ALL
            .into_iter()
            .map(|why| (why, self.discards[why as usize]))
            .filter(|&(_, times)| times > 0)
    }

    /// Returns whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.quirks().next().is_none() && self.discards().next().is_none()
    }

    pub(super) fn quirk(&mut self, quirk: Quirk) {
        self.quirks[quirk.index()] += 1;
    }

    pub(super) fn discard(&mut self, why: DiscardReason) {
        self.discards[why as usize] += 1;
    }
}
