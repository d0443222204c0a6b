//! Reads a JPEG to its end, compares it with its part's length, and returns or drops it.

use super::{Part, PartParser, State, Step, buffer::READ_BYTES, events::DiscardReason, quirk::Quirk};
use crate::media::jpeg::{JpegError, JpegInfo, Progress, Walk};

/// Bytes of a start marker.
const SOI_LEN: usize = 2;

/// Further start markers before a picture: 16 bytes, as in a picture of its own
/// ([`start`](crate::media::jpeg::start)). An endless row of them is not a picture.
const MAX_EXTRA_SOIS: usize = 8;

impl PartParser {
    pub(super) fn begin_jpeg(&mut self) -> Step {
        self.reserved = false;
        self.state = State::Jpeg(Walk::default());
        Step::Continue
    }

    pub(super) fn jpeg(&mut self) -> Step {
        let State::Jpeg(walk) = &mut self.state else { return Step::Continue };
        let progress = walk.advance(&self.buffer);
        let offset = walk.offset();
        let max_len = self.limits.max_frame_bytes;
        match progress {
            Ok(Progress::NeedMore) => self.await_jpeg(),
            Ok(Progress::Done(info)) => {
                if let Some(error) = self.cut_within(info.len) {
                    self.recover(info.len, error)
                } else if info.len > max_len {
                    self.discard_too_large();
                    self.skip(info.len);
                    self.read_lines(true)
                } else {
                    Step::Part(self.take_part(info))
                }
            }
            Err(JpegError::NewSoi { offset: SOI_LEN }) if self.extra_sois < MAX_EXTRA_SOIS => self.skip_soi(),
            Err(error) => self.recover(offset, error),
        }
    }

    /// Starts the JPEG at its second SOI, which directly follows the first.
    fn skip_soi(&mut self) -> Step {
        self.extra_sois += 1;
        self.events.quirk(Quirk::RepeatedSoi);
        self.skip(SOI_LEN);
        self.head.length = self.head.length.map(|length| length.saturating_sub(SOI_LEN));
        self.begin_jpeg()
    }

    /// Returns the error of a JPEG that was cut: by its length the next part begins before `end`.
    pub(super) fn cut_within(&self, end: usize) -> Option<JpegError> {
        let len = self.head.length.filter(|&length| length < end)?;
        self.delimiter.is_at_start(&self.buffer[len..end]).then_some(JpegError::Truncated { len })
    }

    fn await_jpeg(&mut self) -> Step {
        let len = self.buffer.len();
        if let Some(error) = self.cut_within(len) {
            return self.recover(len, error);
        }
        if len > self.limits.max_frame_bytes {
            self.discard_too_large();
            return self.resync(len);
        }
        if !self.reserved {
            self.reserved = true;
            let expected = self.expected_len();
            // A buffer that is large enough is not copied only to gain a little more room.
            if self.buffer.capacity() < expected {
                self.make_room((expected + READ_BYTES).saturating_sub(len));
            }
        }
        Step::NeedMore
    }

    fn take_part(&mut self, info: JpegInfo) -> Part {
        let without_delimiter = !self.head.resynced && !self.head.delimiter;
        if without_delimiter && let Some(quirk) = self.undelimited() {
            self.events.quirk(quirk);
        }
        for quirk in self.head.quirks(info.len) {
            self.events.quirk(quirk);
        }
        if !info.has_huffman_tables {
            self.events.quirk(Quirk::NoHuffmanTables);
        }
        let jpeg = self.buffer.split_to(info.len).freeze();
        let promised = match self.declared_rest.take() {
            Some(owed) if !self.head.headers => Some(owed),
            _ => self.head.length.map(|length| i64::try_from(length).unwrap_or(i64::MAX)),
        };
        self.declared_rest =
            promised.map(|length| length.saturating_sub_unsigned(info.len as u64)).filter(|&owed| owed > 0);
        self.frames += 1;
        self.last_len = info.len;
        self.skipped = 0;
        self.seen.clear();
        self.too_large = false;
        self.extra_sois = 0;
        let capture = std::mem::take(&mut self.head.capture);
        self.read_lines(false);
        Part { jpeg, info, capture }
    }

    /// Returns the quirk of a JPEG without a delimiter before it.
    fn undelimited(&self) -> Option<Quirk> {
        let first = self.frames == 0;
        Some(match (self.head.headers, self.delimiter.was_found()) {
            (true, _) | (false, false) if first && (self.multipart || self.head.headers) => {
                Quirk::FirstDelimiterMissing
            }
            (true, _) => Quirk::DelimiterMissing,
            (false, false) => Quirk::BareJpegs,
            (false, true) if self.head.newline => Quirk::DelimiterMissing,
            (false, true) => Quirk::SeveralJpegsInPart,
        })
    }

    pub(super) fn discard_too_large(&mut self) {
        self.events.discard(DiscardReason::TooLarge);
        self.too_large = true;
    }
}
