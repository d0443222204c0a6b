//! The positions of a mosaic's tiles: a pure function of their number and the picture's size.

use crate::imaging::raster::canvas::Area;

/// Aspect ratio of cells until pictures have arrived.
pub(super) const DEFAULT_ASPECT: f64 = 16.0 / 9.0;

/// Bounds of a cell's aspect ratio, whatever a camera sends.
const ASPECTS: (f64, f64) = (0.5, 2.5);

/// Relative difference in tile size below which layouts are equally good.
const TOLERANCE: f64 = 0.01;

/// The input of a layout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Grid {
    /// Number of tiles, at least 1.
    pub(super) tiles: usize,
    /// Width and height of the picture, both even.
    pub(super) size: (usize, usize),
    /// Columns; none chooses those with the largest tiles.
    pub(super) columns: Option<usize>,
    /// Pixels between tiles.
    pub(super) gap: usize,
    /// Aspect ratio of most pictures.
    pub(super) aspect: f64,
}

/// Returns one cell for each tile, row by row. The block of cells is centred in the picture, and so is a last
/// row with fewer. Sides and corners are even: four pixels share a colour.
pub(super) fn cells(grid: Grid) -> Vec<Area> {
    let columns = grid.columns.map_or_else(|| best_columns(grid), |columns| columns.min(grid.tiles));
    let (width, height) = cell(grid, columns);
    let (width, height) = (even(width as usize).max(2), even(height as usize).max(2));
    let rows = grid.tiles.div_ceil(columns);
    let start = |whole: usize, count: usize, side: usize| {
        whole.saturating_sub(count * side + (count - 1) * grid.gap) / 2
    };
    let top = start(grid.size.1, rows, height);
    let place = |n: usize| {
        let (row, column) = (n / columns, n % columns);
        let in_row = columns.min(grid.tiles - row * columns);
        let x = start(grid.size.0, in_row, width) + column * (width + grid.gap);
        let y = top + row * (height + grid.gap);
        Area { x: even(x) as i32, y: even(y) as i32, width: width as i32, height: height as i32 }
    };
    (0..grid.tiles).map(place).collect()
}

/// Returns the number of columns that makes tiles largest; of those, the one with the fewest empty cells, and
/// then the most columns.
fn best_columns(grid: Grid) -> usize {
    let area = |columns| {
        let (width, height) = cell(grid, columns);
        width * height
    };
    let empty = |columns: usize| grid.tiles.div_ceil(columns) * columns - grid.tiles;
    let better = |best: usize, other: usize| {
        let (a, b) = (area(best), area(other));
        if b > a * (1.0 + TOLERANCE) || (b > a * (1.0 - TOLERANCE) && empty(other) <= empty(best)) {
            other
        } else {
            best
        }
    };
    (1..=grid.tiles).reduce(better).unwrap_or(1)
}

/// Returns width and height of a cell in a layout with so many columns.
fn cell(grid: Grid, columns: usize) -> (f64, f64) {
    let rows = grid.tiles.div_ceil(columns);
    let side = |whole: usize, count: usize| {
        (whole.saturating_sub((count + 1) * grid.gap) as f64 / count as f64).max(2.0)
    };
    let (width, height) = (side(grid.size.0, columns), side(grid.size.1, rows));
    let aspect = grid.aspect.clamp(ASPECTS.0, ASPECTS.1);
    (width.min(height * aspect), height.min(width / aspect))
}

/// Returns the largest area of these proportions, centred in `cell`.
pub(super) fn fit(cell: Area, (width, height): (usize, usize)) -> Area {
    let (across, down) = (f64::from(cell.width), f64::from(cell.height));
    let by = (across / width as f64).min(down / height as f64);
    // A picture that lacks a pixel or two is widened: hairlines at its sides would look like a mistake.
    let side = |side: usize, whole: i32| {
        let fitted = even((side as f64 * by).round() as usize).max(2) as i32;
        if whole - fitted <= 4 { whole } else { fitted }
    };
    let (width, height) = (side(width, cell.width), side(height, cell.height));
    let middle = |from: i32, whole: i32, own: i32| from + (((whole - own) / 2) & !1);
    Area { x: middle(cell.x, cell.width, width), y: middle(cell.y, cell.height, height), width, height }
}

fn even(side: usize) -> usize {
    side & !1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(tiles: usize) -> Grid {
        Grid { tiles, size: (1920, 1080), columns: None, gap: 4, aspect: DEFAULT_ASPECT }
    }

    fn columns(cells: &[Area]) -> usize {
        cells.iter().filter(|cell| cell.y == cells[0].y).count()
    }

    #[test]
    fn tiles_are_as_large_as_can_be() {
        let wide: Vec<_> = [1, 2, 3, 4, 5, 9, 10, 16, 64].map(|n| columns(&cells(grid(n)))).into();
        assert_eq!(wide, [1, 2, 2, 2, 3, 3, 4, 4, 8]);
        let upright = Grid { size: (720, 1280), ..grid(3) };
        assert_eq!(columns(&cells(upright)), 1, "above each other where the picture is high");
    }

    #[test]
    fn tiles_are_on_the_picture_on_even_pixels_and_none_covers_another() {
        for tiles in 1..=64 {
            for (size, gap, columns) in
                [((1920, 1080), 4, None), ((640, 480), 3, Some(5)), ((2400, 400), 0, None)]
            {
                for aspect in [16.0 / 9.0, 4.0 / 3.0, 0.1, 100.0] {
                    let cells = cells(Grid { tiles, size, columns, gap, aspect });
                    assert_eq!(cells.len(), tiles);
                    for (n, a) in cells.iter().enumerate() {
                        assert!([a.x, a.y, a.width, a.height].iter().all(|side| side % 2 == 0 && *side >= 0));
                        assert!(a.x + a.width <= size.0 as i32 && a.y + a.height <= size.1 as i32, "{a:?}");
                        assert!(a.width > 0 && a.height > 0);
                        for b in &cells[n + 1..] {
                            let beside = a.x + a.width <= b.x || b.x + b.width <= a.x;
                            assert!(beside || a.y + a.height <= b.y || b.y + b.height <= a.y, "{a:?} {b:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_last_row_with_fewer_stands_in_the_middle() {
        let cells = cells(grid(3));
        let middle = cells[2].x + cells[2].width / 2;
        assert!((middle - 960).abs() <= 2, "{cells:?}");
        assert!(cells[2].y > cells[0].y);
    }

    #[test]
    fn a_picture_of_other_proportions_is_letterboxed() {
        let cell = Area { x: 100, y: 50, width: 480, height: 270 };
        assert_eq!(fit(cell, (1280, 720)), cell);
        assert_eq!(fit(cell, (640, 480)), Area { x: 160, y: 50, width: 360, height: 270 });
        let flat = fit(cell, (1000, 100));
        assert_eq!((flat.x, flat.width, flat.height), (100, 480, 48));
        assert!(flat.y >= 50 && flat.y + flat.height <= 320);
        assert_eq!(fit(cell, (480, 268)), cell, "no hairlines");
    }
}
