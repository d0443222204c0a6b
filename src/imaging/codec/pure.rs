//! The codec of builds without C: zune-jpeg and jpeg-encoder.

use bytes::Bytes;
use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, ImageBuffer, JpegColorType, SamplingFactor};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::{
    error::CodecError,
    jpeg_codec::{DecodeOptions, JpegCodec, MAX_SCANS, Quality, check_pixels},
    pixels::{PixelFormat, Pixels, planes_from_rgb},
};
use crate::imaging::ycbcr::{Planes, Sampling};

/// The codec of zune-jpeg and jpeg-encoder: no C, and decoding at full size only.
#[derive(Debug, Clone, Copy, Default)]
pub struct PureRust;

/// A JPEG whose header was read and found small enough.
struct Opened<'a> {
    decoder: JpegDecoder<ZCursor<&'a [u8]>>,
    options: DecoderOptions,
    width: u16,
    height: u16,
    space: Option<ColorSpace>,
}

impl<'a> Opened<'a> {
    fn new(jpeg: &'a [u8], max_pixels: u64) -> Result<Self, CodecError> {
        // Strict: the tolerant mode takes a frame cut in half for a whole one.
        let options = DecoderOptions::default()
            .set_strict_mode(true)
            .set_max_width(usize::from(u16::MAX))
            .set_max_height(usize::from(u16::MAX))
            .jpeg_set_max_scans(MAX_SCANS.into());
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
        decoder.decode_headers().map_err(failed)?;
        let info = decoder.info().ok_or_else(|| CodecError::Decode("it has no frame header".into()))?;
        check_pixels(info.width.into(), info.height.into(), max_pixels)?;
        let space = decoder.input_colorspace();
        Ok(Self { decoder, options, width: info.width, height: info.height, space })
    }

    fn decode(mut self, space: ColorSpace) -> Result<Vec<u8>, CodecError> {
        self.decoder.set_options(self.options.jpeg_set_out_colorspace(space));
        self.decoder.decode().map_err(failed)
    }

    fn into_pixels(self) -> Result<Pixels, CodecError> {
        let gray = self.space == Some(ColorSpace::Luma);
        let (format, space) =
            if gray { (PixelFormat::Gray, ColorSpace::Luma) } else { (PixelFormat::Rgb, ColorSpace::RGB) };
        let (width, height) = (self.width, self.height);
        Pixels::new(width, height, format, self.decode(space)?)
    }
}

fn failed(error: zune_jpeg::errors::DecodeErrors) -> CodecError {
    CodecError::Decode(error.to_string())
}

impl JpegCodec for PureRust {
    fn name(&self) -> &'static str {
        "zune-jpeg, jpeg-encoder"
    }

    fn max_denominator(&self) -> u8 {
        1
    }

    fn decode(&self, jpeg: &[u8], max_pixels: u64) -> Result<Pixels, CodecError> {
        Opened::new(jpeg, max_pixels)?.into_pixels()
    }

    fn decode_planes(
        &self,
        jpeg: &[u8],
        wanted: DecodeOptions,
        planes: &mut Planes,
    ) -> Result<(), CodecError> {
        let opened = Opened::new(jpeg, wanted.max_pixels)?;
        let (width, height) = (usize::from(opened.width), usize::from(opened.height));
        match opened.space {
            Some(ColorSpace::Luma) => gray(opened, width, height, planes),
            Some(ColorSpace::YCbCr) if wanted.gray => gray(opened, width, height, planes),
            Some(ColorSpace::YCbCr) => {
                let mixed = opened.decode(ColorSpace::YCbCr)?;
                planes.reshape(width, height, Sampling::S444)?;
                let len = width * height;
                if mixed.len() != len * 3 {
                    return Err(CodecError::Decode("the decoder gave another size than it said".into()));
                }
                let (brightness, colours) = planes.data_mut().split_at_mut(len);
                let (blue, red) = colours.split_at_mut(len);
                for (n, pixel) in mixed.chunks_exact(3).enumerate() {
                    [brightness[n], blue[n], red[n]] = [pixel[0], pixel[1], pixel[2]];
                }
                Ok(())
            }
            _ => {
                planes_from_rgb(&opened.into_pixels()?, planes)?;
                if wanted.gray {
                    planes.make_gray();
                }
                Ok(())
            }
        }
    }

    fn encode(&self, pixels: &Pixels, quality: Quality) -> Result<Bytes, CodecError> {
        let sampling = factor(quality.sampling)?;
        let colour = match pixels.format {
            PixelFormat::Rgb => ColorType::Rgb,
            PixelFormat::Gray => ColorType::Luma,
        };
        encoded(pixels.width.into(), pixels.height.into(), quality.percent, sampling, |encoder| {
            encoder.encode(&pixels.data, pixels.width, pixels.height, colour)
        })
    }

    fn encode_planes(&self, planes: &Planes, percent: u8) -> Result<Bytes, CodecError> {
        let sampling = factor(planes.sampling())?;
        encoded(planes.width(), planes.height(), percent, sampling, |encoder| {
            encoder.encode_image(Rows(planes))
        })
    }
}

