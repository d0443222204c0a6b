//! Reads a JPEG to its end, compares it with its part's length, and returns or drops it.

use bytes::{Buf, Bytes};
use memchr::memmem;

use super::{Part, PartParser, State, Step, buffer::READ_BYTES, events::DiscardReason, quirk::Quirk};
use crate::media::jpeg::{
    JpegError, JpegInfo, Progress, Walk,
    completeness::with_missing_eoi,
    multi_picture::{are_there, indexed},
};

/// Bytes of a start marker.
const SOI_LEN: usize = 2;

/// Further start markers before a picture: 16 bytes, as in a picture of its own
/// ([`start`](crate::media::jpeg::start)). An endless row of them is not a picture.
const MAX_EXTRA_SOIS: usize = 8;

/// Smaller pictures behind a frame that belong to it: a thumbnail, a preview, a gain map. More in a row are a
/// stream whose pictures became smaller.
const MAX_FURTHER: u8 = 3;

impl PartParser {
    pub(super) fn begin_jpeg(&mut self) -> Step {
        (self.reserved, self.checked) = (false, false);
        self.state = State::Jpeg(Walk::default());
        Step::Continue
    }

    pub(super) fn jpeg(&mut self) -> Step {
        let State::Jpeg(walk) = &mut self.state else { return Step::Continue };
        let progress = walk.advance(&self.buffer);
        let (offset, index) = (walk.offset(), walk.multi_picture());
        let max_len = self.limits.max_frame_bytes;
        let seen = match &progress {
            Ok(Progress::NeedMore) => self.buffer.len(),
            Ok(Progress::Done(info)) => info.len,
            Err(_) => offset,
        };
        if let Some(step) = self.complete_at_length(seen, &progress) {
            return step;
        }
        match progress {
            Ok(Progress::NeedMore) => self.await_jpeg(),
            Ok(Progress::Done(info)) => {
                if let Some(error) = self.cut_within(info.len) {
                    self.recover(info.len, error)
                } else if info.len > max_len {
                    self.discard_too_large();
                    self.skip(info.len);
                    self.read_lines(true)
                } else if self.is_further(&info) {
                    self.skip_further(info.len)
                } else {
                    match self.whole_len(&info, index) {
                        Some(len) => {
                            let jpeg = self.buffer.split_to(len).freeze();
                            Step::Part(self.take_part(jpeg, info, len))
                        }
                        None => Step::NeedMore,
                    }
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

    /// Adds EOI to a JPEG whose data are whole at the length that its part declares, as soon as so many bytes
    /// have been `seen` without it.
    fn complete_at_length(&mut self, seen: usize, progress: &Result<Progress, JpegError>) -> Option<Step> {
        let length = self.head.length.filter(|&length| !self.checked && length <= seen)?;
        if matches!(progress, Ok(Progress::Done(info)) if info.len <= length) {
            return None;
        }
        self.checked = true;
        // Of a cut picture the next delimiter, or its start, would pass for picture data.
        let near = length.saturating_sub(self.delimiter.len() + 2);
        let near = &self.buffer[near..length];
        let delimited = [&b"\r"[..], b"\n", b"\n-"].iter().any(|end| near.ends_with(end))
            || memmem::find(near, b"\n--").is_some()
            || self.delimiter_before(length).is_some();
        if delimited { None } else { self.complete(length) }
    }

    /// Adds EOI to the JPEG at the buffer's start, if of its first `len` bytes nothing else is missing.
    pub(super) fn complete(&mut self, len: usize) -> Option<Step> {
        let (jpeg, info) = with_missing_eoi(&self.buffer[..len])?;
        let consumed = info.len - 2;
        if info.len > self.limits.max_frame_bytes {
            self.discard_too_large();
            self.skip(consumed);
            return Some(self.read_lines(true));
        }
        self.events.quirk(Quirk::MissingEoi);
        self.adds_eoi = true;
        self.buffer.advance(consumed);
        let part = self.take_part(jpeg, info, consumed);
        self.added_eoi = true;
        Some(Step::Part(part))
    }

    /// Returns the length of a frame with the pictures behind it that its index names; `None` while they are
    /// arriving.
    fn whole_len(&mut self, info: &JpegInfo, index: Option<usize>) -> Option<usize> {
        let Some((end, starts)) = index.and_then(|at| indexed(&self.buffer, at)) else {
            return Some(info.len);
        };
        let promised = self.head.length.filter(|&length| length >= info.len).unwrap_or(usize::MAX);
        if end > promised || end > self.limits.max_frame_bytes || end <= info.len {
            return Some(info.len);
        }
        let follows = &self.buffer[info.len..];
        if self.delimiter.is_at_start(follows) || (self.ended && self.buffer.len() < end) {
            return Some(info.len);
        }
        if self.buffer.len() < end {
            return None;
        }
        let are_all = are_there(&self.buffer, info.len, &starts)
            && self.delimiter.find(&self.buffer[info.len..end]).is_none();
        if are_all {
            self.events.quirk(Quirk::FurtherPictures);
        }
        Some(if are_all { end } else { info.len })
    }

    /// Returns whether a JPEG is a smaller picture in the part of the last frame, to which it belongs.
    fn is_further(&self, info: &JpegInfo) -> bool {
        !self.head.resynced
            && !self.head.delimiter
            && self.further < MAX_FURTHER
            && self.undelimited() == Some(Quirk::SeveralJpegsInPart)
            && self
                .declared_rest
                .is_none_or(|rest| u64::try_from(rest).is_ok_and(|rest| rest >= info.len as u64))
            && info.is_smaller_than(self.last_size)
    }

    fn skip_further(&mut self, len: usize) -> Step {
        self.further += 1;
        self.events.quirk(Quirk::FurtherPictures);
        self.skip(len);
        self.read_lines(false)
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
        // Of a source that leaves out EOI the delimiter ends a picture; others are not searched for it.
        if self.adds_eoi && self.delimiter_before(len).is_some() {
            return self.recover(len, JpegError::Truncated { len });
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

    /// Counts a frame that took `consumed` bytes of the buffer.
    fn take_part(&mut self, jpeg: Bytes, info: JpegInfo, consumed: usize) -> Part {
        let without_delimiter = !self.head.resynced && !self.head.delimiter;
        if without_delimiter && let Some(quirk) = self.undelimited() {
            self.events.quirk(quirk);
        }
        for quirk in self.head.quirks(consumed) {
            self.events.quirk(quirk);
        }
        if !info.has_huffman_tables {
            self.events.quirk(Quirk::NoHuffmanTables);
        }
        let promised = match self.declared_rest.take() {
            Some(owed) if !self.head.headers => Some(owed),
            _ => self.head.length.map(|length| i64::try_from(length).unwrap_or(i64::MAX)),
        };
        self.declared_rest =
            promised.map(|length| length.saturating_sub_unsigned(consumed as u64)).filter(|&owed| owed > 0);
        self.frames += 1;
        self.last_len = consumed;
        (self.last_size, self.further, self.added_eoi) = ((info.width, info.height), 0, false);
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
