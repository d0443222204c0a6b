//! A histogram of durations. It counts them in buckets, and keeps no single one.

use std::{
    ops::AddAssign,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Upper bounds of the buckets, in milliseconds: from a thumbnail to what no stream can keep up with.
const BOUNDS_MS: [u64; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

const RANGES: usize = BOUNDS_MS.len() + 1;

/// A histogram of durations. It only grows.
#[derive(Debug, Default)]
pub struct Timing {
    counts: [AtomicU64; RANGES],
    nanos: AtomicU64,
}

/// The counts of a [`Timing`] at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timed {
    counts: [u64; RANGES],
    nanos: u64,
}

impl Timing {
    /// Counts a duration.
    pub fn count(&self, took: Duration) {
        let range = BOUNDS_MS.iter().position(|&bound| took <= Duration::from_millis(bound));
        self.counts[range.unwrap_or(BOUNDS_MS.len())].fetch_add(1, Relaxed);
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Returns the counts so far.
    pub fn read(&self) -> Timed {
        let counts = std::array::from_fn(|range| self.counts[range].load(Relaxed));
        Timed { counts, nanos: self.nanos.load(Relaxed) }
    }
}

impl Timed {
    /// Returns each bound in seconds, with the number of durations up to it.
    pub fn up_to(&self) -> impl Iterator<Item = (f64, u64)> {
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
    pub fn seconds(&self) -> f64 {
        Duration::from_nanos(self.nanos).as_secs_f64()
    }
}

impl AddAssign<&Timed> for Timed {
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
        let timing = Timing::default();
        for took in [0, 999, 1000, 1001, 20_000, 5_000_000] {
            timing.count(Duration::from_micros(took));
        }
        let mut timed = timing.read();
        let up_to: Vec<_> = timed.up_to().collect();
        assert_eq!(up_to[..2], [(0.001, 3), (0.002, 4)]);
        assert_eq!((up_to[4], up_to[9]), ((0.02, 5), (1.0, 5)));
        assert_eq!(timed.count(), 6, "what is longer than the last bound counts too");
        assert!((timed.seconds() - 5.023).abs() < 0.001, "{}", timed.seconds());
        timed += &timing.read();
        assert_eq!((timed.count(), timed.up_to().next()), (12, Some((0.001, 6))));
        assert!((timed.seconds() - 2.0 * 5.023).abs() < 0.001, "{}", timed.seconds());
    }
}
