//! Splits an access unit into its NAL units (ITU-T H.264, 7.3.1 and Annex B).

use h264_reader::rbsp::{BitRead, BitReader, ByteReader};
use memchr::memmem;

use super::error::H264Error;

/// Maximum number of bytes of an access unit, which is openh264's own (level 5.2).
pub const MAX_ACCESS_UNIT_BYTES: usize = 7_077_888;

/// Maximum number of NAL units of an access unit: a slice for each macroblock of the largest picture.
const MAX_NAL_UNITS: usize = 36_864;

/// Types of NAL units (table 7-1).
const SLICE: u8 = 1;
const PARTITIONS: std::ops::RangeInclusive<u8> = 2..=4;
const IDR_SLICE: u8 = 5;
pub(super) const SPS: u8 = 7;
pub(super) const PPS: u8 = 8;

/// The way in which NAL units follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `00 00 01` before each (H.264, Annex B).
    StartCodes,
    /// The length in four bytes, big-endian, before each, as in MP4 files and in retina's frames.
    Lengths,
}

/// The NAL units of one picture that a decoder needs.
#[derive(Debug, Default)]
pub struct AccessUnit<'a> {
    pub(super) parameter_sets: Vec<&'a [u8]>,
    pub(super) slices: Vec<Slice<'a>>,
    /// Whether decoding can begin here (IDR).
    pub is_keyframe: bool,
    /// Whether no other picture refers to this one, so that it may be left out.
    pub is_disposable: bool,
}

/// A slice and its kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slice<'a> {
    pub(super) nal: &'a [u8],
    kind: SliceKind,
}

/// The prediction of a slice, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SliceKind {
    Bidirectional,
    Other,
}

impl Slice<'_> {
    /// Returns whether it may refer to pictures that are shown later (B).
    pub(super) fn is_bidirectional(&self) -> bool {
        self.kind == SliceKind::Bidirectional
    }
}

impl<'a> AccessUnit<'a> {
    /// Splits the bytes of one access unit.
    ///
    /// # Errors
    /// [`H264Error::Framing`] for lengths that do not fit and units marked as damaged;
    /// [`H264Error::Unsupported`] for data partitioning.
    pub fn read(bytes: &'a [u8], framing: Framing) -> Result<Self, H264Error> {
        if bytes.len() > MAX_ACCESS_UNIT_BYTES {
            return Err(H264Error::Framing("an access unit of more than 7,077,888 bytes"));
        }
        let mut unit = Self { is_disposable: true, ..Self::default() };
        let mut rest = bytes;
        for _ in 0..MAX_NAL_UNITS {
            let Some(nal) = next(&mut rest, framing)? else {
                unit.is_disposable &= !unit.slices.is_empty();
                return Ok(unit);
            };
            unit.add(nal)?;
        }
        Err(H264Error::Framing("an access unit of more than 36,864 NAL units"))
    }

    fn add(&mut self, nal: &'a [u8]) -> Result<(), H264Error> {
        let Some(&head) = nal.first() else { return Ok(()) };
        if head & 0x80 != 0 {
            return Err(H264Error::Framing("a NAL unit that is marked as damaged"));
        }
        match head & 0x1f {
            kind @ (SLICE | IDR_SLICE) => {
                self.slices.push(Slice { nal, kind: slice_kind(nal) });
                self.is_keyframe |= kind == IDR_SLICE;
                self.is_disposable &= head & 0x60 == 0;
            }
            SPS | PPS => self.parameter_sets.push(nal),
            kind if PARTITIONS.contains(&kind) => {
                return Err(H264Error::Unsupported("data partitioning".into()));
            }
            _ => {}
        }
        Ok(())
    }
}

/// Appends a NAL unit with its start code.
pub(super) fn push(data: &mut Vec<u8>, nal: &[u8]) {
    data.extend_from_slice(&[0, 0, 0, 1]);
    data.extend_from_slice(nal);
}

/// Returns the bits of a NAL unit after its head, without emulation prevention.
pub(super) fn bits(nal: &[u8]) -> impl BitRead {
    BitReader::new(ByteReader::skipping_h264_header(nal))
}

fn slice_kind(nal: &[u8]) -> SliceKind {
    let mut bits = bits(nal);
    // first_mb_in_slice, slice_type (7.3.3).
    let slice_type = bits.read_ue("first").and_then(|_| bits.read_ue("type"));
    if slice_type.is_ok_and(|kind| kind % 5 == 1) { SliceKind::Bidirectional } else { SliceKind::Other }
}

fn next<'a>(rest: &mut &'a [u8], framing: Framing) -> Result<Option<&'a [u8]>, H264Error> {
    match framing {
        Framing::Lengths => {
            if rest.is_empty() {
                return Ok(None);
            }
            let cut = || H264Error::Framing("a NAL unit that is longer than its access unit");
            let (length, after) = rest.split_first_chunk().ok_or_else(cut)?;
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            let (nal, after) = after.split_at_checked(length).ok_or_else(cut)?;
            *rest = after;
            Ok(Some(nal))
        }
        Framing::StartCodes => {
            let Some(start) = memmem::find(rest, &[0, 0, 1]) else { return Ok(None) };
            let after = &rest[start + 3..];
            let end = memmem::find(after, &[0, 0, 1]).unwrap_or(after.len());
            *rest = &after[end..];
            // A start code of four bytes begins with a zero, and zeros may trail.
            let nal = &after[..end];
            let trailing = nal.iter().rev().take_while(|&&byte| byte == 0).count();
            Ok(Some(&nal[..nal.len() - trailing]))
        }
    }
}
