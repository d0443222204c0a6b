//! Photographs, stored in the ways of cameras, through each step: compared pixel by pixel with the photograph
//! turned, cut or made smaller here, and in which way each was made.

use bytes::Bytes;
use framecast::{
    bus::Processing,
    imaging::{
        Pixels,
        codec::{DecodeOptions, codec},
        ycbcr::{Planes, Sampling},
    },
    media::frame::Frame,
};

use super::scene::{at, made, seen, transformed};

macro_rules! photographs {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_bytes!(concat!("../../fixtures/photographs/", $name, ".jpg")).as_slice())),*]
    };
}

pub(crate) const STORED: [(&str, &[u8]); 7] =
    photographs!["420", "422", "422-webcam", "444", "gray", "progressive", "420-odd"];

/// An upright picture, stored in the eight orientations of EXIF.
pub(crate) const HELD: [(&str, &[u8]); 8] =
    photographs!["exif-1", "exif-2", "exif-3", "exif-4", "exif-5", "exif-6", "exif-7", "exif-8"];

/// Tolerance for pictures that differ only by rounding, and by a decoder's soft colours at edges.
const EXACT: f64 = 1.5;

/// Tolerance for pictures that are encoded anew at quality 80, 4:2:0.
const ANEW: f64 = 7.0;

pub(crate) fn pixels(jpeg: &[u8]) -> Pixels {
    let frame = Frame::from_jpeg(Bytes::copy_from_slice(jpeg)).unwrap();
    codec().decode(frame.jpeg(), 5_000_000).unwrap()
}

fn size(pixels: &Pixels) -> (usize, usize) {
    (pixels.width().into(), pixels.height().into())
}

/// Returns the mean difference between the samples of `picture` and those `expected` of each of its pixels.
fn off(picture: &Pixels, expected: impl Fn(usize, usize) -> [u8; 3]) -> f64 {
    let (width, height) = size(picture);
    let all = (0..width * height).map(|n| (n % width, n / width));
    let sum: u64 = all
        .flat_map(|(x, y)| at(picture, x, y).into_iter().zip(expected(x, y)))
        .map(|(a, b)| u64::from(a.abs_diff(b)))
        .sum();
    sum as f64 / (width * height * 3) as f64
}

