//! The delimiter and the headers of one part, as far as the parser uses them.

use super::quirk::Quirk;
use crate::media::{capture::CaptureHeaders, multipart::sniff::MediaType};

/// Length above which part headers are long; those of common cameras take less than half of it.
const LONG_HEADERS: usize = 1024;

/// The data that have been read since the last JPEG.
#[derive(Debug, Default)]
pub(super) struct PartHead {
    /// Whether a delimiter was read.
    pub(super) delimiter: bool,
    /// Whether it looked like the last one.
    pub(super) closing: bool,
    /// At least one header.
    pub(super) headers: bool,
    /// The blank line that ends them.
    pub(super) complete: bool,
    /// Whether the position was found by searching, so that nothing is known of the data there.
    pub(super) resynced: bool,
    /// Whether a newline came first.
    pub(super) newline: bool,
    /// The last `Content-Length` that is a number.
    pub(super) length: Option<usize>,
    /// Number of bytes of delimiter and headers.
    pub(super) bytes: usize,
    /// The headers about the picture itself.
    pub(super) capture: CaptureHeaders,
    /// The declared type, if it is a known one.
    pub(super) media: Option<MediaType>,
    /// Whether audio is declared.
    pub(super) is_audio: bool,
    lengths: usize,
    bad_length: bool,
    labelled_jpeg: bool,
    without_colon: bool,
    bare_newlines: bool,
}

impl PartHead {
    pub(super) fn after_jpeg(resynced: bool) -> Self {
        Self { resynced, ..Self::default() }
    }

    pub(super) fn after_delimiter(closing: bool) -> Self {
        Self { delimiter: true, closing, ..Self::default() }
    }

    /// Returns whether the next line belongs to the headers.
    pub(super) fn open(&self) -> bool {
        (self.delimiter || self.headers) && !self.complete
    }

    /// Returns whether a part has begun, so that its JPEG must come next.
    pub(super) fn expects_body(&self) -> bool {
        self.headers && self.complete
    }

    /// Counts a line of this head, of `bytes` with its end.
    pub(super) fn count_line(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.bare_newlines |= bytes.ends_with(b"\n") && !bytes.ends_with(b"\r\n");
    }

    /// Reads a header line; returns false if it is none.
    pub(super) fn header(&mut self, line: &[u8]) -> bool {
        let Some((name, value)) = split_header(line) else { return false };
        self.headers = true;
        self.complete = false;
        if name.eq_ignore_ascii_case(b"content-length") {
            self.lengths += 1;
            match str::from_utf8(value).ok().and_then(parse_length) {
                Some(length) => self.length = Some(length),
                None => self.bad_length = true,
            }
        } else if name.eq_ignore_ascii_case(b"content-type") {
            let essence = value.split(|&byte| byte == b';').next().unwrap_or_default();
            self.labelled_jpeg = essence.trim_ascii().eq_ignore_ascii_case(b"image/jpeg");
            self.is_audio = value.get(..6).is_some_and(|kind| kind.eq_ignore_ascii_case(b"audio/"));
            self.media = str::from_utf8(value).ok().and_then(MediaType::from_header);
        } else {
            self.capture.read(name, value);
        }
        true
    }

    /// Returns whether a JPEG is declared.
    pub(super) fn labels_jpeg(&self) -> bool {
        self.labelled_jpeg
    }

    /// Records a line among the headers that is no header.
    pub(super) fn ignore_line(&mut self) {
        self.without_colon = true;
    }

    /// Returns the quirks in the head of a part whose JPEG has `jpeg_len` bytes.
    pub(super) fn quirks(&self, jpeg_len: usize) -> impl Iterator<Item = Quirk> {
        let has_head = !self.resynced && (self.delimiter || self.headers);
        let wrong = self.bad_length || self.length.is_some_and(|length| length < jpeg_len);
        [
            (self.closing, Quirk::EveryDelimiterCloses),
            (self.lengths == 0, Quirk::NoContentLength),
            (wrong, Quirk::BadContentLength),
            (self.lengths > 1, Quirk::DuplicateContentLength),
            (self.without_colon, Quirk::HeaderWithoutColon),
            (self.headers && !self.complete, Quirk::NoBlankLine),
            (self.bare_newlines, Quirk::BareNewlines),
            (!self.labelled_jpeg, Quirk::WrongPartType),
            (self.bytes > LONG_HEADERS && self.capture.meta.is_none(), Quirk::LongPartHeaders),
        ]
        .into_iter()
        .filter_map(move |(met, quirk)| (has_head && met).then_some(quirk))
    }
}

fn split_header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let name = line[..colon].trim_ascii();
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let is_name = !name.is_empty() && name.iter().all(token);
    is_name.then(|| (name, line[colon + 1..].trim_ascii()))
}

/// Parses decimal digits only: `+5` and `5, 5` are not lengths.
fn parse_length(text: &str) -> Option<usize> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_length_that_is_a_number_counts() {
        let mut head = PartHead::default();
        for line in
            ["Content-Length: 7", "content-length :  0012 ", "CONTENT-LENGTH: -1", "Content-Length: 5, 5"]
        {
            assert!(head.header(line.as_bytes()), "{line}");
        }
        assert_eq!(head.length, Some(12));
        let quirks: Vec<_> = head.quirks(12).collect();
        assert!(quirks.contains(&Quirk::BadContentLength) && quirks.contains(&Quirk::DuplicateContentLength));
    }

    #[test]
    fn lines_that_are_no_headers_are_refused() {
        for line in ["", "GoAhead", ": x", "two words: x", "\u{1}: x"] {
            assert!(!PartHead::default().header(line.as_bytes()), "{line:?}");
        }
    }
}
