//! Writes the result: segments, tables, picture data.

use super::{
    dct_transpose::TRANSPOSED,
    decode::Coefficients,
    encode,
    error::LosslessError,
    header::{Header, QuantTable},
    huffman::{EncodeTable, HuffmanSpec, TableClass},
    plan::LosslessPlan,
};
use crate::media::jpeg::marker;

/// Maximum number of tables of one class in a baseline JPEG (T.81, table B.5); with more it is "extended
/// sequential".
const MAX_BASELINE_TABLES: usize = 2;

/// Length of a usual header in bytes.
const USUAL_HEADER_LEN: usize = 1024;

/// The Huffman tables of the result, each once, and those that each component uses.
struct Tables {
    dc: Vec<HuffmanSpec>,
    ac: Vec<HuffmanSpec>,
    /// The DC and AC table of each component.
    slots: Vec<(usize, usize)>,
}

/// Returns the JPEG of the part of the picture that `plan` keeps. Huffman tables stay those of the source
/// where they have all codes.
pub(super) fn write(
    header: &Header<'_>,
    plan: &LosslessPlan,
    picture: &Coefficients<'_>,
    source_len: usize,
) -> Result<Vec<u8>, LosslessError> {
    for tables in [Tables::from_source(header, plan), Tables::standard(plan)] {
        let head = head(header, plan, &tables, source_len);
        let dc: Vec<EncodeTable> = tables.dc.iter().map(EncodeTable::new).collect();
        let ac: Vec<EncodeTable> = tables.ac.iter().map(EncodeTable::new).collect();
        let codes: Vec<(&EncodeTable, &EncodeTable)> =
            tables.slots.iter().map(|&(d, a)| (&dc[d], &ac[a])).collect();
        if let Some(mut jpeg) = encode::scan(head, header, plan, picture, &codes) {
            jpeg.extend_from_slice(&[0xff, marker::EOI]);
            return Ok(jpeg);
        }
    }
    // The standard tables have every value that the decoder accepts.
    Err(LosslessError::not_lossless("values that the standard Huffman tables have no code for"))
}

impl Tables {
    fn from_source(header: &Header<'_>, plan: &LosslessPlan) -> Self {
        let mut tables = Self { dc: Vec::new(), ac: Vec::new(), slots: Vec::new() };
        for component in &header.components[..plan.components] {
            if let Some((dc, ac)) = &component.tables {
                let slots = (slot(&mut tables.dc, dc), slot(&mut tables.ac, ac));
                tables.slots.push(slots);
            }
        }
        tables
    }

    fn standard(plan: &LosslessPlan) -> Self {
        let both = if plan.components == 1 { 1 } else { 2 };
        let specs = |class| (0..both).map(|slot| HuffmanSpec::standard(class, slot)).collect();
        // The first component is brightness; the second table is made for the others.
        let slots = (0..plan.components).map(|index| (index.min(1), index.min(1))).collect();
        Self { dc: specs(TableClass::Dc), ac: specs(TableClass::Ac), slots }
    }
}

fn slot(specs: &mut Vec<HuffmanSpec>, spec: &HuffmanSpec) -> usize {
    specs.iter().position(|known| known == spec).unwrap_or_else(|| {
        specs.push(spec.clone());
        specs.len() - 1
    })
}

fn head(header: &Header<'_>, plan: &LosslessPlan, tables: &Tables, source_len: usize) -> Vec<u8> {
    // A turned picture is about as long; segments of a colour profile come on top.
    let mut out = Vec::with_capacity(source_len + source_len / 16 + USUAL_HEADER_LEN);
    out.extend_from_slice(&[0xff, marker::SOI]);
    let now_gray = plan.components < header.components.len();
    for carried in header.copied.iter().filter(|carried| !(now_gray && carried.is_color_data)) {
        out.extend_from_slice(carried.bytes);
    }
    let wide = quants(&mut out, header, plan);
    let extended = wide || tables.dc.len().max(tables.ac.len()) > MAX_BASELINE_TABLES;
    frame(&mut out, header, plan, if extended { marker::SOF1 } else { marker::SOF0 });
    for (class, specs) in [(0_u8, &tables.dc), (0x10, &tables.ac)] {
        for (slot, spec) in (class..).zip(specs) {
            let body = [&[slot], &spec.counts[..], &spec.values].concat();
            segment(&mut out, marker::DHT, &body);
        }
    }
    let mut body = vec![plan.components as u8];
    for (component, &(dc, ac)) in header.components.iter().zip(&tables.slots) {
        body.extend_from_slice(&[component.id, (dc << 4 | ac) as u8]);
    }
    body.extend_from_slice(&[0, 63, 0]);
    segment(&mut out, marker::SOS, &body);
    out
}

/// Writes the quantisation tables that are used; returns whether one has 16 bits.
fn quants(out: &mut Vec<u8>, header: &Header<'_>, plan: &LosslessPlan) -> bool {
    let mut any_wide = false;
    for slot in 0..4 {
        let used = header.components[..plan.components].iter().any(|component| component.quant == slot);
        let Some(quant) = header.quant(slot).filter(|_| used) else { continue };
        let quant = if plan.transpose { &transposed(quant) } else { quant };
        let wide = quant.iter().any(|&value| value > 255);
        any_wide |= wide;
        let mut body = vec![u8::from(wide) << 4 | slot];
        for value in quant {
            body.extend_from_slice(&value.to_be_bytes()[usize::from(!wide)..]);
        }
        segment(out, marker::DQT, &body);
    }
    any_wide
}

fn transposed(quant: &QuantTable) -> QuantTable {
    TRANSPOSED.map(|place| quant[usize::from(place)])
}

fn frame(out: &mut Vec<u8>, header: &Header<'_>, plan: &LosslessPlan, code: u8) {
    let (width, height) = plan.size();
    let [[y1, y0], [x1, x0]] = [height.to_be_bytes(), width.to_be_bytes()];
    let mut body = vec![8, y1, y0, x1, x0, plan.components as u8];
    for component in &header.components[..plan.components] {
        let (h, v) = if plan.components == 1 { (1, 1) } else { (component.h as u8, component.v as u8) };
        let sampling = if plan.transpose { v << 4 | h } else { h << 4 | v };
        body.extend_from_slice(&[component.id, sampling, component.quant]);
    }
    segment(out, code, &body);
}

/// Writes a segment of at most 64 kB; all segments of this file are shorter than 500 bytes.
fn segment(out: &mut Vec<u8>, code: u8, body: &[u8]) {
    out.extend_from_slice(&[0xff, code]);
    out.extend_from_slice(&(body.len() as u16 + 2).to_be_bytes());
    out.extend_from_slice(body);
}
