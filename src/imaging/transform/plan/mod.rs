//! Plans the steps for a picture before any of them is executed: a pure function, tested by itself.
//!
//! - Steps that only move pixels (crop, scale, turn, mirror) are one: a part of the picture is taken,
//!   resampled once, and then turned. Turning comes last, on the smallest picture.
//! - A picture that becomes smaller by half and more is decoded at a smaller size, if the codec can do that.
//! - Of a picture that becomes grey only the brightness is decoded, wherever in the list that step is.
//! - Steps that only move whole blocks could be done without decoding: [`TransformPlan::lossless`] says so.

use super::orientation::Orientation;
use crate::{
    config::{Bounds, Color, Encode, Fill, Fit, Mask, Region, Scale, Step, Transform},
    imaging::{codec::Quality, lossless::LosslessOp, ycbcr::Sampling},
};

/// The properties of a picture that are known before it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureProperties {
    /// Width in pixels, as the JPEG has it.
    pub width: u16,
    /// Height in pixels, as the JPEG has it.
    pub height: u16,
    /// Whether it has no colours.
    pub gray: bool,
    /// Turn that makes the picture upright (EXIF).
    pub upright: Orientation,
    /// Whether it was converted without sharing colours, and should stay so.
    pub sharp: bool,
}

/// Limits of the decoder and of the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanLimits {
    /// See [`JpegCodec::max_denominator`](crate::imaging::codec::JpegCodec::max_denominator).
    pub max_denominator: u8,
    /// Maximum number of pixels of the picture after any step.
    pub max_pixels: u64,
}

/// A part of a picture, in pixels and fractions of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SourceRect {
    /// Distance from the left side.
    pub x: f64,
    /// Distance from the top.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// One pass over the picture.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Takes a part, resamples it to `size`, and turns that.
    Move {
        /// The part of the picture at this stage; of the JPEG at its own size if it is the first stage.
        take: SourceRect,
        /// Width and height before it is turned.
        size: (usize, usize),
        /// Turn that is applied to the picture.
        orientation: Orientation,
    },
    /// Gives a grey picture planes for colours that are drawn next.
    AddColour,
    /// Hides parts.
    Mask(Vec<Mask>),
    /// Draws the caption or logo at this place of the list.
    Draw(usize),
}

/// The steps that could be done without decoding; the JPEG decides whether the borders of its blocks allow
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LosslessSteps {
    /// The steps: a crop, then a turn, then the removal of colours; those that change nothing are left out.
    pub ops: Vec<LosslessOp>,
    /// Whether its EXIF data say that it has to be turned, which the result must not say.
    pub misaligned: bool,
}

/// The steps for one picture, and the settings to decode and encode it.
#[derive(Debug, Clone, PartialEq)]
pub struct TransformPlan {
    /// The steps on blocks, if they can do everything and no quality was requested.
    pub lossless: Option<LosslessSteps>,
    /// Divisor of the sides of the decoded picture.
    pub denominator: u8,
    /// Whether only the brightness is decoded.
    pub gray: bool,
    /// The passes over the decoded picture, in order.
    pub ops: Vec<Op>,
    /// The sampling of the planes while there are colours, and of the JPEG made from them.
    pub sampling: Sampling,
    /// Quality of the JPEG, 1 to 100.
    pub quality: u8,
    /// Width and height of the result.
    pub size: (usize, usize),
}

/// An error of steps that cannot be applied to a picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No part of the picture is in the crop.
    #[error("crop begins at {x},{y}, outside of a picture of {width}x{height} pixels")]
    CropOutside {
        /// Left side of the crop.
        x: u32,
        /// Distance from the top.
        y: u32,
        /// Side of the picture.
        width: usize,
        /// Side of the picture.
        height: usize,
    },
    /// The scaled picture would be too large.
    #[error(
        "scale makes {width}x{height} pixels of it, at most {max_pixels} pixels are allowed \
         (limits.max_frame_pixels)"
    )]
    TooLarge {
        /// Width.
        width: usize,
        /// Height.
        height: usize,
        /// The limit in pixels.
        max_pixels: u64,
    },
}

/// Returns the plan for a picture.
///
/// # Errors
/// [`PlanError`] when the steps do not fit the picture.
pub fn plan(
    input: PictureProperties,
    transform: &Transform,
    limits: PlanLimits,
) -> Result<TransformPlan, PlanError> {
    let mut builder = PlanBuilder::new(input, transform);
    for (number, step) in transform.steps.iter().enumerate() {
        builder.add(number, step, limits)?;
    }
    builder.flush();
    let lossless = builder.lossless(input, transform);
    let without = if input.sharp { Quality::LETTERS } else { Encode::default().into() };
    let Quality { percent: quality, sampling } = transform.encode.map_or(without, Quality::from);
    Ok(TransformPlan {
        lossless,
        denominator: denominator(&builder.ops, limits),
        gray: builder.gray,
        ops: builder.ops,
        sampling,
        quality,
        size: builder.geometry.size(),
    })
}

