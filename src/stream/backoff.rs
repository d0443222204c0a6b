//! The delays before a source is started again, and the exponential delay that webhooks use too.

use std::time::Duration;

use super::run_outcome::SourceEnd;

/// First delay: short enough that a viewer hardly notices a camera's hiccup.
pub(super) const FIRST_DELAY: Duration = Duration::from_millis(500);

/// Longest delay: a camera that was switched on again is seen within half a minute.
pub(super) const MAX_DELAY: Duration = Duration::from_secs(30);

/// Each delay varies by this fraction of itself, so that cameras behind one switch, or relays with one
/// webhook receiver, are not all tried at once.
const JITTER: f64 = 0.2;

/// Returns the delay after this many failures in a row before the last one: `first`, doubled for each, at
/// most `longest`. `random` (0 to 1) spreads it.
pub(crate) fn exponential_delay(failures: u32, first: Duration, longest: Duration, random: f64) -> Duration {
    let doubled = first.saturating_mul(1 << failures.min(16));
    doubled.min(longest).mul_f64(1.0 + JITTER * (2.0 * random - 1.0))
}

/// The number of failures of one source in a row.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: u32,
    jitter: fn() -> f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { failures: 0, jitter: fastrand::f64 }
    }
}

impl Backoff {
    /// Returns the delay after a source ended in this way. It grows only over failures in a row: one that
    /// gave a picture since the last one, or closed in an orderly way, is started again soon.
    pub(super) fn next_delay(&mut self, ending: &SourceEnd) -> Duration {
        if ending.orderly || !ending.live_for.is_zero() {
            self.failures = 0;
        }
        let delay = exponential_delay(self.failures, FIRST_DELAY, MAX_DELAY, (self.jitter)());
        if !ending.orderly {
            self.failures = self.failures.saturating_add(1);
        }
        delay.clamp(FIRST_DELAY, MAX_DELAY)
    }

    /// Resets the number of failures.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    #[cfg(test)]
    pub(super) fn without_jitter() -> Self {
        Self { failures: 0, jitter: || 0.5 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(live_for: Duration) -> SourceEnd {
        SourceEnd { reason: crate::source::Reason::default(), orderly: false, live_for }
    }

    #[test]
    fn delays_double_from_half_a_second_to_half_a_minute() {
        let mut backoff = Backoff::without_jitter();
        let delays: Vec<_> =
            (0..8).map(|_| backoff.next_delay(&failed(Duration::ZERO)).as_secs_f64()).collect();
        assert_eq!(delays, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
    }

    #[test]
    fn a_picture_or_an_orderly_end_starts_over() {
        let mut backoff = Backoff::without_jitter();
        for _ in 0..5 {
            backoff.next_delay(&failed(Duration::ZERO));
        }
        assert_eq!(backoff.next_delay(&failed(Duration::from_millis(1))), FIRST_DELAY, "a picture came");
        assert_eq!(backoff.next_delay(&failed(Duration::ZERO)), FIRST_DELAY * 2);
        let orderly = SourceEnd { orderly: true, ..failed(Duration::from_secs(1)) };
        assert_eq!(backoff.next_delay(&orderly), FIRST_DELAY);
        assert_eq!(
            backoff.next_delay(&orderly),
            FIRST_DELAY,
            "a camera that closes after each picture is not punished"
        );
    }

    #[test]
    fn jitter_stays_within_the_bounds() {
        for extreme in [(|| 0.0) as fn() -> f64, || 1.0] {
            let mut backoff = Backoff { failures: 0, jitter: extreme };
            for _ in 0..10 {
                let delay = backoff.next_delay(&failed(Duration::ZERO));
                assert!((FIRST_DELAY..=MAX_DELAY).contains(&delay), "{delay:?}");
            }
        }
    }
}
