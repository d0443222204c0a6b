//! Decides how often and at what intervals a delivery is tried. Pure.

use std::time::Duration;

use crate::stream::exponential_delay;

/// The first pause, long enough for a receiver that is restarted.
const FIRST_DELAY: Duration = Duration::from_secs(1);

/// The longest pause: a receiver that is back gets its events within five minutes.
const MAX_DELAY: Duration = Duration::from_secs(5 * 60);

/// Time after which an event is given up: it is no longer news after an hour, and others wait after it.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60 * 60);

/// Returns the time to wait after try number `tries` failed; none if there is no further try. The first try
/// was `since_first` ago, `asked` is the wait that the receiver asks for, `random` is from 0 to 1.
pub(super) fn delay(
    tries: u32,
    since_first: Duration,
    asked: Option<Duration>,
    random: f64,
) -> Option<Duration> {
    let own = exponential_delay(tries.saturating_sub(1), FIRST_DELAY, MAX_DELAY, random);
    let pause = asked.unwrap_or_default().max(own).min(MAX_DELAY);
    (since_first + pause <= GIVE_UP_AFTER).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes_and_end_after_an_hour() {
        let (mut since_first, mut pauses) = (Duration::ZERO, Vec::new());
        while let Some(next) = delay(pauses.len() as u32 + 1, since_first, None, 0.5) {
            pauses.push(next.as_secs());
            since_first += next;
            assert!(pauses.len() < 100, "it ends");
        }
        assert_eq!(pauses[..10], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert!(pauses.len() > 15 && since_first > GIVE_UP_AFTER - MAX_DELAY, "{pauses:?}");
    }

    #[test]
    fn what_the_receiver_asks_for_is_kept_to_within_bounds() {
        let asked = |seconds| delay(1, Duration::ZERO, Some(Duration::from_secs(seconds)), 0.5);
        assert_eq!(asked(20), Some(Duration::from_secs(20)));
        assert_eq!(asked(0), Some(FIRST_DELAY));
        assert_eq!(asked(u64::MAX), Some(MAX_DELAY));
        let spread = [0.0, 1.0].map(|random| delay(1, Duration::ZERO, None, random).unwrap().as_millis());
        assert_eq!(spread, [800, 1200]);
        assert_eq!(delay(u32::MAX, Duration::ZERO, None, 1.0), Some(MAX_DELAY));
    }
}
