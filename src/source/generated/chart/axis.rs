//! The axes of a chart: positions and labels of their ticks.

use jiff::{Timestamp, tz::TimeZone};

use crate::config::AxisConfig;

/// Possible steps of a time axis, in seconds.
const TIME_STEPS: [f64; 20] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0,
    21_600.0, 43_200.0, 86_400.0, 172_800.0, 604_800.0,
];

/// Largest value that can be drawn; those beyond it are clamped.
const LARGEST: f64 = 1e15;

/// The vertical axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ValueAxis {
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) ticks: Vec<f64>,
    step: f64,
    unit: String,
}

impl ValueAxis {
    /// Creates an axis of about `count` ticks for `values`; `grounded` for shapes that begin at zero.
    pub(super) fn new(
        config: &AxisConfig,
        values: impl Iterator<Item = f64>,
        grounded: bool,
        count: usize,
    ) -> Self {
        let (mut low, mut high) = values
            .map(|value| value.clamp(-LARGEST, LARGEST))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        // Zero is included when it is close: small changes far from it would be invisible then.
        if low > 0.0 && (grounded || low < high * 0.5) {
            low = 0.0;
        }
        if high < 0.0 && (grounded || high > low * 0.5) {
            high = 0.0;
        }
        let largest = high.abs().max(low.abs());
        if high - low < largest.max(1.0) * 1e-9 {
            let room = if largest < 1e-9 { 1.0 } else { largest * 0.1 };
            (low, high) = (low - room, high + room);
        }
        let low = config.min.unwrap_or(low).min(config.max.map_or(f64::INFINITY, |max| max - 1e-9));
        let high = config.max.unwrap_or(high);
        let high = if high > low { high } else { low + low.abs().max(1.0) };
        let step = nice_step((high - low) / count.max(1) as f64);
        let min = config.min.unwrap_or_else(|| (low / step + 1e-9).floor() * step);
        let max = config.max.unwrap_or_else(|| (high / step - 1e-9).ceil() * step);
        let first = (min / step - 1e-9).ceil();
        let last = (max / step + 1e-9).floor();
        let ticks = (0..=(last - first).max(0.0) as usize).map(|n| (first + n as f64) * step).collect();
        Self { min, max, ticks, step, unit: config.unit.clone() }
    }

    /// Returns the position of a value: 0 at the lower end, 1 at the upper one.
    pub(super) fn share(&self, value: f64) -> f32 {
        ((value - self.min) / (self.max - self.min)) as f32
    }

    /// Returns the label of a tick.
    pub(super) fn label(&self, value: f64) -> String {
        self.written(value, self.step)
    }

    /// Returns the text of a value, with more digits than a tick's.
    pub(super) fn precise(&self, value: f64) -> String {
        self.written(value, self.step / 100.0)
    }

    fn written(&self, value: f64, step: f64) -> String {
        let largest = self.min.abs().max(self.max.abs());
        let (factor, prefix) = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")]
            .into_iter()
            .find(|(limit, _)| largest >= *limit)
            .map_or((1.0, ""), |(limit, prefix)| (if prefix == "k" { 1e3 } else { limit }, prefix));
        let decimals = (-(step / factor).log10() - 1e-9).ceil().clamp(0.0, 6.0) as usize;
        let number = format!("{:.decimals$}", value / factor);
        let zero = number.trim_start_matches('-').chars().all(|c| c == '0' || c == '.');
        let number =
            if zero { number.trim_start_matches('-').to_owned() } else { number.replace('-', "−") };
        match self.unit.as_str() {
            "" => format!("{number}{prefix}"),
            "%" => format!("{number}{prefix}%"),
            unit => format!("{number} {prefix}{unit}"),
        }
    }
}

