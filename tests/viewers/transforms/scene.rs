//! The scene of tests/fixtures/jpeg, and how it is transformed and looked at.

use bytes::Bytes;
use framecast::{
    bus::Processing,
    config::{self, Environment, Transform},
    imaging::{
        Pixels,
        codec::codec,
        convert::PictureLimits,
        transform::pipeline::{Pipeline, TransformError},
    },
    media::frame::Frame,
};

pub(crate) const PLAIN: &[u8] = include_bytes!("../../fixtures/jpeg/420.jpg");
pub(crate) const EXIF_6: &[u8] = include_bytes!("../../fixtures/jpeg/exif-6.jpg");
pub(crate) const GRAY: &[u8] = include_bytes!("../../fixtures/jpeg/gray.jpg");

/// Every kind of JPEG of the scene in colour.
pub(crate) const COLOURED: [(&str, &[u8]); 6] = [
    ("4:2:0", PLAIN),
    ("4:2:2", include_bytes!("../../fixtures/jpeg/422.jpg")),
    ("4:4:4", include_bytes!("../../fixtures/jpeg/444.jpg")),
    ("progressive", include_bytes!("../../fixtures/jpeg/progressive.jpg")),
    ("without Huffman tables", include_bytes!("../../fixtures/jpeg/no-dht.jpg")),
    ("EXIF says turn", EXIF_6),
];

pub(crate) const LIMITS: PictureLimits =
    PictureLimits { max_frame_bytes: 8 * 1024 * 1024, max_frame_pixels: 5_000_000 };

pub(crate) const RED: [u8; 3] = [200, 40, 40];
pub(crate) const GREEN: [u8; 3] = [40, 160, 40];
pub(crate) const BLUE: [u8; 3] = [40, 60, 200];
pub(crate) const YELLOW: [u8; 3] = [210, 200, 40];
pub(crate) const WHITE: [u8; 3] = [240, 240, 240];

/// Returns the transforms of a stream's YAML.
pub(crate) fn rework(yaml: &str) -> Transform {
    let text = format!("streams: {{a: {{source: {{type: pattern}}, {yaml}}}}}");
    let config = config::parse(&text, "test", &Environment::default()).unwrap_or_else(|m| panic!("{m}"));
    config.streams[0].rework()
}

/// The pipeline of a stream titled "Front door".
pub(crate) fn pipeline(yaml: &str) -> Pipeline {
    Pipeline::new("Front door".into(), rework(yaml), LIMITS, Default::default())
}

/// One picture transformed.
pub(crate) fn transformed(jpeg: &[u8], yaml: &str) -> Result<Frame, TransformError> {
    made(jpeg, yaml).map(|(frame, _)| frame)
}

/// One picture transformed, and how.
pub(crate) fn made(jpeg: &[u8], yaml: &str) -> Result<(Frame, Processing), TransformError> {
    let frame = Frame::from_jpeg(Bytes::copy_from_slice(jpeg)).unwrap();
    pipeline(yaml).transform(&frame).map(|reworked| (reworked.frame, reworked.processing))
}

/// Its pixels, the picture's steps given as a YAML list.
pub(crate) fn seen(jpeg: &[u8], steps: &str) -> Pixels {
    let frame = transformed(jpeg, &format!("transform: [{steps}]")).unwrap();
    codec().decode(frame.jpeg(), 5_000_000).unwrap()
}

/// A pixel's colour; grey ones have three equal parts.
pub(crate) fn at(pixels: &Pixels, x: usize, y: usize) -> [u8; 3] {
    let bytes = pixels.format().bytes();
    let start = (y * usize::from(pixels.width()) + x) * bytes;
    match pixels.data()[start..start + bytes] {
        [r, g, b] => [r, g, b],
        ref gray => [gray[0]; 3],
    }
}

/// The middle of a patch of 9 by 9 pixels, averaged over the texture, is about this colour.
#[track_caller]
pub(crate) fn assert_colour(pixels: &Pixels, (x, y): (usize, usize), wanted: [u8; 3], what: &str) {
    let mut sums = [0_usize; 3];
    for (dx, dy) in (0..81).map(|n| (n % 9, n / 9)) {
        for (sum, byte) in sums.iter_mut().zip(at(pixels, x + dx - 4, y + dy - 4)) {
            *sum += usize::from(byte);
        }
    }
    let got = sums.map(|sum| (sum / 81) as u8);
    let off = got.iter().zip(wanted).map(|(a, b)| a.abs_diff(b)).max().unwrap();
    assert!(off <= 24, "{what}: at {x},{y} is {got:?}, not {wanted:?}");
}
