//! Huffman tables in the form of a segment, for reading codes, and for writing them (T.81, Annex C).

use super::bits::BitReader;
use crate::media::jpeg::huffman::STANDARD as STANDARD_TABLES;

/// Number of bits looked up at once; nine out of ten codes of photographs are shorter, value included.
const FAST_BITS: u32 = 10;

/// The largest values of 8-bit pictures (T.81, tables F.1 and F.2): bits of a difference of DC, and of an AC
/// value.
const MAX_DC_SIZE: u8 = 11;
const MAX_AC_SIZE: u8 = 10;

/// The class of a table: DC or AC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TableClass {
    Dc,
    Ac,
}

/// A table in the form of a DHT segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HuffmanSpec {
    /// Numbers of codes with 1 to 16 bits.
    pub(super) counts: [u8; 16],
    /// Values of the codes, shortest code first.
    pub(super) values: Vec<u8>,
}

/// One code of a table.
struct Code {
    bits: u32,
    len: u32,
    value: u8,
}

impl HuffmanSpec {
    /// Returns the standard table (Annex K.3) of slot 0, luminance, or 1, chrominance.
    pub(super) fn standard(class: TableClass, slot: u8) -> Self {
        let class_and_id = u8::from(class == TableClass::Ac) << 4 | slot;
        let table = STANDARD_TABLES.iter().find(|table| table.class_and_id == class_and_id);
        let table = table.unwrap_or(&STANDARD_TABLES[usize::from(class == TableClass::Ac)]);
        Self { counts: table.counts, values: table.values.to_vec() }
    }

    /// Reads one table from the start of `bytes`, after its class and slot; `None` if it is invalid.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (counts, rest) = bytes.split_first_chunk::<16>()?;
        let len = counts.iter().map(|&count| usize::from(count)).sum();
        // 65,536 codes of 16 bits would fit; each code used up is a share of them.
        let used: u32 = counts.iter().zip(1..).map(|(&count, len)| u32::from(count) << (16 - len)).sum();
        if len > 256 || used > 1 << 16 {
            return None;
        }
        let (values, rest) = rest.split_at_checked(len)?;
        Some((Self { counts: *counts, values: values.to_vec() }, rest))
    }

    fn codes(&self) -> impl Iterator<Item = Code> {
        let lengths = self.counts.iter().zip(1..).flat_map(|(&count, len)| (0..count).map(move |_| len));
        // A code is the one before plus one, made as long as its length.
        let mut next = 0_u32;
        lengths.zip(&self.values).map(move |(len, &value)| {
            let bits = next >> (16 - len);
            next += 1 << (16 - len);
            Code { bits, len, value }
        })
    }
}

/// A table for reading.
#[derive(Debug)]
pub(super) struct DecodeTable {
    /// The result of [`DecodeTable::fast`] for the next bits, or 0.
    fast: [u32; 1 << FAST_BITS],
    /// The length and the symbol of the code for the next bits, or 0.
    symbols: [u16; 1 << FAST_BITS],
    /// For each code length, the first 16 bits that are beyond its codes, and the index of its first value,
    /// less its first code.
    slow: [(u32, i32); 17],
    values: Vec<u8>,
}

impl DecodeTable {
    pub(super) fn new(spec: &HuffmanSpec, class: TableClass) -> Self {
        let mut lookup = Self {
            fast: [0; 1 << FAST_BITS],
            symbols: [0; 1 << FAST_BITS],
            slow: [(0, 0); 17],
            values: spec.values.clone(),
        };
        for (index, code) in spec.codes().enumerate() {
            let Code { bits, len, value } = code;
            let (end, offset) = &mut lookup.slow[len as usize];
            if *end == 0 {
                *offset = index as i32 - bits as i32;
            }
            *end = (bits + 1) << (16 - len);
            if len <= FAST_BITS {
                let (first, n) = ((bits << (FAST_BITS - len)) as usize, 1 << (FAST_BITS - len));
                lookup.symbols[first..first + n].fill((len as u16) << 8 | u16::from(value));
                if class == TableClass::Ac {
                    for (rest, entry) in (0..).zip(&mut lookup.fast[first..first + n]) {
                        *entry = fast_entry(len, value, rest);
                    }
                }
            }
        }
        lookup
    }

    /// Looks up a code and its value at once, when both are short: bits taken (low byte), steps in the block
    /// (next byte; 64 ends it), and the value (upper half; 0 is none). 0 when they are not short.
    #[inline]
    pub(super) fn fast(&self, reader: &BitReader<'_>) -> u32 {
        self.fast[reader.peek(FAST_BITS)]
    }

    /// Reads a code of at most 16 bits; `None` when there is no such code.
    #[inline]
    pub(super) fn symbol(&self, reader: &mut BitReader<'_>) -> Option<u8> {
        let entry = self.symbols[reader.peek(FAST_BITS)];
        if entry == 0 {
            return self.long_symbol(reader);
        }
        reader.skip(u32::from(entry >> 8));
        Some(entry as u8)
    }

    fn long_symbol(&self, reader: &mut BitReader<'_>) -> Option<u8> {
        let next = reader.peek(16) as u32;
        let len = (FAST_BITS + 1..=16).find(|&len| next < self.slow[len as usize].0)?;
        reader.skip(len);
        let index = (next >> (16 - len)) as i32 + self.slow[len as usize].1;
        self.values.get(usize::try_from(index).ok()?).copied()
    }

