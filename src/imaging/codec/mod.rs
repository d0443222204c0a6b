//! JPEG to pixels and back, behind one small trait.
//!
//! The default build uses libjpeg-turbo (`turbo`), which also decodes at a fraction of the size; without the
//! feature `turbo` it is zune-jpeg and jpeg-encoder (`pure`), which need nothing but Rust. No code outside
//! this folder names a JPEG crate.

mod pure;
#[cfg(feature = "turbo")]
mod turbo;

use bytes::Bytes;
pub use pure::PureRust;
#[cfg(feature = "turbo")]
pub use turbo::Turbo;

use super::ycbcr::{Planes, Sampling};

/// Scans a progressive JPEG may have: cameras and editors write about 10; thousands are an attack on the CPU.
const MAX_SCANS: u16 = 100;

/// The layout of a pixel in memory.
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

    /// Returns the layout of a pixel in memory.
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
    #[error("the picture cannot be encoded as JPEG: {0}")]
    Encode(String),
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

/// The codec of this build.
#[cfg(feature = "turbo")]
pub fn codec() -> &'static dyn JpegCodec {
    &Turbo
}

/// The codec of this build.
#[cfg(not(feature = "turbo"))]
pub fn codec() -> &'static dyn JpegCodec {
    &PureRust
}

/// Judges a picture's size by its header, before memory is taken.
fn check_pixels(width: usize, height: usize, max_pixels: u64) -> Result<(), CodecError> {
    let pixels = (width as u64).saturating_mul(height as u64);
    if pixels > max_pixels { Err(CodecError::TooManyPixels { width, height, max_pixels }) } else { Ok(()) }
}

/// Takes RGB apart, one colour for each pixel: for JPEGs that hold RGB or an unusual sampling.
pub(crate) fn planes_from_rgb(pixels: &Pixels, planes: &mut Planes) -> Result<(), CodecError> {
    planes.reshape(pixels.width.into(), pixels.height.into(), Sampling::S444)?;
    let len = pixels.data.len() / 3;
    let (brightness, colours) = planes.all_mut().split_at_mut(len);
    let (blue, red) = colours.split_at_mut(len);
    for (n, rgb) in pixels.data.chunks_exact(3).enumerate() {
        let color = crate::config::Color { r: rgb[0], g: rgb[1], b: rgb[2] };
        [brightness[n], blue[n], red[n]] = super::ycbcr::from_rgb(color);
    }
    Ok(())
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

    fn wanted(denominator: u8, gray: bool) -> Wanted {
        Wanted { denominator, gray, max_pixels: 1_000_000 }
    }

    #[test]
    fn planes_survive_the_way_there_and_back_at_every_sampling_and_odd_sides() {
        for sampling in [Sampling::Gray, Sampling::S444, Sampling::S422, Sampling::S420] {
            for (width, height) in [(64, 48), (67, 35), (1, 1), (2, 9)] {
                let mut before = Planes::default();
                before.reshape(width, height, sampling).unwrap();
                for n in 0..sampling.planes() {
                    let (columns, _) = before.size_of(n);
                    for (at, byte) in before.plane_mut(n).iter_mut().enumerate() {
                        *byte = (60 + 100 * (at % columns) / columns + 10 * n) as u8;
                    }
                }
                let jpeg = codec().encode_planes(&before, 92).unwrap();
                let mut after = Planes::default();
                codec().decode_planes(&jpeg, wanted(1, false), &mut after).unwrap();
                assert_eq!((after.width(), after.height()), (width, height));
                for (x, y) in [(0, 0), (width - 1, height - 1), (width / 2, height / 2)] {
                    let (a, b) = (before.rgb(x, y), after.rgb(x, y));
                    let off = a.iter().zip(b).map(|(a, b)| a.abs_diff(b)).max().unwrap();
                    assert!(off < 24, "{sampling:?} {width}x{height} at {x},{y}: {a:?} became {b:?}");
                }
                codec().decode_planes(&jpeg, wanted(1, true), &mut after).unwrap();
                assert_eq!(after.sampling(), Sampling::Gray);
                assert!(after.rgb(0, 0)[0].abs_diff(60) < 12);
            }
        }
    }

    #[test]
    fn a_fraction_of_the_picture_is_the_picture_smaller() {
        let jpeg = codec().encode(&slope(67, 35, PixelFormat::Rgb), Quality::PICTURE).unwrap();
        let mut planes = Planes::default();
        for denominator in [1, 2, 4, 8].into_iter().filter(|&d| d <= codec().max_denominator()) {
            codec().decode_planes(&jpeg, wanted(denominator, false), &mut planes).unwrap();
            let side = |side: usize| side.div_ceil(denominator.into());
            assert_eq!((planes.width(), planes.height()), (side(67), side(35)));
            assert!(planes.rgb(side(67) - 1, 0)[0] > 215 && planes.rgb(0, 0)[0] < 40, "1/{denominator}");
        }
    }

    #[test]
    fn too_many_pixels_are_refused_before_planes_are_decoded() {
        let mut jpeg = codec().encode(&slope(64, 64, PixelFormat::Rgb), Quality::PICTURE).unwrap().to_vec();
        let sof = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        jpeg[sof + 5..sof + 9].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);
        let mut planes = Planes::default();
        for gray in [false, true] {
            let error = codec().decode_planes(&jpeg, wanted(1, gray), &mut planes).unwrap_err();
            assert!(matches!(error, CodecError::TooManyPixels { width: 65500, .. }), "{error}");
        }
        assert!(planes.capacity() < 1000, "nothing was allocated");
    }

    #[test]
    fn half_a_jpeg_gives_no_planes() {
        let jpeg = codec().encode(&slope(320, 240, PixelFormat::Rgb), Quality::PICTURE).unwrap();
        let mut planes = Planes::default();
        assert!(codec().decode_planes(&jpeg[..jpeg.len() / 2], wanted(1, false), &mut planes).is_err());
    }

    #[test]
    fn a_buffer_of_the_wrong_length_is_no_picture() {
        assert!(Pixels::new(4, 4, PixelFormat::Rgb, vec![0; 47]).is_err());
        assert!(Pixels::new(0, 4, PixelFormat::Rgb, vec![]).is_err());
    }
}
