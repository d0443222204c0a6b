//! Damaged JPEGs on every way through the transforms: a result or an error, never a panic, and no more memory
//! than allowed.
//!
//! `PROPTEST_CASES=10000` tries more than the usual number.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use framecast::{
    imaging::{
        codec::{DecodeOptions, codec},
        lossless::{LosslessOp, LosslessOptions, apply, is_aligned, orientation, strip_metadata},
        ycbcr::Planes,
    },
    media::frame::Frame,
};
use proptest::prelude::*;

use super::{
    photographs::{HELD, STORED},
    scene::{COLOURED, GRAY, LIMITS, pipeline},
};

/// Tried without being told otherwise: some seconds.
const USUAL_CASES: u32 = 600;

/// One for each way a picture can take, and several through all of the steps.
const STEPS: [&str; 8] = [
    "transform: [{scale: {width: 100}}]",
    "transform: [{crop: {x: 13, y: 7, width: 100, height: 100}}, {rotate: 90}, {mask: [{width: 50, height: \
     50}]}]",
    "transform: [{grayscale: true}, {scale: {width: 70, height: 70, fit: cover}}, {text: {text: x, color: \
     '#f00'}}]",
    "transform: [{flip: vertical}, {scale: {height: 30}}], encode: {quality: 50, subsampling: 444}",
    "transform: [{rotate: 90}]",
    "transform: [{crop: {x: 32, y: 16, width: 64, height: 80}}, {flip: horizontal}], strip_metadata: true",
    "transform: [{grayscale: true}]",
    "strip_metadata: true",
];

const OPS: [LosslessOp; 4] =
    [LosslessOp::Rotate90, LosslessOp::Transverse, LosslessOp::FlipVertical, LosslessOp::Grayscale];

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(USUAL_CASES)
}

/// Every picture of the tests.
fn sources() -> Vec<&'static [u8]> {
    let named = COLOURED.iter().chain(&STORED).chain(&HELD);
    named.map(|(_, jpeg)| *jpeg).chain([GRAY]).collect()
}

/// All of the rooms, with bytes that nobody has looked at.
fn decode_in_all_ways(jpeg: &[u8]) {
    let max_pixels = LIMITS.max_frame_pixels;
    let _ = codec().decode(jpeg, max_pixels);
    let mut planes = Planes::default();
    // As a mosaic does for a tile.
    for denominator in [1, 2, 8].into_iter().filter(|&d| d <= codec().max_denominator()) {
        for gray in [false, true] {
            let _ = codec().decode_planes(jpeg, DecodeOptions { denominator, gray, max_pixels }, &mut planes);
        }
    }
    assert!(planes.capacity() as u64 <= 4 * max_pixels, "it took {} bytes", planes.capacity());
    let _ = orientation(jpeg);
    let _ = strip_metadata(Bytes::copy_from_slice(jpeg));
    for trim in [false, true] {
        let options = LosslessOptions { max_pixels, trim };
        let _ = (is_aligned(jpeg, &OPS, options), apply(jpeg, &OPS, options), apply(jpeg, &[], options));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_jpeg_gives_a_picture_or_an_error(
        source in any::<prop::sample::Index>(),
        steps in 0_usize..STEPS.len(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        early in any::<bool>(),
        cut in proptest::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let mut jpeg = source.get(&sources()).to_vec();
        // Half of the damage falls upon the headers, which are a few hundred bytes.
        let range = if early { jpeg.len().min(1400) } else { jpeg.len() };
        for (at, byte) in changes {
            jpeg[at.index(range)] = byte;
        }
        if let Some(cut) = cut {
            jpeg.truncate(cut.index(jpeg.len()));
        }
        let result = catch_unwind(AssertUnwindSafe(|| decode_in_all_ways(&jpeg)));
        prop_assert!(result.is_ok(), "a room panicked");
        // What is not whole is not shown to the transforms.
        let Ok(frame) = Frame::from_jpeg(Bytes::from(jpeg)) else { return Ok(()) };
        let pipeline = pipeline(STEPS[steps]);
        let result = catch_unwind(AssertUnwindSafe(|| pipeline.transform(&frame)));
        prop_assert!(result.is_ok(), "{} panicked", STEPS[steps]);
    }
}

/// Returns the JPEG with another size in its header.
fn with_size(jpeg: &[u8], width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = jpeg.to_vec();
    let frame_header = jpeg.windows(2).position(|code| matches!(code, [0xff, 0xc0 | 0xc2])).unwrap();
    jpeg[frame_header + 5..][..2].copy_from_slice(&height.to_be_bytes());
    jpeg[frame_header + 7..][..2].copy_from_slice(&width.to_be_bytes());
    jpeg
}

#[test]
fn a_decode_bomb_is_refused_by_its_header_on_every_way() {
    for (name, jpeg) in COLOURED {
        let bomb = with_size(jpeg, 65_500, 65_500);
        decode_in_all_ways(&bomb);
        let frame = Frame::from_jpeg(Bytes::from(bomb)).unwrap();
        for steps in &STEPS[..7] {
            let error = pipeline(steps).transform(&frame).unwrap_err().to_string();
            assert!(error.contains("65500"), "{name} {steps}: {error}");
        }
        assert!(
            pipeline(STEPS[7]).transform(&frame).is_ok(),
            "{name}: its size is nothing to those who do not decode"
        );
    }
}

#[test]
fn more_scans_than_any_camera_writes_are_refused() {
    let (_, jpeg) = STORED[5];
    let scan = jpeg.windows(2).rposition(|code| code == [0xff, 0xda]).unwrap();
    let (before, last) = jpeg[..jpeg.len() - 2].split_at(scan);
    let bomb = [before, &last.repeat(1000), &[0xff, 0xd9]].concat();
    let frame = Frame::from_jpeg(Bytes::from(bomb)).unwrap();
    for steps in &STEPS[..7] {
        assert!(pipeline(steps).transform(&frame).is_err(), "{steps}");
    }
}
