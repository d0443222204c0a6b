//! JPEG to pixels and back, behind one small trait.
//!
//! The default build uses zune-jpeg and jpeg-encoder, which need nothing but Rust. Another codec is another
//! implementation of [`JpegCodec`]; nobody outside this file names a JPEG crate.

use bytes::Bytes;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

/// Scans a progressive JPEG may have: cameras and editors write about 10; thousands are an attack on the CPU.
const MAX_SCANS: usize = 100;

/// How a pixel is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelFormat {
    /// Three bytes: red, green, blue.
    Rgb,
    /// One byte.
    Gray,
}

impl PixelFormat {
    /// Bytes of one pixel.
    pub fn bytes(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Gray => 1,
        }
    }
}

/// An uncompressed picture: rows from the top, without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    width: u16,
    height: u16,
    format: PixelFormat,
    data: Vec<u8>,
}

impl Pixels {
    /// Takes `data` as a picture.
    ///
    /// # Errors
    /// [`CodecError::Size`] when a side is 0 or `data` is not exactly `width × height` pixels long.
    pub fn new(width: u16, height: u16, format: PixelFormat, data: Vec<u8>) -> Result<Self, CodecError> {
        let wanted = usize::from(width) * usize::from(height) * format.bytes();
        if wanted == 0 || data.len() != wanted {
            return Err(CodecError::Size { width, height, wanted, got: data.len() });
        }
        Ok(Self { width, height, format, data })
    }

    /// Width in pixels, at least 1.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Height in pixels, at least 1.
    pub fn height(&self) -> u16 {
        self.height
    }

    /// How a pixel is stored.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// The bytes, row by row.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The bytes, to draw on.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }
}

/// How much of a picture is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// JPEG quality, 1 to 100.
    pub percent: u8,
    /// Keep colour at full resolution: thin coloured letters blur without it.
    pub full_colour: bool,
}

impl Quality {
    /// For photographs and patterns: 85, 4:2:0.
    pub const PICTURE: Self = Self { percent: 85, full_colour: false };
    /// For letters on a plain ground: 90, 4:4:4.
    pub const LETTERS: Self = Self { percent: 90, full_colour: true };
}

/// Why a picture was not decoded or encoded.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The buffer does not fit the size.
    #[error("{width}x{height} pixels take {wanted} bytes and at least one pixel, but the buffer has {got}")]
    Size {
        /// Width in pixels.
        width: u16,
        /// Height in pixels.
        height: u16,
        /// Bytes that fit the size.
        wanted: usize,
        /// Bytes given.
        got: usize,
    },
    /// More pixels than allowed; nothing was decoded.
    #[error("the picture is {width}x{height} pixels, at most {max_pixels} pixels in all are taken")]
    TooManyPixels {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// The limit.
        max_pixels: u64,
    },
    /// A side longer than a JPEG can have.
    #[error("cannot draw {width}x{height} pixels: a JPEG has at most 65535 on a side")]
    Side {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The JPEG is damaged, or of a kind the decoder does not know.
    #[error("the JPEG cannot be decoded: {0}")]
    Decode(String),
    /// The encoder failed.
    #[error("the picture cannot be encoded as JPEG")]
    Encode(#[from] jpeg_encoder::EncodingError),
}

/// Decodes and encodes JPEG.
pub trait JpegCodec: Send + Sync {
    /// What runs, for people: crate names.
    fn name(&self) -> &'static str;

    /// Decodes a whole JPEG: grey stays grey, everything else becomes RGB.
    ///
    /// # Errors
    /// [`CodecError::TooManyPixels`] before anything is allocated; [`CodecError::Decode`] for damaged data.
    fn decode(&self, jpeg: &[u8], max_pixels: u64) -> Result<Pixels, CodecError>;

    /// Encodes a baseline JPEG with its tables.
    ///
    /// # Errors
    /// [`CodecError::Encode`] when the encoder refuses.
    fn encode(&self, pixels: &Pixels, quality: Quality) -> Result<Bytes, CodecError>;
}

/// The codec of this build.
pub fn codec() -> &'static dyn JpegCodec {
    &PureRust
}

/// zune-jpeg and jpeg-encoder.
#[derive(Debug, Clone, Copy, Default)]
pub struct PureRust;

