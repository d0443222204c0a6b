//! Takes a part of a picture, resamples it and turns it, plane by plane.

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};

use super::{orientation::Orientation, plan::SourceRect};
use crate::imaging::{
    codec::CodecError,
    ycbcr::{Planes, Sampling, plane_size},
};

/// The filter: fast, without rings at edges, and each pixel of the source counts, whatever the ratio.
const FILTER: FilterType = FilterType::Bilinear;

/// The memory of resampling, which is reused.
#[derive(Debug, Default)]
pub(crate) struct Resampler {
    resizer: Resizer,
    resampled: Vec<u8>,
    oriented: Vec<u8>,
}

impl Resampler {
    /// Resamples `take` of `from` to `size` pixels, turned by `orientation`, into `to`; colours get
    /// `sampling`.
    pub(crate) fn resample_planes(
        &mut self,
        from: &Planes,
        (take, size, orientation): (SourceRect, (usize, usize), Orientation),
        sampling: Sampling,
        to: &mut Planes,
    ) -> Result<(), CodecError> {
        let sampling = if from.sampling() == Sampling::Gray { Sampling::Gray } else { sampling };
        let (width, height) = orientation.size(size);
        to.reshape(width, height, sampling)?;
        for n in 0..sampling.planes() {
            let (across, down) = if n == 0 { (1, 1) } else { from.sampling().factors() };
            let source = Source { bytes: from.plane(n), size: from.size_of(n) };
            let part = source.clip(take, across as f64, down as f64);
            let before = orientation.size(plane_size(width, height, sampling, n));
            if orientation == Orientation::NONE {
                self.resample(&source, part, before, to.plane_mut(n))?;
            } else {
                let mut resampled = std::mem::take(&mut self.resampled);
                resampled.resize(before.0 * before.1, 0);
                self.resample(&source, part, before, &mut resampled)?;
                orientation.apply(&resampled, before, &mut self.oriented);
                to.plane_mut(n).copy_from_slice(&self.oriented);
                self.resampled = resampled;
            }
        }
        Ok(())
    }

    fn resample(
        &mut self,
        source: &Source<'_>,
        part: SourceRect,
        size: (usize, usize),
        to: &mut [u8],
    ) -> Result<(), CodecError> {
        resize(&mut self.resizer, (source.bytes, source.size), part, FILTER, (to, size))
    }

    /// Returns the number of bytes kept for the next picture.
    pub(crate) fn capacity_bytes(&self) -> usize {
        self.resizer.size_of_internal_buffers() + self.resampled.capacity() + self.oriented.capacity()
    }

    /// Returns the resizer, for other uses.
    pub(crate) fn resizer(&mut self) -> &mut Resizer {
        &mut self.resizer
    }
}

/// Resamples `part` of one plane into another.
pub(crate) fn resize(
    resizer: &mut Resizer,
    (from, (from_width, from_height)): (&[u8], (usize, usize)),
    part: SourceRect,
    filter: FilterType,
    (to, (width, height)): (&mut [u8], (usize, usize)),
) -> Result<(), CodecError> {
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(false).crop(
        part.x,
        part.y,
        part.width,
        part.height,
    );
    let from = ImageRef::new(from_width as u32, from_height as u32, from, PixelType::U8).map_err(inner)?;
    let mut to = Image::from_slice_u8(width as u32, height as u32, to, PixelType::U8).map_err(inner)?;
    resizer.resize(&from, &mut to, &options).map_err(inner)
}

fn inner(error: impl std::fmt::Display) -> CodecError {
    CodecError::Encode(error.to_string())
}

struct Source<'a> {
    bytes: &'a [u8],
    size: (usize, usize),
}

impl Source<'_> {
    /// Returns `take` in this plane's own pixels, of which `across` by `down` of the picture's are one.
    fn clip(&self, take: SourceRect, across: f64, down: f64) -> SourceRect {
        let (width, height) = (self.size.0 as f64, self.size.1 as f64);
        let x = (take.x / across).clamp(0.0, width - 0.01);
        let y = (take.y / down).clamp(0.0, height - 0.01);
        let mut part = SourceRect {
            x,
            y,
            width: (take.width / across).min(width - x),
            height: (take.height / down).min(height - y),
        };
        // All of it: the last colours of an odd picture cover only one row or column of pixels.
        if x == 0.0 && (take.width / across).ceil() >= width {
            part.width = width;
        }
        if y == 0.0 && (take.height / down).ceil() >= height {
            part.height = height;
        }
        part
    }
}