/// Returns the largest divisor that keeps every requested pixel, if the picture is resampled first of all.
fn denominator(ops: &[Op], limits: PlanLimits) -> u8 {
    let Some(Op::Move { take, size: (width, height), .. }) = ops.first() else { return 1 };
    let ratio = (take.width / *width as f64).min(take.height / *height as f64);
    denominator_for(ratio, limits.max_denominator)
}

/// Returns the largest divisor that keeps every pixel of a picture that becomes `ratio` times smaller.
pub(crate) fn denominator_for(ratio: f64, max_denominator: u8) -> u8 {
    [8, 4, 2].into_iter().find(|&d| d <= max_denominator && f64::from(d) <= ratio).unwrap_or(1)
}

/// Moves that are combined into one.
#[derive(Debug, Clone, Copy)]
struct Geometry {
    rect: SourceRect,
    scaled: (usize, usize),
    orientation: Orientation,
    is_changed: bool,
}

impl Geometry {
    fn identity((width, height): (usize, usize)) -> Self {
        let rect = SourceRect { x: 0.0, y: 0.0, width: width as f64, height: height as f64 };
        Self { rect, scaled: (width, height), orientation: Orientation::NONE, is_changed: false }
    }

    fn size(&self) -> (usize, usize) {
        self.orientation.size(self.scaled)
    }

    fn orient(&mut self, orientation: Orientation) {
        self.orientation = self.orientation.followed_by(orientation);
        self.is_changed = true;
    }

    /// Keeps a part of the current picture.
    fn select(&mut self, part: SourceRect) {
        let (width, height) = self.size();
        let x = if self.orientation.mirror_x { width as f64 - part.x - part.width } else { part.x };
        let y = if self.orientation.mirror_y { height as f64 - part.y - part.height } else { part.y };
        let (x, y) = self.orientation.size((x, y));
        let (across, down) = self.orientation.size((part.width, part.height));
        let (by_x, by_y) = (self.rect.width / self.scaled.0 as f64, self.rect.height / self.scaled.1 as f64);
        self.rect = SourceRect {
            x: self.rect.x + x * by_x,
            y: self.rect.y + y * by_y,
            width: across * by_x,
            height: down * by_y,
        };
        self.scaled = (rounded(across), rounded(down));
        self.is_changed = true;
    }

    fn scale(&mut self, size: (usize, usize)) {
        self.scaled = self.orientation.size(size);
        self.is_changed = true;
    }
}

fn rounded(side: f64) -> usize {
    (side.round() as usize).max(1)
}

struct PlanBuilder {
    ops: Vec<Op>,
    geometry: Geometry,
    gray: bool,
    /// The last step that removes the colours; later drawings may have colours again.
    grayed_at: Option<usize>,
    coloured: bool,
    /// Whether bounds have made it smaller.
    shrunk: bool,
}

impl PlanBuilder {
    fn new(input: PictureProperties, transform: &Transform) -> Self {
        let mut geometry = Geometry::identity((input.width.into(), input.height.into()));
        if input.upright != Orientation::NONE {
            geometry.orient(input.upright);
        }
        let grayed_at = transform.steps.iter().rposition(|step| *step == Step::Grayscale);
        let gray = input.gray || grayed_at.is_some();
        Self { ops: Vec::new(), geometry, gray, grayed_at, coloured: !gray, shrunk: false }
    }

    fn add(&mut self, number: usize, step: &Step, limits: PlanLimits) -> Result<(), PlanError> {
        match step {
            Step::Crop(region) => self.crop(*region)?,
            Step::Scale(scale) => self.scale(*scale, limits)?,
            Step::Within(bounds) => self.shrink(*bounds),
            Step::Rotate(rotation) => self.geometry.orient((*rotation).into()),
            Step::Flip(flip) => self.geometry.orient((*flip).into()),
            // Taken account of from the start: brightness does not depend on colours.
            Step::Grayscale => {}
            Step::Mask(masks) => {
                let coloured = |mask: &Mask| matches!(mask.fill, Fill::Color(color) if has_hue(color));
                self.draw(number, masks.iter().any(coloured), Op::Mask(masks.clone()));
            }
            Step::Text(caption) => {
                let hue =
                    has_hue(caption.color.color) || caption.background.is_some_and(|ink| has_hue(ink.color));
                self.draw(number, hue, Op::Draw(number));
            }
            Step::Image(_) => self.draw(number, true, Op::Draw(number)),
        }
        Ok(())
    }

