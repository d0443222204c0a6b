//! The header of a file that is converted: the picture's size, and the memory that decoding it takes.
//!
//! The factors are those of `cpu_pool::memory_estimate`.

use super::format::ConvertibleFormat;
use crate::imaging::cpu_pool::memory_estimate::{area, encoded, total};

/// Bytes of rows, dictionaries, tables, and an unpacked colour profile, whatever the size. It is part of the
/// decoders' limit.
pub(crate) const BASE_BYTES: u64 = 4 * 1024 * 1024;

/// Bytes that image-webp's tables of prefix codes may take for each byte of lossless data: a code of 10 bits
/// can be written in 11 bytes, and becomes a table of 4 KiB. Each file may have 65,536 groups of five.
const WEBP_TABLE_BYTES: u64 = 400;
const WEBP_MOST_TABLE_BYTES: u64 = 65_536 * 5 * 4_200;

/// A picture's size, and the most bytes that it takes until it has become a JPEG.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ForeignHeader {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Bytes that the decoder takes besides the decoded pixels.
    pub(crate) working: u64,
    /// Bytes of the decoded pixels.
    pub(crate) decoded: u64,
}

impl ForeignHeader {
    /// Reads the header of a PNG, WebP, GIF or BMP; `None` if it is cut off or invalid.
    pub(crate) fn read(format: ConvertibleFormat, bytes: &[u8]) -> Option<Self> {
        match format {
            ConvertibleFormat::Png => png(bytes),
            ConvertibleFormat::WebP => webp(bytes),
            ConvertibleFormat::Gif => {
                let (width, height) = (u16_le(bytes, 6)?.into(), u16_le(bytes, 8)?.into());
                let pixels = area(width, height);
                Some(Self {
                    width,
                    height,
                    working: pixels.saturating_mul(5),
                    decoded: pixels.saturating_mul(4),
                })
            }
            ConvertibleFormat::Bmp => bmp(bytes),
        }
    }

    /// Returns the most bytes that the picture takes, with those of the file, until it is a JPEG of this
    /// quality.
    pub(crate) fn bytes(&self, file: usize, quality: u8) -> usize {
        let pixels = area(self.width, self.height);
        let decoding = self.decoded.saturating_add(self.working);
        let encoding = pixels.saturating_mul(3).saturating_add(encoded(pixels, quality));
        total(decoding.max(encoding).saturating_add(BASE_BYTES).saturating_add(file as u64))
    }
}

fn png(bytes: &[u8]) -> Option<ForeignHeader> {
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
    Some(ForeignHeader {
        width,
        height,
        working,
        decoded: area(width, height).saturating_mul(channels * sample),
    })
}

/// Returns the bytes that the decoder keeps of texts: each with its keyword and its place, however short it
/// is (155 bytes were measured for an empty one).
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

/// Reads the largest picture in any of its chunks: the decoder compares them with the canvas only when it has
/// decoded them.
fn webp(bytes: &[u8]) -> Option<ForeignHeader> {
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
        // The chunks of a frame are nested in it.
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
    (width > 0).then_some(ForeignHeader { width, height, working, decoded: pixels.saturating_mul(decoded) })
}

fn bmp(bytes: &[u8]) -> Option<ForeignHeader> {
    let header = u32_le(bytes, 14)?;
    let (width, height) = if header == 12 {
        (u16_le(bytes, 18)?.into(), u16_le(bytes, 20)?.into())
    } else {
        (u32_le(bytes, 18)?.cast_signed().unsigned_abs(), u32_le(bytes, 22)?.cast_signed().unsigned_abs())
    };
    let pixels = area(width, height);
    Some(ForeignHeader { width, height, working: pixels, decoded: pixels.saturating_mul(4) })
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
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
        let bytes = |png: &[u8]| ForeignHeader::read(ConvertibleFormat::Png, png).unwrap().bytes(0, 85);
        let without = bytes(&png);
        let text = b"\0\0\0\x06iTXtk\0\0\0\0\0\0\0\0\0".repeat(1000);
        // Behind the signature and the header.
        png.splice(33..33, text);
        assert!(bytes(&png) >= without + 256_000, "{without} and {}", bytes(&png));
        png.truncate(40);
        assert_eq!(bytes(&png), without);
    }

    const FORMATS: [(ConvertibleFormat, ImageFormat); 4] = [
        (ConvertibleFormat::Png, ImageFormat::Png),
        (ConvertibleFormat::WebP, ImageFormat::WebP),
        (ConvertibleFormat::Gif, ImageFormat::Gif),
        (ConvertibleFormat::Bmp, ImageFormat::Bmp),
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
                let read = ForeignHeader::read(format, &bytes).unwrap();
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
                if let Some(read) = ForeignHeader::read(format, &bytes[..end]) {
                    assert_eq!((read.width, read.height), (40, 30), "{format:?} cut at {end}");
                }
            }
        }
    }

    #[test]
    fn no_size_of_a_header_overflows() {
        for (format, name) in FORMATS {
            let whole = file(&DynamicImage::new_rgb8(40, 30), name);
            for at in 6..whole.len().saturating_sub(4).min(60) {
                let mut bytes = whole.clone();
                bytes[at..at + 4].fill(0xff);
                if let Some(read) = ForeignHeader::read(format, &bytes) {
                    let _ = read.bytes(bytes.len(), 85);
                }
            }
        }
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
            let read = ForeignHeader::read(ConvertibleFormat::WebP, &file).unwrap();
            assert_eq!((read.width, read.height), (16_383, 16_383));
        }
    }

    #[test]
    fn tables_of_a_lossless_webp_are_reckoned_by_its_length() {
        let mut file = file(&DynamicImage::new_rgb8(8, 8), ImageFormat::WebP);
        let before = ForeignHeader::read(ConvertibleFormat::WebP, &file).unwrap().working;
        let len = 100_000_u32;
        let chunk = file.windows(4).position(|kind| kind == b"VP8L").unwrap();
        file[chunk + 4..chunk + 8].copy_from_slice(&len.to_le_bytes());
        file.resize(200_000, 0);
        let read = ForeignHeader::read(ConvertibleFormat::WebP, &file).unwrap();
        assert!(read.working > before + 390 * u64::from(len), "{read:?}");
    }
}
