//! Antialiased lines.

use crate::{
    config::Color,
    imaging::raster::canvas::{Area, Canvas},
};

/// The coverage of each pixel of an area by lines. It is painted at once, so that joints are no darker than
/// lines.
#[derive(Debug)]
pub(super) struct CoverageMask {
    area: Area,
    coverage: Vec<u8>,
}

impl CoverageMask {
    pub(super) fn new(area: Area) -> Self {
        let pixels = area.width.max(0) as usize * area.height.max(0) as usize;
        Self { area, coverage: vec![0; pixels] }
    }

    /// Adds a line with round ends, `radius` to either side.
    pub(super) fn line(&mut self, from: (f32, f32), to: (f32, f32), radius: f32) {
        let Area { x, y, width, height } = self.area;
        let (from, to) = ((from.0 - x as f32, from.1 - y as f32), (to.0 - x as f32, to.1 - y as f32));
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy).max(1e-6);
        let reach = radius + 1.0;
        let span = |a: f32, b: f32, side: i32| {
            ((a.min(b) - reach).floor().max(0.0) as i32, ((a.max(b) + reach).ceil() as i32).min(side))
        };
        let (left, right) = span(from.0, to.0, width);
        let (top, bottom) = span(from.1, to.1, height);
        for column in left..right {
            let at = column as f32 + 0.5;
            // Only the rows that the line can touch in this column: a steep line is tall, but thin.
            let (mut first, mut last) = (top, bottom);
            if dx.abs() > 0.01 {
                let slope = dy / dx;
                let middle = from.1 + (at - from.0) * slope;
                let half = reach * slope.hypot(1.0) + 1.0;
                first = first.max((middle - half).floor() as i32);
                last = last.min((middle + half).ceil() as i32);
            }
            for row in first..last {
                let (px, py) = (at - from.0, row as f32 + 0.5 - from.1);
                let along = ((px * dx + py * dy) / (length * length)).clamp(0.0, 1.0);
                let distance = (px - along * dx).hypot(py - along * dy);
                let cover = ((radius - distance + 0.5).clamp(0.0, 1.0) * 255.0) as u8;
                let pixel = &mut self.coverage[row as usize * width as usize + column as usize];
                *pixel = (*pixel).max(cover);
            }
        }
    }

    /// Paints a colour over the covered pixels.
    pub(super) fn paint(&self, canvas: &mut Canvas, color: Color) {
        let width = self.area.width.max(1) as usize;
        for (row, line) in self.coverage.chunks(width).enumerate() {
            for (column, cover) in line.iter().enumerate().filter(|(_, cover)| **cover > 0) {
                canvas.blend(self.area.x + column as i32, self.area.y + row as i32, color, *cover);
            }
        }
    }
}

/// Reduces a line to what a picture can show: of the points within one pixel's width the first, the extremes
/// and the last.
pub(super) fn thinned(points: &[(f32, f32)]) -> Vec<(f32, f32)> {
    let mut kept: Vec<(f32, f32)> = Vec::new();
    for column in points.chunk_by(|a, b| a.0.floor() == b.0.floor()) {
        let by_height = |a: &&(f32, f32), b: &&(f32, f32)| a.1.total_cmp(&b.1);
        let ends = [column.first(), column.last()];
        let extremes = [column.iter().min_by(by_height), column.iter().max_by(by_height)];
        let mut chosen: Vec<_> = ends.into_iter().chain(extremes).flatten().copied().collect();
        chosen.sort_by(|a, b| a.0.total_cmp(&b.0));
        chosen.dedup();
        kept.extend(chosen);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_as_wide_as_asked_and_stays_in_its_area() {
        let area = Area { x: 10, y: 5, width: 40, height: 20 };
        let mut mask = CoverageMask::new(area);
        mask.line((0.0, 15.0), (100.0, 15.0), 1.0);
        let column: Vec<u8> = (0..20).map(|row| mask.coverage[row * 40 + 20]).collect();
        assert_eq!(column.iter().map(|&cover| u32::from(cover)).sum::<u32>(), 510, "two pixels: {column:?}");
        let mut steep = CoverageMask::new(area);
        steep.line((30.0, -1000.0), (30.0, 1000.0), 1.0);
        steep.line((10.0, 5.0), (50.0, 25.0), 1.0);
        assert!((0..20).all(|row| steep.coverage[row * 40 + 20] > 0), "upright");
        assert!((0..20).all(|row| steep.coverage[row * 40 + 2 * row] > 0), "slanted");
        CoverageMask::new(Area { width: 0, height: -3, ..area }).line((0.0, 0.0), (9.0, 9.0), 2.0);
    }

    #[test]
    fn thinning_keeps_the_peaks() {
        let many: Vec<_> =
            (0..10_000).map(|n| (n as f32 / 100.0, if n == 5050 { 9.0 } else { 1.0 })).collect();
        let kept = thinned(&many);
        assert!(kept.len() <= 400, "{}", kept.len());
        assert!(kept.contains(&(50.5, 9.0)) && kept.is_sorted_by(|a, b| a.0 <= b.0));
        assert_eq!(thinned(&[(1.0, 2.0), (5.0, 3.0)]), [(1.0, 2.0), (5.0, 3.0)]);
    }
}
