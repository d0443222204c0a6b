//! Finds the end of a JPEG that lacks only its end marker, by reading its codes (ITU-T T.81, Annex F).
//!
//! Some cameras leave out EOI though all data are there; browsers and ffmpeg show such pictures. The codes of
//! each MCU are read and nothing is decoded, so a picture that is cut is told from one that is whole. Only
//! pictures without EOI are read here. Progressive ones are not: their last scan says nothing of the others.

use bytes::Bytes;

use super::{Expect, JpegInfo, Walk, huffman::STANDARD, inspect, marker, scan::end_of_scan};

/// A component in the frame header: its number and its blocks in an MCU, across and down.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Component {
    id: u8,
    across: usize,
    down: usize,
}

/// What the segments before a scan say.
struct Reader<'a> {
    bytes: &'a [u8],
    components: Vec<Component>,
    unscanned: Vec<u8>,
    size: (usize, usize),
    restart_interval: usize,
    /// Tables by class and slot.
    tables: Vec<(u8, CodeTable)>,
}

/// A Huffman table (T.81, F.2.2.3): for each length from 1 bit the code after its last, left-aligned in 16
/// bits, and the index of the value of a code of zero bits.
struct CodeTable {
    lengths: [(u32, i32); 16],
    values: Vec<u8>,
}

/// Returns the JPEG with the EOI that it lacks; `None` for one that has it, or lacks more.
pub(crate) fn with_missing_eoi(jpeg: &[u8]) -> Option<(Bytes, JpegInfo)> {
    let end = end_without_eoi(jpeg)?;
    let whole: Bytes = [&jpeg[..end], &[0xff, marker::EOI]].concat().into();
    let info = inspect(&whole).ok()?;
    Some((whole, info))
}

/// Returns the number of bytes up to the end of the picture data, if `bytes` are a baseline JPEG of which
/// only EOI is missing.
fn end_without_eoi(bytes: &[u8]) -> Option<usize> {
    let mut reader = Reader {
        bytes,
        components: Vec::new(),
        unscanned: Vec::new(),
        size: (0, 0),
        restart_interval: 0,
        tables: Vec::new(),
    };
    let mut walk = Walk::default();
    walk.soi(bytes).ok()?;
    while walk.expect == Expect::Marker {
        let at = walk.offset();
        walk.segment(bytes).ok()?;
        // Fill bytes and markers without a length have no content.
        let code = *bytes.get(at + 1)?;
        let Some(body) = bytes.get(at + 4..walk.offset()).filter(|_| walk.offset() > at + 2) else {
            if walk.offset() == at {
                return None;
            }
            continue;
        };
        match code {
            marker::SOF0 | marker::SOF1 => reader.frame_header(body)?,
            marker::SOF2 => return None,
            marker::DHT => reader.add_tables(body)?,
            marker::DRI => {
                reader.restart_interval = u16::from_be_bytes([*body.first()?, *body.get(1)?]).into()
            }
            marker::SOS => {
                let end = reader.scan(body, walk.offset())?;
                if reader.unscanned.is_empty() {
                    return Some(end);
                }
                // Further scans: their headers follow the data.
                walk.at = end + end_of_scan(&bytes[end..])?;
                walk.expect = Expect::Marker;
            }
            _ => {}
        }
    }
    None
}

impl Reader<'_> {
    fn frame_header(&mut self, body: &[u8]) -> Option<()> {
        let &[_, y1, y0, x1, x0, _, ref specifications @ ..] = body else { return None };
        self.size = (u16::from_be_bytes([x1, x0]).into(), u16::from_be_bytes([y1, y0]).into());
        for specification in specifications.chunks_exact(3) {
            let (across, down) = (specification[1] >> 4, specification[1] & 15);
            if !(1..=4).contains(&across) || !(1..=4).contains(&down) {
                return None;
            }
            let component = Component { id: specification[0], across: across.into(), down: down.into() };
            self.components.push(component);
            self.unscanned.push(component.id);
        }
        Some(())
    }

    fn add_tables(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((&slot, rest)) = body.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let len = counts.iter().map(|&count| usize::from(count)).sum();
            let (values, rest) = rest.split_at_checked(len)?;
            self.tables.retain(|(known, _)| *known != slot);
            self.tables.push((slot, CodeTable::new(counts, values)?));
            body = rest;
        }
        Some(())
    }

    /// Returns the index of a table; the standard ones are in slots 0 and 1 of pictures that have none.
    fn table(&mut self, slot: u8) -> Option<usize> {
        if let Some(found) = self.tables.iter().position(|(known, _)| *known == slot) {
            return Some(found);
        }
        let standard = STANDARD.iter().find(|table| table.class_and_id == slot)?;
        self.tables.push((slot, CodeTable::new(&standard.counts, standard.values)?));
        Some(self.tables.len() - 1)
    }

    /// Reads all MCUs of a scan whose data start at `at`; returns the offset of their end.
    fn scan(&mut self, body: &[u8], at: usize) -> Option<usize> {
        let (selectors, _) = body.get(1..body.len().checked_sub(3)?)?.as_chunks::<2>();
        // For each component its blocks in an MCU, and its tables.
        let mut members = Vec::with_capacity(selectors.len());
        let widest = self.components.iter().map(|component| component.across).max()?;
        let tallest = self.components.iter().map(|component| component.down).max()?;
        let (width, height) = self.size;
        let mut mcus = (width.div_ceil(8 * widest), height.div_ceil(8 * tallest));
        for &[id, slots] in selectors {
            let component = *self.components.iter().find(|component| component.id == id)?;
            let mut blocks = component.across * component.down;
            if selectors.len() == 1 {
                // A scan of one component has its own blocks only (A.2.2).
                blocks = 1;
                let sides = (width * component.across, height * component.down);
                mcus = (sides.0.div_ceil(8 * widest), sides.1.div_ceil(8 * tallest));
            }
            let dc = self.table(slots >> 4)?;
            members.push((blocks, dc, self.table(0x10 | slots & 15)?));
            self.unscanned.retain(|known| *known != id);
        }
        let mut bits = Bits { bytes: self.bytes, at, held: 0, len: 0 };
        for mcu in 0..mcus.0 * mcus.1 {
            if self.restart_interval > 0 && mcu > 0 && mcu % self.restart_interval == 0 {
                bits.restart()?;
            }
            for &(blocks, dc, ac) in &members {
                for _ in 0..blocks {
                    bits.block(&self.tables[dc].1, &self.tables[ac].1)?;
                }
            }
        }
        Some(bits.end())
    }
}

