use jiff::tz::TimeZone;

use super::*;
use crate::{
    config::{Color, Theme},
    imaging::raster::canvas::rgb,
    source::generated::chart::points::{Point, tests::config},
};

const NOW: f64 = 1_800_000_000.0;

fn graph_of(yaml: &str, series: &[Vec<Point>], look: impl FnOnce(&ChartData<'_>)) {
    let config = config(yaml);
    look(&ChartData {
        config: &config,
        title: "Load of the machine",
        now: NOW,
        zone: &TimeZone::UTC,
        series,
    });
}

fn points(values: impl Iterator<Item = (f64, f64)>) -> Vec<Point> {
    values.map(|(age, value)| Point { time: NOW - age, value }).collect()
}

fn constant(value: f64) -> Vec<Point> {
    points([(400.0, value), (0.0, value)].into_iter())
}

fn at(canvas: &Canvas, x: i32, y: i32) -> Color {
    let offset = (y * canvas.width() + x) as usize * 3;
    let pixel = &canvas.pixels().data()[offset..offset + 3];
    Color { r: pixel[0], g: pixel[1], b: pixel[2] }
}

fn is_near(a: Color, b: Color) -> bool {
    [(a.r, b.r), (a.g, b.g), (a.b, b.b)].iter().all(|(a, b)| a.abs_diff(*b) < 30)
}

/// Returns the rows of a column that have a colour.
fn rows_of(canvas: &Canvas, x: i32, color: Color) -> Vec<i32> {
    (0..canvas.height()).filter(|y| is_near(at(canvas, x, *y), color)).collect()
}

#[test]
fn a_line_stands_at_the_height_of_its_value_in_its_colour() {
    let red = rgb(0xff0000);
    for (value, share) in [(0.0, 0.0), (25.0, 0.25), (75.0, 0.75), (100.0, 1.0)] {
        let yaml = "series: [{name: a, color: \"#ff0000\"}], size: 640x360, y: {min: 0, max: 100}";
        graph_of(yaml, &[constant(value)], |graph| {
            let canvas = paint(graph).unwrap();
            let mut scratch = Canvas::new(graph.config.size, rgb(0)).unwrap();
            let plot = plot(graph, &mut scratch, palette(Theme::Dark), letter_size(&canvas));
            let wanted = (plot.area.y + plot.area.height) as f32 - share * plot.area.height as f32;
            for x in [plot.area.x + 5, plot.area.x + plot.area.width / 2] {
                let rows = rows_of(&canvas, x, red);
                assert!(!rows.is_empty(), "{value} at {x}");
                let legend_ends = plot.area.y - 8;
                let off = |row: &&i32| **row > legend_ends && (**row as f32 + 0.5 - wanted).abs() > 2.0;
                assert_eq!(rows.iter().find(off), None, "{value}: {rows:?}, not {wanted}");
            }
        });
    }
}

#[test]
fn a_rise_goes_from_the_lower_left_to_the_upper_right() {
    let blue = palette(Theme::Dark).series[0];
    let rise = points((0..=300).rev().map(|age| (f64::from(age), 300.0 - f64::from(age))));
    graph_of("series: [a], size: 640x360, y: {min: 0, max: 300}", &[rise], |graph| {
        let canvas = paint(graph).unwrap();
        let height = |x: i32| *rows_of(&canvas, x, blue).last().unwrap();
        assert!(height(150) > height(300) + 40 && height(300) > height(600) + 80);
    });
}

#[test]
fn an_area_reaches_down_to_the_ground_and_a_bar_too() {
    for style in ["area", "bar"] {
        let steady = points((0..3000).rev().map(|n| (f64::from(n) / 10.0, 80.0)));
        let yaml = format!(
            "series: [{{name: a, color: \"#00ff00\"}}], size: 640x360, style: {style}, y: {{min: 0, max: \
             100}}"
        );
        graph_of(&yaml, &[steady], |graph| {
            let canvas = paint(graph).unwrap();
            let green = |y: i32| {
                (200..400).map(|x| at(&canvas, x, y)).map(|c| i32::from(c.g) - i32::from(c.r)).max().unwrap()
            };
            let above = green(100);
            assert!(green(150) > above + 60 && green(250) > above + 20, "{style}");
        });
    }
}

#[test]
fn graphs_of_every_size_and_of_nothing_are_drawn() {
    let noisy = points((0..5000).rev().map(|n| (f64::from(n) / 17.0, (f64::from(n) * 0.7).sin() * 1e6)));
    for size in ["1x1", "16x900", "900x16", "64x48", "320x240", "1920x1080"] {
        for style in ["line", "area", "bar"] {
            for series in
                [vec![vec![], vec![]], vec![noisy.clone(), constant(-1e300)], vec![constant(0.0), vec![]]]
            {
                let yaml = format!(
                    "series: [a, {{name: b, label: 温度}}], size: {size}, style: {style}, theme: light"
                );
                graph_of(&yaml, &series, |graph| {
                    draw(graph).unwrap();
                });
            }
        }
    }
}
