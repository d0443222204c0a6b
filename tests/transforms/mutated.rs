//! Damaged JPEGs through every step: a result or an error, never a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use framecast::frame::Frame;
use proptest::prelude::*;

use crate::scene::{COLOURED, GRAY, pipeline};

const STEPS: [&str; 4] = [
    "transform: [{scale: {width: 100}}]",
    "transform: [{crop: {x: 13, y: 7, width: 200, height: 100}}, {rotate: 90}, {mask: [{width: 50, height: 50}]}]",
    "transform: [{grayscale: true}, {scale: {width: 70, height: 70, fit: cover}}, {text: {text: x, color: '#f00'}}]",
    "transform: [{flip: vertical}, {scale: {height: 30}}], encode: {quality: 50, subsampling: 444}",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_jpeg_gives_a_picture_or_an_error(
        kind in 0_usize..7,
        steps in 0_usize..STEPS.len(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        early in any::<bool>(),
    ) {
        let whole = if kind == 6 { GRAY } else { COLOURED[kind].1 };
        let mut jpeg = whole.to_vec();
        // Half of the damage falls upon the headers, which are a few hundred bytes.
        let range = if early { 700 } else { jpeg.len() };
        for (at, byte) in changes {
            jpeg[at.index(range)] = byte;
        }
        // What is not whole is not shown to the transforms.
        let Ok(frame) = Frame::from_jpeg(Bytes::from(jpeg)) else { return Ok(()) };
        let pipeline = pipeline(STEPS[steps]);
        let result = catch_unwind(AssertUnwindSafe(|| pipeline.rework(&frame)));
        prop_assert!(result.is_ok(), "it panicked");
    }
}
