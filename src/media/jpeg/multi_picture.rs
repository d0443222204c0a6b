//! Further pictures behind a JPEG's EOI: gain maps, previews and second views (CIPA DC-007, MPF).

use super::marker;

/// The start of the APP2 segment of MPF.
pub(super) const SIGNATURE: &[u8] = b"MPF\0";

/// Most pictures that an index is read for; phones write two or three.
const MAX_PICTURES: usize = 16;

/// Returns the end of the last picture of the MPF index in the segment at `at`, and the offsets of the
/// pictures behind the first; `None` for an index that cannot be read.
pub(crate) fn indexed(jpeg: &[u8], at: usize) -> Option<(usize, Vec<usize>)> {
    // Marker, length, signature; offsets count from there.
    let base = at + 4 + SIGNATURE.len();
    let tiff = Tiff { bytes: jpeg.get(base..)?, is_little: jpeg.get(base..base + 2)? == b"II" };
    let first = tiff.u32(4)?;
    let mut entries = None;
    for n in 0..usize::from(tiff.u16(first)?) {
        let field = first.checked_add(2 + 12 * n)?;
        // MPEntry: 16 bytes for each picture.
        if tiff.u16(field)? == 0xb002 {
            entries = Some((tiff.u32(field + 4)? / 16, tiff.u32(field + 8)?));
        }
    }
    let (count, table) = entries?;
    let mut end = 0;
    let mut starts = Vec::new();
    for n in 1..count.min(MAX_PICTURES) {
        let entry = table.checked_add(16 * n)?;
        let start = base.checked_add(tiff.u32(entry + 8)?)?;
        end = end.max(start.checked_add(tiff.u32(entry + 4)?)?);
        starts.push(start);
    }
    (!starts.is_empty()).then_some((end, starts))
}

/// Returns whether all indexed pictures begin with SOI behind the first picture's end.
pub(crate) fn are_there(jpeg: &[u8], first_len: usize, starts: &[usize]) -> bool {
    starts.iter().all(|&start| start >= first_len && jpeg.get(start..start + 2) == Some(&[0xff, marker::SOI]))
}

/// Numbers of a TIFF structure.
struct Tiff<'a> {
    bytes: &'a [u8],
    is_little: bool,
}

impl Tiff<'_> {
    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<usize> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        let number = if self.is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
        usize::try_from(number).ok()
    }
}
