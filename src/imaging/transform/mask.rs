//! Hides parts of a picture.

use fast_image_resize::FilterType;

use super::{
    plan::SourceRect,
    resample::{Resampler, resize},
};
use crate::{
    config::{Fill, Mask},
    imaging::{
        codec::CodecError,
        ycbcr::{Planes, from_rgb},
    },
};

/// Largest number of spots on the longer side of a blurred area, none of them smaller than [`MIN_BLUR_CELL`]:
/// the area is reduced to them first, so that nothing can be recognised, whatever is done to the picture
/// later.
const MAX_BLUR_CELLS: usize = 8;

/// Smallest side of a spot in pixels: a face 16 pixels high cannot be recognised.
const MIN_BLUR_CELL: usize = 16;

/// Hides the parts, as far as they are in the picture.
pub(crate) fn apply_masks(
    masks: &[Mask],
    planes: &mut Planes,
    resampler: &mut Resampler,
) -> Result<(), CodecError> {
    for mask in masks {
        for n in 0..planes.sampling().planes() {
            apply_mask(mask, n, planes, resampler)?;
        }
    }
    Ok(())
}

fn apply_mask(
    mask: &Mask,
    n: usize,
    planes: &mut Planes,
    resampler: &mut Resampler,
) -> Result<(), CodecError> {
    let (across, down) = if n == 0 { (1, 1) } else { planes.sampling().factors() };
    let (columns, rows) = planes.size_of(n);
    // Outwards: a colour that is shared with a hidden pixel is hidden too.
    let range = |from: u32, len: u32, by: usize, side: usize| {
        let end = (from as usize + len as usize).div_ceil(by).min(side);
        (from as usize / by).min(end)..end
    };
    let x = range(mask.x, mask.width.get(), across, columns);
    let y = range(mask.y, mask.height.get(), down, rows);
    if x.is_empty() || y.is_empty() {
        return Ok(());
    }
    let plane = planes.plane_mut(n);
    match mask.fill {
        Fill::Color(color) => {
            let byte = from_rgb(color)[n];
            y.for_each(|row| plane[row * columns..][x.clone()].fill(byte));
            Ok(())
        }
        Fill::Blur => {
            let spot = (x.len().max(y.len()) / MAX_BLUR_CELLS).max(MIN_BLUR_CELL / across.min(down));
            let (wide, high) = (x.len().div_ceil(spot), y.len().div_ceil(spot));
            let part = SourceRect {
                x: x.start as f64,
                y: y.start as f64,
                width: x.len() as f64,
                height: y.len() as f64,
            };
            let mut spots = vec![0; wide * high];
            let from = (&*plane, (columns, rows));
            resize(resampler.resizer(), from, part, FilterType::Box, (&mut spots, (wide, high)))?;
            let mut soft = vec![0; x.len() * y.len()];
            let part = SourceRect { x: 0.0, y: 0.0, width: wide as f64, height: high as f64 };
            let to = (soft.as_mut_slice(), (x.len(), y.len()));
            resize(resampler.resizer(), (&spots, (wide, high)), part, FilterType::Bilinear, to)?;
            for (row, soft) in y.zip(soft.chunks_exact(x.len())) {
                plane[row * columns..][x.clone()].copy_from_slice(soft);
            }
            Ok(())
        }
    }
}
