//! Removes the data that cameras add to the picture: place, time, serial number, thumbnail, comments.

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    exif::{self, Orientation},
    segments::{Segment, Segments},
};
use crate::media::jpeg::marker;

/// Removes APP0 to APP15, comments, and bytes after the picture's end, and changes nothing else.
///
/// Data that the picture's look depends on are kept: JFIF, Adobe's segment about its colours, colour
/// profiles, and of EXIF the orientation alone, in a segment of 36 bytes. With nothing to leave out, and with
/// bytes that are no whole JPEG, the same bytes are returned.
#[must_use]
pub fn strip_metadata(jpeg: Bytes) -> Bytes {
    let Some(pieces) = kept_ranges(&jpeg) else { return jpeg };
    match pieces[..] {
        [] => jpeg,
        // Only what follows the end.
        [KeptRange { start: 0, end, orientation: None }] => jpeg.slice(..end),
        _ => {
            let len = pieces.iter().map(|piece| piece.end - piece.start + 36).sum();
            let mut out = BytesMut::with_capacity(len);
            for piece in pieces {
                out.put_slice(&jpeg[piece.start..piece.end]);
                if let Some(orientation) = piece.orientation {
                    out.put_slice(&exif::segment(orientation));
                }
            }
            out.freeze()
        }
    }
}

/// A range of bytes that are kept, and the orientation that follows them.
struct KeptRange {
    start: usize,
    end: usize,
    orientation: Option<Orientation>,
}

/// Returns the pieces that are kept; empty when all of the JPEG is kept, `None` when the bytes are not a
/// whole JPEG.
fn kept_ranges(jpeg: &[u8]) -> Option<Vec<KeptRange>> {
    let mut segments = Segments::new(jpeg);
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut known = false;
    loop {
        let segment = segments.next().ok()?;
        if segment.code == marker::EOI {
            if !pieces.is_empty() || segment.end < jpeg.len() {
                pieces.push(KeptRange { start, end: segment.end, orientation: None });
            }
            return Some(pieces);
        }
        let found = exif::orientation_in(&segment);
        // As for a reader, the first segment that gives an orientation counts.
        let orientation = found.filter(|found| !known && *found != Orientation::NoTransforms);
        known |= found.is_some();
        let says_only_that =
            orientation.is_some_and(|found| exif::segment(found) == segments.bytes(&segment));
        if is_metadata(&segment) && !says_only_that {
            pieces.push(KeptRange { start, end: segment.at, orientation });
            start = segment.end;
        }
    }
}

fn is_metadata(segment: &Segment<'_>) -> bool {
    match segment.code {
        marker::COM => true,
        marker::APP0..=marker::APP15 => !(segment.is_jfif() || segment.is_adobe() || segment.is_icc()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: &[u8] = b"\xff\xdb\0\x03\x01\xff\xda\0\x03\0\xff\0\xff\xd0\x12";
    const END: &[u8] = b"\xff\xd9";
    const JFIF: &[u8] = b"\xff\xe0\0\x08JFIF\0\x01";
    const ADOBE: &[u8] = b"\xff\xee\0\x08Adobe\0";
    const ICC: &[u8] = b"\xff\xe2\0\x10ICC_PROFILE\0\x01\x01";
    const COMMENT: &[u8] = b"\xff\xfe\0\x04hi";
    const GPS: &[u8] = b"\xff\xe1\0\x09Exif\0\0x";
    const APP0_OF_AVI: &[u8] = b"\xff\xe0\0\x06AVI1";

    fn jpeg(parts: &[&[u8]]) -> Bytes {
        Bytes::from([b"\xff\xd8", &parts.concat()[..]].concat())
    }

    #[test]
    fn metadata_go_and_what_the_picture_needs_stays() {
        let whole = jpeg(&[JFIF, GPS, ICC, COMMENT, ADOBE, APP0_OF_AVI, PICTURE, COMMENT, END, b"more"]);
        assert_eq!(strip_metadata(whole), jpeg(&[JFIF, ICC, ADOBE, PICTURE, END]));
    }

    #[test]
    fn with_nothing_to_leave_out_the_very_same_bytes_come_back() {
        let plain = jpeg(&[JFIF, ICC, PICTURE, END]);
        assert_eq!(strip_metadata(plain.clone()).as_ptr(), plain.as_ptr());
        let with_more = jpeg(&[JFIF, PICTURE, END, b"more"]);
        let stripped = strip_metadata(with_more.clone());
        assert_eq!((stripped.as_ptr(), stripped.len()), (with_more.as_ptr(), with_more.len() - 4));
    }

    #[test]
    fn the_orientation_alone_stays_of_exif() {
        let mut camera = exif::segment(Orientation::Rotate90).to_vec();
        camera.extend_from_slice(b"GPS 52.5N");
        camera[3] += 9;
        let stripped = strip_metadata(jpeg(&[&camera, GPS, PICTURE, END]));
        assert_eq!(stripped, jpeg(&[&exif::segment(Orientation::Rotate90), PICTURE, END]));
        assert_eq!(
            strip_metadata(stripped.clone()).as_ptr(),
            stripped.as_ptr(),
            "a second time does nothing"
        );
        let upright = jpeg(&[&exif::segment(Orientation::NoTransforms), PICTURE, END]);
        assert_eq!(strip_metadata(upright), jpeg(&[PICTURE, END]));
    }

    #[test]
    fn bytes_cut_off_come_back_as_they_are() {
        let whole = jpeg(&[GPS, PICTURE, END]);
        for len in 0..whole.len() {
            assert_eq!(strip_metadata(whole.slice(..len)), whole[..len]);
        }
    }
}
