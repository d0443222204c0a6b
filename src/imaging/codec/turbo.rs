//! The codec of libjpeg-turbo, through turbojpeg's own objects: its one-call helpers discard a picture that
//! causes a warning.

use std::cell::RefCell;

use bytes::Bytes;
use turbojpeg::{
    Colorspace, Compressor, DecompressHeader, Decompressor, Image, OutputBuf, ScalingFactor, Subsamp,
    YuvImage, YuvPlanesImage,
};

use super::{
    error::CodecError,
    jpeg_codec::{DecodeOptions, JpegCodec, MAX_SCANS, Quality, check_pixels},
    pixels::{PixelFormat, Pixels, planes_from_rgb},
};
use crate::imaging::ycbcr::{Planes, Sampling};

/// The codec of libjpeg-turbo, which decodes at 1/2, 1/4 and 1/8 too.
#[derive(Debug, Clone, Copy, Default)]
pub struct Turbo;

/// The message of libjpeg-turbo for data that end before the picture does: the rest of the picture is grey.
const CUT_OFF: &str = "Premature end of JPEG file";

/// Beginnings of its other warnings, after which the picture can still be shown: extra bytes, a damaged
/// stretch.
const WARNINGS: [&str; 4] =
    ["Corrupt JPEG data", "Invalid SOS parameters", "Inconsistent progression", "Warning:"];

/// libjpeg-turbo's objects, which are kept: creating them costs more than a small picture.
struct Handles {
    decompressor: Decompressor,
    compressor: Compressor,
}

thread_local! {
    /// The objects of this thread, a worker of the pool.
    static HANDLES: RefCell<Option<Handles>> = const { RefCell::new(None) };
}

fn with_handles<T>(work: impl FnOnce(&mut Handles) -> Result<T, CodecError>) -> Result<T, CodecError> {
    HANDLES.with_borrow_mut(|kept| {
        let handles = match kept {
            Some(handles) => handles,
            None => kept.insert(new_handles().map_err(undecodable)?),
        };
        work(handles)
    })
}

fn new_handles() -> turbojpeg::Result<Handles> {
    let mut decompressor = Decompressor::new()?;
    decompressor.set_scan_limit(MAX_SCANS.into())?;
    Ok(Handles { decompressor, compressor: Compressor::new()? })
}

