//! Reads the segments before the picture data: size, components, tables, and the segments that are copied
//! (T.81, B.2).

use super::{
    error::LosslessError,
    huffman::{HuffmanSpec, TableClass},
    segments::{Segment, Segments},
};
use crate::media::jpeg::marker;

/// Maximum number of blocks in an interleaved MCU (T.81, B.2.3): more cannot be written in one scan.
const MAX_BLOCKS_IN_MCU: u32 = 10;

/// One colour component.
#[derive(Debug, Clone)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Number of blocks of an MCU, across and down; 1 and 1 when it is the only component.
    pub(super) h: u16,
    pub(super) v: u16,
    /// The slot of its quantisation table.
    pub(super) quant: u8,
    /// The Huffman tables of its scan, known when that was read.
    pub(super) tables: Option<(HuffmanSpec, HuffmanSpec)>,
}

/// A quantisation table in zigzag order; 16 bits when a value needs them.
pub(super) type QuantTable = [u16; 64];

/// The colour space of the components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Gray,
    /// YCbCr or grey: the first component is the grey picture.
    YCbCr,
    /// RGB, CMYK and other spaces, in which no component is the grey picture.
    Other,
}

/// The segments before the picture data.
#[derive(Debug, Default)]
pub(super) struct Header<'a> {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) components: Vec<Component>,
    /// Number of blocks of 8 pixels in an MCU, across and down.
    pub(super) h_max: u16,
    pub(super) v_max: u16,
    quants: [Option<QuantTable>; 4],
    dc: [Option<HuffmanSpec>; 4],
    ac: [Option<HuffmanSpec>; 4],
    /// Number of MCUs between restart markers; 0 for no markers.
    pub(super) restart_interval: u16,
    /// The segments that are copied to the result, with marker and length.
    pub(super) copied: Vec<CopiedSegment<'a>>,
    jfif: bool,
    adobe_transform: Option<u8>,
}

/// A segment that is copied to the result.
#[derive(Debug, Clone, Copy)]
pub(super) struct CopiedSegment<'a> {
    pub(super) bytes: &'a [u8],
    /// Whether it describes colours, which a grey picture does not have.
    pub(super) is_color_data: bool,
}

impl<'a> Header<'a> {
    /// Reads the segments up to the first scan, and returns that.
    pub(super) fn read(
        segments: &mut Segments<'a>,
        max_pixels: u64,
    ) -> Result<(Self, Segment<'a>), LosslessError> {
        let standard = |class| {
            let slot = |slot| Some(HuffmanSpec::standard(class, slot));
            [slot(0), slot(1), None, None]
        };
        let mut header =
            Self { dc: standard(TableClass::Dc), ac: standard(TableClass::Ac), ..Self::default() };
        let scan = header.advance(segments)?;
        let (width, height) = (header.width, header.height);
        if u64::from(width) * u64::from(height) > max_pixels {
            return Err(LosslessError::TooManyPixels { width, height, max_pixels });
        }
        for component in &header.components {
            header.quant(component.quant).ok_or(scan.damaged("a scan without its quantisation table"))?;
        }
        Ok((header, scan))
    }

