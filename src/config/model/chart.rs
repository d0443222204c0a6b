//! Sources that are live graphs.

use std::time::Duration;

use super::{Color, Secret, Size, UpstreamConfig};

/// `type: chart`.
#[derive(Debug, Clone, PartialEq)]
pub struct ChartConfig {
    /// Above the graph; the stream's title if not said.
    pub title: Option<String>,
    /// Picture size.
    pub size: Size,
    /// How much time the graph shows, up to now.
    pub window: Duration,
    /// What is drawn; at least one, each with a name of its own.
    pub series: Vec<SeriesConfig>,
    /// The upright axis.
    pub y: AxisConfig,
    /// How values are drawn.
    pub style: ChartStyle,
    /// Light on dark, or dark on light.
    pub theme: Theme,
    /// Who may send points.
    pub publishers: Publishers,
    /// Where points are fetched too.
    pub poll: Option<PollConfig>,
}

/// One line of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesConfig {
    /// As in points: letters, digits, `_`, `-`, `.` and `:`; never `time`.
    pub name: String,
    /// What people read.
    pub label: String,
    /// One of the theme's if not said.
    pub color: Option<Color>,
}

/// The upright axis of a graph.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AxisConfig {
    /// Its lower end; from the points if not said.
    pub min: Option<f64>,
    /// Its upper end, above `min`; from the points if not said.
    pub max: Option<f64>,
    /// Stands behind values; may be empty.
    pub unit: String,
}

/// How values are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartStyle {
    /// A line from point to point.
    Line,
    /// The same with the area beneath it.
    Area,
    /// Columns, each the mean of a slot of time.
    Bar,
}

/// Colours of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Light on dark.
    Dark,
    /// Dark on light.
    Light,
}

/// Who may send points over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publishers {
    /// They are only polled.
    Nobody,
    /// Written `token: none`.
    Anybody,
    /// Who shows this token.
    Holders(Secret),
}

/// `poll:` of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct PollConfig {
    /// The JSON's URL and how to ask for it.
    pub upstream: UpstreamConfig,
    /// From the start of one request to the start of the next.
    pub every: Duration,
    /// Where the value of each series stands in the answer: JSON pointers (RFC 6901), in the order of the series.
    pub pointers: Vec<String>,
}
