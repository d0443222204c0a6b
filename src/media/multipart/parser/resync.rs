//! Resynchronises after broken data, at the next delimiter or SOI.

use memchr::memmem;

use super::{PartParser, Step, events::DiscardReason};
use crate::media::jpeg::JpegError;

impl PartParser {
    /// Discards the JPEG at the buffer's start, which is broken from `offset` on.
    /// If only its EOI is missing, it is returned with that.
    pub(super) fn recover(&mut self, offset: usize, error: JpegError) -> Step {
        // The line end before a delimiter would pass for picture data.
        let delimiter = self.delimiter_before(offset).map(|found| {
            let before = &self.buffer[..found];
            let before = before.strip_suffix(b"\n").unwrap_or(before);
            before.strip_suffix(b"\r").unwrap_or(before).len()
        });
        let end = delimiter.or(match error {
            JpegError::NewSoi { offset } | JpegError::Truncated { len: offset } => Some(offset),
            _ => None,
        });
        if let Some(step) = end.and_then(|end| self.complete(end)) {
            return step;
        }
        self.events.discard(DiscardReason::Invalid);
        self.extra_sois = 0;
        if let Some(found) = self.delimiter_before(offset) {
            let len = self.buffer[..found].trim_ascii_end().len();
            self.events.last_error = Some(JpegError::Truncated { len });
        } else if matches!(error, JpegError::NewSoi { .. }) {
            self.events.last_error = Some(error);
            self.skip(offset);
            return self.read_lines(true);
        } else {
            self.events.last_error = Some(error);
        }
        self.resync(offset)
    }

    pub(super) fn delimiter_before(&self, offset: usize) -> Option<usize> {
        self.delimiter.find(self.buffer.get(2..offset)?).map(|found| 2 + found)
    }

    /// Continues at the first delimiter before `offset`, or searches from there. Nothing else before it is
    /// trusted: a damaged frame may hold a thumbnail.
    pub(super) fn resync(&mut self, offset: usize) -> Step {
        self.declared_rest = None;
        if let Some(found) = self.delimiter_before(offset) {
            self.skip(found);
            return self.read_lines(false);
        }
        // A delimiter may extend across the offset.
        let skipped = (offset + 1).saturating_sub(self.delimiter.len().max(1)).max(2);
        let length = self.head.length.unwrap_or_default();
        self.hunt_from(skipped, length.saturating_sub(skipped))
    }

    pub(super) fn hunt(&mut self, ignore_soi: usize) -> Step {
        const SOI_AND_MARKER: &[u8] = &[0xff, 0xd8, 0xff];
        let from = ignore_soi.min(self.buffer.len());
        let soi = memmem::find(&self.buffer[from..], SOI_AND_MARKER).map(|at| from + at);
        let before = soi.unwrap_or(self.buffer.len());
        if let Some(found) = self.delimiter.find(&self.buffer[..before]) {
            self.skip(found);
            return self.read_lines(false);
        }
        if let Some(found) = soi {
            self.skip(found);
            self.declared_rest = None;
            return self.read_lines(true);
        }
        let kept = self.delimiter.len().max(SOI_AND_MARKER.len()) - 1;
        let passed = self.buffer.len().saturating_sub(kept);
        self.skip(passed);
        Step::NeedMore
    }
}
