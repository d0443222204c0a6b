//! The memory that a picture takes while it is decoded, drawn and encoded, reckoned from its header.
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

use crate::{config::Size, imaging::convert::ForeignFormat};

/// Rows, dictionaries, tables, and a colour profile that is unpacked, whatever the size. Decoders are held to
/// it.
pub(crate) const BASE_BYTES: u64 = 4 * 1024 * 1024;

/// Tables, rows and whatever else a drawn or recoded picture takes, whatever the size.
const SMALL_BYTES: u64 = 256 * 1024;

/// Rows of blocks that zune-jpeg holds beside the picture, for each pixel of its width: 16 rows of 4
/// components, as coefficients and as samples.
const JPEG_ROW_BYTES: u64 = 16 * 4 * 4;

/// Bytes that image-webp's tables of prefix codes may take for each byte of lossless data: a code of 10 bits
/// can be written in 11 bytes, and becomes a table of 4 KiB. Each file may have 65,536 groups of five.
const WEBP_TABLE_BYTES: u64 = 400;
const WEBP_MOST_TABLE_BYTES: u64 = 65_536 * 5 * 4_200;

/// A picture's size, and the most bytes that it takes until it has become a JPEG.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Foreign {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Beside the pixels that come out.
    pub(crate) working: u64,
    /// Pixels that come out.
    pub(crate) decoded: u64,
}

impl Foreign {
    /// Reads the header of a PNG, WebP, GIF or BMP; none if it is cut off or makes no sense.
    pub(crate) fn read(format: ForeignFormat, bytes: &[u8]) -> Option<Self> {
        match format {
            ForeignFormat::Png => png(bytes),
            ForeignFormat::WebP => webp(bytes),
            ForeignFormat::Gif => {
                let (width, height) = (u16_le(bytes, 6)?.into(), u16_le(bytes, 8)?.into());
                let pixels = area(width, height);
                Some(Self {
                    width,
                    height,
                    working: pixels.saturating_mul(5),
                    decoded: pixels.saturating_mul(4),
                })
            }
            ForeignFormat::Bmp => bmp(bytes),
        }
    }

    /// The most bytes that it takes, with those of the file.
    pub(crate) fn bytes(&self, file: usize) -> usize {
        let pixels = area(self.width, self.height);
        let decoding = self.decoded.saturating_add(self.working);
        let encoding = pixels.saturating_mul(3).saturating_add(encoded(pixels, 85));
        total(decoding.max(encoding).saturating_add(BASE_BYTES).saturating_add(file as u64))
    }
}

fn png(bytes: &[u8]) -> Option<Foreign> {
    let (width, height) = (u32_be(bytes, 16)?, u32_be(bytes, 20)?);
    let (depth, color) = (*bytes.get(24)?, *bytes.get(25)?);
    let alpha = u64::from(png_has_transparent_color(bytes));
    let channels = match color {
        0 => 1 + alpha,
        2 | 3 => 3 + alpha,
        4 => 2,
        _ => 4,
    };
    let sample = if depth == 16 { 2 } else { 1 };
    // Two rows of pixels and one as they are in the file, and texts, which the decoder keeps.
    let working = (u64::from(width) * 4 * 2 * 3).saturating_add(png_texts(bytes));
    Some(Foreign { width, height, working, decoded: area(width, height).saturating_mul(channels * sample) })
}

/// Bytes that the decoder keeps of texts: each with its keyword and its place, however short it is (155 bytes
/// were measured for an empty one).
fn png_texts(bytes: &[u8]) -> u64 {
    const EACH: u64 = 256;
    let (mut at, mut kept) = (8_usize, 0_u64);
    while let (Some(len), Some(kind)) = (u32_be(bytes, at), bytes.get(at + 4..at + 8)) {
        if matches!(kind, b"tEXt" | b"zTXt" | b"iTXt") {
            kept = kept.saturating_add(EACH + 2 * u64::from(len));
        }
        // Length, kind, content, checksum.
        at = at.saturating_add(12).saturating_add(len as usize);
    }
    kept
}

