use proptest::prelude::*;

use super::{LosslessOp::*, *};
use crate::{
    imaging::codec::{Pixels, codec},
    media::{frame::Frame, jpeg::inspect},
};

const OPTIONS: LosslessOptions = LosslessOptions { max_pixels: 100_000, trim: false };
const TRIM: LosslessOptions = LosslessOptions { trim: true, ..OPTIONS };
const TURNS: [LosslessOp; 7] =
    [Rotate90, Rotate180, Rotate270, FlipHorizontal, FlipVertical, Transpose, Transverse];

macro_rules! fixtures {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../../tests/fixtures/jpeg/lossless-", $name, ".jpg")))),*]
    };
}

/// Sizes that are whole MCUs.
const EVEN: &[(&str, &[u8])] = fixtures![
    "gray",
    "444",
    "422",
    "440",
    "420",
    "411",
    "420-restart",
    "422-optimized",
    "422-no-tables",
    "444-best",
    "420-worst",
    "420-exif-6",
    "rgb",
];

/// 151×91.
const ODD: &[(&str, &[u8])] =
    fixtures!["gray-odd", "444-odd", "422-odd", "440-odd", "420-odd", "420-three-scans"];

const PROGRESSIVE: &[u8] = include_bytes!("../../../tests/fixtures/jpeg/lossless-progressive.jpg");

fn fixture(name: &str) -> &'static [u8] {
    EVEN.iter().chain(ODD).find(|(known, _)| *known == name).unwrap().1
}

fn crop(x: u16, y: u16, width: u16, height: u16) -> LosslessOp {
    Crop { x, y, width, height }
}

fn decode(jpeg: &[u8]) -> Pixels {
    codec().decode(Frame::from_jpeg(jpeg.to_vec().into()).unwrap().jpeg(), 100_000).unwrap()
}

/// The largest difference of a sample from the pixel of `before` that `from` names for each pixel of `after`.
fn worst(before: &Pixels, after: &Pixels, from: impl Fn(usize, usize) -> (usize, usize)) -> u8 {
    let bytes = after.format().bytes();
    assert_eq!(before.format(), after.format());
    let (before_width, after_width) = (usize::from(before.width()), usize::from(after.width()));
    let pixels = after.data().chunks(bytes).enumerate();
    let differences = pixels.flat_map(|(n, pixel)| {
        let (x, y) = from(n % after_width, n / after_width);
        let source = &before.data()[(y * before_width + x) * bytes..];
        pixel.iter().zip(source).map(|(a, b)| a.abs_diff(*b)).collect::<Vec<_>>()
    });
    differences.max().unwrap()
}

#[test]
fn every_step_moves_each_pixel_to_its_place() {
    // With full colour there is no chroma to be interpolated; what remains is the rounding of the inverse
    // DCT, whose passes over rows and columns change places, and for colour its way through the conversion to
    // RGB.
    for (name, allowed) in [("gray", 2), ("444", 4), ("444-best", 4), ("rgb", 3)] {
        let source = fixture(name);
        let before = decode(source);
        let (w, h) = (usize::from(before.width()), usize::from(before.height()));
        for op in TURNS {
            let after = decode(&apply(source, &[op], OPTIONS).unwrap());
            let difference = worst(&before, &after, |x, y| match op {
                Rotate90 => (y, h - 1 - x),
                Rotate180 => (w - 1 - x, h - 1 - y),
                Rotate270 => (w - 1 - y, x),
                FlipHorizontal => (w - 1 - x, y),
                FlipVertical => (x, h - 1 - y),
                Transpose => (y, x),
                _ => (w - 1 - y, h - 1 - x),
            });
            assert!(difference <= allowed, "{name} {op:?}: a sample is off by {difference}");
        }
    }
}

#[test]
fn a_crop_keeps_its_pixels_exactly() {
    for name in ["gray", "444", "gray-odd", "444-odd"] {
        let before = decode(fixture(name));
        let after = decode(&apply(fixture(name), &[crop(24, 16, 61, 43)], OPTIONS).unwrap());
        assert_eq!((after.width(), after.height()), (61, 43));
        assert_eq!(worst(&before, &after, |x, y| (x + 24, y + 16)), 0, "{name}");
    }
}