impl JpegCodec for PureRust {
    fn name(&self) -> &'static str {
        "zune-jpeg, jpeg-encoder"
    }

    fn decode(&self, jpeg: &[u8], max_pixels: u64) -> Result<Pixels, CodecError> {
        // Strict: the tolerant mode takes a frame cut in half for a whole one.
        let options = DecoderOptions::default()
            .set_strict_mode(true)
            .set_max_width(usize::from(u16::MAX))
            .set_max_height(usize::from(u16::MAX))
            .jpeg_set_max_scans(MAX_SCANS);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
        let failed = |error: zune_jpeg::errors::DecodeErrors| CodecError::Decode(error.to_string());
        decoder.decode_headers().map_err(failed)?;
        let gray = decoder.input_colorspace() == Some(ColorSpace::Luma);
        let (format, space) =
            if gray { (PixelFormat::Gray, ColorSpace::Luma) } else { (PixelFormat::Rgb, ColorSpace::RGB) };
        decoder.set_options(options.jpeg_set_out_colorspace(space));
        let info = decoder.info().ok_or_else(|| CodecError::Decode("it has no frame header".into()))?;
        if u64::from(info.width) * u64::from(info.height) > max_pixels {
            let (width, height) = (info.width.into(), info.height.into());
            return Err(CodecError::TooManyPixels { width, height, max_pixels });
        }
        let data = decoder.decode().map_err(failed)?;
        Pixels::new(info.width, info.height, format, data)
    }

    fn encode(&self, pixels: &Pixels, quality: Quality) -> Result<Bytes, CodecError> {
        // About a byte for four pixels at quality 85: most pictures need no second allocation.
        let mut jpeg = Vec::with_capacity(usize::from(pixels.width) * usize::from(pixels.height) / 4 + 1024);
        let mut encoder = Encoder::new(&mut jpeg, quality.percent);
        encoder.set_sampling_factor(if quality.full_colour {
            SamplingFactor::R_4_4_4
        } else {
            SamplingFactor::R_4_2_0
        });
        let colour = match pixels.format {
            PixelFormat::Rgb => ColorType::Rgb,
            PixelFormat::Gray => ColorType::Luma,
        };
        encoder.encode(&pixels.data, pixels.width, pixels.height, colour)?;
        Ok(jpeg.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slope(width: u16, height: u16, format: PixelFormat) -> Pixels {
        let pixel =
            |n: usize| -> u8 { (n / format.bytes() % usize::from(width) * 255 / usize::from(width)) as u8 };
        let len = usize::from(width) * usize::from(height) * format.bytes();
        Pixels::new(width, height, format, (0..len).map(pixel).collect()).unwrap()
    }

    #[test]
    fn a_picture_survives_the_way_there_and_back() {
        for format in [PixelFormat::Rgb, PixelFormat::Gray] {
            for quality in [Quality::PICTURE, Quality::LETTERS] {
                let before = slope(67, 35, format);
                let jpeg = codec().encode(&before, quality).unwrap();
                let after = codec().decode(&jpeg, 10_000).unwrap();
                assert_eq!((after.width(), after.height(), after.format()), (67, 35, format));
                let worst =
                    before.data().iter().zip(after.data()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                assert!(worst < 24, "{format:?} {quality:?}: a pixel is off by {worst}");
            }
        }
    }

    #[test]
    fn too_many_pixels_are_refused_before_decoding() {
        let jpeg = codec().encode(&slope(64, 64, PixelFormat::Rgb), Quality::PICTURE).unwrap();
        let error = codec().decode(&jpeg, 64 * 64 - 1).unwrap_err();
        assert!(matches!(error, CodecError::TooManyPixels { width: 64, height: 64, .. }), "{error}");
    }

    #[test]
    fn a_header_that_claims_a_giant_allocates_nothing() {
        let mut jpeg = codec().encode(&slope(64, 64, PixelFormat::Rgb), Quality::PICTURE).unwrap().to_vec();
        let sof = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        jpeg[sof + 5..sof + 9].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);
        let error = codec().decode(&jpeg, 50_000_000).unwrap_err();
        assert!(matches!(error, CodecError::TooManyPixels { width: 65500, .. }), "{error}");
    }

    #[test]
    fn half_a_jpeg_is_an_error_not_half_a_picture() {
        let jpeg = codec().encode(&slope(320, 240, PixelFormat::Rgb), Quality::PICTURE).unwrap();
        assert!(codec().decode(&jpeg[..jpeg.len() / 2], 1_000_000).is_err());
    }

    #[test]
    fn a_buffer_of_the_wrong_length_is_no_picture() {
        assert!(Pixels::new(4, 4, PixelFormat::Rgb, vec![0; 47]).is_err());
        assert!(Pixels::new(0, 4, PixelFormat::Rgb, vec![]).is_err());
    }
}