/// Returns the first of 1, 2, 5, 10, 20, … that is at least `least`.
fn nice_step(least: f64) -> f64 {
    let least = least.max(1e-12);
    let power = 10_f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= least * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// Returns the ticks of the time from `start` to `end`, at least `least_step` apart, with their labels: whole
/// minutes and hours of `zone`.
pub(super) fn time_ticks(start: f64, end: f64, least_step: f64, zone: &TimeZone) -> Vec<(f64, String)> {
    let step = TIME_STEPS.into_iter().find(|step| *step >= least_step).unwrap_or(604_800.0);
    let zoned =
        |time: f64| Timestamp::from_second(time.round() as i64).ok().map(|at| at.to_zoned(zone.clone()));
    // One offset for all: the clock seldom changes within a window, and then labels stay correct.
    let offset = zoned(end).map_or(0, |at| at.offset().seconds());
    let format = match step {
        _ if step < 60.0 => "%H:%M:%S",
        _ if step < 86_400.0 => "%H:%M",
        _ => "%-d %b",
    };
    let first = ((start + f64::from(offset)) / step).ceil() as i64;
    let last = ((end + f64::from(offset)) / step).floor() as i64;
    (first..=last)
        .filter_map(|n| {
            let time = n as f64 * step - f64::from(offset);
            Some((time, zoned(time)?.strftime(format).to_string()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(min: Option<f64>, max: Option<f64>, unit: &str, values: &[f64]) -> (Vec<String>, f64, f64) {
        let config = AxisConfig { min, max, unit: unit.into() };
        let axis = ValueAxis::new(&config, values.iter().copied(), false, 5);
        (axis.ticks.iter().map(|tick| axis.label(*tick)).collect(), axis.min, axis.max)
    }

    #[test]
    fn ticks_stand_on_round_numbers() {
        for (min, max, unit, values, labels) in [
            (None, None, "", &[0.1, 0.93][..], &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"][..]),
            (Some(0.0), Some(100.0), "%", &[3.0], &["0%", "20%", "40%", "60%", "80%", "100%"]),
            (None, None, "°C", &[20.1, 22.9], &["20 °C", "21 °C", "22 °C", "23 °C"]),
            (None, None, "", &[-3.0, 4.0], &["−4", "−2", "0", "2", "4"]),
            (None, None, "B/s", &[0.0, 4.2e6], &["0 MB/s", "1 MB/s", "2 MB/s", "3 MB/s", "4 MB/s", "5 MB/s"]),
            (None, None, "", &[5.0], &["4.4", "4.6", "4.8", "5.0", "5.2", "5.4", "5.6"]),
            (None, None, "", &[], &["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ] {
            assert_eq!(axis(min, max, unit, values).0, labels, "{values:?}");
        }
    }

    #[test]
    fn what_is_given_is_kept_and_nothing_has_no_height() {
        assert_eq!(axis(Some(0.3), Some(0.7), "", &[9.0]).1, 0.3);
        for (min, max, values) in [
            (Some(10.0), None, &[1.0][..]),
            (None, Some(-10.0), &[1.0]),
            (None, None, &[0.0]),
            (None, None, &[1e300, -1e300]),
            (None, None, &[1e-300]),
            (None, None, &[1e15, 1e15]),
        ] {
            let (labels, low, high) = axis(min, max, "", values);
            assert!(low < high && labels.len() < 20, "{min:?} {max:?} {values:?}: {labels:?}");
        }
    }

    #[test]
    fn times_stand_on_whole_minutes_of_their_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let start = "2026-11-22T17:23:30Z".parse::<Timestamp>().unwrap().as_second() as f64;
        let labels = |end: f64, least: f64| -> Vec<String> {
            time_ticks(start, start + end, least, &zone).into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(labels(300.0, 41.0), ["18:24", "18:25", "18:26", "18:27", "18:28"]);
        assert_eq!(labels(20.0, 6.0), ["18:23:30", "18:23:40", "18:23:50"]);
        assert_eq!(labels(86_400.0, 20_000.0), ["00:00", "06:00", "12:00", "18:00"]);
        assert_eq!(labels(200_000.0, 50_000.0), ["23 Nov", "24 Nov", "25 Nov"]);
    }
}