#[test]
fn grey_is_the_brightness_of_the_picture() {
    for (name, source) in EVEN.iter().chain(ODD).filter(|(name, _)| *name != "rgb") {
        let gray = apply(source, &[Grayscale], OPTIONS).unwrap();
        let info = inspect(&gray).unwrap();
        assert_eq!(info.components, 1, "{name}");
        assert_eq!((info.width, info.height), (decode(source).width(), decode(source).height()));
    }
    // The grey fixtures are the brightness of the same picture in the same quality.
    for (colour, gray) in [("420", "gray"), ("444", "gray"), ("420-odd", "gray-odd"), ("422-odd", "gray-odd")]
    {
        let made = decode(&apply(fixture(colour), &[Grayscale], OPTIONS).unwrap());
        assert_eq!(made.data(), decode(fixture(gray)).data(), "{colour}");
    }
}

#[test]
fn four_quarter_turns_and_two_mirrorings_give_the_same_coefficients() {
    for (name, source) in EVEN {
        let same = apply(source, &[], OPTIONS).unwrap();
        let again = |op| {
            let mut jpeg = source.to_vec();
            for _ in 0..if matches!(op, Rotate90 | Rotate270) { 4 } else { 2 } {
                jpeg = apply(&jpeg, &[op], OPTIONS).unwrap();
            }
            // Optimised tables are lost on the way where they do not suffice; the coefficients tell.
            jpeg
        };
        for op in TURNS {
            let jpeg = again(op);
            if *name == "422-optimized" {
                assert_eq!(decode(&jpeg).data(), decode(source).data(), "{name} {op:?}");
            } else {
                assert_eq!(jpeg, same, "{name} {op:?}");
            }
        }
    }
}

#[test]
fn steps_in_one_pass_are_the_steps_one_by_one() {
    let steps = [TURNS.as_slice(), &[crop(16, 32, 64, 32), Grayscale]].concat();
    for name in ["420", "440", "422", "444"] {
        for &a in &steps {
            for &b in &steps {
                let one_by_one =
                    apply(fixture(name), &[a], OPTIONS).and_then(|jpeg| apply(&jpeg, &[b], OPTIONS));
                assert_eq!(apply(fixture(name), &[a, b], OPTIONS), one_by_one, "{name} {a:?} {b:?}");
            }
        }
    }
}

#[test]
fn picture_data_stay_the_same_bytes_when_nothing_is_done() {
    for name in ["420", "444", "422-odd", "gray", "444-best", "rgb"] {
        let (source, made) = (fixture(name), apply(fixture(name), &[], OPTIONS).unwrap());
        let data = |jpeg: &[u8]| {
            let mut segments = Segments::new(jpeg);
            let (_, scan) = Header::read(&mut segments, OPTIONS.max_pixels).unwrap();
            jpeg[scan.end..].to_vec()
        };
        assert_eq!(data(&made), data(source), "{name}");
    }
}

#[test]
fn however_a_picture_is_stored_the_result_is_the_same() {
    let turned = |name, op| apply(fixture(name), &[op], TRIM).unwrap();
    for op in TURNS {
        for (name, other) in
            [("420-restart", "420"), ("422-no-tables", "422"), ("420-three-scans", "420-odd")]
        {
            assert_eq!(turned(name, op), turned(other, op), "{name} {op:?}");
        }
        let optimized = decode(&turned("422-optimized", op));
        assert_eq!(optimized.data(), decode(&turned("422", op)).data(), "{op:?}");
    }
}

