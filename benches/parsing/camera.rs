//! Frames as a camera's encoder writes them: 720p, about 100 kB, of a scene with detail.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

const WIDTH: u16 = 1280;
const HEIGHT: u16 = 720;

/// Gives frames of about 100 kB.
const QUALITY: u8 = 62;

/// A restart marker behind each row of 16 × 16 blocks, as hardware encoders write them.
const ROW: u16 = WIDTH / 16;

/// The encoding of a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Baseline, a restart marker a row.
    Camera,
    /// Baseline without restart markers.
    Plain,
    /// Several scans.
    Progressive,
}

/// One frame of the scene.
pub(crate) fn frame(kind: Kind, time: u32) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, QUALITY);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    match kind {
        Kind::Camera => encoder.set_restart_interval(ROW),
        Kind::Plain => {}
        Kind::Progressive => encoder.set_progressive(true),
    }
    encoder.encode(&scene(time), WIDTH, HEIGHT, ColorType::Rgb).expect("the picture has the size it says");
    jpeg
}

/// Hills, a striped wall, a sensor's noise: so that blocks differ as those of a photograph do.
fn scene(time: u32) -> Vec<u8> {
    let mut noise = 0x9e37_79b9_u32.wrapping_add(time);
    let mut pixels = Vec::with_capacity(usize::from(WIDTH) * usize::from(HEIGHT) * 3);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            noise ^= noise << 13;
            noise ^= noise >> 17;
            noise ^= noise << 5;
            let (fx, fy) = (f32::from(x), f32::from(y));
            let hills = (fx / 90.0).sin() * 60.0 + (fy / 37.0 + fx / 210.0).cos() * 40.0;
            let wall = if x > 700 && y % 24 < 3 || y > 400 && x % 31 < 4 { -50.0 } else { 0.0 };
            let grain = (noise % 23) as f32 - 11.0;
            let light = 120.0 + hills + wall + grain + time as f32;
            for tint in [1.0, 0.9, 0.7_f32] {
                pixels.push((light * tint).clamp(0.0, 255.0) as u8);
            }
        }
    }
    pixels
}
