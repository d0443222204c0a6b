//! Combines several steps into one: a rectangle of the source, mirrored, turned, and with or without its
//! colours.

use super::{
    error::LosslessError,
    header::{Colour, Header},
};

/// One step. Sizes and positions are those of the picture after the previous steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LosslessOp {
    /// A quarter turn clockwise.
    Rotate90,
    /// A half turn.
    Rotate180,
    /// A quarter turn counterclockwise.
    Rotate270,
    /// Left and right exchanged.
    FlipHorizontal,
    /// Top and bottom exchanged.
    FlipVertical,
    /// Rows and columns exchanged: mirrored along the diagonal from the upper left.
    Transpose,
    /// A mirror along the other diagonal.
    Transverse,
    /// Removal of the colours.
    Grayscale,
    /// A crop to a rectangle of pixels.
    Crop {
        /// The first column.
        x: u16,
        /// The first row.
        y: u16,
        /// Number of columns, at least 1.
        width: u16,
        /// Number of rows, at least 1.
        height: u16,
    },
}

/// The part of one axis of the source that is taken, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    start: u16,
    len: u16,
    /// Whether it is read from its end to its start.
    pub(super) mirrored: bool,
}

impl Span {
    /// Returns a part of this; `start` counts from the first pixel that is read. `None` when it is empty or
    /// not inside.
    fn subspan(self, start: u16, len: u16) -> Option<Self> {
        let left = self.len.checked_sub(start)?.checked_sub(len)?;
        let skipped = if self.mirrored { left } else { start };
        (len > 0).then_some(Self { start: self.start + skipped, len, ..self })
    }

    /// Returns the pixel edge that becomes the left or upper one.
    fn origin(self) -> u16 {
        if self.mirrored { self.start + self.len } else { self.start }
    }

    /// Makes the new left or upper edge lie between MCUs of `mcu` pixels; `whole` is the length of the axis.
    fn fit(&mut self, mcu: u16, whole: u16, trim: bool) -> Result<(), LosslessError> {
        let over = self.origin() % mcu;
        if over == 0 {
            return Ok(());
        }
        if !self.mirrored || self.origin() != whole {
            return Err(LosslessError::not_lossless("the crop is not aligned to the grid of blocks"));
        }
        if !trim || self.len <= over {
            return Err(LosslessError::not_lossless(
                "incomplete blocks at an edge that would become the left or upper one",
            ));
        }
        self.len -= over;
        Ok(())
    }

    /// Returns the first block and the number of blocks of a component that has `per_mcu` blocks in an MCU of
    /// `mcu` pixels.
    pub(super) fn blocks(self, per_mcu: u16, mcu: u16) -> (usize, usize) {
        let [origin, len, per_mcu, mcu] = [self.origin(), self.len, per_mcu, mcu].map(usize::from);
        let first = origin / mcu * per_mcu;
        let count = (len * per_mcu).div_ceil(mcu);
        (if self.mirrored { first.saturating_sub(1) } else { first }, count)
    }
}

/// All steps in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LosslessPlan {
    pub(super) x: Span,
    pub(super) y: Span,
    /// Whether rows become columns after mirroring.
    pub(super) transpose: bool,
    gray: bool,
    /// Number of components that remain.
    pub(super) components: usize,
    /// Pixels of an MCU of the remaining components, before it is transposed.
    pub(super) mcu: (u16, u16),
}

impl LosslessPlan {
    /// Combines `ops` and checks that a picture with this header allows them.
    pub(super) fn new(header: &Header<'_>, ops: &[LosslessOp], trim: bool) -> Result<Self, LosslessError> {
        let mut plan = Self::fold(header.width, header.height, ops)?;
        plan.components = header.components.len();
        plan.mcu = (8 * header.h_max, 8 * header.v_max);
        if plan.gray {
            plan.fit_gray(header)?;
        }
        plan.x.fit(plan.mcu.0, header.width, trim)?;
        plan.y.fit(plan.mcu.1, header.height, trim)?;
        Ok(plan)
    }