fn factor(sampling: Sampling) -> Result<SamplingFactor, CodecError> {
    Ok(match sampling {
        Sampling::Gray | Sampling::S444 => SamplingFactor::R_4_4_4,
        Sampling::S422 => SamplingFactor::R_4_2_2,
        Sampling::S420 => SamplingFactor::R_4_2_0,
        other => return Err(CodecError::Encode(format!("{other:?} is not a sampling to encode"))),
    })
}

fn gray(opened: Opened<'_>, width: usize, height: usize, planes: &mut Planes) -> Result<(), CodecError> {
    let brightness = opened.decode(ColorSpace::Luma)?;
    planes.reshape(width, height, Sampling::Gray)?;
    // Progressive pictures may come with more behind their brightness.
    let Some(brightness) = brightness.get(..width * height) else {
        return Err(CodecError::Decode("the decoder gave another size than it said".into()));
    };
    planes.data_mut().copy_from_slice(brightness);
    Ok(())
}

fn encoded(
    width: usize,
    height: usize,
    percent: u8,
    sampling: SamplingFactor,
    encode: impl FnOnce(Encoder<&mut Vec<u8>>) -> Result<(), jpeg_encoder::EncodingError>,
) -> Result<Bytes, CodecError> {
    // About a byte for four pixels at quality 85: most pictures need no second allocation.
    let mut jpeg = Vec::with_capacity(width * height / 4 + 1024);
    let mut encoder = Encoder::new(&mut jpeg, percent);
    encoder.set_sampling_factor(sampling);
    // What comes is already one colour for each block: any of its pixels is as good as their average.
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Nearest);
    encode(encoder).map_err(|error| CodecError::Encode(error.to_string()))?;
    Ok(jpeg.into())
}

/// Gives the encoder its rows, each colour repeated for the pixels that share it.
struct Rows<'a>(&'a Planes);

impl ImageBuffer for Rows<'_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        if self.0.sampling() == Sampling::Gray { JpegColorType::Luma } else { JpegColorType::Ycbcr }
    }

    fn width(&self) -> u16 {
        u16::try_from(self.0.width()).expect("planes have the sides of a JPEG")
    }

    fn height(&self) -> u16 {
        u16::try_from(self.0.height()).expect("planes have the sides of a JPEG")
    }

    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let (across, down) = self.0.sampling().factors();
        let width = self.0.width();
        for (n, buffer) in buffers.iter_mut().enumerate().take(self.0.sampling().planes()) {
            let (columns, _) = self.0.size_of(n);
            let (across, down) = if n == 0 { (1, 1) } else { (across, down) };
            let row = &self.0.plane(n)[usize::from(y) / down * columns..][..columns];
            if across == 1 {
                buffer.extend_from_slice(row);
            } else {
                let before = buffer.len();
                buffer.extend(row.iter().flat_map(|&byte| std::iter::repeat_n(byte, across)));
                buffer.truncate(before + width);
            }
        }
    }
}
