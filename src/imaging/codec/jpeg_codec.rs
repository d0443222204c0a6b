//! The trait of a JPEG codec, and the settings of its methods.

use bytes::Bytes;

use super::{error::CodecError, pixels::Pixels};
use crate::{
    config::Encode,
    imaging::ycbcr::{Planes, Sampling},
};

/// Maximum number of scans in a progressive JPEG: cameras and editors write about 10; thousands are an attack
/// on the CPU.
pub(super) const MAX_SCANS: u16 = 100;

/// The quality of an encoded picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// JPEG quality, 1 to 100.
    pub percent: u8,
    /// 4:4:4, 4:2:2 or 4:2:0: thin coloured letters blur unless it is the first.
    pub sampling: Sampling,
}

impl From<Encode> for Quality {
    fn from(Encode { quality, subsampling }: Encode) -> Self {
        Self { percent: quality, sampling: subsampling.into() }
    }
}

impl Quality {
    /// The quality of photographs and patterns: 85, 4:2:0.
    pub const PICTURE: Self = Self { percent: 85, sampling: Sampling::S420 };
    /// The quality of letters on a plain background: 90, 4:4:4.
    pub const LETTERS: Self = Self { percent: 90, sampling: Sampling::S444 };
}

/// The settings of [`JpegCodec::decode_planes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Divisor of the picture's sides: 1, 2, 4 or 8, at most [`JpegCodec::max_denominator`].
    pub denominator: u8,
    /// Decodes the brightness only.
    pub gray: bool,
    /// Maximum number of pixels of the JPEG, however small it is decoded.
    pub max_pixels: u64,
}

/// Decodes and encodes JPEG.
pub trait JpegCodec: Send + Sync {
    /// Returns the name of the codec's crate, for people.
    fn name(&self) -> &'static str;

    /// Returns the largest [`DecodeOptions::denominator`]: 1 for a codec that decodes at full size only.
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
    fn decode_planes(
        &self,
        jpeg: &[u8],
        wanted: DecodeOptions,
        planes: &mut Planes,
    ) -> Result<(), CodecError>;

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

/// Checks a picture's size before memory is allocated for it.
pub(super) fn check_pixels(width: usize, height: usize, max_pixels: u64) -> Result<(), CodecError> {
    let pixels = (width as u64).saturating_mul(height as u64);
    if pixels > max_pixels { Err(CodecError::TooManyPixels { width, height, max_pixels }) } else { Ok(()) }
}
