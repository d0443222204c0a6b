//! Tests of the codec of this build.

use super::*;
use crate::imaging::ycbcr::{Planes, Sampling};

fn slope(width: u16, height: u16, format: PixelFormat) -> Pixels {
    let pixel =
        |n: usize| -> u8 { (n / format.bytes() % usize::from(width) * 255 / usize::from(width)) as u8 };
    let len = usize::from(width) * usize::from(height) * format.bytes();
    Pixels::new(width, height, format, (0..len).map(pixel).collect()).unwrap()
}

#[test]
fn a_picture_survives_the_way_there_and_back() {
    for format in [PixelFormat::Rgb, PixelFormat::Gray] {
        for quality in [Quality::PICTURE, Quality::LETTERS] {
            let before = slope(67, 35, format);
            let jpeg = codec().encode(&before, quality).unwrap();
            let after = codec().decode(&jpeg, 10_000).unwrap();
            assert_eq!((after.width(), after.height(), after.format()), (67, 35, format));
            let worst = before.data().iter().zip(after.data()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            assert!(worst < 24, "{format:?} {quality:?}: a pixel is off by {worst}");
        }
    }
}

#[test]
fn too_many_pixels_are_refused_before_decoding() {
    let jpeg = codec().encode(&slope(64, 64, PixelFormat::Rgb), Quality::PICTURE).unwrap();
    let error = codec().decode(&jpeg, 64 * 64 - 1).unwrap_err();
    assert!(matches!(error, CodecError::TooManyPixels { width: 64, height: 64, .. }), "{error}");
}

#[test]
fn a_header_that_claims_a_giant_allocates_nothing() {
    let mut jpeg = codec().encode(&slope(64, 64, PixelFormat::Rgb), Quality::PICTURE).unwrap().to_vec();
    let sof = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    jpeg[sof + 5..sof + 9].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);
    let error = codec().decode(&jpeg, 50_000_000).unwrap_err();
    assert!(matches!(error, CodecError::TooManyPixels { width: 65500, .. }), "{error}");
}

#[test]
fn half_a_jpeg_is_an_error_not_half_a_picture() {
    let jpeg = codec().encode(&slope(320, 240, PixelFormat::Rgb), Quality::PICTURE).unwrap();
    assert!(codec().decode(&jpeg[..jpeg.len() / 2], 1_000_000).is_err());
}

fn wanted(denominator: u8, gray: bool) -> DecodeOptions {
    DecodeOptions { denominator, gray, max_pixels: 1_000_000 }
}

#[test]
fn planes_survive_the_way_there_and_back_at_every_sampling_and_odd_sides() {
    for sampling in [Sampling::Gray, Sampling::S444, Sampling::S422, Sampling::S420] {
        for (width, height) in [(64, 48), (67, 35), (1, 1), (2, 9)] {
            let mut before = Planes::default();
            before.reshape(width, height, sampling).unwrap();
            for n in 0..sampling.planes() {
                let (columns, _) = before.size_of(n);
                for (at, byte) in before.plane_mut(n).iter_mut().enumerate() {
                    *byte = (60 + 100 * (at % columns) / columns + 10 * n) as u8;
                }
            }
            let jpeg = codec().encode_planes(&before, 92).unwrap();
            let mut after = Planes::default();
            codec().decode_planes(&jpeg, wanted(1, false), &mut after).unwrap();
            assert_eq!((after.width(), after.height()), (width, height));
            for (x, y) in [(0, 0), (width - 1, height - 1), (width / 2, height / 2)] {
                let (a, b) = (before.rgb(x, y), after.rgb(x, y));
                let off = a.iter().zip(b).map(|(a, b)| a.abs_diff(b)).max().unwrap();
                assert!(off < 24, "{sampling:?} {width}x{height} at {x},{y}: {a:?} became {b:?}");
            }
            codec().decode_planes(&jpeg, wanted(1, true), &mut after).unwrap();
            assert_eq!(after.sampling(), Sampling::Gray);
            assert!(after.rgb(0, 0)[0].abs_diff(60) < 12);
        }
    }
}

#[test]
fn a_fraction_of_the_picture_is_the_picture_smaller() {
    let jpeg = codec().encode(&slope(67, 35, PixelFormat::Rgb), Quality::PICTURE).unwrap();
    let mut planes = Planes::default();
    for denominator in [1, 2, 4, 8].into_iter().filter(|&d| d <= codec().max_denominator()) {
        codec().decode_planes(&jpeg, wanted(denominator, false), &mut planes).unwrap();
        let side = |side: usize| side.div_ceil(denominator.into());
        assert_eq!((planes.width(), planes.height()), (side(67), side(35)));
        assert!(planes.rgb(side(67) - 1, 0)[0] > 215 && planes.rgb(0, 0)[0] < 40, "1/{denominator}");
    }
}

#[test]
fn too_many_pixels_are_refused_before_planes_are_decoded() {
    let mut jpeg = codec().encode(&slope(64, 64, PixelFormat::Rgb), Quality::PICTURE).unwrap().to_vec();
    let sof = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    jpeg[sof + 5..sof + 9].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);
    let mut planes = Planes::default();
    for gray in [false, true] {
        let error = codec().decode_planes(&jpeg, wanted(1, gray), &mut planes).unwrap_err();
        assert!(matches!(error, CodecError::TooManyPixels { width: 65500, .. }), "{error}");
    }
    assert!(planes.capacity() < 1000, "nothing was allocated");
}

#[test]
fn half_a_jpeg_gives_no_planes() {
    let jpeg = codec().encode(&slope(320, 240, PixelFormat::Rgb), Quality::PICTURE).unwrap();
    let mut planes = Planes::default();
    assert!(codec().decode_planes(&jpeg[..jpeg.len() / 2], wanted(1, false), &mut planes).is_err());
}

#[test]
fn a_buffer_of_the_wrong_length_is_no_picture() {
    assert!(Pixels::new(4, 4, PixelFormat::Rgb, vec![0; 47]).is_err());
    assert!(Pixels::new(0, 4, PixelFormat::Rgb, vec![]).is_err());
}
