//! Cuts out PNG parts, for sources that convert them.

use super::{PartParser, State, Step, quirk::Quirk};

pub(super) const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Bytes of a chunk of a PNG besides its data: length and type before, a checksum behind them.
const CHUNK_HEAD: usize = 8;
const CHUNK_BYTES: usize = 12;

impl PartParser {
    /// Returns PNG parts, too, by [`PartParser::take_png`].
    #[must_use]
    pub fn with_png(self) -> Self {
        Self { takes_png: true, ..self }
    }

    /// Returns the PNG after which [`PartParser::next_part`] returned `None`; it goes on when that is called
    /// again.
    pub fn take_png(&mut self) -> Option<bytes::Bytes> {
        self.png.take()
    }

    /// Reads a PNG, whose chunks were read up to `offset`, to its end.
    pub(super) fn png(&mut self, mut offset: usize) -> Step {
        self.state = State::Png { offset };
        while let Some(head) = self.buffer.get(offset..offset + CHUNK_HEAD) {
            if let Some(part) = self.head.length.filter(|&length| length < offset + CHUNK_HEAD) {
                // It is longer than its part: that is wrong, or it was cut.
                if self.buffer.len() < part + 2 + self.delimiter.len() {
                    return Step::NeedMore;
                }
                if self.cut_within(self.buffer.len()).is_some() {
                    return self.skip_other_part();
                }
            }
            let (length, kind) = head.split_at(4);
            if !kind.iter().all(u8::is_ascii_alphabetic) {
                return self.skip_other_part();
            }
            let is_end = kind == b"IEND";
            let length = length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
            let end = offset.saturating_add(length).saturating_add(CHUNK_BYTES);
            if end > self.limits.max_frame_bytes {
                self.discard_too_large();
                return self.resync(self.buffer.len());
            }
            if is_end && self.buffer.len() >= end {
                return self.end_png(end);
            }
            if is_end {
                break;
            }
            offset = end;
            self.state = State::Png { offset };
        }
        Step::NeedMore
    }

    fn end_png(&mut self, end: usize) -> Step {
        self.events.quirk(Quirk::PngPart);
        self.png = Some(self.buffer.split_to(end).freeze());
        self.frames += 1;
        self.skipped = 0;
        self.seen.clear();
        self.too_large = false;
        self.declared_rest = None;
        self.read_lines(false);
        // The caller takes it first.
        Step::NeedMore
    }
}
