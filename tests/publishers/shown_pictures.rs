//! What viewers get of a pushed picture: when it is shown, and what became of its pixels.

use std::io::Cursor;

use framecast::imaging::{
    Pixels, Quality,
    codec::{PixelFormat, codec},
    ycbcr::Sampling,
};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

use crate::{
    TestRelay,
    publisher::{post, pushed, shown},
};

/// A sharp one and a blurred one differ by more than this, and JPEG itself by less.
const NEAR: u8 = 48;

const WIDTH: u32 = 64;
const HEIGHT: u32 = 48;

/// The column of the red line, in the middle of a block of shared colours.
const LINE: u32 = 33;

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A red line of one pixel on white.
fn red_line() -> RgbImage {
    RgbImage::from_fn(WIDTH, HEIGHT, |x, _| if x == LINE { Rgb([255, 0, 0]) } else { Rgb([255; 3]) })
}

fn decoded(jpeg: &[u8]) -> Pixels {
    codec().decode(jpeg, 1_000_000).unwrap()
}

fn pixel(pixels: &Pixels, x: u32, y: u32) -> [u8; 3] {
    assert_eq!(pixels.format(), PixelFormat::Rgb);
    let at = 3 * (y as usize * usize::from(pixels.width()) + x as usize);
    pixels.data()[at..at + 3].try_into().unwrap()
}

/// Returns whether the line is red, and what is beside it white.
fn is_sharp(jpeg: &[u8]) -> bool {
    let pixels = decoded(jpeg);
    let near = |x, wanted: [u8; 3]| {
        pixel(&pixels, x, 30).iter().zip(wanted).all(|(seen, wanted)| seen.abs_diff(wanted) < NEAR)
    };
    near(LINE, [255, 0, 0]) && near(LINE - 1, [255; 3]) && near(LINE + 1, [255; 3])
}

#[tokio::test]
async fn thin_red_lines_stay_sharp_and_are_encoded_once_as_the_stream_says() {
    let relay = TestRelay::start(
        "
streams:
  plain: {source: {type: push, token: none}}
  stripped: {strip_metadata: true, source: {type: push, token: none}}
  drawn: {transform: [{text: {text: x, position: top-left}}], source: {type: push, token: none}}
  sharp: {encode: {quality: 90, subsampling: 444}, source: {type: push, token: none}}
  small: {encode: {quality: 95, subsampling: 420}, source: {type: push, token: none}}
  middle: {encode: {quality: 70, subsampling: 422}, source: {type: push, token: none}}
",
    );
    let line = red_line();
    let pixels = Pixels::new(WIDTH as u16, HEIGHT as u16, PixelFormat::Rgb, line.clone().into_raw()).unwrap();
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Gif, ImageFormat::WebP] {
        let file = match format {
            ImageFormat::Gif => encoded(DynamicImage::from(line.clone()).to_rgba8(), format),
            _ => encoded(line.clone(), format),
        };
        for name in ["plain", "stripped", "drawn", "sharp", "small", "middle"] {
            pushed(&post(relay.address(), &format!("/streams/{name}/frame"), &[], &file).await);
            let shown = shown(relay.address(), name).await;
            let once = |percent, sampling| codec().encode(&pixels, Quality { percent, sampling }).unwrap();
            match name {
                "small" => assert!(shown == once(95, Sampling::S420), "{format:?}: once, and as it says"),
                "middle" => assert!(shown == once(70, Sampling::S422), "{format:?}: once, and as it says"),
                _ => assert!(is_sharp(&shown), "{format:?} {name}"),
            }
        }
    }
}

#[tokio::test]
async fn without_encode_a_photograph_shares_its_colours_and_a_drawing_on_transparency_does_not() {
    let relay = TestRelay::start("streams: {x: {source: {type: push, token: none}}}");
    let (width, height) = (128, 96);
    let noise = |x: u32, y: u32| [(x * 7 + y * 3) as u8, (x * y) as u8, (x ^ (y * 5)) as u8];
    let photograph = encoded(RgbImage::from_fn(width, height, |x, y| Rgb(noise(x, y))), ImageFormat::Png);
    let drawn = RgbaImage::from_fn(width, height, |x, y| {
        let [r, g, b] = noise(x, y);
        if x == LINE { Rgba([255, 0, 0, 255]) } else { Rgba([r, g, b, if x < 64 { 0 } else { 255 }]) }
    });
    let drawn = encoded(drawn, ImageFormat::Png);
    let sampling = |jpeg: &[u8]| {
        let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
        jpeg[frame + 11]
    };
    pushed(&post(relay.address(), "/streams/x/frame", &[], &photograph).await);
    assert_eq!(sampling(&shown(relay.address(), "x").await), 0x22);
    pushed(&post(relay.address(), "/streams/x/frame", &[], &drawn).await);
    let shown = shown(relay.address(), "x").await;
    assert!(sampling(&shown) == 0x11 && is_sharp(&shown));
}

/// A number as patches of light and dark grey, which every transform leaves legible; as PNG or JPEG.
fn numbered(number: u8, is_png: bool) -> Vec<u8> {
    let (width, height) = (8 * 16, 16);
    let patch = |x: u32, _| Rgb([if number >> (x / 16) & 1 == 1 { 224 } else { 32 }; 3]);
    let picture = RgbImage::from_fn(width, height, patch);
    if is_png {
        return encoded(picture, ImageFormat::Png);
    }
    let pixels = Pixels::new(width as u16, height as u16, PixelFormat::Rgb, picture.into_raw()).unwrap();
    codec().encode(&pixels, Quality::PICTURE).unwrap().to_vec()
}

fn number_of(jpeg: &[u8]) -> u8 {
    let pixels = decoded(jpeg);
    let (width, bytes) = (usize::from(pixels.width()), pixels.format().bytes());
    let row = usize::from(pixels.height()) / 2 * width;
    (0..8)
        .filter(|bit| pixels.data()[(row + width * (2 * bit + 1) / 16) * bytes] > 128)
        .map(|bit| 1 << bit)
        .sum()
}

#[tokio::test]
async fn a_picture_whose_push_was_answered_is_what_the_next_snapshot_shows_however_busy_the_workers_are() {
    let relay = TestRelay::start(
        "
streams:
  plain: {source: {type: push, token: none}}
  encoded: {encode: {quality: 60}, source: {type: push, token: none}}
  scaled: {transform: [{scale: {width: 80}}], source: {type: push, token: none}}
  busy: {on_demand: false, transform: [{scale: {width: 900}}], source: {type: pattern, size: 1280x720}}
  busier: {on_demand: false, encode: {quality: 80}, source: {type: pattern, size: 1280x720, fps: 30}}
",
    );
    for number in 0..=199 {
        let is_png = number % 2 == 1;
        let name = ["plain", "encoded", "scaled"][usize::from(number / 2 % 3)];
        let file = numbered(number, is_png);
        pushed(&post(relay.address(), &format!("/streams/{name}/frame"), &[], &file).await);
        assert_eq!(number_of(&shown(relay.address(), name).await), number, "{name}, {is_png}");
    }
}

#[tokio::test]
async fn a_picture_that_max_fps_leaves_out_is_taken_and_not_said_to_be_shown() {
    let relay = TestRelay::start("streams: {x: {max_fps: 0.001, source: {type: push, token: none}}}");
    let target = "/streams/x/frame";
    pushed(&post(relay.address(), target, &[], &numbered(1, true)).await);
    let second = post(relay.address(), target, &[], &numbered(2, true)).await;
    assert_eq!(second.head.status, 202);
    assert_eq!(number_of(&shown(relay.address(), "x").await), 1);
}