impl JpegCodec for Turbo {
    fn name(&self) -> &'static str {
        "libjpeg-turbo"
    }

    fn max_denominator(&self) -> u8 {
        8
    }

    fn decode(&self, jpeg: &[u8], max_pixels: u64) -> Result<Pixels, CodecError> {
        with_handles(|handles| {
            let header = handles.open(jpeg, 1, max_pixels)?;
            handles.pixels(jpeg, header)
        })
    }

    fn decode_planes(
        &self,
        jpeg: &[u8],
        wanted: DecodeOptions,
        planes: &mut Planes,
    ) -> Result<(), CodecError> {
        with_handles(|handles| {
            let header = handles.open(jpeg, wanted.denominator, wanted.max_pixels)?;
            let sampling = match header.subsamp {
                Subsamp::Gray => Some(Sampling::Gray),
                Subsamp::None => Some(Sampling::S444),
                Subsamp::Sub2x1 => Some(Sampling::S422),
                Subsamp::Sub2x2 => Some(Sampling::S420),
                Subsamp::Sub1x2 => Some(Sampling::S440),
                Subsamp::Sub4x1 => Some(Sampling::S411),
                Subsamp::Sub1x4 => Some(Sampling::S441),
                _ => None,
            };
            match (header.colorspace, sampling) {
                (Colorspace::Gray | Colorspace::YCbCr, _) if wanted.gray => {
                    handles.gray(jpeg, header, planes)
                }
                (Colorspace::Gray, _) => handles.gray(jpeg, header, planes),
                (Colorspace::YCbCr, Some(sampling)) => handles.planes(jpeg, header, sampling, planes),
                _ => {
                    planes_from_rgb(&handles.pixels(jpeg, header)?, planes)?;
                    if wanted.gray {
                        planes.make_gray();
                    }
                    Ok(())
                }
            }
        })
    }

    fn encode(&self, pixels: &Pixels, quality: Quality) -> Result<Bytes, CodecError> {
        with_handles(|handles| {
            let format = turbo_format(pixels.format);
            let width = usize::from(pixels.width);
            let subsamp = match pixels.format {
                PixelFormat::Gray => Subsamp::Gray,
                PixelFormat::Rgb => turbo_subsamp(quality.sampling)?,
            };
            let image = Image {
                pixels: pixels.data.as_slice(),
                width,
                pitch: width * pixels.format.bytes(),
                height: pixels.height.into(),
                format,
            };
            handles.encode(image, subsamp, quality.percent)
        })
    }

    fn encode_planes(&self, planes: &Planes, percent: u8) -> Result<Bytes, CodecError> {
        let (width, height) = (planes.width(), planes.height());
        let subsamp = match planes.sampling() {
            Sampling::Gray => {
                let format = turbojpeg::PixelFormat::GRAY;
                let image = Image { pixels: planes.plane(0), width, pitch: width, height, format };
                return with_handles(|handles| handles.encode(image, Subsamp::Gray, percent));
            }
            sampling => turbo_subsamp(sampling)?,
        };
        let (across, down) = planes.sampling().factors();
        let padded = pad(planes.plane(0), width, height, across, down);
        let (colour, _) = planes.size_of(1);
        with_handles(|handles| {
            let image = YuvPlanesImage {
                y_plane: padded.as_deref().unwrap_or(planes.plane(0)),
                u_plane: planes.plane(1),
                v_plane: planes.plane(2),
                width,
                height,
                y_stride: width.next_multiple_of(across),
                u_stride: colour,
                v_stride: colour,
                subsamp,
            };
            let compressor = &mut handles.compressor;
            compressor.set_quality(percent.clamp(1, 100).into()).map_err(unencodable)?;
            let mut jpeg = OutputBuf::new_owned();
            compressor.compress_yuv_planes(&image, &mut jpeg).map_err(unencodable)?;
            Ok(Bytes::copy_from_slice(&jpeg))
        })
    }
}

impl Handles {
    /// Reads the header, refuses pictures that are too large (libjpeg-turbo's own allocation would end the
    /// process), and sets the scale. The returned header has the size that will be decoded.
    fn open(
        &mut self,
        jpeg: &[u8],
        denominator: u8,
        max_pixels: u64,
    ) -> Result<DecompressHeader, CodecError> {
        let header = self.decompressor.read_header(jpeg).map_err(undecodable)?;
        check_pixels(header.width, header.height, max_pixels)?;
        if header.is_lossless || header.is_arithmetic {
            return Err(CodecError::Decode("lossless and arithmetic JPEGs are not taken".into()));
        }
        let factor = ScalingFactor::new(1, denominator.into());
        self.decompressor.set_scaling_factor(factor).map_err(undecodable)?;
        Ok(header.scaled(factor))
    }

    fn encode(&mut self, image: Image<&[u8]>, subsamp: Subsamp, percent: u8) -> Result<Bytes, CodecError> {
        self.compressor.set_quality(percent.clamp(1, 100).into()).map_err(unencodable)?;
        self.compressor.set_subsamp(subsamp).map_err(unencodable)?;
        let mut jpeg = OutputBuf::new_owned();
        self.compressor.compress(image, &mut jpeg).map_err(unencodable)?;
        Ok(Bytes::copy_from_slice(&jpeg))
    }

    fn pixels(&mut self, jpeg: &[u8], header: DecompressHeader) -> Result<Pixels, CodecError> {
        let format = match header.colorspace {
            Colorspace::Gray => PixelFormat::Gray,
            Colorspace::RGB | Colorspace::YCbCr => PixelFormat::Rgb,
            Colorspace::CMYK | Colorspace::YCCK => {
                return Err(CodecError::Decode("pictures for printing (CMYK) are not taken".into()));
            }
        };
        let DecompressHeader { width, height, .. } = header;
        let mut data = vec![0; width * height * format.bytes()];
        let image = Image {
            pixels: data.as_mut_slice(),
            width,
            pitch: width * format.bytes(),
            height,
            format: turbo_format(format),
        };
        usable(self.decompressor.decompress(jpeg, image))?;
        let side = |side: usize| {
            u16::try_from(side)
                .map_err(|_| CodecError::Decode("a side is longer than a JPEG can have".into()))
        };
        Pixels::new(side(width)?, side(height)?, format, data)
    }

