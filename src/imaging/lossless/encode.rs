//! Writes the planned blocks as Huffman code: one scan, no restart markers (T.81, F.1.2).

use super::{
    bits::BitWriter,
    dct_transpose::{TRANSPOSED, negated},
    decode::Coefficients,
    header::Header,
    huffman::EncodeTable,
    plan::{LosslessPlan, Span},
};

/// The code of sixteen zeros.
const ZERO_RUN: usize = 0xf0;
const END_OF_BLOCK: usize = 0;

/// Blocks of a component along one axis of the source, in the order of the result.
#[derive(Clone, Copy)]
struct AxisBlocks {
    first: usize,
    count: usize,
    mirrored: bool,
}

impl AxisBlocks {
    fn new(span: Span, per_mcu: u16, mcu: u16) -> Self {
        let (first, count) = span.blocks(per_mcu, mcu);
        Self { first, count, mirrored: span.mirrored }
    }

    /// Returns the source's position of the result's `n`th block; `None` beyond the last, where an MCU is
    /// only filled up.
    #[inline]
    fn at(self, n: usize) -> Option<usize> {
        (n < self.count).then(|| if self.mirrored { self.first - n } else { self.first + n })
    }
}

/// A component of the result.
struct ScanComponent<'a> {
    component: usize,
    /// Number of blocks in an MCU of the result, across and down.
    h: usize,
    v: usize,
    across: AxisBlocks,
    down: AxisBlocks,
    dc: &'a EncodeTable,
    ac: &'a EncodeTable,
    last_dc: i32,
}

/// Writes the scan after `out`; `codes` has each component's tables. Returns `None` if they lack a code.
pub(super) fn scan(
    out: Vec<u8>,
    header: &Header<'_>,
    plan: &LosslessPlan,
    picture: &Coefficients<'_>,
    codes: &[(&EncodeTable, &EncodeTable)],
) -> Option<Vec<u8>> {
    let members = members(header, plan, codes);
    let mut writer = Writer {
        bits: BitWriter::new(out),
        negated: negated(plan.x.mirrored, plan.y.mirrored),
        has_codes: true,
    };
    let (width, height) = plan.size();
    let (mcu_width, mcu_height) = if plan.transpose { (plan.mcu.1, plan.mcu.0) } else { plan.mcu };
    let mcus = (width.div_ceil(mcu_width).into(), height.div_ceil(mcu_height).into());
    if plan.transpose {
        writer.mcus::<true>(mcus, members, picture);
    } else {
        writer.mcus::<false>(mcus, members, picture);
    }
    writer.has_codes.then(|| writer.bits.finish())
}

fn members<'a>(
    header: &Header<'_>,
    plan: &LosslessPlan,
    codes: &[(&'a EncodeTable, &'a EncodeTable)],
) -> Vec<ScanComponent<'a>> {
    let alone = plan.components == 1;
    let components = header.components.iter().zip(codes).take(plan.components).enumerate();
    let member = |(index, (component, &(dc, ac))): (
        usize,
        (&super::header::Component, &(&'a EncodeTable, &'a EncodeTable)),
    )| {
        let (h, v) = if alone { (1, 1) } else { (component.h, component.v) };
        let x = AxisBlocks::new(plan.x, h, plan.mcu.0);
        let y = AxisBlocks::new(plan.y, v, plan.mcu.1);
        let (h, v) = (usize::from(h), usize::from(v));
        let ((h, across), (v, down)) = if plan.transpose { ((v, y), (h, x)) } else { ((h, x), (v, y)) };
        ScanComponent { component: index, h, v, across, down, dc, ac, last_dc: 0 }
    };
    components.map(member).collect()
}

struct Writer {
    bits: BitWriter,
    /// A bit for each position in the source's blocks whose value changes its sign.
    negated: u64,
    /// Whether all values so far had a code.
    has_codes: bool,
}

