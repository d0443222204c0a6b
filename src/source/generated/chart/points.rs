//! The points of a chart's series, bounded in time and number.
//!
//! They are kept between the runs of the source, because points arrive whether or not the stream has viewers.

use std::{
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::sync::watch;

use crate::config::ChartConfig;

/// Maximum number of points of one series, oldest dropped: five minutes of 60 a second, of which a picture
/// shows some 2000; 320 kB.
const MAX_POINTS: usize = 20_000;

/// A value at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Seconds since the epoch.
    pub time: f64,
    /// The value, which is finite.
    pub value: f64,
}

/// A new point, with its series by number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NewPoint {
    /// Number of the series, in the order of the configuration.
    pub series: usize,
    /// Time and value.
    pub point: Point,
}

/// The points of one chart. Those older than its window are dropped.
#[derive(Debug)]
pub struct Points {
    names: Vec<String>,
    window: f64,
    series: Mutex<Vec<Vec<Point>>>,
    changes: watch::Sender<u64>,
}

impl Points {
    /// Creates a chart without points.
    pub fn new(config: &ChartConfig) -> Self {
        let names: Vec<_> = config.series.iter().map(|series| series.name.clone()).collect();
        let series = Mutex::new(vec![Vec::new(); names.len()]);
        Self { names, window: config.window.as_secs_f64(), series, changes: watch::Sender::new(0) }
    }

    /// Returns the names of the series.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Adds points in any order; one of the same series and time replaces the earlier one.
    pub fn add(&self, new: &[NewPoint], now: f64) {
        let mut all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        for NewPoint { series, point } in new {
            if let Some(points) = all.get_mut(*series) {
                insert(points, *point);
            }
        }
        for points in all.iter_mut() {
            // One point from before the window stays: the line begins there.
            let old = points.partition_point(|point| point.time < now - self.window).saturating_sub(1);
            points.drain(..old.max(points.len().saturating_sub(MAX_POINTS)));
        }
        drop(all);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Returns a copy of the points in the window up to `now`, by series.
    pub fn visible(&self, now: f64) -> Vec<Vec<Point>> {
        let all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let visible = |points: &Vec<Point>| {
            let first = points.partition_point(|point| point.time < now - self.window);
            if first == points.len() { Vec::new() } else { points[first.saturating_sub(1)..].to_vec() }
        };
        all.iter().map(visible).collect()
    }

    /// Returns a receiver that is notified when points are added.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// Seconds since the epoch.
pub fn unix_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Inserts a point by its time, which mostly is at the end.
fn insert(points: &mut Vec<Point>, new: Point) {
    let at = points.partition_point(|point| point.time < new.time);
    match points.get_mut(at) {
        Some(same) if same.time == new.time => *same = new,
        _ => points.insert(at, new),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::{self, Environment, SourceConfig};

    pub(in crate::source::generated::chart) fn config(more: &str) -> ChartConfig {
        let yaml = format!("streams: {{a: {{source: {{type: chart, token: none, {more}}}}}}}");
        let mut config = config::parse(&yaml, "test", &Environment::default()).unwrap();
        let SourceConfig::Chart(chart) = config.streams.remove(0).sources.remove(0) else {
            panic!("a chart")
        };
        *chart
    }

    fn point(series: usize, time: f64, value: f64) -> NewPoint {
        NewPoint { series, point: Point { time, value } }
    }

    fn times(points: &Points, now: f64) -> Vec<f64> {
        points.visible(now)[0].iter().map(|point| point.time).collect()
    }

    #[test]
    fn points_in_any_order_are_kept_in_that_of_their_times_and_the_last_of_a_time_counts() {
        let points = Points::new(&config("series: [a, b], window: 10s"));
        points.add(&[point(0, 103.0, 1.0), point(0, 101.0, 2.0), point(1, 102.0, 3.0)], 103.0);
        points.add(&[point(0, 102.0, 4.0), point(0, 101.0, 5.0)], 103.0);
        assert_eq!(times(&points, 103.0), [101.0, 102.0, 103.0]);
        assert_eq!(points.visible(103.0)[0][0].value, 5.0);
        assert_eq!(points.visible(103.0)[1].len(), 1);
    }

    #[test]
    fn what_has_left_the_window_is_let_go_of_but_for_where_the_line_comes_from() {
        let points = Points::new(&config("series: [a], window: 10s"));
        for time in 100..120 {
            points.add(&[point(0, time.into(), 0.0)], time.into());
        }
        assert_eq!(times(&points, 119.0).len(), 12, "ten seconds, both ends, and one before");
        assert_eq!(times(&points, 119.0)[0], 108.0);
        assert!(times(&points, 200.0).is_empty(), "a line from the past to nowhere");
        points.add(&[point(0, 50.0, 0.0)], 119.0);
        assert!(times(&points, 119.0)[0] >= 50.0 && times(&points, 119.0).len() <= 12);
    }

    #[test]
    fn more_points_than_allowed_push_out_the_oldest() {
        let points = Points::new(&config("series: [a], window: 168h"));
        let many: Vec<_> = (0..MAX_POINTS + 5).map(|n| point(0, n as f64 / 10.0, 1.0)).collect();
        points.add(&many, 2000.0);
        assert_eq!(times(&points, 2000.0).len(), MAX_POINTS);
        assert_eq!(times(&points, 2000.0)[0], 0.5);
    }
}
