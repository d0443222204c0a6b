//! Compares the cost of transforms with the bare codec: `cargo bench --bench codec`.
//!
//! Ratios of one run: both sides of each are measured in turns, so that a machine that becomes slower is
//! slower for both. The bare loop does the same steps with the codec and the scaler alone: decode to planes,
//! scale, encode.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use framecast::{
    config::{self, Environment},
    imaging::{
        Pixels, Quality,
        codec::{DecodeOptions, PixelFormat, codec},
        convert::PictureLimits,
        transform::pipeline::Pipeline,
        ycbcr::{Planes, Sampling},
    },
    media::frame::Frame,
};

const ROUNDS: usize = 12;
const PICTURES_A_ROUND: usize = 20;
const LIMITS: PictureLimits = PictureLimits { max_frame_bytes: 8 << 20, max_frame_pixels: 50_000_000 };

fn main() {
    println!("codec: {}", codec().name());
    let full = scene(1920, 1080);
    let mut bare = Bare::default();
    let scaling = pipeline("transform: [{scale: {width: 1280}}]");
    let (loops, ours) =
        compare(|| bare.scale(full.jpeg(), 1280, 720), || drop(scaling.transform(&full).unwrap()));
    println!(
        "1080p to 720p: bare loop {loops:.2} ms, pipeline {ours:.2} ms: {:.2} of its rate (reach: 0.85)",
        loops / ours
    );

    let hd = scene(1280, 720);
    let plain = pipeline("encode: {quality: 80}");
    let lettered = pipeline("transform: [{text: {text: \"{title} %Y-%m-%d %H:%M:%S\"}}]");
    let (without, with) =
        compare(|| drop(plain.transform(&hd).unwrap()), || drop(lettered.transform(&hd).unwrap()));
    println!(
        "720p anew {without:.2} ms, with a text {with:.2} ms: {:+.1} % (reach: +5 %)",
        (with / without - 1.0) * 100.0
    );

    let small = pipeline("transform: [{scale: {width: 640}}]");
    let (loops, ours) =
        compare(|| bare.scale(full.jpeg(), 640, 360), || drop(small.transform(&full).unwrap()));
    println!(
        "1080p to 360p: bare loop {loops:.2} ms, pipeline {ours:.2} ms: {:.2} of its rate",
        loops / ours
    );
}

/// The medians of two sides measured in turns, in milliseconds a picture.
fn compare(mut first: impl FnMut(), mut second: impl FnMut()) -> (f64, f64) {
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        times.0.push(timed(&mut first));
        times.1.push(timed(&mut second));
    }
    (median(times.0), median(times.1))
}

fn timed(work: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    (0..PICTURES_A_ROUND).for_each(|_| work());
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0 / PICTURES_A_ROUND as f64
}

/// Texture everywhere, as photographs have: about 2 bits a pixel.
fn scene(width: u16, height: u16) -> Frame {
    let (w, h) = (usize::from(width), usize::from(height));
    let mut random = 1_u32;
    let mut data = Vec::with_capacity(w * h * 3);
    for (x, y) in (0..w * h).map(|n| (n % w, n / w)) {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (random >> 28) as usize;
        let wave = ((x as f32 / 19.0).sin() * (y as f32 / 23.0).cos() * 60.0 + 100.0) as usize;
        data.extend(
            [wave + noise, wave / 2 + x * 100 / w + noise, 40 + y * 150 / h + noise].map(|c| c as u8),
        );
    }
    let pixels = Pixels::new(width, height, PixelFormat::Rgb, data).unwrap();
    Frame::from_jpeg(codec().encode(&pixels, Quality::PICTURE).unwrap()).unwrap()
}

fn pipeline(yaml: &str) -> Pipeline {
    let text = format!("streams: {{a: {{source: {{type: pattern}}, {yaml}}}}}");
    let config = config::parse(&text, "bench", &Environment::default()).unwrap();
    Pipeline::new("Front door".into(), config.streams[0].rework(), LIMITS, Default::default())
}

/// Codec and scaler, and nothing else.
#[derive(Default)]
struct Bare {
    planes: Planes,
    scaled: Planes,
    resizer: Resizer,
}

impl Bare {
    fn scale(&mut self, jpeg: &Bytes, width: usize, height: usize) {
        let wanted = DecodeOptions { denominator: 1, gray: false, max_pixels: LIMITS.max_frame_pixels };
        codec().decode_planes(jpeg, wanted, &mut self.planes).unwrap();
        self.scaled.reshape(width, height, Sampling::S420).unwrap();
        let options =
            ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).use_alpha(false);
        for n in 0..3 {
            let side = |(width, height): (usize, usize)| (width as u32, height as u32);
            let ((from_w, from_h), (to_w, to_h)) =
                (side(self.planes.size_of(n)), side(self.scaled.size_of(n)));
            let from = ImageRef::new(from_w, from_h, self.planes.plane(n), PixelType::U8).unwrap();
            let mut to = Image::from_slice_u8(to_w, to_h, self.scaled.plane_mut(n), PixelType::U8).unwrap();
            self.resizer.resize(&from, &mut to, &options).unwrap();
        }
        codec().encode_planes(&self.scaled, 80).unwrap();
    }
}
