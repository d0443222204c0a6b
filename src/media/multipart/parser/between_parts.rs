//! Reads the data between two JPEGs line by line: delimiters, headers, blank lines, padding.

use super::{
    PartParser, Step, events::DiscardReason, part_head::PartHead, png_part::PNG_SIGNATURE, quirk::Quirk,
};

/// Newlines that may follow padding before it counts as wrong.
const NEWLINES_AFTER_PADDING: i64 = 4;

impl PartParser {
    /// Reads one line, some padding, or a JPEG's start.
    pub(super) fn gap(&mut self) -> Step {
        let Some(&first) = self.buffer.first() else { return Step::NeedMore };
        let second = self.buffer.get(1).copied();
        match (first, second) {
            (b'\r' | 0xff, None) => Step::NeedMore,
            (0xff, Some(0xd8)) => self.begin_jpeg(),
            // Declared one EOI too short: it was added already.
            (0xff, Some(0xd9)) if self.added_eoi && !self.head.open() => {
                self.added_eoi = false;
                self.skip(2);
                Step::Continue
            }
            (b'\r', Some(b'\n')) => self.blank_line(2),
            (b'\r' | b'\n', _) => self.blank_line(1),
            // Drivers align their buffers with either.
            (0, _) | (0xff, Some(0xff)) if !self.head.open() => {
                self.skip(1);
                Step::Continue
            }
            _ if self.head.expects_body() && !self.delimiter.may_start(&self.buffer) => self.other_part(),
            _ => self.line(),
        }
    }

    fn blank_line(&mut self, bytes: usize) -> Step {
        if self.head.open() {
            self.head.count_line(&self.buffer[..bytes]);
            self.head.complete = true;
        }
        self.head.newline = true;
        self.skip(bytes);
        Step::Continue
    }

    /// Begins a PNG, or skips a part that is not a picture.
    fn other_part(&mut self) -> Step {
        if self.takes_png && !self.head.is_audio {
            let compared = self.buffer.len().min(PNG_SIGNATURE.len());
            if self.buffer[..compared] == PNG_SIGNATURE[..compared] {
                let is_png = compared == PNG_SIGNATURE.len();
                return if is_png { self.png(PNG_SIGNATURE.len()) } else { Step::NeedMore };
            }
        }
        self.skip_other_part()
    }

    /// Skips a part that is not a picture: its length, if true, keeps the search from matching its data.
    pub(super) fn skip_other_part(&mut self) -> Step {
        if self.frames == 0 {
            self.other_parts.count(&self.head, &self.buffer);
        }
        if self.head.is_audio {
            self.events.quirk(Quirk::AudioPart);
        } else {
            self.events.quirk(Quirk::OtherPart);
            self.events.discard(DiscardReason::NotJpeg);
        }
        let length = self.head.length.unwrap_or_default();
        self.hunt_from(1, length.saturating_sub(1))
    }

    fn line(&mut self) -> Step {
        let Some((line_len, ended_len)) = self.find_line() else {
            if self.buffer.len() + self.head.bytes <= self.limits.max_header_bytes {
                return Step::NeedMore;
            }
            return self.junk();
        };
        if ended_len + self.head.bytes > self.limits.max_header_bytes {
            return self.junk();
        }
        let line = &self.buffer[..line_len];
        if let Some(met) = self.delimiter.recognise(line) {
            if self.head.headers {
                self.events.quirk(Quirk::EmptyPart);
            }
            if let Some(quirk) = met.quirk {
                self.events.quirk(quirk);
            }
            self.head = PartHead::after_delimiter(met.closing);
        } else if !self.head.header(line) {
            if !self.head.open() {
                return self.junk();
            }
            self.head.ignore_line();
        }
        self.check_declared_length();
        self.head.count_line(&self.buffer[..ended_len]);
        self.skip(ended_len);
        Step::Continue
    }

    /// Returns the next line's length, without and with its end. A JPEG's start also ends a line.
    fn find_line(&mut self) -> Option<(usize, usize)> {
        loop {
            let Some(found) = memchr::memchr2(b'\n', 0xff, &self.buffer[self.scanned..]) else {
                self.scanned = self.buffer.len();
                return None;
            };
            let at = self.scanned + found;
            match (self.buffer[at], self.buffer.get(at + 1)) {
                (b'\n', _) => {
                    let bare = self.buffer[..at].strip_suffix(b"\r").map_or(at, <[u8]>::len);
                    return Some((bare, at + 1));
                }
                (_, Some(0xd8)) => return Some((at, at)),
                (_, Some(_)) => self.scanned = at + 1,
                (_, None) => {
                    self.scanned = at;
                    return None;
                }
            }
        }
    }

    /// Skips data that are neither delimiter nor header.
    fn junk(&mut self) -> Step {
        if self.head.open() {
            self.events.quirk(Quirk::LongPartHeaders);
            self.events.discard(DiscardReason::LongHeaders);
        }
        let padding = self.declared_rest.and_then(|owed| usize::try_from(owed).ok()).unwrap_or_default();
        // At least one byte, or the search would find the same place again.
        self.hunt_from(1, padding.saturating_sub(1))
    }

    /// Checks the length that the last frame declared, once the data after that frame are found.
    fn check_declared_length(&mut self) {
        let Some(owed) = self.declared_rest.take() else { return };
        let padded = (-NEWLINES_AFTER_PADDING..=0).contains(&owed);
        self.events.quirk(if padded { Quirk::PaddedPart } else { Quirk::BadContentLength });
    }
}
