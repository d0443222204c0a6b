//! Tests of all formats, and pictures for the formats' own tests.

use bytes::Bytes;

use super::*;
use crate::media::frame::Frame;

/// A frame with its number.
pub(super) struct Numbered(pub(super) u64, pub(super) Frame);

impl ClipFrame for Numbered {
    fn frame(&self) -> &Frame {
        &self.1
    }

    fn seq(&self) -> u64 {
        self.0
    }
}

/// Returns a grey picture of this size.
pub(super) fn frame(width: u16, height: u16) -> Frame {
    let mut jpeg = Vec::new();
    let pixels = vec![128; usize::from(width) * usize::from(height)];
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 80);
    encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Luma).unwrap();
    Frame::from_jpeg(jpeg.into()).unwrap()
}

fn pictures() -> Vec<Numbered> {
    (1..=5).map(|n| Numbered(n, frame(8 * n as u16, 16))).collect()
}

#[test]
fn every_format_is_as_long_as_it_says_and_carries_the_pictures_themselves() {
    for format in [ClipFormat::Mjpg, ClipFormat::Avi, ClipFormat::Zip] {
        let pictures = pictures();
        let bytes: Vec<_> = pictures.iter().map(|picture| picture.1.jpeg().clone()).collect();
        let clip = clip(format, pictures);
        let pieces: Vec<Bytes> = clip.chunks.collect();
        assert_eq!(clip.len, pieces.iter().map(|piece| piece.len() as u64).sum::<u64>(), "{format:?}");
        for jpeg in bytes {
            assert!(pieces.iter().any(|piece| piece.as_ptr() == jpeg.as_ptr()), "{format:?} copies");
        }
        assert_eq!(format.extension().parse(), Ok(format));
    }
    assert_eq!("AVI".parse::<ClipFormat>(), Err(UnknownFormat));
}

#[test]
fn a_picture_is_let_go_when_its_piece_was_taken() {
    let pictures = pictures();
    let first = pictures[0].1.jpeg().clone();
    let mut clip = clip(ClipFormat::Mjpg, pictures);
    assert!(!first.is_unique());
    drop(clip.chunks.next());
    assert!(first.is_unique());
}
