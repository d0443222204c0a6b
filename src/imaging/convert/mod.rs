//! Converts a picture file of any format to a frame.
//!
//! A JPEG is checked and keeps its bytes. PNG, WebP, GIF and BMP are decoded and encoded anew; that takes
//! milliseconds and belongs in the [`CpuPool`](crate::imaging::CpuPool). [`conversion_size`] returns
//! beforehand how much memory it takes. The size is read from the header, before memory is taken for pixels.

mod error;
mod format;
mod header;
#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    io::{Cursor, ErrorKind},
};

use bytes::Bytes;
pub use error::PictureError;
use format::{ConvertibleFormat, looks_like};
use header::{BASE_BYTES, ForeignHeader};
use image::{ColorType, ImageDecoder, ImageError, ImageReader, error::LimitErrorKind};

use super::codec::{CodecError, PixelFormat, Pixels, Quality, codec};
use crate::{
    config::{Encode, Limits},
    media::{
        frame::{Frame, FrameEncoding},
        jpeg::JpegError,
    },
};

/// Most colours of a drawing: a chart with smoothed lines has some hundreds, a photograph as small as a
/// thumbnail ten thousand.
const MAX_DRAWN_COLORS: usize = 4096;

/// Upper bounds of the size of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureLimits {
    /// Largest file in bytes; also the largest JPEG made from it.
    pub max_frame_bytes: usize,
    /// Maximum number of pixels, width times height.
    pub max_frame_pixels: u64,
}

impl From<&Limits> for PictureLimits {
    fn from(limits: &Limits) -> Self {
        Self { max_frame_bytes: limits.max_frame_bytes, max_frame_pixels: limits.max_frame_pixels }
    }
}

/// Returns whether [`to_frame`] would decode and encode these bytes.
pub fn needs_conversion(bytes: &[u8]) -> bool {
    ConvertibleFormat::detect(bytes).is_some()
}

/// Returns the size of a file that [`to_frame`] decodes and encodes, and that should therefore be converted
/// in the pool; `None` for a file that it does not decode. `encode` is that of [`to_frame_with`].
///
/// # Errors
/// [`PictureError`] when the header is refused.
pub fn conversion_size(
    bytes: &[u8],
    limits: PictureLimits,
    encode: Option<Encode>,
) -> Result<Option<ConversionSize>, PictureError> {
    let Some(format) = ConvertibleFormat::detect(bytes) else { return Ok(None) };
    let header = header(bytes, format, limits)?;
    let ForeignHeader { width, height, .. } = header;
    let quality = encode.map_or(Quality::LETTERS.percent, |encode| encode.quality);
    Ok(Some(ConversionSize { width, height, bytes: header.bytes(bytes.len(), quality) }))
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

/// Converts a picture file to a frame. A JPEG keeps its very bytes; another format is decoded (the first
/// picture of several, transparency on white) and encoded: with full colours if it has few or was drawn on
/// transparency, since letters and lines would blur, otherwise as photographs are.
///
/// # Errors
/// [`PictureError`]; nothing large is allocated for a picture that is refused.
pub fn to_frame(bytes: Bytes, limits: PictureLimits) -> Result<Frame, PictureError> {
    to_frame_with(bytes, limits, None)
}

/// Converts a picture file to a frame as [`to_frame`], for a stream whose only transform is `encode`: what is
/// encoded here is encoded as that says, and not again.
///
/// # Errors
/// As [`to_frame`].
pub fn to_frame_with(
    bytes: Bytes,
    limits: PictureLimits,
    encode: Option<Encode>,
) -> Result<Frame, PictureError> {
    if bytes.len() > limits.max_frame_bytes {
        return Err(PictureError::TooLarge { len: bytes.len(), max: limits.max_frame_bytes });
    }
    if let Some(format) = ConvertibleFormat::detect(&bytes) {
        let (pixels, has_alpha) = decode(&bytes, format, limits)?;
        let (quality, encoding) = match encode {
            Some(encode) => (encode.into(), FrameEncoding::Final),
            None if has_alpha || has_few_colors(&pixels) => (Quality::LETTERS, FrameEncoding::Sharp),
            None => (Quality::PICTURE, FrameEncoding::Received),
        };
        let jpeg = codec().encode(&pixels, quality).map_err(|error| undecodable(format, &error))?;
        if jpeg.len() > limits.max_frame_bytes {
            return Err(PictureError::TooLarge { len: jpeg.len(), max: limits.max_frame_bytes });
        }
        let frame = Frame::from_jpeg(jpeg).map_err(|error| undecodable(format, &error))?;
        return Ok(frame.with_encoding(encoding));
    }
    if crate::media::jpeg::start(&bytes).is_none() {
        return Err(PictureError::NotAPicture { looks_like: looks_like(&bytes) });
    }
    let len = bytes.len();
    let frame = Frame::from_jpeg(bytes).map_err(|error| jpeg_error(len, &error))?;
    check_size(frame.width().into(), frame.height().into(), limits)?;
    Ok(frame)
}

/// Returns the header, if the picture's size is accepted.
fn header(
    bytes: &[u8],
    format: ConvertibleFormat,
    limits: PictureLimits,
) -> Result<ForeignHeader, PictureError> {
    let truncated = PictureError::Truncated { format: format.name(), len: bytes.len() };
    let header = ForeignHeader::read(format, bytes).ok_or(truncated)?;
    check_size(header.width, header.height, limits)?;
    Ok(header)
}

/// Returns whether a picture has no more colours than drawings, charts and screens of text have.
fn has_few_colors(pixels: &Pixels) -> bool {
    let mut colors = HashSet::new();
    let mut before: &[u8] = &[];
    for pixel in pixels.data().chunks_exact(pixels.format().bytes()) {
        // Most of a drawing is its background.
        if pixel != before && colors.insert(pixel) && colors.len() > MAX_DRAWN_COLORS {
            return false;
        }
        before = pixel;
    }
    true
}

/// Decodes a foreign format to RGB or grey. Returns whether it had an alpha channel, too.
fn decode(
    bytes: &[u8],
    format: ConvertibleFormat,
    limits: PictureLimits,
) -> Result<(Pixels, bool), PictureError> {
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
    let pixels = Pixels::new(columns, rows, kind, data);
    Ok((pixels.map_err(|error: CodecError| undecodable(format, &error))?, color.has_alpha()))
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

fn undecodable(format: ConvertibleFormat, error: &dyn std::error::Error) -> PictureError {
    PictureError::Undecodable { format: format.name(), reason: error.to_string() }
}

fn too_much_memory(format: ConvertibleFormat) -> PictureError {
    let reason = "decoding it takes more memory than its size explains".to_owned();
    PictureError::Undecodable { format: format.name(), reason }
}

fn image_error(error: ImageError, format: ConvertibleFormat, len: usize) -> PictureError {
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

/// Converts the error of a JPEG: one that only lacks its end is cut off, any other is damaged.
fn jpeg_error(len: usize, error: &JpegError) -> PictureError {
    match error {
        JpegError::Truncated { .. } => PictureError::Truncated { format: "JPEG", len },
        other => PictureError::Undecodable { format: "JPEG", reason: other.to_string() },
    }
}
