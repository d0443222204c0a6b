//! Any picture file to a frame.
//!
//! A JPEG passes as it is: the very bytes, checked. PNG, WebP, GIF and BMP are decoded and encoded anew; that
//! takes milliseconds and belongs in the [`Pool`](crate::imaging::Pool): [`conversion_bytes`] says
//! beforehand, with the memory that it takes. Size is judged from the header, before memory is taken for
//! pixels.

use std::io::{Cursor, ErrorKind};

use bytes::Bytes;
use image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, error::LimitErrorKind};

use super::{
    codec::{CodecError, PixelFormat, Pixels, Quality, codec},
    cpu_pool::footprint::{BASE_BYTES, Foreign},
};
use crate::{
    config::Limits,
    media::{frame::Frame, jpeg::JpegError},
};

/// Number of the first bytes that an error shows if their format is unknown.
const SHOWN_BYTES: usize = 4;

/// Upper bounds of the size of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureLimits {
    /// Largest file, in bytes; also of the JPEG made from it.
    pub max_frame_bytes: usize,
    /// Most pixels, width times height.
    pub max_frame_pixels: u64,
}

impl From<&Limits> for PictureLimits {
    fn from(limits: &Limits) -> Self {
        Self { max_frame_bytes: limits.max_frame_bytes, max_frame_pixels: limits.max_frame_pixels }
    }
}

/// Why bytes are not taken as a picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The first bytes are those of something else.
    #[error("not a picture but {looks_like}; JPEG, PNG, WebP, GIF and BMP are taken")]
    NotAPicture {
        /// The format that the first bytes look like.
        looks_like: String,
    },
    /// The file ends in the middle of the picture.
    #[error("the {format} is cut off after {len} bytes; send the whole file")]
    Truncated {
        /// The file format.
        format: &'static str,
        /// Bytes there are.
        len: usize,
    },
    /// More bytes than allowed.
    #[error("the picture has {len} bytes, at most {max} are taken (limits.max_frame_bytes)")]
    TooLarge {
        /// Bytes of the file, or of the JPEG made from it.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// More pixels than allowed.
    #[error(
        "the picture is {width}x{height} pixels, at most {max} pixels in all are taken \
         (limits.max_frame_pixels)"
    )]
    TooManyPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The limit.
        max: u64,
    },
    /// A side longer than a JPEG can have.
    #[error("the picture is {width}x{height} pixels, but a JPEG has at most 65535 on a side")]
    TooLong {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// More memory than conversions of pushed files may have.
    #[error(
        "the picture is {width}x{height} pixels and takes {needed} bytes of memory to be decoded and \
         encoded, but pushed files may have {most}, nine sixteenths of limits.max_decode_bytes"
    )]
    TooMuchMemory {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Bytes that it needs.
        needed: usize,
        /// Bytes in total.
        most: usize,
    },
    /// Damaged, or of a kind the decoder does not know.
    #[error("the {format} is damaged or of an unusual kind: {reason}")]
    Undecodable {
        /// The file format.
        format: &'static str,
        /// The decoder's words.
        reason: String,
    },
}

/// A file format that is converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForeignFormat {
    Png,
    WebP,
    Gif,
    Bmp,
}

impl ForeignFormat {
    fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
        }
    }
}

impl From<ForeignFormat> for ImageFormat {
    fn from(format: ForeignFormat) -> Self {
        match format {
            ForeignFormat::Png => Self::Png,
            ForeignFormat::WebP => Self::WebP,
            ForeignFormat::Gif => Self::Gif,
            ForeignFormat::Bmp => Self::Bmp,
        }
    }
}

/// Returns whether [`to_jpeg`] would decode and encode these bytes.
pub fn needs_conversion(bytes: &[u8]) -> bool {
    foreign_format(bytes).is_some()
}

/// Returns the size of a file that [`to_jpeg`] decodes and encodes, and that should therefore be converted in
/// the pool; `None` for a file that it does not decode.
///
/// # Errors
/// [`PictureError`] when the header is refused.
pub fn conversion_bytes(bytes: &[u8], limits: PictureLimits) -> Result<Option<ConversionSize>, PictureError> {
    let Some(format) = foreign_format(bytes) else { return Ok(None) };
    let header = header(bytes, format, limits)?;
    let Foreign { width, height, .. } = header;
    Ok(Some(ConversionSize { width, height, bytes: header.bytes(bytes.len()) }))
}

