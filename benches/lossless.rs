//! How long a lossless step takes for a picture of 1920×1080, 4:2:0, quality 80: `cargo bench --bench lossless`.
//!
//! With a file's name after `--`, that JPEG is taken instead. One thread, the memory of the picture before used again.

use std::{
    error::Error,
    fs,
    hint::black_box,
    time::{Duration, Instant},
};

use framecast::transform::{
    codec::{PixelFormat, Pixels, Quality, codec},
    lossless::{LosslessOp, Options, Workspace},
};

const OPTIONS: Options = Options { max_pixels: 50_000_000, trim: true };

/// Runs of each step; the median is told.
const RUNS: usize = 61;

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let jpeg = match &file {
        Some(file) => fs::read(file)?,
        None => picture()?,
    };
    let mut out = format!("{}: {} kB\n", file.as_deref().unwrap_or("1920x1080, made up"), jpeg.len() / 1000);
    let crop = LosslessOp::Crop { x: 320, y: 176, width: 1280, height: 720 };
    for op in [LosslessOp::Rotate90, LosslessOp::Rotate180, LosslessOp::Grayscale, crop] {
        let mut workspace = Workspace::default();
        let mut times = Vec::with_capacity(RUNS);
        for _ in 0..RUNS {
            let start = Instant::now();
            black_box(workspace.apply(&jpeg, &[op], OPTIONS)?);
            times.push(start.elapsed());
        }
        times.sort_unstable();
        out += &format!("{op:?}: median {}, best {}\n", ms(times[RUNS / 2]), ms(times[0]));
    }
    std::io::Write::write_all(&mut std::io::stdout(), out.as_bytes())?;
    Ok(())
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

/// Smooth hills with a little noise, which takes about as many bytes as a photograph.
fn picture() -> Result<Vec<u8>, Box<dyn Error>> {
    let (width, height) = (1920_u16, 1080_u16);
    let mut noise = 1_u32;
    let mut data = Vec::with_capacity(usize::from(width) * usize::from(height) * 3);
    for y in 0..height {
        for x in 0..width {
            let (x, y) = (f32::from(x), f32::from(y));
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = (noise >> 28) as f32 - 8.0;
            for phase in [0.0, 1.0, 2.0] {
                let hills = (x / 37.0 + phase).sin() * (y / 23.0).cos() * 50.0
                    + (x * y / 9000.0 + phase).sin() * 40.0;
                data.push((128.0 + hills + grain) as u8);
            }
        }
    }
    let pixels = Pixels::new(width, height, PixelFormat::Rgb, data)?;
    Ok(codec().encode(&pixels, Quality { percent: 80, full_colour: false })?.to_vec())
}
