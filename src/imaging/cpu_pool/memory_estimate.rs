//! Estimates the memory that a picture takes while it is decoded, drawn and encoded, from its header.
//!
//! The factors are peaks of a counting allocator around each decoder and encoder, at 2003x2003 pixels, in
//! bytes for each pixel; rounded up. They are of the versions in Cargo.lock (image 0.25.10, png 0.18.1,
//! image-webp 0.2.4, gif 0.14.2, zune-jpeg 0.5.15, jpeg-encoder 0.7.1); `tests/hostile/decoding.rs` compares
//! them with the memory of the process.
//!
//! | picture | while it is decoded |
//! |---|---|
//! | PNG, interlaced or not | its pixels: 1 to 8 (8.04 for 16 bits RGBA) |
//! | WebP, lossy / with alpha / lossless / animated | 4.66 / 10.52 / 7.00 / 12.00 |
//! | GIF | 5.01; 9 if its frame is smaller than its canvas |
//! | BMP | 3.00 or 4.00 |
//! | JPEG, all components in one scan | what comes out: 1.08 (grey) or 3.12 |
//! | JPEG, progressive or many scans | 2 more a sample: 4.11 (4:2:0, grey out), 9.05 (4:4:4), 11.07 (CMYK) |
//! | a JPEG that is written | 1.03 (noise at quality 85), 0.27 usually |

use std::collections::HashSet;

use crate::{config::Size, imaging::lossless::Segments, media::jpeg::marker};

/// Bytes of tables and rows of a drawn or recoded picture, whatever its size.
const SMALL_BYTES: u64 = 256 * 1024;

/// Bytes that zune-jpeg holds besides the picture, for each pixel of its width: 16 rows of 4 components, as
/// coefficients and as samples.
const JPEG_ROW_BYTES: u64 = 16 * 4 * 4;

/// The parts of a JPEG's header that decide how much memory it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Jpeg {
    pixels: u64,
    width: u64,
    is_gray: bool,
    /// Bytes of the coefficients that have to be kept until the last scan; 0 if there is one scan.
    coefficients: u64,
    len: u64,
}

impl Jpeg {
    /// Reads the segments up to the first scan. What cannot be read counts as the most that such a picture
    /// can take.
    pub(crate) fn read(jpeg: &[u8], (width, height): (u16, u16)) -> Self {
        let pixels = u64::from(width) * u64::from(height);
        let worst = Self {
            pixels,
            width: width.into(),
            is_gray: false,
            coefficients: pixels.saturating_mul(8),
            len: jpeg.len() as u64,
        };
        Self::read_segments(jpeg, worst).unwrap_or(worst)
    }

    fn read_segments(jpeg: &[u8], worst: Self) -> Option<Self> {
        let mut segments = Segments::new(jpeg);
        let mut frame = None;
        loop {
            let segment = segments.next().ok()?;
            match segment.code {
                marker::SOF0..=marker::SOF2 => {
                    // Precision and sides come first.
                    let components = *segment.body.get(5)?;
                    let factors = segment.body.get(6..6 + 3 * usize::from(components))?;
                    let is_progressive = segment.code == marker::SOF2;
                    frame = Some((components, is_progressive, samples(factors, worst.pixels)));
                }
                marker::SOS => {
                    let (components, is_progressive, samples) = frame?;
                    let in_one_scan = !is_progressive && *segment.body.first()? == components;
                    let coefficients = if in_one_scan { 0 } else { 2 * samples };
                    return Some(Self { is_gray: components == 1, coefficients, ..worst });
                }
                marker::EOI => return None,
                _ => {}
            }
        }
    }

    /// Returns the most bytes that decoding it to planes takes, at a `denominator`th of its sides, with those
    /// of the planes.
    pub(crate) fn decoding(&self, denominator: u8) -> u64 {
        let smaller = u64::from(denominator).pow(2);
        // First as the decoder gives it, then as planes.
        let once = self.planes(denominator);
        self.coefficients.max(once) + once + self.width * JPEG_ROW_BYTES / smaller + self.len + SMALL_BYTES
    }

    /// Returns the bytes of the planes.
    pub(crate) fn planes(&self, denominator: u8) -> u64 {
        let pixels = self.pixels / u64::from(denominator).pow(2) + self.width;
        pixels * if self.is_gray { 1 } else { 3 }
    }

    /// Returns the most bytes that moving its blocks takes. Coefficients that are not zero are kept in four
    /// bytes each; they take two bits of the file at least.
    pub(crate) fn lossless(&self) -> u64 {
        self.len.saturating_mul(16 + 2) + self.pixels / 4 + SMALL_BYTES
    }
}

