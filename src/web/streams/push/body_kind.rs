//! Tells a single picture from a feed, by the bytes of a body that was sent to `/frame`.
//!
//! `ffmpeg -f mjpeg` and GStreamer's `curlhttpsink` send a body without end wherever they are told to, often
//! without a content type. It would be read as one picture until it is too large, and nothing would be shown.

use crate::{
    imaging::convert::needs_conversion,
    media::{
        jpeg::{MAX_LEADING_BYTES, Progress, Walk, start},
        multipart::sniff::MediaType,
    },
    web::middleware::uploads::body::Verdict,
};

/// Bytes of a body of unknown length from which it is judged. Any picture has more.
const MIN_BYTES: usize = MAX_LEADING_BYTES + 16;

/// What is known of a body so far.
#[derive(Debug)]
pub(super) struct BodyKind {
    has_length: bool,
    is_form: bool,
    walk: Option<Walk>,
    /// Length of the first JPEG, up to its EOI.
    first: Option<usize>,
}

/// Returns whether bytes begin as a picture does.
pub(super) fn is_picture(bytes: &[u8]) -> bool {
    start(bytes).is_some() || needs_conversion(bytes)
}

impl BodyKind {
    /// Begins a body, which has a length or chunks.
    pub(super) fn new(has_length: bool, is_form: bool) -> Self {
        Self { has_length, is_form, walk: Some(Walk::default()), first: None }
    }

    /// Judges `bytes`, all that have come.
    pub(super) fn judge(&mut self, bytes: &[u8]) -> Verdict {
        let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        // Parts, or the line end between two of them, which some send in a request of its own.
        let text = &bytes[bytes.iter().take_while(|byte| is_line_end(byte)).count()..];
        if !self.is_form && (text.starts_with(b"--") || self.has_length && text.is_empty()) {
            return Verdict::Stop;
        }
        // A body with an end is judged by what it is once it has come.
        if self.has_length {
            return Verdict::ReadOn;
        }
        // Later bytes do not change any more where a JPEG starts.
        if bytes.len() < MIN_BYTES {
            return Verdict::ReadOn;
        }
        let Some(begin) = start(bytes) else {
            let is_other = !needs_conversion(bytes) && MediaType::sniff(bytes).is_some();
            return if is_other && !self.is_form { Verdict::Enough } else { Verdict::ReadOn };
        };
        let jpeg = &bytes[begin..];
        if let (None, Some(walk)) = (self.first, &mut self.walk) {
            match walk.advance(jpeg) {
                Ok(Progress::NeedMore) => {}
                Ok(Progress::Done(info)) => self.first = Some(info.len),
                // The error is found again when all has come.
                Err(_) => self.walk = None,
            }
        }
        let Some(first) = self.first else { return Verdict::ReadOn };
        let rest = &jpeg[first..];
        let padding = rest.iter().take_while(|byte| is_line_end(byte) || **byte == 0).count();
        match &rest[padding..] {
            [0xff, 0xd8, ..] | [b'-', b'-', ..] => Verdict::Stop,
            [] => Verdict::Whole,
            _ => Verdict::ReadOn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::tests::tiny_frame;

    /// Returns the verdict after each byte, where it changes.
    fn verdicts(has_length: bool, body: &[u8]) -> Vec<(usize, Verdict)> {
        let mut kind = BodyKind::new(has_length, false);
        let mut found: Vec<(usize, Verdict)> = Vec::new();
        for len in 1..=body.len() {
            let verdict = kind.judge(&body[..len]);
            if found.last().is_none_or(|(_, last)| *last != verdict) {
                found.push((len, verdict));
            }
            if matches!(verdict, Verdict::Stop | Verdict::Enough) {
                break;
            }
        }
        found
    }

    #[test]
    fn a_second_picture_makes_a_feed_of_a_body_without_a_length() {
        let jpeg = tiny_frame().jpeg().to_vec();
        let (len, read_on) = (jpeg.len(), (1, Verdict::ReadOn));
        let two = [&jpeg[..], &jpeg].concat();
        let whole = (len, Verdict::Whole);
        assert_eq!(
            verdicts(false, &two),
            [read_on, whole, (len + 1, Verdict::ReadOn), (len + 2, Verdict::Stop)]
        );
        assert_eq!(verdicts(true, &two), [read_on]);
        assert_eq!(verdicts(false, &[&jpeg[..], b"\r\n"].concat()), [read_on, whole]);
        assert_eq!(verdicts(false, b"\r\n--b\r\n"), [read_on, (4, Verdict::Stop)]);
        assert_eq!(verdicts(true, b"--b\r\n"), [read_on, (2, Verdict::Stop)]);
    }

    #[test]
    fn what_is_no_picture_is_not_read_for_ever() {
        let end = (MIN_BYTES, Verdict::Enough);
        assert_eq!(verdicts(false, &b"<html>".repeat(20)), [(1, Verdict::ReadOn), end]);
        assert_eq!(verdicts(false, &[&b"\x89PNG\r\n\x1a\n"[..], &[0; 100]].concat()), [(1, Verdict::ReadOn)]);
    }
}
