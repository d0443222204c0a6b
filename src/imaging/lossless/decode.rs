//! Reads the scans into coefficients. Only those that are not zero are kept: a tenth of them in a usual
//! picture.

use super::{
    bits::BitReader,
    error::LosslessError,
    header::{Component, Header},
    huffman::{DecodeTable, TableClass, steps_and_size},
    segments::{Segment, Segments},
};

/// The DC values of pictures of 8 bits; their differences fit the standard tables.
const DC_VALUES: std::ops::RangeInclusive<i32> = -1024..=1023;

/// Memory for one picture's coefficients, used again for the next.
#[derive(Debug, Default)]
pub struct Workspace {
    /// The index of each block's first value.
    starts: Vec<u32>,
    /// Each block's DC value (low half) and the number of the other values (high half); then these, each with
    /// its place in zigzag order in the high half.
    values: Vec<u32>,
}

/// The blocks of one component.
#[derive(Debug, Clone, Copy, Default)]
struct Plane {
    /// Index of its first block in `starts`.
    first: usize,
    /// Number of blocks in a row, with those that complete the last MCU.
    across: usize,
    kept: bool,
}

/// The coefficients of a picture.
#[derive(Debug)]
pub(super) struct Coefficients<'a> {
    planes: [Plane; 4],
    starts: &'a [u32],
    values: &'a [u32],
}

impl Coefficients<'_> {
    /// Returns the DC value, and the others as position (high half) and value (low half), in order of
    /// position.
    #[inline]
    pub(super) fn block(&self, component: usize, x: usize, y: usize) -> (i32, &[u32]) {
        let plane = &self.planes[component];
        let start = self.starts[plane.first + y * plane.across + x] as usize;
        let head = self.values[start];
        (i32::from(head as i16), &self.values[start + 1..][..(head >> 16) as usize])
    }
}

/// A component within a scan.
struct ScanComponent {
    component: usize,
    plane: Plane,
    /// Number of blocks in an MCU of this scan, across and down.
    h: usize,
    v: usize,
    dc: usize,
    ac: usize,
    last_dc: i32,
}

/// The tables of a scan, each once.
struct Tables {
    dc: Vec<(u8, DecodeTable)>,
    ac: Vec<(u8, DecodeTable)>,
}

impl Workspace {
    /// Returns the number of bytes that are kept for the next picture.
    pub(crate) fn capacity_bytes(&self) -> usize {
        (self.starts.capacity() + self.values.capacity()) * size_of::<u32>()
    }