/// Returns the number of samples of all components, whose sampling factors are in a frame header, three bytes
/// each (T.81, B.2.2).
fn samples(factors: &[u8], pixels: u64) -> u64 {
    let sides = || factors.chunks_exact(3).map(|component| (component[1] >> 4, component[1] & 0xf));
    let widest = u64::from(sides().map(|(across, _)| across).max().unwrap_or(1).max(1));
    let tallest = u64::from(sides().map(|(_, down)| down).max().unwrap_or(1).max(1));
    let of_one = |(across, down): (u8, u8)| {
        pixels.saturating_mul(u64::from(across) * u64::from(down)) / (widest * tallest) + 1
    };
    // Whole blocks at the right and at the bottom.
    sides().map(of_one).sum::<u64>() * 65 / 64
}

/// Returns the most bytes of an encoded JPEG and of the encoder's buffers.
pub(crate) fn encoded(pixels: u64, quality: u8) -> u64 {
    // Noise with all of its colours takes more than a byte for each sample.
    if quality > 90 { pixels.saturating_mul(3) } else { pixels.saturating_add(pixels / 4) }
}

/// Returns the most bytes that drawing an RGB picture of this size and encoding it takes; `letters` are those
/// of its texts.
pub(crate) fn canvas(size: Size, letters: usize) -> usize {
    let pixels = area(size.width.get(), size.height.get());
    let drawn = pixels.saturating_mul(3).saturating_add(encoded(pixels, 90));
    total(drawn.saturating_add(SMALL_BYTES)).saturating_add(letters)
}

/// Returns the most bytes that the letters of a text take while they are drawn: each different one is kept as
/// a picture.
pub(crate) fn letters(text: &str, size: f32) -> usize {
    let most = text.chars().filter(|letter| !letter.is_whitespace()).collect::<HashSet<_>>().len();
    let side = f64::from(size.max(1.0)) * 1.25;
    total((most as f64 * side * side) as u64)
}

/// Returns the most bytes that recoding a JPEG takes, which goes through stages of so many bytes each after
/// its planes are there.
pub(crate) fn recoding(jpeg: &Jpeg, denominator: u8, stages: u64, (pixels, quality): (u64, u8)) -> usize {
    let after = jpeg.planes(denominator).saturating_add(stages).saturating_add(encoded(pixels, quality));
    total(jpeg.decoding(denominator).max(after).saturating_add(SMALL_BYTES))
}

/// Converts a number of bytes, limited to the address space.
pub(crate) fn total(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Returns the number of pixels.
pub(crate) fn area(width: u32, height: u32) -> u64 {
    u64::from(width) * u64::from(height)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg(
        color: jpeg_encoder::ColorType,
        sampling: jpeg_encoder::SamplingFactor,
        progressive: bool,
    ) -> Jpeg {
        let channels = if matches!(color, jpeg_encoder::ColorType::Cmyk) { 4 } else { 3 };
        let mut bytes = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 80);
        encoder.set_progressive(progressive);
        encoder.set_sampling_factor(sampling);
        encoder.encode(&vec![90; 640 * 640 * channels], 640, 640, color).unwrap();
        Jpeg::read(&bytes, (640, 640))
    }

    #[test]
    fn coefficients_are_kept_for_each_sample_where_there_are_several_scans() {
        use jpeg_encoder::{ColorType::*, SamplingFactor::*};
        let per_pixel = |jpeg: Jpeg| jpeg.coefficients as f64 / (640.0 * 640.0);
        for (color, sampling, expected) in
            [(Rgb, R_4_4_4, 6.0), (Rgb, R_4_2_0, 3.0), (Rgb, R_4_2_2, 4.0), (Cmyk, R_4_4_4, 8.0)]
        {
            let found = per_pixel(jpeg(color, sampling, true));
            assert!((expected..expected * 1.05).contains(&found), "{color:?} {sampling:?}: {found}");
            assert_eq!(per_pixel(jpeg(color, sampling, false)), 0.0, "in one scan");
        }
        assert!(per_pixel(jpeg(Rgb, R_4_1_1, false)) > 0.0, "written in several scans");
    }

    #[test]
    fn a_jpeg_that_cannot_be_read_counts_as_the_most_it_can_be() {
        let worst = Jpeg::read(b"no JPEG", (100, 100));
        assert_eq!((worst.coefficients, worst.is_gray), (80_000, false));
        assert!(worst.decoding(1) >= 110_000 && worst.decoding(8) >= 80_000);
    }

    #[test]
    fn letters_are_reckoned_by_how_many_differ() {
        assert_eq!(letters("aaaa  a", 8.0), 100);
        assert_eq!(letters("ab", 8.0), 200);
    }

    #[test]
    fn no_size_of_a_canvas_overflows() {
        let largest = Size { width: u32::MAX.try_into().unwrap(), height: u32::MAX.try_into().unwrap() };
        assert!(canvas(largest, usize::MAX) > 1 << 60);
    }
}