/// Returns whether there is a `tRNS` chunk before the pixels: it adds alpha to pictures without it.
fn png_has_transparent_color(bytes: &[u8]) -> bool {
    let mut at = 8_usize;
    while let (Some(len), Some(kind)) = (u32_be(bytes, at), bytes.get(at + 4..at + 8)) {
        match kind {
            b"tRNS" => return true,
            b"IDAT" | b"IEND" => return false,
            // Length, kind, content, checksum.
            _ => at = at.saturating_add(12).saturating_add(len as usize),
        }
    }
    false
}

/// The largest picture in any of its chunks: the decoder compares them with the canvas only when it has
/// decoded them.
fn webp(bytes: &[u8]) -> Option<Foreign> {
    let (mut width, mut height, mut tables) = (0, 0, 0_u64);
    let (mut is_lossless, mut has_alpha, mut is_animated) = (false, false, false);
    let mut at = 12_usize;
    while let (Some(kind), Some(len)) = (bytes.get(at..at + 4), u32_le(bytes, at + 4)) {
        let content = at + 8;
        let size = match kind {
            b"VP8X" => {
                is_animated |= bytes.get(content).is_some_and(|flags| flags & 2 != 0);
                Some((u24_le(bytes, content + 4)? + 1, u24_le(bytes, content + 7)? + 1))
            }
            b"VP8 " => {
                let side = |at| Some(u32::from(u16_le(bytes, at)? & 0x3fff));
                Some((side(content + 6)?, side(content + 8)?))
            }
            b"VP8L" => {
                is_lossless = true;
                tables = tables.max(u64::from(len));
                let bits = u32_le(bytes, content + 1)?;
                Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
            }
            b"ALPH" => {
                has_alpha = true;
                tables = tables.max(u64::from(len));
                None
            }
            _ => None,
        };
        if let Some((across, down)) = size {
            (width, height) = (across.max(width), down.max(height));
        }
        // A frame's own chunks stand within it.
        let skipped = if kind == b"ANMF" { 16 } else { len.saturating_add(len % 2) as usize };
        at = content.saturating_add(skipped);
    }
    // In whole blocks.
    let pixels = area(width.checked_next_multiple_of(16)?, height.checked_next_multiple_of(16)?);
    let (working, decoded) = if is_animated {
        (9, 4)
    } else if has_alpha {
        (7, 4)
    } else if is_lossless {
        (4, 4)
    } else {
        (3, 3)
    };
    // Of each chunk by itself: those of a frame are gone before the next is read. A file that ends early
    // counts as it is.
    let tables = tables.min(bytes.len() as u64).saturating_mul(WEBP_TABLE_BYTES).min(WEBP_MOST_TABLE_BYTES);
    let working = pixels.saturating_mul(working).saturating_add(tables);
    (width > 0).then_some(Foreign { width, height, working, decoded: pixels.saturating_mul(decoded) })
}

fn bmp(bytes: &[u8]) -> Option<Foreign> {
    let header = u32_le(bytes, 14)?;
    let (width, height) = if header == 12 {
        (u16_le(bytes, 18)?.into(), u16_le(bytes, 20)?.into())
    } else {
        (u32_le(bytes, 18)?.cast_signed().unsigned_abs(), u32_le(bytes, 22)?.cast_signed().unsigned_abs())
    };
    let pixels = area(width, height);
    Some(Foreign { width, height, working: pixels, decoded: pixels.saturating_mul(4) })
}

