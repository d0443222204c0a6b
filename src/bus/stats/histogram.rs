//! A histogram of durations. It counts them in buckets, and keeps no single one.

use std::{
    ops::AddAssign,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Upper bounds of the buckets, in milliseconds: from a thumbnail to what no stream can keep up with.
const BOUNDS_MS: [u64; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

const BUCKETS: usize = BOUNDS_MS.len() + 1;

/// A histogram of durations. It only grows.
#[derive(Debug, Default)]
pub struct Histogram {
    counts: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

/// The counts of a [`Histogram`] at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistogramSnapshot {
    counts: [u64; BUCKETS],
    nanos: u64,
}

impl Histogram {
    /// Counts a duration.
    pub fn record(&self, took: Duration) {
        let range = BOUNDS_MS.iter().position(|&bound| took <= Duration::from_millis(bound));
        self.counts[range.unwrap_or(BOUNDS_MS.len())].fetch_add(1, Relaxed);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Returns the counts so far.
    pub fn snapshot(&self) -> HistogramSnapshot {
        let counts = std::array::from_fn(|range| self.counts[range].load(Relaxed));
        HistogramSnapshot { counts, nanos: self.nanos.load(Relaxed) }
    }
}

impl HistogramSnapshot {
    /// Returns each bound in seconds, with the number of durations up to it.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = BOUNDS_MS.iter().map(|&bound| Duration::from_millis(bound).as_secs_f64());
        bounds.zip(self.counts).scan(0, |sum, (bound, count)| {
            *sum += count;
            Some((bound, *sum))
        })
    }

    /// Returns the number of durations that were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns the sum of the durations, in seconds.
    pub fn sum_seconds(&self) -> f64 {
        Duration::from_nanos(self.nanos).as_secs_f64()
    }
}

impl AddAssign<&HistogramSnapshot> for HistogramSnapshot {
    fn add_assign(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.nanos = self.nanos.saturating_add(other.nanos);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_one_range_and_the_sum_is_theirs() {
        let timing = Histogram::default();
        for took in [0, 999, 1000, 1001, 20_000, 5_000_000] {
            timing.record(Duration::from_micros(took));
        }
        let mut timed = timing.snapshot();
        let up_to: Vec<_> = timed.cumulative().collect();
        assert_eq!(up_to[..2], [(0.001, 3), (0.002, 4)]);
        assert_eq!((up_to[4], up_to[9]), ((0.02, 5), (1.0, 5)));
        assert_eq!(timed.count(), 6, "what is longer than the last bound counts too");
        assert!((timed.sum_seconds() - 5.023).abs() < 0.001, "{}", timed.sum_seconds());
        timed += &timing.snapshot();
        assert_eq!((timed.count(), timed.cumulative().next()), (12, Some((0.001, 6))));
        assert!((timed.sum_seconds() - 2.0 * 5.023).abs() < 0.001, "{}", timed.sum_seconds());
    }
}