    fn crop(&mut self, Region { x, y, width, height }: Region) -> Result<(), PlanError> {
        let (whole_width, whole_height) = self.geometry.size();
        let inside = |from: u32, len: u32, side: usize| {
            let from = from as usize;
            (from < side).then(|| (from as f64, (len as usize).min(side - from) as f64))
        };
        let across = inside(x, width.get(), whole_width);
        let down = inside(y, height.get(), whole_height);
        let (Some((left, across)), Some((top, down))) = (across, down) else {
            return Err(PlanError::CropOutside { x, y, width: whole_width, height: whole_height });
        };
        self.geometry.select(SourceRect { x: left, y: top, width: across, height: down });
        Ok(())
    }

    fn scale(&mut self, scale: Scale, limits: PlanLimits) -> Result<(), PlanError> {
        let (width, height) = self.geometry.size();
        let (w, h) = (width as f64, height as f64);
        let (width, height) = match scale {
            Scale::Width(to) => (to.get() as usize, rounded(h * f64::from(to.get()) / w)),
            Scale::Height(to) => (rounded(w * f64::from(to.get()) / h), to.get() as usize),
            Scale::Both { size, fit } => {
                let (across, down) = (f64::from(size.width.get()), f64::from(size.height.get()));
                match fit {
                    Fit::Contain => {
                        let by = (across / w).min(down / h);
                        (rounded(w * by), rounded(h * by))
                    }
                    Fit::Stretch => (rounded(across), rounded(down)),
                    Fit::Cover => {
                        let by = (across / w).max(down / h);
                        let (kept_w, kept_h) = ((across / by).min(w), (down / by).min(h));
                        let (x, y) = ((w - kept_w) / 2.0, (h - kept_h) / 2.0);
                        self.geometry.select(SourceRect { x, y, width: kept_w, height: kept_h });
                        (rounded(across), rounded(down))
                    }
                }
            }
        };
        let side = usize::from(u16::MAX);
        if width > side || height > side || (width * height) as u64 > limits.max_pixels {
            return Err(PlanError::TooLarge { width, height, max_pixels: limits.max_pixels });
        }
        self.geometry.scale((width, height));
        Ok(())
    }

    fn shrink(&mut self, bounds: Bounds) {
        let (width, height) = self.geometry.size();
        let by = |most: Option<std::num::NonZeroU32>, side: usize| {
            most.map_or(1.0, |most| f64::from(most.get()) / side as f64)
        };
        let by = by(bounds.width, width).min(by(bounds.height, height));
        if by < 1.0 {
            self.geometry.scale((rounded(width as f64 * by), rounded(height as f64 * by)));
            self.shrunk = true;
        }
    }

    fn draw(&mut self, number: usize, hue: bool, op: Op) {
        self.flush();
        let stays = self.grayed_at.is_none_or(|at| number > at);
        if hue && stays && !self.coloured {
            self.coloured = true;
            self.ops.push(Op::AddColour);
        }
        self.ops.push(op);
    }

    fn flush(&mut self) {
        let Geometry { rect, scaled, orientation, is_changed } = self.geometry;
        if is_changed {
            self.ops.push(Op::Move { take: rect, size: scaled, orientation });
        }
        self.geometry = Geometry::identity(self.geometry.size());
    }

    fn lossless(&self, input: PictureProperties, transform: &Transform) -> Option<LosslessSteps> {
        let moves_blocks = |step: &Step| match step {
            Step::Crop(_) | Step::Rotate(_) | Step::Flip(_) | Step::Grayscale => true,
            Step::Within(_) => !self.shrunk,
            _ => false,
        };
        let steps = &transform.steps;
        if transform.encode.is_some() || steps.is_empty() || !steps.iter().all(moves_blocks) {
            return None;
        }
        let whole = Geometry::identity((input.width.into(), input.height.into())).rect;
        let (take, orientation) = match self.ops.first() {
            Some(Op::Move { take, orientation, .. }) => (*take, *orientation),
            _ => (whole, Orientation::NONE),
        };
        let pixels = |side: f64| side.round() as u16;
        let [x, y, width, height] = [take.x, take.y, take.width, take.height].map(pixels);
        let crop = (take != whole).then_some(LosslessOp::Crop { x, y, width, height });
        let gray = (self.grayed_at.is_some() && !input.gray).then_some(LosslessOp::Grayscale);
        let ops = crop.into_iter().chain(orientation.lossless()).chain(gray).collect();
        Some(LosslessSteps { ops, misaligned: input.upright != Orientation::NONE })
    }
}

/// Returns whether a colour is not a grey.
fn has_hue(Color { r, g, b }: Color) -> bool {
    r != g || g != b
}

#[cfg(test)]
mod tests;