/// The parts of a JPEG's header that decide how much memory it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Jpeg {
    pixels: u64,
    width: u64,
    is_gray: bool,
    /// Coefficients that have to be kept until the last scan; 0 if there is one scan.
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
        let mut frame: Option<(u8, bool, u64)> = None;
        let mut at = 2_usize;
        loop {
            match (*jpeg.get(at)?, *jpeg.get(at + 1)?) {
                (0xff, 0xff) => at += 1,
                (0xff, 0x01 | 0xd0..=0xd8) => at += 2,
                (0xff, 0xda) => {
                    let (components, is_progressive, samples) = frame?;
                    let in_one_scan = !is_progressive && *jpeg.get(at + 4)? == components;
                    let coefficients = if in_one_scan { 0 } else { 2 * samples };
                    return Some(Self { is_gray: components == 1, coefficients, ..worst });
                }
                (0xff, code) => {
                    if matches!(code, 0xc0..=0xc2) {
                        let components = *jpeg.get(at + 9)?;
                        let factors = jpeg.get(at + 10..at + 10 + 3 * usize::from(components))?;
                        frame = Some((components, code == 0xc2, samples(factors, worst.pixels)));
                    }
                    at += 2 + usize::from(u16_be(jpeg, at + 2)?);
                }
                _ => return None,
            }
        }
    }

    /// The most bytes until its planes are there, decoded at a `denominator`th of its sides; the planes are
    /// among them.
    pub(crate) fn decoding(&self, denominator: u8) -> u64 {
        let smaller = u64::from(denominator).pow(2);
        // First as the decoder gives it, then as planes.
        let once = self.planes(denominator);
        self.coefficients.max(once) + once + self.width * JPEG_ROW_BYTES / smaller + self.len + SMALL_BYTES
    }

    /// Bytes of the planes.
    pub(crate) fn planes(&self, denominator: u8) -> u64 {
        let pixels = self.pixels / u64::from(denominator).pow(2) + self.width;
        pixels * if self.is_gray { 1 } else { 3 }
    }

    /// The most bytes for moving its blocks: of its coefficients those that are not zero are kept, each of
    /// which takes two bits of the file at least, and four bytes then.
    pub(crate) fn lossless(&self) -> u64 {
        self.len.saturating_mul(16 + 2) + self.pixels / 4 + SMALL_BYTES
    }
}

/// Samples of all components, whose sampling factors stand in a frame header as three bytes each (T.81,
/// B.2.2).
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

/// Bytes of a JPEG that is being written, and of what the encoder holds.
pub(crate) fn encoded(pixels: u64, quality: u8) -> u64 {
    // Noise with all of its colours takes more than a byte for each sample.
    if quality > 90 { pixels.saturating_mul(3) } else { pixels.saturating_add(pixels / 4) }
}

/// The most bytes that drawing an RGB picture of this size and encoding it takes; `letters` are those of its
/// texts.
pub(crate) fn canvas(size: Size, letters: usize) -> usize {
    let pixels = area(size.width.get(), size.height.get());
    let drawn = pixels.saturating_mul(3).saturating_add(encoded(pixels, 90));
    total(drawn.saturating_add(SMALL_BYTES)).saturating_add(letters)
}

/// The most bytes that the letters of a text take while they are drawn: each different one is kept as a
/// picture.
pub(crate) fn letters(text: &str, size: f32) -> usize {
    let most = text.chars().filter(|letter| !letter.is_whitespace()).collect::<HashSet<_>>().len();
    let side = f64::from(size.max(1.0)) * 1.25;
    total((most as f64 * side * side) as u64)
}

/// The most bytes that recoding a JPEG takes, which goes through stages of so many bytes each after its
/// planes are there.
pub(crate) fn recoding(jpeg: &Jpeg, denominator: u8, stages: u64, (pixels, quality): (u64, u8)) -> usize {
    let after = jpeg.planes(denominator).saturating_add(stages).saturating_add(encoded(pixels, quality));
    total(jpeg.decoding(denominator).max(after).saturating_add(SMALL_BYTES))
}