/// The size of a picture file once it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConversionSize {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bytes of memory that decoding and encoding need.
    pub bytes: usize,
}

/// A frame from a picture file: a JPEG's very bytes, or another format converted (the first picture of
/// several, transparency on white).
///
/// # Errors
/// [`PictureError`]; nothing large is allocated for a picture that is refused.
pub fn to_jpeg(bytes: Bytes, limits: PictureLimits) -> Result<Frame, PictureError> {
    if bytes.len() > limits.max_frame_bytes {
        return Err(PictureError::TooLarge { len: bytes.len(), max: limits.max_frame_bytes });
    }
    if let Some(format) = foreign_format(&bytes) {
        let pixels = decode(&bytes, format, limits)?;
        let jpeg = codec().encode(&pixels, Quality::PICTURE).map_err(|error| undecodable(format, &error))?;
        if jpeg.len() > limits.max_frame_bytes {
            return Err(PictureError::TooLarge { len: jpeg.len(), max: limits.max_frame_bytes });
        }
        return Frame::from_jpeg(jpeg).map_err(|error| undecodable(format, &error));
    }
    if !bytes.starts_with(&[0xFF, 0xD8]) {
        return Err(PictureError::NotAPicture { looks_like: looks_like(&bytes) });
    }
    let len = bytes.len();
    let frame = Frame::from_jpeg(bytes).map_err(|error| jpeg_error(len, &error))?;
    check_size(frame.width().into(), frame.height().into(), limits)?;
    Ok(frame)
}

/// A format that is converted, by its first bytes.
fn foreign_format(bytes: &[u8]) -> Option<ForeignFormat> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some(ForeignFormat::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(ForeignFormat::WebP),
        [b'G', b'I', b'F', b'8', ..] => Some(ForeignFormat::Gif),
        // Two letters alone would take any text that starts with "BM": the reserved field is 0.
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Some(ForeignFormat::Bmp),
        _ => None,
    }
}

/// Returns the header, if the picture's size is accepted.
fn header(bytes: &[u8], format: ForeignFormat, limits: PictureLimits) -> Result<Foreign, PictureError> {
    let truncated = PictureError::Truncated { format: format.name(), len: bytes.len() };
    let header = Foreign::read(format, bytes).ok_or(truncated)?;
    check_size(header.width, header.height, limits)?;
    Ok(header)
}

/// Decodes a foreign format to RGB or grey.
fn decode(bytes: &[u8], format: ForeignFormat, limits: PictureLimits) -> Result<Pixels, PictureError> {
    let failed = |error: ImageError| image_error(error, format, bytes.len());
    let header = header(bytes, format, limits)?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format.into());
    let mut allowed = image::Limits::default();
    allowed.max_alloc = Some(header.working + BASE_BYTES);
    reader.limits(allowed);
    let decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, limits)?;
    let sides = (u16::try_from(width), u16::try_from(height));
    let (Ok(columns), Ok(rows)) = sides else { return Err(PictureError::TooLong { width, height }) };
    if decoder.total_bytes() > header.decoded {
        // Whatever else it is, no memory was reserved for it.
        return Err(too_much_memory(format));
    }
    let color = decoder.color_type();
    let mut data = vec![0; usize::try_from(decoder.total_bytes()).map_err(|_| too_much_memory(format))?];
    decoder.read_image(&mut data).map_err(failed)?;
    let kind = flatten(&mut data, color).ok_or_else(|| PictureError::Undecodable {
        format: format.name(),
        reason: format!("its pixels are {color:?}"),
    })?;
    Pixels::new(columns, rows, kind, data).map_err(|error: CodecError| undecodable(format, &error))
}

