//! The orientation tag of a picture's EXIF segment (EXIF 2.32, 4.6.4), which the image crate reads.

pub use image::metadata::Orientation;

use super::segments::{Segment, Segments};
use crate::media::jpeg::marker;

const HEADER: &[u8] = b"Exif\0\0";

/// Returns an EXIF segment, with marker and length, that holds the orientation and nothing else.
pub(super) fn segment(orientation: Orientation) -> [u8; 36] {
    let mut segment = *b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
    segment[29] = orientation.to_exif();
    segment
}

/// Returns the orientation in the picture's EXIF segment; `NoTransforms` when there is no such segment, or a
/// broken one.
#[must_use]
pub fn orientation(jpeg: &[u8]) -> Orientation {
    let mut segments = Segments::new(jpeg);
    // The frame header comes after all that describes the picture; the walk is over at the first scan at the
    // latest.
    while let Ok(segment) = segments.next() {
        if let Some(found) = orientation_in(&segment) {
            return found;
        }
        if matches!(segment.code, marker::SOS | marker::EOI) {
            break;
        }
    }
    Orientation::NoTransforms
}

/// Returns the orientation in one segment; `None` when it is not EXIF or has no readable orientation.
pub(super) fn orientation_in(segment: &Segment<'_>) -> Option<Orientation> {
    if segment.code != marker::APP1 {
        return None;
    }
    Orientation::from_exif_chunk(segment.body.strip_prefix(HEADER)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tag of the orientation.
    const ORIENTATION: u16 = 0x0112;
    /// The type of its value: 16 bits.
    const SHORT: u16 = 3;

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
            for number in 1..=8 {
                let jpeg = with_entries(little, &[(0x010f, 2, 7), (ORIENTATION, SHORT, number)]);
                assert_eq!(u32::from(orientation(&jpeg).to_exif()), number);
            }
        }
    }

    #[test]
    fn nonsense_is_upright() {
        for entries in
            [&[(ORIENTATION, SHORT, 0)][..], &[(ORIENTATION, SHORT, 9)], &[(ORIENTATION, 2, 6)], &[]]
        {
            assert_eq!(orientation(&with_entries(true, entries)), Orientation::NoTransforms);
        }
        let whole = with_entries(true, &[(ORIENTATION, SHORT, 6)]);
        for len in 0..whole.len() - 8 {
            assert_eq!(orientation(&whole[..len]), Orientation::NoTransforms);
        }
    }

    #[test]
    fn a_directory_far_outside_its_segment_is_not_followed() {
        let mut jpeg = with_entries(false, &[(ORIENTATION, SHORT, 6)]);
        jpeg[16..20].copy_from_slice(&[0xff; 4]);
        assert_eq!(orientation(&jpeg), Orientation::NoTransforms);
    }

    #[test]
    fn the_segment_that_says_only_the_orientation_says_it() {
        for expected in (1..=8).map(|number| Orientation::from_exif(number).unwrap()) {
            let jpeg = [&b"\xff\xd8"[..], &segment(expected), b"\xff\xd9"].concat();
            assert_eq!(orientation(&jpeg), expected);
            let mut segments = Segments::new(&jpeg);
            assert_eq!(segments.next().unwrap().end, 38);
        }
    }
}
