//! The number of frames in each interval of the last minutes, for the small graphs of the pages.
//!
//! Frames are counted in the step in which they came; nothing wakes up for it.

use std::time::{Duration, Instant};

/// Length of a step: long enough that a frame a second more or less is seen.
pub const STEP: Duration = Duration::from_secs(2);

/// Number of steps, five minutes: long enough to see what has just happened, in 300 bytes a stream.
const STEPS: usize = 150;

/// A ring of steps.
#[derive(Debug)]
pub(crate) struct FpsHistory {
    begun: Instant,
    counts: [u16; STEPS],
    /// Number of the current step, from `begun` on.
    now: u64,
}

impl FpsHistory {
    pub(crate) fn new(begun: Instant) -> Self {
        Self { begun, counts: [0; STEPS], now: 0 }
    }

    /// Counts a frame.
    pub(crate) fn count(&mut self, at: Instant) {
        self.advance_to(at);
        let count = &mut self.counts[index(self.now)];
        *count = count.saturating_add(1);
    }

    /// Returns the frames per second of each whole step, oldest first; the current step is not among them.
    pub(crate) fn fps(&mut self, now: Instant) -> Vec<f64> {
        self.advance_to(now);
        let steps = self.now.min(STEPS as u64 - 1);
        let whole = self.now - steps..self.now;
        whole.map(|step| f64::from(self.counts[index(step)]) / STEP.as_secs_f64()).collect()
    }

    /// Steps in which nothing came are empty; after a silence of all of them all are. Time that goes back, of
    /// another thread's frame, is now.
    fn advance_to(&mut self, at: Instant) {
        let since = at.saturating_duration_since(self.begun);
        let step = since.as_secs() / STEP.as_secs();
        for empty in (self.now + 1..=step).take(STEPS) {
            self.counts[index(empty)] = 0;
        }
        self.now = self.now.max(step);
    }
}

fn index(step: u64) -> usize {
    // Below the number of steps, which is small.
    (step % STEPS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the time so many seconds after the beginning.
    fn at(begun: Instant, seconds: f64) -> Instant {
        begun + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn each_step_has_its_rate_and_the_one_that_goes_on_none() {
        let begun = Instant::now();
        let mut history = FpsHistory::new(begun);
        assert!(history.fps(begun).is_empty());
        for n in 0..20 {
            history.count(at(begun, f64::from(n) * 0.1));
        }
        history.count(at(begun, 2.5));
        assert_eq!(history.fps(at(begun, 3.9)), [10.0]);
        assert_eq!(history.fps(at(begun, 4.0)), [10.0, 0.5]);
        assert_eq!(history.fps(at(begun, 9.9)), [10.0, 0.5, 0.0, 0.0]);
        history.count(at(begun, 1.0));
        assert_eq!(history.fps(at(begun, 10.0)), [10.0, 0.5, 0.0, 0.0, 0.5], "time does not go back");
    }

    #[test]
    fn the_oldest_steps_go_and_silence_is_silence() {
        let begun = Instant::now();
        let mut history = FpsHistory::new(begun);
        for n in 0..1000 {
            history.count(at(begun, f64::from(n)));
        }
        let rates = history.fps(at(begun, 1000.0));
        assert_eq!((rates.len(), rates.iter().all(|rate| *rate == 1.0)), (STEPS - 1, true), "{rates:?}");
        for silence in [1290.0, 1310.0, 100_000.0] {
            let rates = history.fps(at(begun, silence));
            assert_eq!(rates.len(), STEPS - 1);
            let expected = if silence < 1299.0 { 149 - (290 / 2) } else { 0 };
            assert_eq!(rates.iter().filter(|rate| **rate > 0.0).count(), expected, "{silence}: {rates:?}");
        }
    }
}