/// A step, its result's size, and where each of its pixels was.
type Move = (&'static str, (usize, usize), Box<dyn Fn(usize, usize) -> (usize, usize)>);

fn moves((w, h): (usize, usize)) -> Vec<Move> {
    vec![
        ("{rotate: 90}", (h, w), Box::new(move |x, y| (y, h - 1 - x))),
        ("{rotate: 180}", (w, h), Box::new(move |x, y| (w - 1 - x, h - 1 - y))),
        ("{rotate: 270}", (h, w), Box::new(move |x, y| (w - 1 - y, x))),
        ("{flip: horizontal}", (w, h), Box::new(move |x, y| (w - 1 - x, y))),
        ("{flip: vertical}", (w, h), Box::new(move |x, y| (x, h - 1 - y))),
        ("{rotate: 90}, {flip: horizontal}", (h, w), Box::new(|x, y| (y, x))),
        ("{crop: {x: 64, y: 32, width: 201, height: 99}}", (201, 99), Box::new(|x, y| (x + 64, y + 32))),
        ("{crop: {x: 13, y: 7, width: 200, height: 100}}", (200, 100), Box::new(|x, y| (x + 13, y + 7))),
        (
            "{crop: {x: 32, y: 16, width: 320, height: 160}}, {rotate: 180}, {crop: {width: 99, height: 50}}",
            (99, 50),
            Box::new(|x, y| (351 - x, 175 - y)),
        ),
    ]
}

/// In which way that can be done to this photograph at best.
fn best(name: &str, steps: &str) -> Processing {
    // What of 451x300 pixels is not a whole block would have to move to the left or to the top.
    let over_the_edge =
        name == "420-odd" && !steps.contains("crop") && steps != "{rotate: 90}, {flip: horizontal}";
    let across_blocks = steps.contains("x: 13");
    if name == "progressive" || over_the_edge || across_blocks {
        Processing::Encoded
    } else {
        Processing::Lossless
    }
}

#[test]
fn each_photograph_is_turned_and_cut_to_the_pixel_and_without_loss_where_its_blocks_allow() {
    for (name, jpeg) in STORED {
        let source = pixels(jpeg);
        for (steps, wanted_size, from) in moves(size(&source)) {
            let (frame, processing) = made(jpeg, &format!("transform: [{steps}]")).unwrap();
            let what = format!("{name} {steps}");
            assert_eq!(processing, best(name, steps), "{what}");
            let result = pixels(frame.jpeg());
            assert_eq!(size(&result), wanted_size, "{what}: no pixel is lost");
            let off = off(&result, |x, y| {
                let (x, y) = from(x, y);
                at(&source, x, y)
            });
            let allowed = if processing == Processing::Lossless { EXACT } else { ANEW };
            assert!(off <= allowed, "{what}: samples are off by {off} on average");
        }
    }
}

#[test]
fn a_crop_to_whole_blocks_makes_a_turn_lossless_that_was_not() {
    let (name, odd) = STORED[6];
    let (frame, processing) =
        made(odd, "transform: [{crop: {width: 448, height: 288}}, {rotate: 90}]").unwrap();
    assert_eq!((processing, frame.width(), frame.height()), (Processing::Lossless, 288, 448), "{name}");
}

#[test]
fn a_photograph_without_its_colours_is_its_brightness() {
    for (name, jpeg) in STORED {
        let (frame, processing) = made(jpeg, "transform: [{grayscale: true}]").unwrap();
        let wanted = match name {
            "gray" => Processing::Passed,
            "progressive" => Processing::Encoded,
            _ => Processing::Lossless,
        };
        assert_eq!((processing, frame.info().components), (wanted, 1), "{name}");
        let source = pixels(jpeg);
        let off = off(&pixels(frame.jpeg()), |x, y| {
            let [r, g, b] = at(&source, x, y).map(f64::from);
            [(0.299 * r + 0.587 * g + 0.114 * b).round() as u8; 3]
        });
        assert!(off <= if processing == Processing::Encoded { ANEW } else { EXACT }, "{name}: off by {off}");
    }
}

#[test]
fn a_photograph_made_smaller_is_the_average_of_its_pixels() {
    for (name, jpeg) in STORED {
        let source = pixels(jpeg);
        let (width, height) = size(&source);
        for by in [2, 4] {
            let small = seen(jpeg, &format!("{{scale: {{width: {}}}}}", width / by));
            let average = |x: usize, y: usize| {
                let mut sums = [0_usize; 3];
                for (dx, dy) in (0..by * by).map(|n| (n % by, n / by)) {
                    let pixel = at(&source, (x * by + dx).min(width - 1), (y * by + dy).min(height - 1));
                    sums.iter_mut().zip(pixel).for_each(|(sum, byte)| *sum += usize::from(byte));
                }
                sums.map(|sum| (sum / (by * by)) as u8)
            };
            let off = off(&small, average);
            assert!(off <= ANEW, "{name} divided by {by}: off by {off}");
        }
    }
}

#[test]
fn what_changes_nothing_passes_as_the_very_bytes() {
    let steps = [
        "transform: [{rotate: 180}, {rotate: 180}]",
        "transform: [{crop: {width: 5000, height: 5000}}]",
        "strip_metadata: false",
        "strip_metadata: true",
        "strip_metadata: true, transform: [{flip: vertical}, {flip: vertical}]",
    ];
    for (name, jpeg) in STORED.into_iter().filter(|(name, _)| *name != "422-webcam") {
        for steps in steps {
            let (frame, processing) = made(jpeg, steps).unwrap();
            assert_eq!(processing, Processing::Passed, "{name} {steps}");
            assert!(frame.jpeg() == jpeg, "{name} {steps}");
        }
    }
    let (_, processing) = made(STORED[0].1, "transform: [{rotate: 180}], encode: {quality: 60}").unwrap();
    assert_eq!(processing, Processing::Encoded, "a quality was asked for");
}

#[test]
fn a_camera_held_in_any_of_the_eight_ways_gives_the_upright_picture() {
    let upright = pixels(HELD[0].1);
    let cases = [
        ("encode: {quality: 95, subsampling: 444}", Processing::Encoded, 2.0),
        ("transform: [{scale: {width: 120}}]", Processing::Encoded, 2.0),
        ("transform: [{crop: {x: 16, y: 32, width: 96, height: 80}}]", Processing::Lossless, EXACT),
        ("transform: [{rotate: 90}]", Processing::Lossless, EXACT),
        ("transform: [{grayscale: true}]", Processing::Lossless, EXACT),
    ];
    for (steps, wanted, allowed) in cases {
        let like = pixels(transformed(HELD[0].1, steps).unwrap().jpeg());
        for (name, jpeg) in HELD {
            let (frame, processing) = made(jpeg, steps).unwrap();
            let result = pixels(frame.jpeg());
            assert_eq!(size(&result), size(&like), "{name} {steps}");
            let off = off(&result, |x, y| at(&like, x, y));
            assert!(off <= allowed, "{name} {steps}: off by {off}");
            assert_eq!(processing, wanted, "{name} {steps}");
            assert!(!holds(frame.jpeg(), b"Exif"), "{name} {steps}: it would be turned once more");
        }
    }
    assert_eq!(size(&upright), (240, 160));
}

#[test]
fn a_turn_that_undoes_the_cameras_leaves_no_word_of_it() {
    for (name, steps) in
        [("exif-6", "{rotate: 270}"), ("exif-3", "{rotate: 180}"), ("exif-2", "{flip: horizontal}")]
    {
        let (_, jpeg) = HELD.into_iter().find(|(held, _)| *held == name).unwrap();
        let (frame, processing) = made(jpeg, &format!("transform: [{steps}]")).unwrap();
        assert_eq!(processing, Processing::Lossless, "{name}");
        assert!(!holds(frame.jpeg(), b"Exif"), "{name}: a viewer would turn it");
        assert!(pixels(frame.jpeg()) == pixels(jpeg), "{name}: the pixels lie as they were stored");
    }
}

pub(crate) fn holds(jpeg: &[u8], word: &[u8]) -> bool {
    jpeg.windows(word.len()).any(|bytes| bytes == word)
}

#[test]
fn a_picture_that_becomes_smaller_by_half_is_decoded_smaller_where_the_codec_can() {
    let jpeg = Bytes::from_static(STORED[0].1);
    let mut planes = Planes::default();
    for denominator in [2, 4, 8].into_iter().filter(|&d| d <= codec().max_denominator()) {
        let wanted = DecodeOptions { denominator, gray: false, max_pixels: 5_000_000 };
        codec().decode_planes(&jpeg, wanted, &mut planes).unwrap();
        let steps = format!("transform: [{{scale: {{width: {}}}}}]", 480 / u32::from(denominator));
        let ours = transformed(&jpeg, &steps).unwrap();
        assert!(
            *ours.jpeg() == codec().encode_planes(&planes, 80).unwrap(),
            "1/{denominator}: it is what the codec decodes at that size, encoded, and nothing else"
        );
    }
}

#[test]
fn colours_that_rgb_does_not_have_come_through_every_step() {
    // Dark, and full of colour: as RGB it would be cut to (197, 0, 238) and come back much brighter.
    const COLOUR: [u8; 3] = [40, 240, 240];
    let mut planes = Planes::default();
    planes.reshape(96, 64, Sampling::S420).unwrap();
    (0..3).for_each(|n| planes.plane_mut(n).fill(COLOUR[n]));
    let jpeg = codec().encode_planes(&planes, 95).unwrap();
    for steps in [
        "{scale: {width: 48}}",
        "{scale: {width: 150}}",
        "{rotate: 90}",
        "{crop: {x: 3, y: 5, width: 40, height: 40}}",
        "{mask: [{x: 80, y: 50, width: 16, height: 14}]}",
        "{text: {text: x, position: bottom-right, size: 10}}",
    ] {
        let frame = transformed(&jpeg, &format!("transform: [{steps}]")).unwrap();
        let wanted = DecodeOptions { denominator: 1, gray: false, max_pixels: 5_000_000 };
        codec().decode_planes(frame.jpeg(), wanted, &mut planes).unwrap();
        let first = [0, 1, 2].map(|n| planes.plane(n)[0]);
        let off = first.iter().zip(COLOUR).map(|(a, b)| a.abs_diff(b)).max().unwrap();
        assert!(off <= 4, "{steps}: {COLOUR:?} became {first:?}");
    }
}