    /// Returns width and height of the result.
    pub(super) fn size(&self) -> (u16, u16) {
        if self.transpose { (self.y.len, self.x.len) } else { (self.x.len, self.y.len) }
    }

    fn fold(width: u16, height: u16, ops: &[LosslessOp]) -> Result<Self, LosslessError> {
        let span = |len| Span { start: 0, len, mirrored: false };
        let (x, y) = (span(width), span(height));
        let mut plan = Self { x, y, transpose: false, gray: false, components: 0, mcu: (8, 8) };
        for &op in ops {
            plan.then(op)?;
        }
        Ok(plan)
    }

    fn then(&mut self, op: LosslessOp) -> Result<(), LosslessError> {
        let (transpose, mirror_x, mirror_y) = match op {
            LosslessOp::Rotate90 => (true, true, false),
            LosslessOp::Rotate180 => (false, true, true),
            LosslessOp::Rotate270 => (true, false, true),
            LosslessOp::FlipHorizontal => (false, true, false),
            LosslessOp::FlipVertical => (false, false, true),
            LosslessOp::Transpose => (true, false, false),
            LosslessOp::Transverse => (true, true, true),
            LosslessOp::Grayscale => {
                self.gray = true;
                return Ok(());
            }
            LosslessOp::Crop { x, y, width, height } => return self.crop((x, width), (y, height)),
        };
        self.transpose ^= transpose;
        let (across, down) = self.axes();
        across.mirrored ^= mirror_x;
        down.mirrored ^= mirror_y;
        Ok(())
    }

    /// Returns the axes of the source that are across and down in the result.
    fn axes(&mut self) -> (&mut Span, &mut Span) {
        if self.transpose { (&mut self.y, &mut self.x) } else { (&mut self.x, &mut self.y) }
    }

    fn crop(&mut self, columns: (u16, u16), rows: (u16, u16)) -> Result<(), LosslessError> {
        let (width, height) = self.size();
        let (across, down) = self.axes();
        let (Some(columns_left), Some(rows_left)) =
            (across.subspan(columns.0, columns.1), down.subspan(rows.0, rows.1))
        else {
            let ((x, crop_width), (y, crop_height)) = (columns, rows);
            return Err(LosslessError::OutsidePicture { x, y, crop_width, crop_height, width, height });
        };
        (*across, *down) = (columns_left, rows_left);
        Ok(())
    }