    fn gray(&mut self, jpeg: &[u8], header: DecompressHeader, planes: &mut Planes) -> Result<(), CodecError> {
        let DecompressHeader { width, height, .. } = header;
        planes.reshape(width, height, Sampling::Gray)?;
        let format = turbojpeg::PixelFormat::GRAY;
        let image = Image { pixels: planes.data_mut(), width, pitch: width, height, format };
        usable(self.decompressor.decompress(jpeg, image))
    }

    fn planes(
        &mut self,
        jpeg: &[u8],
        header: DecompressHeader,
        sampling: Sampling,
        planes: &mut Planes,
    ) -> Result<(), CodecError> {
        let DecompressHeader { width, height, subsamp, .. } = header;
        let (across, down) = sampling.factors();
        let (columns, rows) = (width.next_multiple_of(across), height.next_multiple_of(down));
        let colour = 2 * (columns / across) * (rows / down);
        let memory = planes.buffer_mut(columns * rows + colour);
        let image = YuvImage { pixels: memory.as_mut_slice(), width, align: 1, height, subsamp };
        usable(self.decompressor.decompress_to_yuv(jpeg, image))?;
        if (columns, rows) != (width, height) {
            // It fills up the last block of an odd picture: move together what belongs to the picture.
            for row in 1..height {
                memory.copy_within(row * columns..row * columns + width, row * width);
            }
            memory.copy_within(columns * rows..columns * rows + colour, width * height);
        }
        planes.reshape(width, height, sampling)
    }
}

/// Accepts a picture that was decoded with a warning, as every browser does, but none that is cut off.
fn usable(result: turbojpeg::Result<()>) -> Result<(), CodecError> {
    match result {
        Err(turbojpeg::Error::TurboJpegError(text))
            if !text.contains(CUT_OFF) && WARNINGS.iter().any(|warning| text.contains(warning)) =>
        {
            Ok(())
        }
        other => other.map_err(undecodable),
    }
}

fn undecodable(error: turbojpeg::Error) -> CodecError {
    CodecError::Decode(error.to_string())
}

fn unencodable(error: turbojpeg::Error) -> CodecError {
    CodecError::Encode(error.to_string())
}

fn turbo_subsamp(sampling: Sampling) -> Result<Subsamp, CodecError> {
    Ok(match sampling {
        Sampling::S444 => Subsamp::None,
        Sampling::S422 => Subsamp::Sub2x1,
        Sampling::S420 => Subsamp::Sub2x2,
        other => return Err(CodecError::Encode(format!("{other:?} is not a sampling to encode"))),
    })
}

fn turbo_format(format: PixelFormat) -> turbojpeg::PixelFormat {
    match format {
        PixelFormat::Rgb => turbojpeg::PixelFormat::RGB,
        PixelFormat::Gray => turbojpeg::PixelFormat::GRAY,
    }
}

/// Returns the brightness of an odd picture, padded to whole blocks of shared colours, as libjpeg-turbo
/// expects it.
fn pad(plane: &[u8], width: usize, height: usize, across: usize, down: usize) -> Option<Vec<u8>> {
    let (columns, rows) = (width.next_multiple_of(across), height.next_multiple_of(down));
    if (columns, rows) == (width, height) {
        return None;
    }
    let mut padded = Vec::with_capacity(columns * rows);
    for row in 0..rows {
        let from = &plane[row.min(height - 1) * width..][..width];
        padded.extend_from_slice(from);
        padded.extend(std::iter::repeat_n(from[width - 1], columns - width));
    }
    Some(padded)
}
