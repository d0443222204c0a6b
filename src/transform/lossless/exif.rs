//! How the camera was held, by the EXIF segment's orientation tag (EXIF 2.32, 4.6.4; TIFF 6.0, section 2).

use super::{
    plan::LosslessOp,
    segments::{Segment, Segments, marker},
};

const HEADER: &[u8] = b"Exif\0\0";

/// The tag, in the first directory.
const ORIENTATION: u16 = 0x0112;
/// The type of its value: 16 bits.
const SHORT: u16 = 3;

/// What must be done to the stored picture so that it stands upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Orientation {
    /// 1: nothing; also when nothing is said.
    #[default]
    Upright,
    /// 2: mirror it left to right.
    FlipHorizontal,
    /// 3: turn it upside down.
    Rotate180,
    /// 4: mirror it top to bottom.
    FlipVertical,
    /// 5: make rows columns.
    Transpose,
    /// 6: turn it clockwise.
    Rotate90,
    /// 7: mirror it along the diagonal from the upper right.
    Transverse,
    /// 8: turn it counterclockwise.
    Rotate270,
}

impl Orientation {
    const ALL: [Self; 8] = [
        Self::Upright,
        Self::FlipHorizontal,
        Self::Rotate180,
        Self::FlipVertical,
        Self::Transpose,
        Self::Rotate90,
        Self::Transverse,
        Self::Rotate270,
    ];

    /// The number that EXIF has for it, 1 to 8.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The steps that make the picture stand upright: one, or none.
    #[must_use]
    pub fn ops(self) -> &'static [LosslessOp] {
        match self {
            Self::Upright => &[],
            Self::FlipHorizontal => &[LosslessOp::FlipHorizontal],
            Self::Rotate180 => &[LosslessOp::Rotate180],
            Self::FlipVertical => &[LosslessOp::FlipVertical],
            Self::Transpose => &[LosslessOp::Transpose],
            Self::Rotate90 => &[LosslessOp::Rotate90],
            Self::Transverse => &[LosslessOp::Transverse],
            Self::Rotate270 => &[LosslessOp::Rotate270],
        }
    }

    /// An EXIF segment, with marker and length, that says this and nothing else.
    pub(super) fn segment(self) -> [u8; 36] {
        let mut segment =
            *b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
        segment[29] = self.number();
        segment
    }
}

/// What the picture's EXIF segment says; upright when there is none, or a broken one.
#[must_use]
pub fn orientation(jpeg: &[u8]) -> Orientation {
    let mut segments = Segments::new(jpeg);
    // The frame header comes after all that describes the picture; the walk is over at the first scan at the latest.
    while let Ok(segment) = segments.next() {
        if let Some(found) = of_segment(&segment) {
            return found;
        }
        if matches!(segment.code, marker::SOS | marker::EOI) {
            break;
        }
    }
    Orientation::Upright
}

/// What one segment says; `None` when it is not EXIF or has no readable orientation.
pub(super) fn of_segment(segment: &Segment<'_>) -> Option<Orientation> {
    if segment.code != marker::APP1 {
        return None;
    }
    let tiff = Tiff::new(segment.body.strip_prefix(HEADER)?)?;
    let directory = tiff.long(4)? as usize;
    // A directory lies within its segment, which has room for 5,461 entries at most.
    for entry in 0..usize::from(tiff.short(directory)?) {
        let at = directory.checked_add(2 + entry * 12)?;
        if tiff.short(at)? == ORIENTATION && tiff.short(at + 2)? == SHORT {
            let number = usize::from(tiff.short(at + 8)?);
            return Orientation::ALL.get(number.checked_sub(1)?).copied();
        }
    }
    None
}

/// Numbers in the byte order that the first two bytes give.
struct Tiff<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Tiff<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = match bytes.first_chunk()? {
            b"MM\0*" => true,
            b"II*\0" => false,
            _ => return None,
        };
        Some(Self { bytes, big_endian })
    }

    fn short(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SOI and an EXIF segment whose first directory has `entries`.
    fn with_entries(little: bool, entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let short = |n: u16| if little { n.to_le_bytes() } else { n.to_be_bytes() };
        let long = |n: u32| if little { n.to_le_bytes() } else { n.to_be_bytes() };
        let mut tiff = if little { b"II*\0".to_vec() } else { b"MM\0*".to_vec() };
        tiff.extend(long(8));
        tiff.extend(short(entries.len() as u16));
        for &(tag, kind, value) in entries {
            tiff.extend(short(tag));
            tiff.extend(short(kind));
            tiff.extend(long(1));
            if kind == SHORT {
                tiff.extend(short(value as u16));
                tiff.extend([0, 0]);
            } else {
                tiff.extend(long(value));
            }
        }
        let body = [HEADER, &tiff].concat();
        let mut jpeg = b"\xff\xd8\xff\xe1".to_vec();
        jpeg.extend((body.len() as u16 + 2).to_be_bytes());
        jpeg.extend(body);
        jpeg.extend(b"\xff\xd9");
        jpeg
    }

    #[test]
    fn all_eight_are_read_in_both_byte_orders() {
        for little in [false, true] {
            for (number, expected) in (1..).zip(Orientation::ALL) {
                let jpeg = with_entries(little, &[(0x010f, 2, 7), (ORIENTATION, SHORT, number)]);
                assert_eq!(orientation(&jpeg), expected);
                assert_eq!(u32::from(expected.number()), number);
            }
        }
    }

    #[test]
    fn nonsense_is_upright() {
        for entries in
            [&[(ORIENTATION, SHORT, 0)][..], &[(ORIENTATION, SHORT, 9)], &[(ORIENTATION, 2, 6)], &[]]
        {
            assert_eq!(orientation(&with_entries(true, entries)), Orientation::Upright);
        }
        let whole = with_entries(true, &[(ORIENTATION, SHORT, 6)]);
        for len in 0..whole.len() - 8 {
            assert_eq!(orientation(&whole[..len]), Orientation::Upright);
        }
    }

    #[test]
    fn a_directory_far_outside_its_segment_is_not_followed() {
        let mut jpeg = with_entries(false, &[(ORIENTATION, SHORT, 6)]);
        jpeg[16..20].copy_from_slice(&[0xff; 4]);
        assert_eq!(orientation(&jpeg), Orientation::Upright);
    }

    #[test]
    fn the_segment_that_says_only_the_orientation_says_it() {
        for expected in Orientation::ALL {
            let jpeg = [&b"\xff\xd8"[..], &expected.segment(), b"\xff\xd9"].concat();
            assert_eq!(orientation(&jpeg), expected);
            let mut segments = Segments::new(&jpeg);
            assert_eq!(segments.next().unwrap().end, 38);
        }
    }
}
