//! Is memory flat? Samples of the whole run, checked at its end.

use std::time::Duration;

/// The relay fills its caches and meets every dialect's largest frame in this time; what it needs then is not
/// checked.
const SETTLING: Duration = Duration::from_secs(60);

/// From the settled stretch to the last one, the highest sample may grow by so much of itself …
const GROWTH: f64 = 0.10;

/// … and this, since a frame more or less that is on its way to a slow viewer is no leak.
const GROWTH_KIB: u64 = 4 * 1024;

/// Caches, pools and the allocator's arenas have grown to their size by then; the slope is that of what comes
/// after.
const SLOPE_FROM: Duration = Duration::from_secs(5 * 60);

/// A slope of less than this is made of noise: samples differ by a MiB from one minute to the next.
const SLOPE_NEEDS: Duration = Duration::from_secs(25 * 60);

/// An hour has some 40,000 visits of viewers, 36,000 parts for each healthy one, and 240 changes of the file:
/// this finds 100 bytes that stay behind of each visit, or 16 KiB of each change.
const SLOPE_KIB_PER_H: f64 = 4.0 * 1024.0;

/// Memory over time.
#[derive(Debug, Default)]
pub(crate) struct Memory(Vec<(Duration, u64)>);

/// The trend of the samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trend {
    /// Highest in the stretch behind settling.
    pub(crate) settled_kib: u64,
    /// Highest in a stretch of the same length at the end.
    pub(crate) end_kib: u64,
    /// Highest of all behind settling.
    pub(crate) highest_kib: u64,
    /// Upper bound of `end_kib`.
    pub(crate) bound_kib: u64,
    /// KiB in an hour, by the line of least squares through the samples behind five minutes; none in shorter
    /// runs.
    pub(crate) slope: Option<f64>,
    checks_slope: bool,
}

impl Trend {
    /// Returns the violation of the bound, if there is one.
    pub(crate) fn complaint(&self) -> Option<String> {
        if self.end_kib > self.bound_kib {
            return Some(format!("memory grew from {} to {} KiB", self.settled_kib, self.end_kib));
        }
        let slope = self.slope.filter(|slope| self.checks_slope && *slope > SLOPE_KIB_PER_H)?;
        Some(format!("memory grows by {slope:.0} KiB in an hour"))
    }
}

impl Memory {
    /// Adds a sample, taken so long after the start.
    pub(crate) fn sample(&mut self, at: Duration, memory_kib: u64) {
        self.0.push((at, memory_kib));
    }

    /// Compares the stretch behind settling with the last one of a run of `length`. Short runs settle in a
    /// third.
    pub(crate) fn trend(&self, length: Duration) -> Trend {
        let settling = SETTLING.min(length / 3);
        let highest = |from: Duration, to: Duration| {
            let within = self.0.iter().filter(|(at, _)| (from..to).contains(at));
            within.map(|&(_, kib)| kib).max().unwrap_or_default()
        };
        let settled_kib = highest(settling, settling * 2);
        Trend {
            settled_kib,
            end_kib: highest(length.saturating_sub(settling), Duration::MAX),
            highest_kib: highest(settling, Duration::MAX),
            bound_kib: settled_kib + (settled_kib as f64 * GROWTH) as u64 + GROWTH_KIB,
            slope: self.slope(),
            checks_slope: length >= SLOPE_FROM + SLOPE_NEEDS,
        }
    }

    fn slope(&self) -> Option<f64> {
        let samples = self.0.iter().filter(|(at, _)| *at >= SLOPE_FROM);
        let samples: Vec<_> = samples.map(|(at, kib)| (at.as_secs_f64() / 3600.0, *kib as f64)).collect();
        let count = samples.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| samples.iter().map(of).sum::<f64>() / count;
        let (x, y) = (mean(|sample| sample.0), mean(|sample| sample.1));
        let both: f64 = samples.iter().map(|sample| (sample.0 - x) * (sample.1 - y)).sum();
        let own: f64 = samples.iter().map(|sample| (sample.0 - x).powi(2)).sum();
        (own > 0.0).then(|| both / own)
    }
}
