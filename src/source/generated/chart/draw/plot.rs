//! The content of a chart, and the mapping of its time and values to pixels.

use jiff::tz::TimeZone;

use super::palette::Palette;
use crate::{
    config::{ChartConfig, Color},
    imaging::raster::canvas::Area,
    source::generated::chart::{axis::ValueAxis, points::Point},
};

/// The data and settings of a drawn chart.
#[derive(Debug)]
pub(in crate::source::generated::chart) struct ChartData<'a> {
    pub(in crate::source::generated::chart) config: &'a ChartConfig,
    pub(in crate::source::generated::chart) title: &'a str,
    /// The right end of the time axis, in seconds since the epoch.
    pub(in crate::source::generated::chart) now: f64,
    pub(in crate::source::generated::chart) zone: &'a TimeZone,
    pub(in crate::source::generated::chart) series: &'a [Vec<Point>],
}

/// The area of the lines, and the mapping of time and values to pixels.
pub(super) struct Plot {
    pub(super) area: Area,
    pub(super) axis: ValueAxis,
    pub(super) start: f64,
    pub(super) end: f64,
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

/// Returns the colour of a series.
pub(super) fn color(graph: &ChartData<'_>, palette: &Palette, series: usize) -> Color {
    graph.config.series[series].color.unwrap_or(palette.series[series % palette.series.len()])
}