    fn fit_gray(&mut self, header: &Header<'_>) -> Result<(), LosslessError> {
        let first = &header.components[0];
        if header.colour() == Colour::Other {
            return Err(LosslessError::not_lossless("no component is the grey picture"));
        }
        if (first.h, first.v) != (header.h_max, header.v_max) {
            return Err(LosslessError::not_lossless("brightness is not at full resolution"));
        }
        self.components = 1;
        self.mcu = (8, 8);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LosslessOp::*;

    const TURNS: [LosslessOp; 7] =
        [Rotate90, Rotate180, Rotate270, FlipHorizontal, FlipVertical, Transpose, Transverse];

    fn crop(x: u16, y: u16, width: u16, height: u16) -> LosslessOp {
        Crop { x, y, width, height }
    }

    /// Does one step on a picture whose pixels are their own places.
    fn step(picture: &[Vec<(u16, u16)>], op: LosslessOp) -> Vec<Vec<(u16, u16)>> {
        let (w, h) = (picture[0].len(), picture.len());
        let made = |w: usize, h: usize, from: &dyn Fn(usize, usize) -> (usize, usize)| {
            let row = |y| (0..w).map(|x| from(x, y)).map(|(x, y)| picture[y][x]).collect();
            (0..h).map(row).collect()
        };
        match op {
            Rotate90 => made(h, w, &|x, y| (y, h - 1 - x)),
            Rotate180 => made(w, h, &|x, y| (w - 1 - x, h - 1 - y)),
            Rotate270 => made(h, w, &|x, y| (w - 1 - y, x)),
            FlipHorizontal => made(w, h, &|x, y| (w - 1 - x, y)),
            FlipVertical => made(w, h, &|x, y| (x, h - 1 - y)),
            Transpose => made(h, w, &|x, y| (y, x)),
            Transverse => made(h, w, &|x, y| (w - 1 - y, h - 1 - x)),
            Grayscale => made(w, h, &|x, y| (x, y)),
            Crop { x: left, y: top, width, height } => {
                made(width.into(), height.into(), &|x, y| (x + usize::from(left), y + usize::from(top)))
            }
        }
    }

    fn pixels(plan: &LosslessPlan) -> Vec<Vec<(u16, u16)>> {
        let along = |span: Span, n: u16| {
            if span.mirrored { span.start + span.len - 1 - n } else { span.start + n }
        };
        let (w, h) = plan.size();
        let pixel = |x, y| {
            let (x, y) = if plan.transpose { (y, x) } else { (x, y) };
            (along(plan.x, x), along(plan.y, y))
        };
        (0..h).map(|y| (0..w).map(|x| pixel(x, y)).collect()).collect()
    }

    #[test]
    fn any_three_steps_folded_are_the_three_steps_one_by_one() {
        let source: Vec<Vec<(u16, u16)>> = (0..7).map(|y| (0..5).map(|x| (x, y)).collect()).collect();
        let steps: Vec<LosslessOp> = TURNS.into_iter().chain([crop(1, 0, 3, 3), crop(0, 2, 4, 3)]).collect();
        for &a in &steps {
            for &b in &steps {
                for &c in &steps {
                    let Ok(plan) = LosslessPlan::fold(5, 7, &[a, b, c]) else { continue };
                    let one_by_one = [a, b, c].into_iter().fold(source.clone(), |p, op| step(&p, op));
                    assert_eq!(pixels(&plan), one_by_one, "{a:?} {b:?} {c:?}");
                }
            }
        }
    }

    #[test]
    fn a_crop_that_leaves_the_picture_is_told_with_the_size_at_its_step() {
        let error = LosslessPlan::fold(100, 50, &[Rotate90, crop(0, 0, 51, 20)]).unwrap_err();
        assert!(matches!(error, LosslessError::OutsidePicture { width: 50, height: 100, .. }), "{error}");
        for wrong in [crop(0, 0, 0, 4), crop(100, 0, 1, 1), crop(u16::MAX, 0, u16::MAX, 1), crop(0, 50, 1, 1)]
        {
            assert!(LosslessPlan::fold(100, 50, &[wrong]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_edge_that_becomes_the_first_must_lie_on_the_grid() {
        let fit = |ops: &[LosslessOp], trim| {
            let mut plan = LosslessPlan::fold(1920, 1080, ops).unwrap();
            plan.x.fit(16, 1920, trim).and(plan.y.fit(16, 1080, trim)).map(|()| plan.size())
        };
        assert!(fit(&[FlipHorizontal], false).is_ok());
        assert!(fit(&[Rotate270], false).is_ok());
        assert!(fit(&[Rotate90], false).is_err());
        assert_eq!(fit(&[Rotate90], true), Ok((1072, 1920)));
        assert_eq!(fit(&[Rotate180], true), Ok((1920, 1072)));
        assert_eq!(fit(&[crop(16, 32, 101, 77)], false), Ok((101, 77)));
        assert!(fit(&[crop(8, 32, 101, 77)], true).is_err());
        assert_eq!(fit(&[Rotate180, crop(0, 8, 100, 100)], false), Ok((100, 100)));
        assert_eq!(fit(&[Rotate180, Rotate180], false), Ok((1920, 1080)));
    }
}
