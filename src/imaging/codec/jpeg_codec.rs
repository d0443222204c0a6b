//! The trait of a JPEG codec, and what may be asked of one.

use bytes::Bytes;

use super::{error::CodecError, pixels::Pixels};
use crate::imaging::ycbcr::Planes;

/// Scans a progressive JPEG may have: cameras and editors write about 10; thousands are an attack on the CPU.
pub(super) const MAX_SCANS: u16 = 100;

/// The quality of an encoded picture.
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

/// The result that is wanted of [`JpegCodec::decode_planes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The picture divided by 1, 2, 4 or 8. Only as large as [`JpegCodec::max_denominator`].
    pub denominator: u8,
    /// Brightness only.
    pub gray: bool,
    /// Most pixels that the JPEG may have, whatever is decoded of it.
    pub max_pixels: u64,
}

/// Decodes and encodes JPEG.
pub trait JpegCodec: Send + Sync {
    /// Returns the name of the codec's crate, for people.
    fn name(&self) -> &'static str;

    /// The largest [`Wanted::denominator`]: 1 for a codec that decodes at full size only.
    fn max_denominator(&self) -> u8;

    /// Decodes a whole JPEG: grey stays grey, everything else becomes RGB.
    ///
    /// # Errors
    /// [`CodecError::TooManyPixels`] before anything is allocated; [`CodecError::Decode`] for damaged data.
    fn decode(&self, jpeg: &[u8], max_pixels: u64) -> Result<Pixels, CodecError>;

    /// Decodes a whole JPEG into planes, whose memory is used again. The sampling is the JPEG's own, or a
    /// finer one.
    ///
    /// # Errors
    /// As [`JpegCodec::decode`]; what the planes hold then is of no use.
    fn decode_planes(&self, jpeg: &[u8], wanted: Wanted, planes: &mut Planes) -> Result<(), CodecError>;

    /// Encodes a baseline JPEG with its tables.
    ///
    /// # Errors
    /// [`CodecError::Encode`] when the encoder refuses.
    fn encode(&self, pixels: &Pixels, quality: Quality) -> Result<Bytes, CodecError>;

    /// Encodes planes of sampling grey, 4:4:4, 4:2:2 or 4:2:0 as a baseline JPEG with its tables; `percent`
    /// is the quality, 1 to 100.
    ///
    /// # Errors
    /// [`CodecError::Encode`] for another sampling, or when the encoder refuses.
    fn encode_planes(&self, planes: &Planes, percent: u8) -> Result<Bytes, CodecError>;
}

/// Judges a picture's size by its header, before memory is taken.
pub(super) fn check_pixels(width: usize, height: usize, max_pixels: u64) -> Result<(), CodecError> {
    let pixels = (width as u64).saturating_mul(height as u64);
    if pixels > max_pixels { Err(CodecError::TooManyPixels { width, height, max_pixels }) } else { Ok(()) }
}
