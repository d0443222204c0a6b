//! Draws the series of a chart: lines, areas and bars.

use super::{
    palette::Palette,
    plot::{ChartData, Plot, color},
};
use crate::{
    config::{ChartStyle, Color},
    imaging::raster::canvas::{Area, Canvas, mix},
    source::generated::chart::{
        points::Point,
        stroke::{CoverageMask, thinned},
    },
};

/// Opacity of the area below a line, at its upper and its lower end.
const AREA_SHARES: (f32, f32) = (0.42, 0.04);

/// Draws the lines of all series, later ones over earlier ones, and all areas below all lines.
pub(super) fn draw_lines(
    graph: &ChartData<'_>,
    canvas: &mut Canvas,
    palette: &Palette,
    letters: f32,
    plot: &Plot,
) {
    let radius = (letters * 0.075).max(0.9);
    let paths: Vec<Vec<(f32, f32)>> = graph
        .series
        .iter()
        .map(|points| {
            let places: Vec<_> =
                points.iter().map(|point| (plot.x(point.time), plot.y(point.value))).collect();
            thinned(&places)
        })
        .collect();
    if graph.config.style == ChartStyle::Area {
        for (number, path) in paths.iter().enumerate() {
            fill_area(canvas, plot, path, color(graph, palette, number));
        }
    }
    // A line at the end of the scale keeps its width, and the last value its dot.
    let room = (radius + letters * 0.3) as i32 + 1;
    let Area { x, y, width, height } = plot.area;
    let around = Area { x, y: y - room, width: width + room, height: height + 2 * room };
    for (number, path) in paths.iter().enumerate() {
        let color = color(graph, palette, number);
        let mut mask = CoverageMask::new(around);
        for pair in path.windows(2) {
            mask.line(pair[0], pair[1], radius);
        }
        if let Some(&last) = path.last() {
            mask.line(last, last, letters * 0.24);
        }
        mask.paint(canvas, color);
    }
}

/// Fills the area between a line and the ground, fading downwards.
fn fill_area(canvas: &mut Canvas, plot: &Plot, path: &[(f32, f32)], color: Color) {
    let Area { x, y, width, height } = plot.area;
    let ground = plot.y(plot.axis.min.max(0.0).min(plot.axis.max));
    let mut after = 0;
    for column in x..x + width {
        let at = column as f32 + 0.5;
        while after < path.len() && path[after].0 <= at {
            after += 1;
        }
        let (Some(from), Some(to)) = (after.checked_sub(1).and_then(|n| path.get(n)), path.get(after)) else {
            continue;
        };
        let line = from.1 + (to.1 - from.1) * (at - from.0) / (to.0 - from.0).max(1e-6);
        let (top, bottom) = (line.min(ground), line.max(ground));
        let rows = (top.floor() as i32).max(y)..(bottom.ceil() as i32).min(y + height);
        for row in rows {
            let depth = ((row as f32 + 0.5 - ground).abs() / height as f32).clamp(0.0, 1.0);
            let share = AREA_SHARES.1 + (AREA_SHARES.0 - AREA_SHARES.1) * depth;
            canvas.blend(column, row, color, (share * 255.0) as u8);
        }
    }
}

/// Draws bars for slots of time, side by side by series, each as high as the mean of its points.
pub(super) fn draw_bars(
    graph: &ChartData<'_>,
    canvas: &mut Canvas,
    palette: &Palette,
    letters: f32,
    plot: &Plot,
) {
    let Area { x, y, width, height } = plot.area;
    let series = graph.series.len() as f64;
    let room = f64::from(width) / graph.config.window.as_secs_f64().max(1e-3);
    // Slots begin at whole steps of the clock, so that columns move and do not flicker.
    let slot = slot_seconds(f64::from(letters) * (0.7 + 0.5 * series) / room);
    let ground = plot.y(plot.axis.min.max(0.0).min(plot.axis.max));
    for (number, points) in graph.series.iter().enumerate() {
        let color = color(graph, palette, number);
        let of_slot = |a: &Point, b: &Point| (a.time / slot).floor() == (b.time / slot).floor();
        for column in points.chunk_by(of_slot) {
            let mean = column.iter().map(|point| point.value / column.len() as f64).sum::<f64>();
            let start = (column[0].time / slot).floor() * slot;
            let each = slot * 0.78 / series;
            let from = start + slot * 0.11 + each * number as f64;
            let (left, right) = (plot.x(from).round() as i32, plot.x(from + each * 0.92).round() as i32);
            let (left, right) = (left.max(x), right.min(x + width));
            let (top, bottom) = (plot.y(mean).min(ground), plot.y(mean).max(ground));
            let (top, bottom) = (top.max(y as f32), bottom.min((y + height) as f32));
            if right < left || bottom <= top {
                continue;
            }
            let body = Area {
                x: left,
                y: top.ceil() as i32,
                width: (right - left).max(1),
                height: bottom.round() as i32 - top.ceil() as i32,
            };
            canvas.fill_gradient(body, color, mix(color, palette.bottom, 0.45));
            let soft = ((top.ceil() - top) * 255.0) as u8;
            (body.x..body.x + body.width).for_each(|column| canvas.blend(column, body.y - 1, color, soft));
        }
    }
}

/// Returns the length of a slot of at least `least` seconds.
fn slot_seconds(least: f64) -> f64 {
    const STEPS: [f64; 16] =
        [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 21_600.0];
    STEPS.into_iter().find(|step| *step >= least).unwrap_or(86_400.0)
}