impl Writer {
    fn mcus<const TRANSPOSE: bool>(
        &mut self,
        (across, down): (usize, usize),
        mut members: Vec<ScanComponent<'_>>,
        picture: &Coefficients<'_>,
    ) {
        for y in 0..down {
            for x in 0..across {
                for member in &mut members {
                    for row in y * member.v..(y + 1) * member.v {
                        for column in x * member.h..(x + 1) * member.h {
                            self.block::<TRANSPOSE>(member, picture, column, row);
                        }
                    }
                }
            }
        }
    }

    #[inline]
    fn block<const TRANSPOSE: bool>(
        &mut self,
        member: &mut ScanComponent<'_>,
        picture: &Coefficients<'_>,
        column: usize,
        row: usize,
    ) {
        let (Some(a), Some(b)) = (member.across.at(column), member.down.at(row)) else {
            // It is outside of the picture: as flat as the previous block.
            self.value(member.dc, 0, 0);
            self.code(member.ac, END_OF_BLOCK);
            return;
        };
        let (x, y) = if TRANSPOSE { (b, a) } else { (a, b) };
        let (dc, values) = picture.block(member.component, x, y);
        self.value(member.dc, 0, dc - member.last_dc);
        member.last_dc = dc;
        if TRANSPOSE {
            self.sorted_values(member.ac, values);
        } else {
            let mut last = 0;
            for &entry in values {
                let place = entry >> 16;
                self.run_and_value(member.ac, place - last, self.signed(entry));
                last = place;
            }
            self.end(member.ac, last);
        }
    }

    /// Returns the AC values of a block whose rows become columns, in their new order.
    #[inline]
    fn sorted_values(&mut self, ac: &EncodeTable, values: &[u32]) {
        let mut block = [0; 64];
        let mut left = 0_u64;
        for &entry in values {
            let place = TRANSPOSED[(entry >> 16 & 63) as usize];
            block[usize::from(place & 63)] = self.signed(entry);
            left |= 1 << place;
        }
        let mut last = 0;
        while left != 0 {
            let place = left.trailing_zeros();
            left &= left - 1;
            self.run_and_value(ac, place - last, block[(place & 63) as usize]);
            last = place;
        }
        self.end(ac, last);
    }

    #[inline]
    fn signed(&self, entry: u32) -> i32 {
        // Without a branch: which places have values is not to be predicted.
        let sign = -((self.negated >> (entry >> 16 & 63) & 1) as i32);
        (i32::from(entry as i16) ^ sign) - sign
    }

    /// Writes a value that is `steps` positions after the previous one.
    #[inline]
    fn run_and_value(&mut self, ac: &EncodeTable, steps: u32, value: i32) {
        let mut zeros = steps - 1;
        while zeros > 15 {
            self.code(ac, ZERO_RUN);
            zeros -= 16;
        }
        self.value(ac, zeros, value);
    }

    #[inline]
    fn end(&mut self, ac: &EncodeTable, last: u32) {
        if last < 63 {
            self.code(ac, END_OF_BLOCK);
        }
    }

    /// Writes the code for `zeros` (0 to 15) and the length of `value`, then `value`: at most 16 and 11 bits.
    #[inline]
    fn value(&mut self, codes: &EncodeTable, zeros: u32, value: i32) {
        let size = 32 - value.unsigned_abs().leading_zeros();
        let entry = codes.0[(zeros << 4 | size) as usize & 0xff];
        // A negative value is written less one, in so many bits (T.81, F.1.2.1).
        let raw = (value + (value >> 31)) as u32 & ((1 << size) - 1);
        self.has_codes &= entry != 0;
        self.bits.put(entry >> 8 << size | raw, (entry & 0xff) + size);
    }

    #[inline]
    fn code(&mut self, codes: &EncodeTable, symbol: usize) {
        let entry = codes.0[symbol];
        self.has_codes &= entry != 0;
        self.bits.put(entry >> 8, entry & 0xff);
    }
}