/// Converts pixels in place to 8 bits a channel, with transparency on white: most pictures with transparency
/// were drawn for a page. Returns `None` for pixels that no decoder here produces.
fn flatten(data: &mut Vec<u8>, color: ColorType) -> Option<PixelFormat> {
    let (channels, is_wide, has_alpha) = match color {
        ColorType::L8 => return Some(PixelFormat::Gray),
        ColorType::Rgb8 => return Some(PixelFormat::Rgb),
        ColorType::La8 => (1, false, true),
        ColorType::Rgba8 => (3, false, true),
        ColorType::L16 => (1, true, false),
        ColorType::La16 => (1, true, true),
        ColorType::Rgb16 => (3, true, false),
        ColorType::Rgba16 => (3, true, true),
        _ => return None,
    };
    let (sample, samples) = (if is_wide { 2 } else { 1 }, channels + usize::from(has_alpha));
    let mut written = 0;
    for pixel in (0..data.len()).step_by(samples * sample) {
        let value = |data: &[u8], n: usize| -> u32 {
            let at = pixel + n * sample;
            if is_wide {
                // As the image crate rounds it: 65535 becomes 255.
                (u32::from(u16::from_ne_bytes([data[at], data[at + 1]])) + 128) / 257
            } else {
                data[at].into()
            }
        };
        let alpha = if has_alpha { value(data, channels) } else { 255 };
        for n in 0..channels {
            // Never ahead of the bytes that are still to be read.
            data[written] = ((value(data, n) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
            written += 1;
        }
    }
    data.truncate(written);
    data.shrink_to_fit();
    Some(if channels == 1 { PixelFormat::Gray } else { PixelFormat::Rgb })
}

fn check_size(width: u32, height: u32, limits: PictureLimits) -> Result<(), PictureError> {
    let max = limits.max_frame_pixels;
    if u64::from(width) * u64::from(height) > max {
        return Err(PictureError::TooManyPixels { width, height, max });
    }
    Ok(())
}

fn undecodable(format: ForeignFormat, error: &dyn std::error::Error) -> PictureError {
    PictureError::Undecodable { format: format.name(), reason: error.to_string() }
}

fn too_much_memory(format: ForeignFormat) -> PictureError {
    let reason = "decoding it takes more memory than its size explains".to_owned();
    PictureError::Undecodable { format: format.name(), reason }
}

fn image_error(error: ImageError, format: ForeignFormat, len: usize) -> PictureError {
    match &error {
        ImageError::IoError(io) if io.kind() == ErrorKind::UnexpectedEof => {
            PictureError::Truncated { format: format.name(), len }
        }
        ImageError::Limits(limit) if matches!(limit.kind(), LimitErrorKind::InsufficientMemory) => {
            too_much_memory(format)
        }
        other => undecodable(format, other),
    }
}

/// A JPEG that only lacks its end is cut off; any other complaint is damage.
fn jpeg_error(len: usize, error: &JpegError) -> PictureError {
    match error {
        JpegError::Truncated { .. } => PictureError::Truncated { format: "JPEG", len },
        other => PictureError::Undecodable { format: "JPEG", reason: other.to_string() },
    }
}

/// Names what is no picture, so that whoever sent it sees the mistake.
fn looks_like(bytes: &[u8]) -> String {
    let text = bytes.trim_ascii_start();
    let lower = text[..text.len().min(64)].to_ascii_lowercase();
    let known = match bytes {
        [] => Some("an empty body"),
        [b'%', b'P', b'D', b'F', ..] => Some("a PDF"),
        [b'P', b'K', 3, 4, ..] => Some("a ZIP archive"),
        [0x1F, 0x8B, ..] => Some("gzip data"),
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => Some("a TIFF"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', ..] => Some("an AVIF"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'h' | b'm', b'e' | b'i', ..] => Some("a HEIC"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("an MP4"),
        [0x1A, 0x45, 0xDF, 0xA3, ..] => Some("a Matroska or WebM video"),
        _ if lower.starts_with(b"<!doctype html") || lower.starts_with(b"<html") => Some("an HTML page"),
        _ if lower.starts_with(b"<svg") => Some("an SVG"),
        _ if lower.starts_with(b"<") => Some("XML"),
        _ if lower.starts_with(b"{") || lower.starts_with(b"[") => Some("JSON"),
        _ if lower.starts_with(b"--") => Some("multipart data"),
        _ if lower.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) => Some("text"),
        _ => None,
    };
    known.map_or_else(
        || {
            let first: Vec<_> = bytes.iter().take(SHOWN_BYTES).map(|byte| format!("{byte:02X}")).collect();
            format!("something that starts with {}", first.join(" "))
        },
        str::to_owned,
    )
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, ImageBuffer, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    const LIMITS: PictureLimits = PictureLimits { max_frame_bytes: 1 << 20, max_frame_pixels: 1_000_000 };

    fn file(image: &DynamicImage, format: ImageFormat) -> Bytes {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner().into()
    }

    fn red(width: u32, height: u32) -> DynamicImage {
        RgbImage::from_pixel(width, height, Rgb([200, 30, 40])).into()
    }

    fn pixel(frame: &Frame, at: usize) -> [u8; 3] {
        let pixels = codec().decode(frame.jpeg(), LIMITS.max_frame_pixels).unwrap();
        pixels.data()[at * 3..at * 3 + 3].try_into().unwrap()
    }

    fn close(a: [u8; 3], b: [u8; 3]) -> bool {
        a.iter().zip(b).all(|(a, b)| a.abs_diff(b) < 8)
    }

    fn jpeg() -> Bytes {
        let pixels = Pixels::new(32, 16, PixelFormat::Rgb, vec![90; 32 * 16 * 3]).unwrap();
        codec().encode(&pixels, Quality::PICTURE).unwrap()
    }

    #[test]
    fn a_jpeg_passes_as_the_very_same_bytes() {
        let jpeg = jpeg();
        assert!(!needs_conversion(&jpeg));
        let frame = to_jpeg(jpeg.clone(), LIMITS).unwrap();
        assert_eq!(frame.jpeg().as_ptr(), jpeg.as_ptr(), "not even copied");
        assert_eq!(frame.jpeg(), &jpeg);
    }

    #[test]
    fn other_formats_become_a_jpeg_of_the_same_picture() {
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Bmp] {
            let bytes = file(&red(40, 30), format);
            assert!(needs_conversion(&bytes), "{format:?}");
            let frame = to_jpeg(bytes, LIMITS).unwrap();
            assert_eq!((frame.width(), frame.height()), (40, 30), "{format:?}");
            assert!(close(pixel(&frame, 610), [200, 30, 40]), "{format:?}: {:?}", pixel(&frame, 610));
        }
    }

    #[test]
    fn transparency_is_white_and_grey_stays_grey() {
        let clear = RgbaImage::from_pixel(16, 16, Rgba([0, 0, 0, 0])).into();
        assert!(close(pixel(&to_jpeg(file(&clear, ImageFormat::Png), LIMITS).unwrap(), 100), [255; 3]));
        let half = RgbaImage::from_pixel(16, 16, Rgba([0, 0, 0, 128])).into();
        assert!(close(pixel(&to_jpeg(file(&half, ImageFormat::Png), LIMITS).unwrap(), 100), [127; 3]));
        let gray = DynamicImage::new_luma8(16, 16);
        assert_eq!(to_jpeg(file(&gray, ImageFormat::Png), LIMITS).unwrap().info().components, 1);
    }

    #[test]
    fn pixels_of_all_kinds_become_the_same_picture() {
        // Half of a colour that is not quite opaque, on white.
        let (wide, half) = (|byte: u8| u16::from(byte) * 257, 128_u16 * 257);
        let gray = |value: u16, alpha: u16| ImageBuffer::from_pixel(16, 16, LumaA([value, alpha]));
        let cases: [(DynamicImage, [u8; 3]); 6] = [
            (ImageBuffer::from_pixel(16, 16, LumaA([0_u8, 128])).into(), [127; 3]),
            (DynamicImage::ImageLumaA16(gray(0, half)), [127; 3]),
            (DynamicImage::ImageLuma16(ImageBuffer::from_pixel(16, 16, Luma([wide(60)]))), [60; 3]),
            (
                DynamicImage::ImageRgb16(ImageBuffer::from_pixel(16, 16, Rgb([200, 30, 40].map(wide)))),
                [200, 30, 40],
            ),
            (
                DynamicImage::ImageRgba16(ImageBuffer::from_pixel(
                    16,
                    16,
                    Rgba([wide(200), wide(30), wide(40), half]),
                )),
                [227, 142, 147],
            ),
            (RgbaImage::from_pixel(16, 16, Rgba([200, 30, 40, 128])).into(), [227, 142, 147]),
        ];
        for (image, expected) in cases {
            let color = image.color();
            let frame = to_jpeg(file(&image, ImageFormat::Png), LIMITS).unwrap();
            assert_eq!(frame.info().components == 1, !color.has_color(), "{color:?}");
            let pixels = codec().decode(frame.jpeg(), LIMITS.max_frame_pixels).unwrap();
            let channels = pixels.format().bytes();
            let seen = std::array::from_fn(|n| pixels.data()[100 * channels + n.min(channels - 1)]);
            assert!(close(seen, expected), "{color:?}: {seen:?} and not {expected:?}");
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_an_error_that_asks_for_the_whole() {
        let noise =
            RgbImage::from_fn(40, 30, |x, y| Rgb([(x * y) as u8, (x * 31) as u8, (y * 57) as u8])).into();
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Bmp] {
            let bytes = file(&noise, format);
            for end in [bytes.len() / 4, bytes.len() / 2, bytes.len() - 20] {
                assert!(to_jpeg(bytes.slice(..end), LIMITS).is_err(), "{format:?} cut at {end}");
            }
        }
        let png = file(&noise, ImageFormat::Png);
        let jpeg = jpeg();
        for cut in [png.slice(..png.len() / 2), jpeg.slice(..jpeg.len() / 2), jpeg.slice(..jpeg.len() - 1)] {
            let error = to_jpeg(cut, LIMITS).unwrap_err();
            assert!(matches!(error, PictureError::Truncated { .. }), "{error}");
            assert!(error.to_string().ends_with("send the whole file"));
        }
    }

    #[test]
    fn a_png_bomb_is_refused_by_its_header() {
        // 50,000 × 50,000 pixels in a few bytes: decoding it would take 7.5 GB.
        let mut png = file(&red(1, 1), ImageFormat::Png).to_vec();
        png[16..24].copy_from_slice(&[0, 0, 0xC3, 0x50, 0, 0, 0xC3, 0x50]);
        let crc = crc32(&png[12..29]);
        png[29..33].copy_from_slice(&crc.to_be_bytes());
        let error = to_jpeg(png.into(), LIMITS).unwrap_err();
        assert!(matches!(error, PictureError::TooManyPixels { width: 50_000, .. }), "{error}");
    }

    #[test]
    fn limits_hold_for_jpegs_too() {
        let few = PictureLimits { max_frame_pixels: 511, ..LIMITS };
        assert!(matches!(to_jpeg(jpeg(), few), Err(PictureError::TooManyPixels { width: 32, .. })));
        let small = PictureLimits { max_frame_bytes: 100, ..LIMITS };
        assert!(matches!(to_jpeg(jpeg(), small), Err(PictureError::TooLarge { max: 100, .. })));
        let long = file(&red(65_536, 1), ImageFormat::Png);
        assert!(matches!(to_jpeg(long, LIMITS), Err(PictureError::TooLong { width: 65_536, .. })));
    }

    #[test]
    fn what_is_no_picture_is_named() {
        let cases: [(&[u8], &str); 9] = [
            (b"", "an empty body"),
            (b" <!DOCTYPE html><p>", "an HTML page"),
            (b"{\"a\": 1}", "JSON"),
            (b"hello", "text"),
            (b"BMW is not a bitmap", "text"),
            (b"%PDF-1.7", "a PDF"),
            (b"\0\0\0\x20ftypheic", "a HEIC"),
            (b"<svg xmlns=", "an SVG"),
            (&[1, 2, 0xFE, 0xFF, 9], "something that starts with 01 02 FE FF"),
        ];
        for (bytes, name) in cases {
            let error = to_jpeg(Bytes::from_static(bytes), LIMITS).unwrap_err().to_string();
            assert_eq!(error, format!("not a picture but {name}; JPEG, PNG, WebP, GIF and BMP are taken"));
        }
    }

    #[test]
    fn damage_inside_is_an_error_never_a_panic() {
        let whole = file(&red(64, 64), ImageFormat::Png).to_vec();
        for at in 8..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            let _ = to_jpeg(damaged.into(), LIMITS);
        }
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
        })
    }
}
