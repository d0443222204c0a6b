//! A picture to draw on: filled shapes and soft edges, clipped to its sides.

use crate::{
    config::{Color, Size},
    imaging::codec::{CodecError, PixelFormat, Pixels},
};

/// A rectangle in pixels; parts outside the canvas are not drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub(crate) x: i32,
    pub(crate) y: i32,
    pub(crate) width: i32,
    pub(crate) height: i32,
}

/// An RGB picture.
#[derive(Debug)]
pub(crate) struct Canvas {
    pixels: Pixels,
}

impl Canvas {
    /// Returns a canvas of one colour.
    pub(crate) fn new(size: Size, ground: Color) -> Result<Self, CodecError> {
        let (width, height) = (size.width.get(), size.height.get());
        let (Ok(columns), Ok(rows)) = (u16::try_from(width), u16::try_from(height)) else {
            return Err(CodecError::Side { width, height });
        };
        let data = vec![0; usize::from(columns) * usize::from(rows) * 3];
        let mut canvas = Self { pixels: Pixels::new(columns, rows, PixelFormat::Rgb, data)? };
        canvas.fill_rect(canvas.area(), ground);
        Ok(canvas)
    }

    pub(crate) fn width(&self) -> i32 {
        self.pixels.width().into()
    }

    pub(crate) fn height(&self) -> i32 {
        self.pixels.height().into()
    }

    /// Returns the area of the whole canvas.
    pub(crate) fn area(&self) -> Area {
        Area { x: 0, y: 0, width: self.width(), height: self.height() }
    }

    /// Returns the pixels of the drawing.
    pub(crate) fn pixels(&self) -> &Pixels {
        &self.pixels
    }

    /// Paints a rectangle.
    pub(crate) fn fill_rect(&mut self, area: Area, color: Color) {
        self.fill_columns(area, |_| color);
    }

    /// Paints an area; `color` returns the colour of each column, by its number on the canvas.
    pub(crate) fn fill_columns(&mut self, area: Area, mut color: impl FnMut(usize) -> Color) {
        let Some((columns, rows)) = self.clip(area) else { return };
        let first = rows.start;
        let row = &mut self.row_mut(first)[columns.start * 3..columns.end * 3];
        for (pixel, column) in row.chunks_exact_mut(3).zip(columns.clone()) {
            let Color { r, g, b } = color(column);
            pixel.copy_from_slice(&[r, g, b]);
        }
        self.repeat_row(first, columns, rows);
    }

    /// Paints a rectangle with a colour that changes from top to bottom.
    pub(crate) fn fill_gradient(&mut self, area: Area, top: Color, bottom: Color) {
        for y in 0..area.height {
            let color = mix(top, bottom, y as f32 / area.height.max(1) as f32);
            self.fill_rect(Area { y: area.y + y, height: 1, ..area }, color);
        }
    }

    /// Paints a disc with soft edges; `x` and `y` are its middle.
    pub(crate) fn fill_disc(&mut self, x: f32, y: f32, radius: f32, color: Color) {
        let bounds =
            |middle: f32| ((middle - radius).floor() as i32 - 1, (middle + radius).ceil() as i32 + 1);
        let ((left, right), (top, bottom)) = (bounds(x), bounds(y));
        for row in top.max(0)..bottom.min(self.height()) {
            for column in left.max(0)..right.min(self.width()) {
                let distance = (column as f32 + 0.5 - x).hypot(row as f32 + 0.5 - y);
                let cover = (radius - distance + 0.5).clamp(0.0, 1.0);
                self.blend(column, row, color, (cover * 255.0) as u8);
            }
        }
    }

    /// Lays `color` over one pixel; `alpha` 255 hides what was there.
    pub(crate) fn blend(&mut self, x: i32, y: i32, color: Color, alpha: u8) {
        if x < 0 || y < 0 || x >= self.width() || y >= self.height() || alpha == 0 {
            return;
        }
        let at = x as usize * 3;
        let pixel = &mut self.row_mut(y as usize)[at..at + 3];
        for (channel, new) in pixel.iter_mut().zip([color.r, color.g, color.b]) {
            let (old, new, alpha) = (u32::from(*channel), u32::from(new), u32::from(alpha));
            *channel = ((new * alpha + old * (255 - alpha) + 127) / 255) as u8;
        }
    }

    fn row_mut(&mut self, y: usize) -> &mut [u8] {
        let stride = usize::from(self.pixels.width()) * 3;
        &mut self.pixels.data_mut()[y * stride..][..stride]
    }

    /// Copies a stretch of row `first` to the rows below it: the fastest way to paint.
    fn repeat_row(&mut self, first: usize, columns: std::ops::Range<usize>, rows: std::ops::Range<usize>) {
        let stride = usize::from(self.pixels.width()) * 3;
        let (start, end) = (first * stride + columns.start * 3, first * stride + columns.end * 3);
        for row in first + 1..rows.end {
            self.pixels.data_mut().copy_within(start..end, row * stride + columns.start * 3);
        }
    }

    /// Returns the columns and rows of `area` that are on the canvas.
    fn clip(&self, area: Area) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
        let range = |start: i32, len: i32, side: i32| {
            let end = start.saturating_add(len).min(side);
            let start = start.max(0);
            (start < end).then_some(start as usize..end as usize)
        };
        Some((range(area.x, area.width, self.width())?, range(area.y, area.height, self.height())?))
    }
}

/// Mixes two colours: `share` 0 gives `a`, 1 gives `b`.
pub(crate) fn mix(a: Color, b: Color, share: f32) -> Color {
    let channel =
        |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * share.clamp(0.0, 1.0)).round() as u8;
    Color { r: channel(a.r, b.r), g: channel(a.g, b.g), b: channel(a.b, b.b) }
}

/// Returns the colour written as a number: `0x1a2b3c`.
pub(crate) const fn rgb(hex: u32) -> Color {
    Color { r: (hex >> 16) as u8, g: (hex >> 8) as u8, b: hex as u8 }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn canvas() -> Canvas {
        let size = Size { width: NonZeroU32::new(10).unwrap(), height: NonZeroU32::new(6).unwrap() };
        Canvas::new(size, rgb(0)).unwrap()
    }

    fn painted(canvas: &Canvas) -> usize {
        canvas.pixels().data().chunks(3).filter(|p| *p != [0, 0, 0]).count()
    }

    #[test]
    fn shapes_are_clipped_at_every_side() {
        for (x, y, left) in [(-3, -3, 4), (8, 4, 4), (-3, 2, 8), (20, 20, 0), (-9, -9, 0)] {
            let mut canvas = canvas();
            canvas.fill_rect(Area { x, y, width: 5, height: 5 }, rgb(0xffffff));
            assert_eq!(painted(&canvas), left, "at {x},{y}");
            canvas.fill_disc(x as f32, y as f32, 4.0, rgb(0xffffff));
            canvas.fill_gradient(Area { x, y, width: 5, height: 5 }, rgb(0xff), rgb(0xff00));
            canvas.blend(x, y, rgb(1), 255);
        }
        let mut canvas = canvas();
        canvas.fill_rect(Area { x: i32::MAX, y: 0, width: i32::MAX, height: 2 }, rgb(1));
        assert_eq!(painted(&canvas), 0);
    }

    #[test]
    fn a_canvas_larger_than_a_jpeg_is_refused() {
        let size = Size { width: NonZeroU32::new(70_000).unwrap(), height: NonZeroU32::MIN };
        let error = Canvas::new(size, rgb(0)).unwrap_err().to_string();
        assert_eq!(error, "cannot draw 70000x1 pixels: a JPEG has at most 65535 on a side");
    }
}
