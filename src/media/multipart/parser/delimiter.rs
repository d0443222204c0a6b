//! Recognises the delimiters between parts: as announced, nearly as announced, or learnt from the body.

use memchr::memmem;

use super::quirk::Quirk;
use crate::media::multipart::content_type::ContentKind;

/// Longest line that is taken for a delimiter that was not announced.
const MAX_LEARNT: usize = 200;

/// The known properties of the stream's delimiters.
#[derive(Debug)]
pub(super) struct Delimiter {
    announced: Option<String>,
    /// The boundary without any dashes in front.
    core: Vec<u8>,
    /// Bytes to search for in order to find a delimiter; empty when nothing is known.
    needle: Vec<u8>,
    is_known: bool,
}

/// A line that is a delimiter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DelimiterLine {
    /// Whether it ends with dashes, as the last one of a body does.
    pub(super) closing: bool,
    /// Quirk of the stream's boundary; reported once.
    pub(super) quirk: Option<Quirk>,
}

impl Delimiter {
    pub(super) fn new(kind: &ContentKind) -> Self {
        let announced = kind.boundary().map(str::to_owned);
        let core = announced.as_deref().unwrap_or_default().trim_start_matches('-').as_bytes().to_vec();
        let mut delimiter = Self { announced, core, needle: Vec::new(), is_known: false };
        delimiter.search_for("--");
        delimiter
    }

    fn search_for(&mut self, dashes: &str) {
        self.needle.clear();
        if !self.core.is_empty() {
            self.needle.extend_from_slice(dashes.as_bytes());
            self.needle.extend_from_slice(&self.core);
        }
    }

    /// Recognises a delimiter in a line (without its end). The first one is learnt when it is not as
    /// announced.
    pub(super) fn recognise(&mut self, line: &[u8]) -> Option<DelimiterLine> {
        let line = line.trim_ascii_end();
        let dashes = line.iter().take_while(|&&byte| byte == b'-').count();
        let text = &line[dashes..];
        let (closing, known) = match text.strip_prefix(self.core.as_slice()) {
            Some(b"") if !self.core.is_empty() => (false, true),
            Some(b"--") if !self.core.is_empty() => (true, true),
            _ => (text.ends_with(b"--"), false),
        };
        let printable = text.iter().all(|byte| (b' '..=b'~').contains(byte));
        let plausible = dashes >= 2 && !text.is_empty() && line.len() <= MAX_LEARNT && printable;
        if !(known || plausible) {
            return None;
        }
        let quirk = if self.is_known { None } else { self.learn(text, dashes, closing, known) };
        self.is_known = true;
        Some(DelimiterLine { closing, quirk })
    }

    fn learn(&mut self, text: &[u8], dashes: usize, closing: bool, known: bool) -> Option<Quirk> {
        if !known {
            self.core = text[..text.len() - if closing { 2 } else { 0 }].to_vec();
        }
        self.search_for(if dashes == 0 { "" } else { "--" });
        let Some(announced) = &self.announced else { return Some(Quirk::NoBoundary) };
        match known {
            false => Some(Quirk::OtherBoundary),
            true if announced.starts_with('-') || dashes < 2 => Some(Quirk::BoundaryDashes),
            true => None,
        }
    }

    /// Returns whether a delimiter was found in this stream.
    pub(super) fn was_found(&self) -> bool {
        self.is_known
    }

    /// Returns the number of bytes that are needed to recognise a delimiter.
    pub(super) fn len(&self) -> usize {
        self.needle.len()
    }

    /// Returns the offset of a delimiter in `bytes`.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<usize> {
        if self.needle.is_empty() { None } else { memmem::find(bytes, &self.needle) }
    }

    /// Returns whether `bytes` start with a delimiter, after any newlines.
    pub(super) fn is_at_start(&self, bytes: &[u8]) -> bool {
        let bytes = bytes.strip_prefix(b"\r").unwrap_or(bytes);
        let bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        !self.needle.is_empty() && bytes.starts_with(&self.needle)
    }

    /// Returns whether `bytes` are, or may become, the start of a delimiter.
    pub(super) fn may_start(&self, bytes: &[u8]) -> bool {
        let enough = bytes.len().min(self.needle.len());
        bytes.starts_with(b"--") || bytes == b"-" || (enough > 0 && bytes[..enough] == self.needle[..enough])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(value: &str) -> Delimiter {
        Delimiter::new(&ContentKind::from_header(Some(&format!("multipart/x-mixed-replace{value}"))))
    }

    #[test]
    fn dashes_are_taken_as_they_come() {
        for (boundary, line, quirk) in [
            (";boundary=cam", "--cam", None),
            (";boundary=cam", "--cam  ", None),
            (";boundary=--cam", "--cam", Some(Quirk::BoundaryDashes)),
            (";boundary=--cam", "----cam", Some(Quirk::BoundaryDashes)),
            (";boundary=cam", "cam", Some(Quirk::BoundaryDashes)),
            (";boundary=cam", "--other", Some(Quirk::OtherBoundary)),
            ("", "--whatever", Some(Quirk::NoBoundary)),
        ] {
            let mut delimiter = announced(boundary);
            let first = delimiter.recognise(line.as_bytes());
            assert_eq!(first, Some(DelimiterLine { closing: false, quirk }), "{boundary} {line}");
            let closing = format!("{}--", line.trim_end());
            let second = delimiter.recognise(closing.as_bytes());
            assert_eq!(second, Some(DelimiterLine { closing: true, quirk: None }), "{boundary} {closing}");
            assert_eq!(delimiter.find(format!("x{line}").as_bytes()), Some(line.len().min(1) + extra(line)));
        }
    }

    /// Returns the number of dashes before the last two.
    fn extra(line: &str) -> usize {
        line.bytes().take_while(|&byte| byte == b'-').count().saturating_sub(2)
    }

    #[test]
    fn other_lines_are_no_delimiters() {
        for line in ["", "-", "--", "-x", "camera", "Content-Type: image/jpeg", "--\u{1}", "cam2"] {
            assert_eq!(announced(";boundary=cam").recognise(line.as_bytes()), None, "{line:?}");
        }
    }
}
