//! Is memory flat? Samples of the whole run, judged at its end.

use std::time::Duration;

/// The relay fills its caches and meets every dialect's largest frame in this time; what it needs then is not judged.
const SETTLING: Duration = Duration::from_secs(60);

/// From the settled stretch to the last one, the highest sample may grow by so much of itself …
const GROWTH: f64 = 0.10;

/// … and this, since a frame more or less that is on its way to a slow viewer is no leak.
const GROWTH_KIB: u64 = 4 * 1024;

/// Memory over time.
#[derive(Debug, Default)]
pub(crate) struct Memory(Vec<(Duration, u64)>);

/// What the samples say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trend {
    /// Highest in the stretch behind settling.
    pub(crate) settled_kib: u64,
    /// Highest in a stretch of the same length at the end.
    pub(crate) end_kib: u64,
    /// Highest of all behind settling.
    pub(crate) highest_kib: u64,
    /// What `end_kib` must not exceed.
    pub(crate) bound_kib: u64,
}

impl Memory {
    /// Adds a sample, taken so long after the start.
    pub(crate) fn sample(&mut self, at: Duration, memory_kib: u64) {
        self.0.push((at, memory_kib));
    }

    /// Compares the stretch behind settling with the last one of a run of `length`. Short runs settle in a third.
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
        }
    }
}
