//! Ticks on a grid of the wall clock, so that a clock at one frame a second shows each second as it begins,
//! and two renderers of one rate move together.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::sleep;

/// An interval on the wall clock. Ticks missed while busy are skipped.
#[derive(Debug)]
pub(in crate::source) struct WallClockInterval {
    period: Duration,
    last: Option<Duration>,
}

impl WallClockInterval {
    /// Creates an interval of `fps` ticks a second; the configuration makes sure that it is above 0.
    pub(in crate::source) fn new(fps: f64) -> Self {
        Self { period: Duration::try_from_secs_f64(1.0 / fps).unwrap_or(Duration::MAX), last: None }
    }

    /// Waits for the next tick and returns its time; the first call returns the present tick at once.
    pub(in crate::source) async fn next(&mut self) -> SystemTime {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let slot = next_slot(now, self.last, self.period);
        self.last = Some(slot);
        sleep(slot.saturating_sub(now).min(self.period)).await;
        UNIX_EPOCH + slot
    }
}

/// Returns the tick to wait for, since the epoch.
fn next_slot(now: Duration, last: Option<Duration>, period: Duration) -> Duration {
    let nanos = period.as_nanos().max(1);
    let at = |slot: u128| {
        let time = slot * nanos;
        Duration::new((time / 1_000_000_000) as u64, (time % 1_000_000_000) as u32)
    };
    let present = now.as_nanos() / nanos;
    let Some(last) = last else { return at(present) };
    let next = at(present + 1);
    // A timer that fires a little early, or a clock that is slewed back, would give the same tick twice.
    if next <= last && last - next < period { last + period } else { next }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn slots_stand_on_whole_seconds_at_one_a_second() {
        assert_eq!(next_slot(ms(100_400), None, SECOND), ms(100_000), "the first picture comes at once");
        assert_eq!(next_slot(ms(100_400), Some(ms(100_000)), SECOND), ms(101_000));
        assert_eq!(next_slot(ms(101_000), Some(ms(101_000)), SECOND), ms(102_000));
    }

    #[test]
    fn a_slot_missed_is_left_out_and_none_comes_twice() {
        assert_eq!(next_slot(ms(104_300), Some(ms(101_000)), SECOND), ms(105_000));
        assert_eq!(next_slot(ms(101_999), Some(ms(102_000)), SECOND), ms(103_000), "the timer fired early");
    }

    #[test]
    fn a_clock_set_back_an_hour_does_not_stop_the_pictures() {
        assert_eq!(next_slot(ms(100_400), Some(ms(3_700_000)), SECOND), ms(101_000));
    }

    #[tokio::test]
    async fn the_first_slot_is_now_and_the_second_one_period_later() {
        let mut ticker = WallClockInterval::new(100.0);
        let first = ticker.next().await;
        let second = ticker.next().await;
        let gap = second.duration_since(first).unwrap();
        assert_eq!(gap.as_nanos() % ms(10).as_nanos(), 0, "{gap:?}");
        assert!(!gap.is_zero());
    }
}