    /// Reads the scans of all components; keeps the coefficients of the first `kept` ones.
    pub(super) fn decode<'a>(
        &mut self,
        jpeg: &'a [u8],
        header: &mut Header<'a>,
        segments: &mut Segments<'a>,
        first_scan: Segment<'a>,
        kept: usize,
    ) -> Result<Coefficients<'_>, LosslessError> {
        let planes = self.allocate(header, kept, jpeg.len() - first_scan.end, &first_scan)?;
        let mut scan = first_scan;
        loop {
            let mut members = self.begin(header, &planes, &scan)?;
            self.scan(jpeg, header, &scan, &mut members.0, &members.1)?;
            if header.components.iter().all(|component| component.tables.is_some()) {
                break;
            }
            scan = header.advance(segments)?;
        }
        Ok(Coefficients { planes, starts: &self.starts, values: &self.values })
    }

    /// Allocates memory for all blocks, unless the bytes are too few for so many.
    fn allocate(
        &mut self,
        header: &Header<'_>,
        kept: usize,
        bytes: usize,
        scan: &Segment<'_>,
    ) -> Result<[Plane; 4], LosslessError> {
        let (mcus_across, mcus_down) = mcus(header);
        let mut planes = [Plane::default(); 4];
        let (mut all, mut first) = (0_usize, 0);
        for (index, (plane, component)) in planes.iter_mut().zip(&header.components).enumerate() {
            let across = mcus_across * usize::from(component.h);
            let blocks = across * mcus_down * usize::from(component.v);
            *plane = Plane { first, across, kept: index < kept };
            all += blocks;
            first += if plane.kept { blocks } else { 0 };
        }
        // A block takes two bits at least, and each further value two more: `values` stays below four per
        // byte.
        if all / 4 > bytes || bytes >= u32::MAX as usize / 8 {
            return Err(scan.damaged("fewer bytes than the picture's blocks take"));
        }
        self.starts.clear();
        self.starts.resize(first, 0);
        self.values.clear();
        Ok(planes)
    }

    /// Reads a scan's header (T.81, B.2.3).
    fn begin(
        &self,
        header: &mut Header<'_>,
        planes: &[Plane; 4],
        scan: &Segment<'_>,
    ) -> Result<(Vec<ScanComponent>, Tables), LosslessError> {
        let wrong = scan.damaged("an impossible scan header");
        let [count, body @ ..] = scan.body else { return Err(wrong) };
        let count = usize::from(*count);
        let (selectors, _) = body.get(..2 * count).ok_or(wrong.clone())?.as_chunks::<2>();
        if count == 0 || body.len() != 2 * count + 3 {
            return Err(wrong);
        }
        let mut tables = Tables { dc: Vec::new(), ac: Vec::new() };
        let mut members = Vec::with_capacity(count);
        for &[id, slots] in selectors {
            let known = header.components.iter().position(|component| component.id == id);
            let index = known.ok_or(wrong.clone())?;
            let missing = scan.damaged("a scan without its Huffman table");
            let dc = header.table(TableClass::Dc, slots >> 4).ok_or(missing.clone())?.clone();
            let ac = header.table(TableClass::Ac, slots & 15).ok_or(missing)?.clone();
            let Component { h, v, .. } = header.components[index];
            let (h, v) = if count == 1 { (1, 1) } else { (h.into(), v.into()) };
            members.push(ScanComponent {
                component: index,
                plane: planes[index],
                h,
                v,
                dc: table_index(&mut tables.dc, slots >> 4, || DecodeTable::new(&dc, TableClass::Dc)),
                ac: table_index(&mut tables.ac, slots & 15, || DecodeTable::new(&ac, TableClass::Ac)),
                last_dc: 0,
            });
            // Each component comes once; a second scan of it would be progressive.
            if header.components[index].tables.replace((dc, ac)).is_some() {
                return Err(wrong);
            }
        }
        Ok((members, tables))
    }

    fn scan(
        &mut self,
        jpeg: &[u8],
        header: &Header<'_>,
        scan: &Segment<'_>,
        members: &mut [ScanComponent],
        tables: &Tables,
    ) -> Result<(), LosslessError> {
        let (across, down) = match members {
            [only] => blocks(header, &header.components[only.component]),
            _ => mcus(header),
        };
        let mut reader = BitReader::new(jpeg, scan.end);
        let mut until_restart = usize::from(header.restart_interval);
        let mut restarts = 0_u8;
        for y in 0..down {
            for x in 0..across {
                if header.restart_interval > 0 && until_restart == 0 {
                    if !reader.restart(restarts % 8) {
                        return Err(LosslessError::damaged(reader.offset(), "no restart marker"));
                    }
                    until_restart = header.restart_interval.into();
                    restarts = restarts.wrapping_add(1);
                    members.iter_mut().for_each(|member| member.last_dc = 0);
                }
                until_restart = until_restart.wrapping_sub(1);
                for member in &mut *members {
                    self.mcu(&mut reader, member, tables, x, y).ok_or_else(|| {
                        LosslessError::damaged(reader.offset(), "picture data that no code fits")
                    })?;
                }
                if reader.is_overrun() {
                    return Err(LosslessError::damaged(reader.offset(), "the end of the picture data"));
                }
            }
        }
        Ok(())
    }

    /// Reads the blocks of one component in one MCU.
    #[inline]
    fn mcu(
        &mut self,
        reader: &mut BitReader<'_>,
        member: &mut ScanComponent,
        tables: &Tables,
        x: usize,
        y: usize,
    ) -> Option<()> {
        let (dc, ac) = (&tables.dc[member.dc].1, &tables.ac[member.ac].1);
        for row in y * member.v..(y + 1) * member.v {
            for column in x * member.h..(x + 1) * member.h {
                let mut block = [0; 64];
                let len = read_block(reader, dc, ac, &mut member.last_dc, &mut block)?;
                if member.plane.kept {
                    let start = u32::try_from(self.values.len()).ok()?;
                    *self.starts.get_mut(member.plane.first + row * member.plane.across + column)? = start;
                    self.values.extend_from_slice(block.get(..len)?);
                }
            }
        }
        Some(())
    }
}

/// Reads one block in the form of [`Workspace::values`]; returns the number of its entries.
#[inline]
fn read_block(
    reader: &mut BitReader<'_>,
    dc: &DecodeTable,
    ac: &DecodeTable,
    last_dc: &mut i32,
    block: &mut [u32; 64],
) -> Option<usize> {
    reader.refill();
    *last_dc += dc.difference(reader)?;
    if !DC_VALUES.contains(last_dc) {
        return None;
    }
    let (mut place, mut len) = (0_u32, 1_usize);
    while place < 63 {
        reader.refill();
        let fast = ac.fast(reader);
        let (steps, value) = if fast != 0 {
            reader.skip(fast & 0xff);
            (fast >> 8 & 0xff, fast >> 16)
        } else {
            let (steps, size) = steps_and_size(ac.symbol(reader)?)?;
            (steps, if size == 0 { 0 } else { u32::from(reader.value(size) as u16) })
        };
        place += steps;
        if value != 0 {
            if place > 63 {
                return None;
            }
            block[len & 63] = place << 16 | value;
            len += 1;
        }
    }
    block[0] = ((len as u32) - 1) << 16 | u32::from(*last_dc as u16);
    Some(len)
}

/// Returns the number of MCUs across and down.
fn mcus(header: &Header<'_>) -> (usize, usize) {
    let count = |pixels: u16, blocks: u16| usize::from(pixels.div_ceil(8 * blocks));
    (count(header.width, header.h_max), count(header.height, header.v_max))
}

/// Returns the number of blocks across and down of a component in a scan of its own (T.81, A.2.2).
fn blocks(header: &Header<'_>, component: &Component) -> (usize, usize) {
    let count = |pixels: u16, own: u16, max: u16| {
        (usize::from(pixels) * usize::from(own)).div_ceil(8 * usize::from(max))
    };
    (count(header.width, component.h, header.h_max), count(header.height, component.v, header.v_max))
}

/// Returns the index of the table of `slot`, which is added if it is new.
fn table_index(tables: &mut Vec<(u8, DecodeTable)>, slot: u8, make: impl FnOnce() -> DecodeTable) -> usize {
    tables.iter().position(|(known, _)| *known == slot).unwrap_or_else(|| {
        tables.push((slot, make()));
        tables.len() - 1
    })
}
