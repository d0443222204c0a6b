//! Draws a chart: title, legend with the last values, axes, and the lines.

use bytes::Bytes;
use jiff::tz::TimeZone;

use super::{
    axis::{ValueAxis, time_ticks},
    points::Point,
    stroke::{Mask, thinned},
};
use crate::{
    config::{ChartConfig, ChartStyle, Color, Theme},
    imaging::{
        Quality,
        codec::codec,
        raster::{
            canvas::{Area, Canvas, mix, rgb},
            fonts::{self, Style},
        },
    },
    source::generated::error::RenderError,
};

/// The colours of one theme.
struct Palette {
    top: Color,
    bottom: Color,
    title: Color,
    text: Color,
    faint: Color,
    grid: Color,
    axis: Color,
    series: [Color; 8],
}

static DARK: Palette = Palette {
    top: rgb(0x1d232c),
    bottom: rgb(0x11151b),
    title: rgb(0xf3f5f8),
    text: rgb(0xc2c9d3),
    faint: rgb(0x8b95a3),
    grid: rgb(0x2a313c),
    axis: rgb(0x4a5462),
    series: [
        rgb(0x5aa9ff),
        rgb(0xffb454),
        rgb(0x6fdc9c),
        rgb(0xff6f91),
        rgb(0xb794ff),
        rgb(0x4dd8e6),
        rgb(0xf2e15c),
        rgb(0xff8a5c),
    ],
};

static LIGHT: Palette = Palette {
    top: rgb(0xffffff),
    bottom: rgb(0xf6f8fa),
    title: rgb(0x1b212a),
    text: rgb(0x3a4452),
    faint: rgb(0x6b7685),
    grid: rgb(0xe4e8ed),
    axis: rgb(0xb4bcc7),
    series: [
        rgb(0x1f6feb),
        rgb(0xd97706),
        rgb(0x15803d),
        rgb(0xdb2777),
        rgb(0x7c3aed),
        rgb(0x0891b2),
        rgb(0xa16207),
        rgb(0xdc2626),
    ],
};

/// Opacity of the area below a line, at its upper and its lower end.
const AREA_SHARES: (f32, f32) = (0.42, 0.04);

/// The data and settings of a drawn chart.
#[derive(Debug)]
pub(super) struct Graph<'a> {
    pub(super) config: &'a ChartConfig,
    pub(super) title: &'a str,
    /// The right end of the time axis, in seconds since the epoch.
    pub(super) now: f64,
    pub(super) zone: &'a TimeZone,
    pub(super) series: &'a [Vec<Point>],
}

/// Draws a chart as a JPEG. Takes some milliseconds, so it belongs in the CPU pool.
pub(super) fn draw(graph: &Graph<'_>) -> Result<Bytes, RenderError> {
    Ok(codec().encode(paint(graph)?.pixels(), Quality::LETTERS)?)
}

/// The area of the lines, and the mapping of time and values to pixels.
pub(super) struct Plot {
    pub(super) area: Area,
    pub(super) axis: ValueAxis,
    start: f64,
    end: f64,
}

impl Plot {
    pub(super) fn x(&self, time: f64) -> f32 {
        let share = ((time - self.start) / (self.end - self.start)) as f32;
        self.area.x as f32 + share * self.area.width as f32
    }

    pub(super) fn y(&self, value: f64) -> f32 {
        // Far outside is as good as anything outside, and avoids large numbers.
        let share = self.axis.share(value).clamp(-2.0, 3.0);
        (self.area.y + self.area.height) as f32 - share * self.area.height as f32
    }
}

fn paint(graph: &Graph<'_>) -> Result<Canvas, RenderError> {
    let palette = palette(graph);
    let mut canvas = Canvas::new(graph.config.size, palette.bottom)?;
    canvas.slope(canvas.area(), palette.top, palette.bottom);
    let letters = letter_size(&canvas);
    let plot = plot(graph, &mut canvas, palette, letters);
    grid(graph, &mut canvas, palette, letters, &plot);
    if graph.series.iter().all(Vec::is_empty) {
        return Ok(nothing_yet(canvas, palette, letters, &plot));
    }
    match graph.config.style {
        ChartStyle::Bar => bars(graph, &mut canvas, palette, letters, &plot),
        ChartStyle::Line | ChartStyle::Area => lines(graph, &mut canvas, palette, letters, &plot),
    }
    Ok(canvas)
}

