//! Measures the time of a lossless step for a photograph of 1920×1080, 4:2:0: `cargo bench --bench lossless`.
//!
//! With the feature `turbo`, libjpeg-turbo's own lossless transform does the same in turns, in this process,
//! and what the step costs when it is decoded and encoded instead is told too. With a file's name after `--`,
//! that JPEG is taken. One thread, the memory of the picture before used again; medians.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::{
    error::Error,
    fs,
    hint::black_box,
    time::{Duration, Instant},
};

use bytes::Bytes;
use framecast::{
    config::{self, Environment},
    imaging::{
        codec::{PixelFormat, Pixels, Quality, codec},
        convert::PictureLimits,
        lossless::{LosslessOp, LosslessOptions, Workspace},
        transform::pipeline::Pipeline,
        ycbcr::Sampling,
    },
    media::frame::Frame,
};

type Work<'a> = Box<dyn FnMut() -> Result<(), Box<dyn Error>> + 'a>;

const OPTIONS: LosslessOptions = LosslessOptions { max_pixels: 50_000_000, trim: true };
const LIMITS: PictureLimits = PictureLimits { max_frame_bytes: 8 << 20, max_frame_pixels: 50_000_000 };

/// Runs of each; the median is told.
const RUNS: usize = 61;

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let pictures = match file {
        Some(file) => vec![(file.clone(), fs::read(file)?)],
        None => [75, 85, 93]
            .into_iter()
            .map(|quality| Ok((format!("photograph, quality {quality}"), photograph(quality)?)))
            .collect::<Result<_, Box<dyn Error>>>()?,
    };
    for (name, jpeg) in pictures {
        println!("{name}: {} kB (codec: {})", jpeg.len() / 1000, codec().name());
        let crop = LosslessOp::Crop { x: 320, y: 176, width: 1280, height: 720 };
        for (op, steps) in [
            (LosslessOp::Rotate90, "{rotate: 90}"),
            (LosslessOp::Rotate180, "{rotate: 180}"),
            (LosslessOp::FlipHorizontal, "{flip: horizontal}"),
            (LosslessOp::Grayscale, "{grayscale: true}"),
            (crop, "{crop: {x: 320, y: 176, width: 1280, height: 720}}"),
        ] {
            measure(&jpeg, op, steps)?;
        }
    }
    Ok(())
}

fn measure(jpeg: &[u8], op: LosslessOp, steps: &str) -> Result<(), Box<dyn Error>> {
    let mut workspace = Workspace::default();
    let anew = pipeline(&format!("transform: [{steps}], encode: {{quality: 80}}"))?;
    let frame = Frame::from_jpeg(Bytes::copy_from_slice(jpeg))?;
    let mut sides: Vec<(&str, Work<'_>)> = vec![
        (
            "ours",
            Box::new(move || {
                black_box(workspace.apply(jpeg, &[op], OPTIONS)?);
                Ok(())
            }),
        ),
        (
            "decoded and encoded",
            Box::new(move || {
                black_box(anew.transform(&frame)?);
                Ok(())
            }),
        ),
    ];
    #[cfg(feature = "turbo")]
    sides.push(("libjpeg-turbo", turbo(jpeg, op)?));
    let mut times = vec![Vec::with_capacity(RUNS); sides.len()];
    for _ in 0..RUNS {
        for ((_, work), times) in sides.iter_mut().zip(&mut times) {
            let start = Instant::now();
            work()?;
            times.push(start.elapsed());
        }
    }
    let told: Vec<_> = sides.iter().zip(&mut times).map(|((name, _), times)| told(name, times)).collect();
    println!("  {steps}: {}", told.join(", "));
    Ok(())
}

fn told(name: &str, times: &mut [Duration]) -> String {
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    format!("{name} {:.2} ms (best {:.2})", ms(times[times.len() / 2]), ms(times[0]))
}

/// Makes the same step with libjpeg-turbo, whose objects are used again too.
#[cfg(feature = "turbo")]
fn turbo<'a>(jpeg: &'a [u8], op: LosslessOp) -> Result<Work<'a>, Box<dyn Error>> {
    use turbojpeg::{OutputBuf, Transform, TransformCrop, TransformOp, Transformer};
    let mut transform = Transform::op(match op {
        LosslessOp::Rotate90 => TransformOp::Rot90,
        LosslessOp::Rotate180 => TransformOp::Rot180,
        LosslessOp::FlipHorizontal => TransformOp::Hflip,
        _ => TransformOp::None,
    });
    if let LosslessOp::Crop { x, y, width, height } = op {
        let (width, height) = (Some(width.into()), Some(height.into()));
        transform.crop = Some(TransformCrop { x: x.into(), y: y.into(), width, height });
    }
    transform.gray = op == LosslessOp::Grayscale;
    (transform.trim, transform.copy_none) = (true, true);
    let mut transformer = Transformer::new()?;
    Ok(Box::new(move || {
        let mut output = OutputBuf::new_owned();
        transformer.transform(&transform, jpeg, &mut output)?;
        black_box(&*output);
        Ok(())
    }))
}

fn pipeline(yaml: &str) -> Result<Pipeline, Box<dyn Error>> {
    let text = format!("streams: {{a: {{source: {{type: pattern}}, {yaml}}}}}");
    let config =
        config::parse(&text, "bench", &Environment::default()).map_err(|mistakes| mistakes.to_string())?;
    Ok(Pipeline::new(String::new(), config.streams[0].rework(), LIMITS, Default::default()))
}

/// The cup of the tests, side by side: as much texture and as little noise as a photograph has.
fn photograph(percent: u8) -> Result<Vec<u8>, Box<dyn Error>> {
    let cup = codec().decode(include_bytes!("../tests/fixtures/photographs/444.jpg"), 1_000_000)?;
    let (w, h) = (usize::from(cup.width()), usize::from(cup.height()));
    let (width, height) = (1920_u16, 1080_u16);
    let mut data = Vec::with_capacity(usize::from(width) * usize::from(height) * 3);
    for y in 0..usize::from(height) {
        for x in 0..usize::from(width) {
            data.extend_from_slice(&cup.data()[(y % h * w + x % w) * 3..][..3]);
        }
    }
    let pixels = Pixels::new(width, height, PixelFormat::Rgb, data)?;
    Ok(codec().encode(&pixels, Quality { percent, sampling: Sampling::S420 })?.to_vec())
}
