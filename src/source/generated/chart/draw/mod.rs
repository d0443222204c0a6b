//! Draws a chart: title, legend with the last values, axes, and the lines.

mod palette;
mod plot;
mod series;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use palette::{Palette, palette};
pub(super) use plot::ChartData;
use plot::{Plot, color};
use series::{draw_bars, draw_lines};

use super::{
    axis::{ValueAxis, time_ticks},
    stroke::CoverageMask,
};
use crate::{
    config::ChartStyle,
    imaging::{
        Quality,
        codec::codec,
        raster::{
            canvas::{Area, Canvas},
            fonts::{self, Style},
        },
    },
    source::generated::error::RenderError,
};

/// Draws a chart as a JPEG. Takes some milliseconds, so it belongs in the CPU pool.
pub(super) fn draw(graph: &ChartData<'_>) -> Result<Bytes, RenderError> {
    Ok(codec().encode(paint(graph)?.pixels(), Quality::LETTERS)?)
}

fn paint(graph: &ChartData<'_>) -> Result<Canvas, RenderError> {
    let palette = palette(graph.config.theme);
    let mut canvas = Canvas::new(graph.config.size, palette.bottom)?;
    canvas.fill_gradient(canvas.area(), palette.top, palette.bottom);
    let letters = letter_size(&canvas);
    let plot = plot(graph, &mut canvas, palette, letters);
    draw_grid(graph, &mut canvas, palette, letters, &plot);
    if graph.series.iter().all(Vec::is_empty) {
        return Ok(draw_no_data(canvas, palette, letters, &plot));
    }
    match graph.config.style {
        ChartStyle::Bar => draw_bars(graph, &mut canvas, palette, letters, &plot),
        ChartStyle::Line | ChartStyle::Area => draw_lines(graph, &mut canvas, palette, letters, &plot),
    }
    Ok(canvas)
}

/// Returns the height of the letters: readable at arm's length, and no more.
fn letter_size(canvas: &Canvas) -> f32 {
    (canvas.width() as f32 / 58.0).min(canvas.height() as f32 / 28.0).clamp(9.0, 30.0)
}

/// Draws title and legend, and returns the area that is left.
fn plot(graph: &ChartData<'_>, canvas: &mut Canvas, palette: &Palette, letters: f32) -> Plot {
    let (width, height) = (canvas.width(), canvas.height());
    let pad = (letters * 1.4) as i32;
    let values = graph.series.iter().flatten().map(|point| point.value);
    let grounded = graph.config.style != ChartStyle::Line;
    // About four lines of text from tick to tick.
    let ticks = (height as f32 / letters / 5.5) as usize;
    let axis = ValueAxis::new(&graph.config.y, values, grounded, ticks.clamp(2, 8));
    let mut top = (letters * 1.1) as i32;
    // A small picture has space for nothing but the lines.
    if height as f32 > letters * 9.0 {
        let style = Style::new(letters * 1.35, palette.title).wrapped(1);
        let room = width - 2 * pad;
        let (_, taken) = fonts::measure(graph.title, style, room);
        fonts::draw(canvas, graph.title, style, Area { x: pad, y: top, width: room, height: taken });
        top += taken + (letters * 0.25) as i32;
        top =
            draw_legend(graph, canvas, palette, letters, &axis, Area { x: pad, y: top, width: room, height });
    }
    top += (letters * 0.8) as i32;
    let plain = Style::new(letters, palette.faint);
    let widest = axis.ticks.iter().map(|tick| fonts::measure(&axis.label(*tick), plain, width).0).max();
    let left = pad + widest.unwrap_or_default() + (letters * 0.6) as i32;
    let bottom = height - (letters * 2.5) as i32;
    let area = Area { x: left, y: top, width: (width - pad - left).max(1), height: (bottom - top).max(1) };
    let start = graph.now - graph.config.window.as_secs_f64();
    Plot { area, axis, start, end: graph.now }
}