fn palette(graph: &Graph<'_>) -> &'static Palette {
    match graph.config.theme {
        Theme::Dark => &DARK,
        Theme::Light => &LIGHT,
    }
}

fn color(graph: &Graph<'_>, palette: &Palette, series: usize) -> Color {
    graph.config.series[series].color.unwrap_or(palette.series[series % palette.series.len()])
}

/// Returns the height of the letters: readable at arm's length, and no more.
fn letter_size(canvas: &Canvas) -> f32 {
    (canvas.width() as f32 / 58.0).min(canvas.height() as f32 / 28.0).clamp(9.0, 30.0)
}

/// Draws title and legend, and returns the area that is left.
fn plot(graph: &Graph<'_>, canvas: &mut Canvas, palette: &Palette, letters: f32) -> Plot {
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
        top = legend(graph, canvas, palette, letters, &axis, Area { x: pad, y: top, width: room, height });
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
fn legend(
    graph: &Graph<'_>,
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
        let mut mark = Mask::new(Area { x, y, width: swatch, height: line });
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
fn grid(graph: &Graph<'_>, canvas: &mut Canvas, palette: &Palette, letters: f32, plot: &Plot) {
    let Area { x, y, width, height } = plot.area;
    let style = Style::new(letters, palette.faint);
    let thick = (letters / 16.0).round().max(1.0) as i32;
    let half = (letters * 0.62) as i32;
    for tick in &plot.axis.ticks {
        let at = plot.y(*tick).round() as i32;
        let grounds = *tick == 0.0 || at >= y + height;
        canvas.fill(
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
        canvas.fill(Area { x: at, y, width: thick, height }, palette.grid);
        canvas
            .fill(Area { x: at, y: y + height, width: thick, height: (letters * 0.35) as i32 }, palette.axis);
        let (wide, _) = fonts::measure(&label, style, width);
        // Whole labels only: half a time is none.
        let left = (at - wide / 2).min(canvas.width() - wide - 2);
        if left >= 0 {
            let below = y + height + (letters * 0.55) as i32;
            fonts::draw(canvas, &label, style, Area { x: left, y: below, width: wide + 1, height: tall });
        }
    }
    let ground = Area { x, y: y + height, width, height: thick };
    canvas.fill(ground, palette.axis);
}

fn nothing_yet(mut canvas: Canvas, palette: &Palette, letters: f32, plot: &Plot) -> Canvas {
    let style = Style::new(letters * 1.1, palette.text).wrapped(2);
    let text = "no points yet";
    let (wide, tall) = fonts::measure(text, style, plot.area.width);
    let Area { x, y, width, height } = plot.area;
    let middle =
        Area { x: x + (width - wide) / 2, y: y + (height - tall) / 2, width: wide + 1, height: tall };
    fonts::draw(&mut canvas, text, style, middle);
    canvas
}

/// Draws the lines of all series, later ones over earlier ones, and all areas below all lines.
fn lines(graph: &Graph<'_>, canvas: &mut Canvas, palette: &Palette, letters: f32, plot: &Plot) {
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
            area(canvas, plot, path, color(graph, palette, number));
        }
    }
    // A line at the end of the scale keeps its width, and the last value its dot.
    let room = (radius + letters * 0.3) as i32 + 1;
    let Area { x, y, width, height } = plot.area;
    let around = Area { x, y: y - room, width: width + room, height: height + 2 * room };
    for (number, path) in paths.iter().enumerate() {
        let color = color(graph, palette, number);
        let mut mask = Mask::new(around);
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
fn area(canvas: &mut Canvas, plot: &Plot, path: &[(f32, f32)], color: Color) {
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
fn bars(graph: &Graph<'_>, canvas: &mut Canvas, palette: &Palette, letters: f32, plot: &Plot) {
    let Area { x, y, width, height } = plot.area;
    let series = graph.series.len() as f64;
    let room = f64::from(width) / graph.config.window.as_secs_f64().max(1e-3);
    // Slots stand on whole steps of the clock, so that columns move and do not flicker.
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
            canvas.slope(body, color, mix(color, palette.bottom, 0.45));
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

#[cfg(test)]
mod tests;