impl CodeTable {
    fn new(counts: &[u8; 16], values: &[u8]) -> Option<Self> {
        let (mut next, mut index) = (0_u32, 0_i32);
        let mut lengths = [(0, 0); 16];
        for ((length, &count), shift) in lengths.iter_mut().zip(counts).zip((0..16).rev()) {
            *length = (next + (u32::from(count) << shift), index - (next >> shift) as i32);
            (next, index) = (length.0, index + i32::from(count));
        }
        (next <= 1 << 16).then(|| Self { lengths, values: values.to_vec() })
    }

    /// Returns the length and the value of the code at the start of 16 bits.
    fn find(&self, bits: u32) -> Option<(u32, u8)> {
        let shorter = self.lengths.iter().position(|&(end, _)| bits < end)?;
        let index = (bits >> (15 - shorter)) as i32 + self.lengths[shorter].1;
        Some((shorter as u32 + 1, *self.values.get(usize::try_from(index).ok()?)?))
    }
}

/// Bits of picture data, up to a marker or the end of the bytes.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u64,
    len: u32,
}

impl Bits<'_> {
    /// Reads bytes until 32 bits are held, or none are left.
    fn refill(&mut self) {
        while self.len <= 32 {
            let Some(&byte) = self.bytes.get(self.at) else { return };
            if byte == 0xff && self.bytes.get(self.at + 1) != Some(&0) {
                return;
            }
            self.at += if byte == 0xff { 2 } else { 1 };
            self.held = self.held << 8 | u64::from(byte);
            self.len += 8;
        }
    }

    fn skip(&mut self, bits: u32) -> Option<()> {
        self.len = self.len.checked_sub(bits)?;
        Some(())
    }

    fn symbol(&mut self, table: &CodeTable) -> Option<u8> {
        self.refill();
        // Missing bits are ones, as padding is; a code that needs them fails when it is skipped.
        let next = if self.len >= 16 {
            self.held >> (self.len - 16)
        } else {
            (self.held << (16 - self.len)) | ((1 << (16 - self.len)) - 1)
        };
        let (len, value) = table.find((next & 0xffff) as u32)?;
        self.skip(len)?;
        Some(value)
    }

    fn block(&mut self, dc: &CodeTable, ac: &CodeTable) -> Option<()> {
        let size = self.symbol(dc).filter(|size| *size <= 15)?;
        self.skip(size.into())?;
        let mut place = 1;
        while place < 64 {
            let symbol = self.symbol(ac)?;
            let (run, size) = (symbol >> 4, symbol & 15);
            match (run, size) {
                (0, 0) => break,
                (0..15, 0) => return None,
                _ => place += usize::from(run) + 1,
            }
            self.skip(size.into())?;
        }
        (place <= 64).then_some(())
    }

    /// Skips to the restart marker, which must be next.
    fn restart(&mut self) -> Option<()> {
        self.at = self.end();
        while self.bytes.get(self.at..self.at + 2)? == [0xff, 0xff] {
            self.at += 1;
        }
        let &[0xff, marker::RST0..=marker::RST7] = self.bytes.get(self.at..self.at + 2)? else {
            return None;
        };
        self.at += 2;
        (self.held, self.len) = (0, 0);
        Some(())
    }

    /// Returns the offset after the byte whose bits were read last.
    fn end(&self) -> usize {
        let mut end = self.at;
        for _ in 0..self.len / 8 {
            end -= if self.bytes[..end].ends_with(&[0xff, 0]) { 2 } else { 1 };
        }
        end
    }
}