/// Draws one entry for each series: its colour, label and last value. Returns its lower end.
fn draw_legend(
    graph: &ChartData<'_>,
    canvas: &mut Canvas,
    palette: &Palette,
    letters: f32,
    axis: &ValueAxis,
    room: Area,
) -> i32 {
    let line = (letters * 1.55) as i32;
    let gap = (letters * 0.5) as i32;
    let (mut x, mut y) = (room.x, room.y);
    for (number, series) in graph.config.series.iter().enumerate() {
        let label = Style::new(letters, palette.faint).wrapped(1);
        let value = Style::new(letters, palette.title).wrapped(1);
        let last = graph.series[number].last().map_or("–".to_owned(), |point| axis.precise(point.value));
        let widths = [(&series.label, label), (&last, value)]
            .map(|(text, style)| fonts::measure(text, style, room.width).0 + 1);
        let swatch = (letters * 1.1) as i32;
        let whole = swatch + gap + widths[0] + gap + widths[1];
        if x > room.x && x + whole > room.x + room.width {
            (x, y) = (room.x, y + line);
        }
        let middle = y as f32 + letters * 0.63;
        let mut mark = CoverageMask::new(Area { x, y, width: swatch, height: line });
        let round = letters * 0.16;
        mark.line((x as f32 + round, middle), ((x + swatch) as f32 - round, middle), round);
        mark.paint(canvas, color(graph, palette, number));
        let text = |canvas: &mut Canvas, x: i32, text: &str, style: Style, width: i32| {
            fonts::draw(canvas, text, style, Area { x, y, width, height: line });
        };
        text(canvas, x + swatch + gap, &series.label, label, widths[0]);
        text(canvas, x + swatch + gap + widths[0] + gap, &last, value, widths[1]);
        x += whole + (letters * 1.8) as i32;
    }
    y + line
}

/// Draws the grid lines and their labels.
fn draw_grid(graph: &ChartData<'_>, canvas: &mut Canvas, palette: &Palette, letters: f32, plot: &Plot) {
    let Area { x, y, width, height } = plot.area;
    let style = Style::new(letters, palette.faint);
    let thick = (letters / 16.0).round().max(1.0) as i32;
    let half = (letters * 0.62) as i32;
    for tick in &plot.axis.ticks {
        let at = plot.y(*tick).round() as i32;
        let grounds = *tick == 0.0 || at >= y + height;
        canvas.fill_rect(
            Area { x, y: at - thick / 2, width, height: thick },
            if grounds { palette.axis } else { palette.grid },
        );
        let label = plot.axis.label(*tick);
        let (wide, tall) = fonts::measure(&label, style, width);
        let left = x - wide - (letters * 0.6) as i32;
        fonts::draw(canvas, &label, style, Area { x: left, y: at - half, width: wide + 1, height: tall });
    }
    let (widest, tall) = fonts::measure("00:00:00", style, width);
    let room = f64::from(width) / graph.config.window.as_secs_f64().max(1e-3);
    let least = f64::from(widest) * 1.7 / room;
    for (time, label) in time_ticks(plot.start, plot.end, least, graph.zone) {
        let at = plot.x(time).round() as i32;
        canvas.fill_rect(Area { x: at, y, width: thick, height }, palette.grid);
        canvas.fill_rect(
            Area { x: at, y: y + height, width: thick, height: (letters * 0.35) as i32 },
            palette.axis,
        );
        let (wide, _) = fonts::measure(&label, style, width);
        // Whole labels only: half a time is none.
        let left = (at - wide / 2).min(canvas.width() - wide - 2);
        if left >= 0 {
            let below = y + height + (letters * 0.55) as i32;
            fonts::draw(canvas, &label, style, Area { x: left, y: below, width: wide + 1, height: tall });
        }
    }
    let ground = Area { x, y: y + height, width, height: thick };
    canvas.fill_rect(ground, palette.axis);
}

fn draw_no_data(mut canvas: Canvas, palette: &Palette, letters: f32, plot: &Plot) -> Canvas {
    let style = Style::new(letters * 1.1, palette.text).wrapped(2);
    let text = "no points yet";
    let (wide, tall) = fonts::measure(text, style, plot.area.width);
    let Area { x, y, width, height } = plot.area;
    let middle =
        Area { x: x + (width - wide) / 2, y: y + (height - tall) / 2, width: wide + 1, height: tall };
    fonts::draw(&mut canvas, text, style, middle);
    canvas
}