/// Converts a number of bytes, limited to the address space.
pub(crate) fn total(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn area(width: u32, height: u32) -> u64 {
    u64::from(width) * u64::from(height)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn u16_be(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

fn u16_le(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_le_bytes)
}

fn u24_le(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(|[a, b, c]: [u8; 3]| u32::from_le_bytes([a, b, c, 0]))
}

fn u32_be(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

fn u32_le(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageFormat};

    use super::*;

    #[test]
    fn texts_of_a_png_count_however_short_they_are() {
        let mut png = Vec::new();
        DynamicImage::new_rgb8(16, 16).write_to(&mut Cursor::new(&mut png), ImageFormat::Png).unwrap();
        let bytes = |png: &[u8]| Foreign::read(ForeignFormat::Png, png).unwrap().bytes(0);
        let without = bytes(&png);
        let text = b"\0\0\0\x06iTXtk\0\0\0\0\0\0\0\0\0".repeat(1000);
        // Behind the signature and the header.
        png.splice(33..33, text);
        assert!(bytes(&png) >= without + 256_000, "{without} and {}", bytes(&png));
        png.truncate(40);
        assert_eq!(bytes(&png), without);
    }

    const FORMATS: [(ForeignFormat, ImageFormat); 4] = [
        (ForeignFormat::Png, ImageFormat::Png),
        (ForeignFormat::WebP, ImageFormat::WebP),
        (ForeignFormat::Gif, ImageFormat::Gif),
        (ForeignFormat::Bmp, ImageFormat::Bmp),
    ];

    fn file(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn headers_say_the_size_and_no_less_than_what_comes_out() {
        let images = [
            DynamicImage::new_rgb8(40, 30),
            DynamicImage::new_rgba8(40, 30),
            DynamicImage::new_luma8(40, 30),
            DynamicImage::new_luma_a16(40, 30),
            DynamicImage::new_rgba16(40, 30),
        ];
        for (format, name) in FORMATS {
            for image in &images {
                let mut bytes = Cursor::new(Vec::new());
                // Not each format has each kind of pixel.
                if image.write_to(&mut bytes, name).is_err() {
                    continue;
                }
                let bytes = bytes.into_inner();
                let read = Foreign::read(format, &bytes).unwrap();
                assert_eq!((read.width, read.height), (40, 30), "{format:?} {:?}", image.color());
                let decoded = image::load_from_memory(&bytes).unwrap();
                assert!(read.decoded >= decoded.as_bytes().len() as u64, "{format:?} {:?}", image.color());
            }
        }
    }

    #[test]
    fn a_header_that_is_cut_off_anywhere_is_none_or_the_same_size() {
        for (format, name) in FORMATS {
            let bytes = file(&DynamicImage::new_rgb8(40, 30), name);
            for end in 0..bytes.len() {
                if let Some(read) = Foreign::read(format, &bytes[..end]) {
                    assert_eq!((read.width, read.height), (40, 30), "{format:?} cut at {end}");
                }
            }
        }
    }

    #[test]
    fn no_size_overflows() {
        for (format, name) in FORMATS {
            let whole = file(&DynamicImage::new_rgb8(40, 30), name);
            for at in 6..whole.len().saturating_sub(4).min(60) {
                let mut bytes = whole.clone();
                bytes[at..at + 4].fill(0xff);
                if let Some(read) = Foreign::read(format, &bytes) {
                    let _ = read.bytes(bytes.len());
                }
            }
        }
        let largest = Size { width: u32::MAX.try_into().unwrap(), height: u32::MAX.try_into().unwrap() };
        assert!(canvas(largest, usize::MAX) > 1 << 60);
    }

    #[test]
    fn a_webp_is_as_large_as_the_largest_of_its_chunks() {
        let chunk = |kind: &[u8; 4], content: &[u8]| {
            [&kind[..], &(content.len() as u32).to_le_bytes(), content].concat()
        };
        let canvas = chunk(b"VP8X", &[0, 0, 0, 0, 9, 0, 0, 9, 0, 0]);
        let lossy = chunk(b"VP8 ", &[0, 0, 0, 0x9d, 1, 0x2a, 0xff, 0x3f, 0xff, 0x3f]);
        let frame = chunk(b"ANMF", &[&[0; 16][..], &lossy].concat());
        for chunks in [[&canvas[..], &lossy], [&canvas[..], &frame]] {
            let file = [&b"RIFF\0\0\0\0WEBP"[..], &chunks.concat()].concat();
            let read = Foreign::read(ForeignFormat::WebP, &file).unwrap();
            assert_eq!((read.width, read.height), (16_383, 16_383));
        }
    }

    #[test]
    fn tables_of_a_lossless_webp_are_reckoned_by_its_length() {
        let mut file = file(&DynamicImage::new_rgb8(8, 8), ImageFormat::WebP);
        let before = Foreign::read(ForeignFormat::WebP, &file).unwrap().working;
        let len = 100_000_u32;
        let chunk = file.windows(4).position(|kind| kind == b"VP8L").unwrap();
        file[chunk + 4..chunk + 8].copy_from_slice(&len.to_le_bytes());
        file.resize(200_000, 0);
        let read = Foreign::read(ForeignFormat::WebP, &file).unwrap();
        assert!(read.working > before + 390 * u64::from(len), "{read:?}");
    }

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
}