#[test]
fn incomplete_blocks_are_trimmed_only_when_allowed() {
    for (name, mcu_width, mcu_height) in
        [("gray-odd", 8, 8), ("444-odd", 8, 8), ("422-odd", 16, 8), ("440-odd", 8, 16), ("420-odd", 16, 16)]
    {
        let (x, y) = (151 - 151 % mcu_width, 91 - 91 % mcu_height);
        for (op, trimmed) in [
            (Rotate90, Some((y, 151))),
            (Rotate180, Some((x, y))),
            (Rotate270, Some((91, x))),
            (FlipHorizontal, Some((x, 91))),
            (FlipVertical, Some((151, y))),
            (Transverse, Some((y, x))),
            (Transpose, None),
        ] {
            let perfect = apply(fixture(name), &[op], OPTIONS);
            assert_eq!(perfect.is_ok(), trimmed.is_none(), "{name} {op:?}");
            assert_eq!(is_aligned(fixture(name), &[op], OPTIONS), trimmed.is_none());
            assert!(is_aligned(fixture(name), &[op], TRIM));
            let info = inspect(&apply(fixture(name), &[op], TRIM).unwrap()).unwrap();
            assert_eq!((info.width, info.height), trimmed.unwrap_or((91, 151)), "{name} {op:?}");
        }
    }
}

#[test]
fn a_crop_off_the_grid_is_not_lossless() {
    for (name, mcu_width, mcu_height) in
        [("gray", 8, 8), ("444", 8, 8), ("422", 16, 8), ("440", 8, 16), ("420", 16, 16), ("411", 32, 8)]
    {
        for x in 0..40 {
            let aligned = |x, y| is_aligned(fixture(name), &[crop(x, y, 9, 9)], TRIM);
            assert_eq!(aligned(x, 0), x % mcu_width == 0, "{name}");
            assert_eq!(aligned(0, x), x % mcu_height == 0, "{name}");
            assert_eq!(is_aligned(fixture(name), &[Grayscale, crop(x, 0, 9, 9)], TRIM), x % 8 == 0);
        }
    }
}

#[test]
fn what_cannot_be_done_says_so_and_does_nothing() {
    let not_lossless = |jpeg: &[u8], op| {
        assert!(!is_aligned(jpeg, &[op], TRIM));
        matches!(apply(jpeg, &[op], TRIM), Err(LosslessError::NotLossless { .. }))
    };
    assert!(not_lossless(PROGRESSIVE, Rotate90));
    assert!(not_lossless(fixture("rgb"), Grayscale));
    let outside = apply(fixture("420"), &[crop(0, 0, 161, 1)], TRIM);
    assert!(matches!(outside, Err(LosslessError::OutsidePicture { .. })), "{outside:?}");
}

#[test]
fn a_header_that_claims_a_giant_is_refused_before_memory_is_taken() {
    let mut jpeg = fixture("420").to_vec();
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
    let too_many = apply(&jpeg, &[Rotate90], OPTIONS);
    assert!(matches!(too_many, Err(LosslessError::TooManyPixels { width: 65535, .. })), "{too_many:?}");
    let boundless = LosslessOptions { max_pixels: u64::MAX, trim: true };
    let mut workspace = Workspace::default();
    let damaged = workspace.apply(&jpeg, &[Rotate90], boundless);
    assert!(
        matches!(damaged, Err(LosslessError::Damaged { .. })),
        "so few bytes cannot hold that: {damaged:?}"
    );
}

#[test]
fn a_picture_cut_anywhere_is_an_error_and_the_next_one_is_right() {
    let mut workspace = Workspace::default();
    for (name, source) in [("420-restart", fixture("420-restart")), ("422-odd", fixture("422-odd"))] {
        let whole = apply(source, &[Transpose], OPTIONS).unwrap();
        // The last byte of the picture data may hold nothing but bits that fill it up.
        for len in 0..source.len() - 4 {
            assert!(workspace.apply(&source[..len], &[Transpose], OPTIONS).is_err(), "{name} cut to {len}");
        }
        assert_eq!(workspace.apply(source, &[Transpose], OPTIONS).as_ref(), Ok(&whole), "{name}");
    }
}