    /// Reads the segments up to the next scan.
    pub(super) fn advance(&mut self, segments: &mut Segments<'a>) -> Result<Segment<'a>, LosslessError> {
        loop {
            let segment = segments.next()?;
            match segment.code {
                marker::SOS if self.components.is_empty() => {
                    return Err(segment.damaged("a scan before the frame header"));
                }
                marker::SOS => return Ok(segment),
                marker::EOI => return Err(segment.damaged("the end before all picture data")),
                _ => self.read_segment(&segment, segments)?,
            }
        }
    }

    pub(super) fn quant(&self, slot: u8) -> Option<&QuantTable> {
        self.quants.get(usize::from(slot))?.as_ref()
    }

    pub(super) fn table(&self, class: TableClass, slot: u8) -> Option<&HuffmanSpec> {
        let tables = if class == TableClass::Dc { &self.dc } else { &self.ac };
        tables.get(usize::from(slot))?.as_ref()
    }

    /// Returns the colour space as decoders guess it: by markers first, then by the components' identifiers.
    pub(super) fn colour(&self) -> Colour {
        let ids: Vec<u8> = self.components.iter().map(|component| component.id).collect();
        match (ids.as_slice(), self.adobe_transform) {
            ([_], _) => Colour::Gray,
            ([_, _, _], _) if self.jfif => Colour::YCbCr,
            ([_, _, _], Some(0)) | (b"RGB", None) => Colour::Other,
            ([_, _, _], _) => Colour::YCbCr,
            _ => Colour::Other,
        }
    }

    fn read_segment(&mut self, segment: &Segment<'a>, segments: &Segments<'a>) -> Result<(), LosslessError> {
        match segment.code {
            marker::DQT => self.read_quant_tables(segment),
            marker::DHT => self.read_huffman_tables(segment),
            marker::SOF0 | marker::SOF1 => self.read_frame_header(segment),
            marker::SOF2 => Err(LosslessError::not_lossless("progressive coding")),
            marker::SOF0..=marker::SOF15 => {
                Err(LosslessError::not_lossless("lossless, hierarchical or arithmetic coding"))
            }
            marker::DRI => {
                let &[high, low] = segment.body else {
                    return Err(segment.damaged("a restart interval of a wrong length"));
                };
                self.restart_interval = u16::from_be_bytes([high, low]);
                Ok(())
            }
            _ => {
                self.copy_segment(segment, segments);
                Ok(())
            }
        }
    }

    fn copy_segment(&mut self, segment: &Segment<'a>, segments: &Segments<'a>) {
        let jfif = segment.is_jfif();
        let adobe = segment.is_adobe();
        if jfif || adobe || segment.is_icc() {
            self.jfif |= jfif;
            if let (true, Some(&transform)) = (adobe, segment.body.get(11)) {
                self.adobe_transform = Some(transform);
            }
            self.copied.push(CopiedSegment { bytes: segments.bytes(segment), is_color_data: !jfif });
        }
    }

    fn read_quant_tables(&mut self, segment: &Segment<'_>) -> Result<(), LosslessError> {
        if self.components.iter().any(|component| component.tables.is_some()) {
            return Err(LosslessError::not_lossless("quantisation tables between scans"));
        }
        let mut body = segment.body;
        while let [precision_and_slot, rest @ ..] = body {
            let wide = precision_and_slot >> 4 == 1;
            let wrong = segment.damaged("a quantisation table of a wrong length");
            let (values, after) = rest.split_at_checked(if wide { 128 } else { 64 }).ok_or(wrong)?;
            let slot = self.quants.get_mut(usize::from(precision_and_slot & 15));
            let slot = slot.ok_or(segment.damaged("a quantisation table beyond the fourth"))?;
            let mut quant = [0; 64];
            for (k, value) in quant.iter_mut().enumerate() {
                *value = if wide {
                    u16::from_be_bytes([values[2 * k], values[2 * k + 1]])
                } else {
                    values[k].into()
                };
            }
            *slot = Some(quant);
            body = after;
        }
        Ok(())
    }

    fn read_huffman_tables(&mut self, segment: &Segment<'_>) -> Result<(), LosslessError> {
        let mut body = segment.body;
        while let [class_and_slot, rest @ ..] = body {
            let tables = match class_and_slot >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err(segment.damaged("a Huffman table of no class")),
            };
            let slot = tables.get_mut(usize::from(class_and_slot & 15));
            let slot = slot.ok_or(segment.damaged("a Huffman table beyond the fourth"))?;
            let (spec, after) =
                HuffmanSpec::read(rest).ok_or(segment.damaged("an impossible Huffman table"))?;
            *slot = Some(spec);
            body = after;
        }
        Ok(())
    }

    fn read_frame_header(&mut self, segment: &Segment<'_>) -> Result<(), LosslessError> {
        let wrong = segment.damaged("an impossible frame header");
        let &[precision, y1, y0, x1, x0, count, ref components @ ..] = segment.body else {
            return Err(wrong);
        };
        let (components, odd) = components.as_chunks::<3>();
        if !self.components.is_empty() || !odd.is_empty() || components.len() != usize::from(count) {
            return Err(wrong);
        }
        if precision != 8 {
            return Err(LosslessError::not_lossless("samples of more than 8 bits"));
        }
        (self.width, self.height) = (u16::from_be_bytes([x1, x0]), u16::from_be_bytes([y1, y0]));
        if self.width == 0 || self.height == 0 || !(1..=4).contains(&count) {
            return Err(wrong);
        }
        for &[id, sampling, quant] in components {
            let (h, v) = (u16::from(sampling >> 4), u16::from(sampling & 15));
            let twice = self.components.iter().any(|component| component.id == id);
            if !(1..=4).contains(&h) || !(1..=4).contains(&v) || twice {
                return Err(wrong);
            }
            self.components.push(Component { id, h, v, quant, tables: None });
        }
        if let [only] = &mut self.components[..] {
            // Its blocks are in row order whatever the factors are (T.81, A.2.2).
            (only.h, only.v) = (1, 1);
        }
        let blocks: u32 = self.components.iter().map(|c| u32::from(c.h * c.v)).sum();
        if blocks > MAX_BLOCKS_IN_MCU {
            return Err(LosslessError::not_lossless("more than 10 blocks in an MCU"));
        }
        self.h_max = self.components.iter().map(|c| c.h).max().unwrap_or(1);
        self.v_max = self.components.iter().map(|c| c.v).max().unwrap_or(1);
        Ok(())
    }
}
