//! Reads and writes picture data bit by bit: FF is followed by a stuffed 00, and a marker ends the data
//! (T.81, F.1.2.3).

use crate::media::jpeg::marker;

/// Bits that can be read after one call of [`BitReader::refill`]: a code (16) and its value (at most 11).
const AFTER_REFILL: u32 = 32;

/// Returns whether one of the eight bytes is FF.
fn has_ff(word: u64) -> bool {
    (!word).wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080 != 0
}

/// Reads bits. Zeros follow the data without end; [`BitReader::is_overrun`] returns whether they were used.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    jpeg: &'a [u8],
    at: usize,
    /// The next bits, the first one highest. The bits below `count` of them are zeros or the bits that
    /// follow.
    bits: u64,
    count: u32,
    /// Number of the `count` bits that are zeros from beyond the end of the data.
    beyond: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(jpeg: &'a [u8], at: usize) -> Self {
        Self { jpeg, at, bits: 0, count: 0, beyond: 0 }
    }

    /// Returns the reading position to within eight bytes, for messages.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Fills the buffer, so that at least 32 bits can be read.
    #[inline]
    pub(super) fn refill(&mut self) {
        if self.count < AFTER_REFILL {
            if let Some(bytes) = self.jpeg.get(self.at..).and_then(|rest| rest.first_chunk()) {
                let word = u64::from_be_bytes(*bytes);
                if !has_ff(word) {
                    self.bits |= word >> self.count;
                    let taken = (63 - self.count) / 8;
                    self.at += taken as usize;
                    self.count += taken * 8;
                    return;
                }
            }
            self.refill_slowly();
        }
    }

    #[cold]
    fn refill_slowly(&mut self) {
        while self.count <= 56 {
            let byte = match self.jpeg.get(self.at..) {
                Some(&[0xff, 0, ..]) => {
                    self.at += 2;
                    0xff
                }
                Some(&[byte, ..]) if byte != 0xff => {
                    self.at += 1;
                    byte
                }
                _ => {
                    self.beyond += 8;
                    0
                }
            };
            self.bits |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// Returns the next `n` bits, 1 to 32, without skipping them.
    #[inline]
    pub(super) fn peek(&self, n: u32) -> usize {
        (self.bits >> (64 - n)) as usize
    }

    /// Skips `n` bits, 0 to 31.
    #[inline]
    pub(super) fn skip(&mut self, n: u32) {
        self.bits <<= n;
        self.count -= n;
    }

    /// Reads a value of `size` bits, 1 to 15, the upper half positive and the lower half negative (T.81,
    /// F.2.2.1).
    #[inline]
    pub(super) fn value(&mut self, size: u32) -> i32 {
        let raw = self.peek(size) as i32;
        self.skip(size);
        if raw >> (size - 1) == 0 { raw - (1 << size) + 1 } else { raw }
    }

    /// Returns whether bits from beyond the end of the data were used.
    #[inline]
    pub(super) fn is_overrun(&self) -> bool {
        self.beyond > self.count
    }

    /// Skips the restart marker with this number; returns false if it is not here.
    pub(super) fn restart(&mut self, number: u8) -> bool {
        // What is left are the bits that filled up the last byte.
        if self.is_overrun() || self.count - self.beyond >= 8 {
            return false;
        }
        while self.jpeg.get(self.at..).is_some_and(|rest| rest.starts_with(&[0xff, 0xff])) {
            self.at += 1;
        }
        let here =
            self.jpeg.get(self.at..).is_some_and(|rest| rest.starts_with(&[0xff, marker::RST0 + number]));
        *self = Self::new(self.jpeg, self.at + 2);
        here
    }
}

/// Writes bits after what `out` holds already.
#[derive(Debug)]
pub(super) struct BitWriter {
    out: Vec<u8>,
    /// The last `count` bits written, the newest one lowest; the bits above them are in `out` already.
    bits: u64,
    count: u32,
}

impl BitWriter {
    pub(super) fn new(out: Vec<u8>) -> Self {
        Self { out, bits: 0, count: 0 }
    }

    /// Writes the low `n` bits of `value`, 0 to 32; the higher ones must be zero.
    #[inline]
    pub(super) fn put(&mut self, value: u32, n: u32) {
        let value = u64::from(value);
        let room = 64 - self.count;
        if n < room {
            self.bits = self.bits << n | value;
            self.count += n;
        } else {
            let left = n - room;
            self.emit(self.bits << room | value >> left);
            self.bits = value;
            self.count = left;
        }
    }

    #[inline]
    fn emit(&mut self, word: u64) {
        if has_ff(word) {
            self.stuff(&word.to_be_bytes());
        } else {
            self.out.extend_from_slice(&word.to_be_bytes());
        }
    }

    fn stuff(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.out.push(byte);
            if byte == 0xff {
                self.out.push(0);
            }
        }
    }

    /// Pads the last byte with ones.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let missing = (8 - self.count % 8) % 8;
        self.put((1 << missing) - 1, missing);
        let bytes = (self.bits << (63 - self.count) << 1).to_be_bytes();
        self.stuff(&bytes[..self.count as usize / 8]);
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_with_every_ff_stuffed() {
        let words: Vec<(u32, u32)> = (0..4000)
            .map(|i: u32| (if i.is_multiple_of(3) { u32::MAX } else { i * 77 }, i % 27 + 1))
            .collect();
        let mut writer = BitWriter::new(vec![7]);
        for &(word, n) in &words {
            writer.put(word & ((1 << n) - 1), n);
        }
        let bytes = writer.finish();
        assert!(bytes.windows(2).all(|pair| pair[0] != 0xff || pair[1] == 0));
        let mut reader = BitReader::new(&bytes, 1);
        for &(word, n) in &words {
            reader.refill();
            assert_eq!(reader.peek(n) as u32, word & ((1 << n) - 1));
            reader.skip(n);
        }
        assert!(!reader.is_overrun());
        reader.refill();
        reader.skip(8);
        assert!(reader.is_overrun(), "reading on must be noticed");
    }

    #[test]
    fn a_restart_marker_is_found_only_where_it_stands() {
        let bytes = [0xa5, 0xff, 0xff, 0xd3, 0x5a, 0xff, 0xd9];
        let mut reader = BitReader::new(&bytes, 0);
        reader.refill();
        assert!(!BitReader::new(&bytes, 0).restart(4));
        reader.skip(5);
        assert!(reader.restart(3));
        reader.refill();
        assert_eq!(reader.peek(8), 0x5a);
        assert!(!reader.restart(4), "eight bits are unread");
    }
}