#[test]
fn metadata_are_left_out_and_the_orientation_can_be_made_true() {
    let camera = fixture("420-exif-6");
    assert_eq!(orientation(camera), Orientation::Rotate90);
    let upright = apply(camera, &[Rotate90], OPTIONS).unwrap();
    assert_eq!(orientation(&upright), Orientation::NoTransforms);
    assert_eq!(upright, apply(fixture("420"), &[Rotate90], OPTIONS).unwrap());
    let stripped = strip_metadata(bytes::Bytes::from_static(camera));
    assert_eq!(orientation(&stripped), Orientation::Rotate90);
    assert!(!stripped.windows(3).any(|w| w == b"GPS"));
    assert_eq!(decode(&stripped).data(), decode(camera).data());
}

#[test]
fn damaged_restart_markers_are_an_error() {
    let source = fixture("420-restart");
    let mut jpeg = source.to_vec();
    let second = jpeg.windows(2).position(|w| w == [0xff, 0xd1]).unwrap();
    jpeg[second + 1] = 0xd3;
    assert!(matches!(apply(&jpeg, &[Rotate90], OPTIONS), Err(LosslessError::Damaged { .. })));
}

/// Any step, with crops around and beyond the fixtures' sizes.
fn any_op() -> impl Strategy<Value = LosslessOp> {
    let turn = proptest::sample::select(&TURNS[..]);
    let side = || prop_oneof![(0_u16..12).prop_map(|n| n * 8), 0_u16..200, any::<u16>()];
    let crop = (side(), side(), side(), side()).prop_map(|(x, y, width, height)| crop(x, y, width, height));
    prop_oneof![4 => turn, 1 => Just(Grayscale), 2 => crop]
}

/// A fixture with some bytes changed, put in, or taken out; half of the changes are near the header.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let all: Vec<&'static [u8]> = EVEN.iter().chain(ODD).map(|(_, bytes)| *bytes).collect();
    let place = prop_oneof![0_usize..700, 0_usize..8000];
    let byte = prop_oneof![any::<u8>(), Just(0xff), Just(0)];
    let changes = proptest::collection::vec((place, byte, 0..4), 1..6);
    (proptest::sample::select(all), changes).prop_map(|(jpeg, changes)| {
        let mut jpeg = jpeg.to_vec();
        for (place, byte, kind) in changes {
            let place = place % jpeg.len();
            match kind {
                0 => jpeg.insert(place, byte),
                1 => drop(jpeg.remove(place)),
                2 => jpeg[place] ^= 1 << (byte % 8),
                _ => jpeg[place] = byte,
            }
        }
        jpeg
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_damage_gives_a_whole_jpeg_or_an_error(
        jpeg in damaged(),
        ops in proptest::collection::vec(any_op(), 0..4),
        trim in any::<bool>(),
    ) {
        let options = LosslessOptions { trim, ..OPTIONS };
        let _ = orientation(&jpeg);
        let stripped = strip_metadata(jpeg.clone().into());
        prop_assert!(stripped.len() <= jpeg.len() + 36);
        if let Ok(made) = apply(&jpeg, &ops, options) {
            prop_assert!(is_aligned(&jpeg, &ops, options));
            let info = inspect(&made).unwrap();
            prop_assert_eq!(info.len, made.len());
            // What came out can be worked on again, and comes back.
            let there = apply(&made, &[Transpose], OPTIONS).unwrap();
            prop_assert_eq!(apply(&there, &[Transpose], OPTIONS).is_ok(), true);
        }
    }

    #[test]
    fn any_steps_on_whole_pictures_are_refused_by_the_header_or_done(
        jpeg in proptest::sample::select(EVEN.iter().chain(ODD).map(|(_, bytes)| *bytes).collect::<Vec<_>>()),
        ops in proptest::collection::vec(any_op(), 0..5),
        trim in any::<bool>(),
    ) {
        let options = LosslessOptions { trim, ..OPTIONS };
        prop_assert_eq!(apply(jpeg, &ops, options).is_ok(), is_aligned(jpeg, &ops, options));
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let jpeg = [b"\xff\xd8", &bytes[..]].concat();
        let _ = orientation(&jpeg);
        prop_assert!(apply(&jpeg, &[Rotate90], OPTIONS).is_err());
        let _ = strip_metadata(jpeg.into());
    }
}