    /// Reads the difference of a DC value; `None` for what no picture of 8 bits has.
    #[inline]
    pub(super) fn difference(&self, reader: &mut BitReader<'_>) -> Option<i32> {
        match self.symbol(reader)? {
            0 => Some(0),
            size if size <= MAX_DC_SIZE => Some(reader.value(size.into())),
            _ => None,
        }
    }
}

/// The number of steps that ends a block.
const END_OF_BLOCK: u32 = 64;

/// Returns the entry of [`DecodeTable::fast`] for a code of `len` bits when `rest` follows up to
/// [`FAST_BITS`].
fn fast_entry(len: u32, symbol: u8, rest: u32) -> u32 {
    let left = FAST_BITS - len;
    let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
    if size == 0 {
        let steps = if run == 15 { 16 } else { END_OF_BLOCK };
        return steps << 8 | len;
    }
    if size > left {
        return 0;
    }
    let raw = (rest >> (left - size)) as i32;
    let value = if raw >> (size - 1) == 0 { raw - (1 << size) + 1 } else { raw };
    u32::from(value as i16 as u16) << 16 | (run + 1) << 8 | (len + size)
}

/// Splits the meaning of an AC code: steps in the block, and bits of the value (0: none; `None`: no 8-bit
/// picture has it).
#[inline]
pub(super) fn steps_and_size(symbol: u8) -> Option<(u32, u32)> {
    match (symbol >> 4, symbol & 15) {
        (15, 0) => Some((16, 0)),
        (_, 0) => Some((END_OF_BLOCK, 0)),
        (run, size) if size <= MAX_AC_SIZE => Some((u32::from(run) + 1, size.into())),
        _ => None,
    }
}

/// A table for writing: the code of each symbol (upper 24 bits) and its length (low byte; 0: it has none).
#[derive(Debug)]
pub(super) struct EncodeTable(pub(super) [u32; 256]);

impl EncodeTable {
    pub(super) fn new(spec: &HuffmanSpec) -> Self {
        let mut codes = [0; 256];
        for code in spec.codes() {
            codes[usize::from(code.value)] = code.bits << 8 | code.len;
        }
        Self(codes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::lossless::bits::BitWriter;

    fn tables() -> Vec<(TableClass, HuffmanSpec)> {
        let mut sixteen = [0; 16];
        (sixteen[0], sixteen[9], sixteen[10], sixteen[15]) = (1, 3, 2, 200);
        let long = HuffmanSpec { counts: sixteen, values: (0..206).collect() };
        vec![
            (TableClass::Dc, HuffmanSpec::standard(TableClass::Dc, 0)),
            (TableClass::Dc, HuffmanSpec::standard(TableClass::Dc, 1)),
            (TableClass::Ac, HuffmanSpec::standard(TableClass::Ac, 0)),
            (TableClass::Ac, HuffmanSpec::standard(TableClass::Ac, 1)),
            (TableClass::Ac, long),
        ]
    }

    #[test]
    fn every_code_of_a_table_is_read_as_it_was_written() {
        for (class, spec) in tables() {
            let (codes, lookup) = (EncodeTable::new(&spec), DecodeTable::new(&spec, class));
            let mut writer = BitWriter::new(Vec::new());
            for &value in &spec.values {
                let entry = codes.0[usize::from(value)];
                writer.put(entry >> 8, entry & 0xff);
            }
            let bytes = writer.finish();
            let mut reader = BitReader::new(&bytes, 0);
            for &value in &spec.values {
                reader.refill();
                assert_eq!(lookup.symbol(&mut reader), Some(value));
            }
            assert!(!reader.is_overrun());
        }
    }

    #[test]
    fn the_fast_way_reads_what_the_slow_way_reads() {
        for (class, spec) in tables().into_iter().filter(|(class, _)| *class == TableClass::Ac) {
            let lookup = DecodeTable::new(&spec, class);
            for next in 0..=u16::MAX {
                let mut writer = BitWriter::new(Vec::new());
                writer.put(next.into(), 16);
                let bytes = writer.finish();
                let mut reader = BitReader::new(&bytes, 0);
                reader.refill();
                let fast = lookup.fast(&reader);
                let Some((steps, size)) = lookup.symbol(&mut reader).and_then(steps_and_size) else {
                    continue;
                };
                if fast != 0 {
                    assert_eq!(fast >> 8 & 0xff, steps);
                    let value = if size == 0 { 0 } else { reader.value(size) };
                    assert_eq!((fast >> 16) as u16 as i16, value as i16);
                }
            }
        }
    }

    #[test]
    fn a_table_with_more_codes_than_bits_is_refused() {
        let mut bytes = [0; 20];
        bytes[0] = 3;
        assert!(HuffmanSpec::read(&bytes).is_none());
        bytes[0] = 2;
        let (spec, rest) = HuffmanSpec::read(&bytes).unwrap();
        assert_eq!((spec.values.len(), rest.len()), (2, 2));
        bytes[1] = 200;
        assert!(HuffmanSpec::read(&bytes).is_none());
    }
}
