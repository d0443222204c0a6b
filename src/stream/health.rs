//! The health of a source: one rule for the retry delay, offline image, log, metrics and webhooks. Pure:
//! times are arguments.
//!
//! 1. The retry delay grows only over *failures in a row*. A run that gave a picture, or closed in an orderly
//!    way, is well: the next start follows after [`FIRST_DELAY`]. ([`Failures`])
//! 2. What is shown and reported depends on the *time without a picture*: a gap begins when the source is
//!    started or ends, lasts over any number of tries, and ends with the next picture. One shorter than
//!    `placeholder.after` is not shown, logged or measured as offline; one shorter than `webhooks.NAME.after`
//!    is not reported. ([`Gap`])
//!
//! A source that fails now and then and works otherwise is therefore never offline. The snapshot source
//! applies the first part to its polls: one that fails is repeated after the interval, two in a row end the
//! run.

use std::time::{Duration, Instant};

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

/// The failures of one source in a row.
#[derive(Debug)]
pub(super) struct Failures {
    in_a_row: u32,
    jitter: fn() -> f64,
}

impl Default for Failures {
    fn default() -> Self {
        Self { in_a_row: 0, jitter: fastrand::f64 }
    }
}

impl Failures {
    /// Counts the end of a run, and returns the delay before the next.
    pub(super) fn next_delay(&mut self, ending: &SourceEnd) -> Duration {
        if ending.gave_frames {
            self.in_a_row = 0;
        }
        let delay = exponential_delay(self.in_a_row, FIRST_DELAY, MAX_DELAY, (self.jitter)());
        if !ending.orderly {
            self.in_a_row = self.in_a_row.saturating_add(1);
        }
        delay.clamp(FIRST_DELAY, MAX_DELAY)
    }

    /// Returns their number.
    pub(super) fn in_a_row(&self) -> u32 {
        self.in_a_row
    }

    /// Resets their number, after a picture or because nobody wants the source.
    pub(super) fn reset(&mut self) {
        self.in_a_row = 0;
    }

    #[cfg(test)]
    pub(super) fn without_jitter() -> Self {
        Self { in_a_row: 0, jitter: || 0.5 }
    }
}

/// A time without pictures of a source that is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gap {
    since: Instant,
    is_reported: bool,
}

impl Gap {
    /// Begins now.
    pub(crate) fn begin(now: Instant) -> Self {
        Self { since: now, is_reported: false }
    }

    /// Returns the time at which it began.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// Returns the time until it has lasted for `after`.
    pub(crate) fn remaining(&self, after: Duration, now: Instant) -> Duration {
        after.saturating_sub(now.saturating_duration_since(self.since))
    }

    /// Returns whether it has to be reported now: once, when it has lasted for `after`.
    pub(crate) fn is_due(&mut self, after: Duration, now: Instant) -> bool {
        let is_due = !self.is_reported && self.remaining(after, now).is_zero();
        self.is_reported |= is_due;
        is_due
    }

    /// Marks it as reported, whatever its length.
    pub(crate) fn report(&mut self) {
        self.is_reported = true;
    }

    /// Returns whether it was long enough to be reported.
    pub(crate) fn is_reported(&self) -> bool {
        self.is_reported
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::stream::{
        failover::priority::SourcePriority,
        state::{Action, Event, Inputs, State, next},
    };

    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3600);
    /// Time that a camera of these tests takes to connect, or to refuse it.
    const CONNECTING: Duration = Duration::from_millis(50);

    fn failed(gave_frames: bool) -> SourceEnd {
        SourceEnd { reason: crate::source::Reason::default(), orderly: false, gave_frames }
    }

    #[test]
    fn delays_double_from_half_a_second_to_half_a_minute() {
        let mut failures = Failures::without_jitter();
        let delays: Vec<_> = (0..8).map(|_| failures.next_delay(&failed(false)).as_secs_f64()).collect();
        assert_eq!(delays, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
    }

    #[test]
    fn a_picture_or_an_orderly_end_starts_over() {
        let mut failures = Failures::without_jitter();
        for _ in 0..5 {
            failures.next_delay(&failed(false));
        }
        assert_eq!(failures.next_delay(&failed(true)), FIRST_DELAY, "a picture came");
        assert_eq!(failures.next_delay(&failed(false)), FIRST_DELAY * 2);
        let orderly = SourceEnd { orderly: true, ..failed(true) };
        assert_eq!(failures.next_delay(&orderly), FIRST_DELAY);
        assert_eq!(
            failures.next_delay(&orderly),
            FIRST_DELAY,
            "a camera that closes after each picture is not punished"
        );
        assert_eq!(failures.in_a_row(), 0);
    }

    #[test]
    fn jitter_stays_within_the_bounds() {
        for extreme in [(|| 0.0) as fn() -> f64, || 1.0] {
            let mut failures = Failures { in_a_row: 0, jitter: extreme };
            for _ in 0..10 {
                let delay = failures.next_delay(&failed(false));
                assert!((FIRST_DELAY..=MAX_DELAY).contains(&delay), "{delay:?}");
            }
        }
    }

    /// One run of a camera: the time for which pictures came, if any did, and whether it closed in order.
    struct CameraRun {
        live: Option<Duration>,
        orderly: bool,
        /// Time until it fails without a picture.
        fails_after: Duration,
    }

    fn gives(live: Duration) -> CameraRun {
        CameraRun { live: Some(live), orderly: false, fails_after: CONNECTING }
    }

    fn refuses() -> CameraRun {
        CameraRun { live: None, orderly: false, fails_after: CONNECTING }
    }

    /// Runs until two polls in a row fail, as the snapshot source does.
    fn polled(polls: &Cell<u32>, interval: Duration, fails: fn(u32) -> bool) -> CameraRun {
        let (mut live, mut failed) = (None, 0);
        while failed < if live.is_some() { 2 } else { 1 } && live < Some(2 * HOUR) {
            failed = if fails(polls.replace(polls.get() + 1)) { failed + 1 } else { 0 };
            live =
                if failed == 0 || live.is_some() { Some(live.unwrap_or_default() + interval) } else { None };
        }
        CameraRun { live, ..refuses() }
    }

    /// What viewers, operators and webhooks noticed of a camera.
    #[derive(Debug, Default, PartialEq)]
    struct Noticed {
        offline_images: u32,
        lost: u32,
        back: u32,
        longest_delay: Duration,
        /// Percentage of time without pictures.
        dark: u32,
    }

    /// Watches a camera for an hour and a half, of which run number n, begun at a time, is `run(n, time)`.
    fn watch(run: impl Fn(u32, Duration) -> CameraRun) -> Noticed {
        let start = Instant::now();
        let mut sources = SourcePriority::without_jitter(1);
        let (mut state, mut gaps): (State, [Option<Gap>; 2]) = (State::Idle, [None; 2]);
        let (mut noticed, mut dark) = (Noticed::default(), Duration::ZERO);
        let mut events = vec![(Duration::ZERO, Event::Wanted)];
        let mut runs = 0;
        while let Some((at, event)) = events.pop().filter(|(at, _)| *at < HOUR * 3 / 2) {
            let now = start + at;
            let (after, action) = next(&state, event, Inputs { now, sources: &mut sources, passive: None });
            state = after;
            let is_live = state == State::Live;
            let [shown, hook] = &mut gaps;
            for (gap, limit, count) in [
                (&mut *shown, 3 * SECOND, &mut noticed.offline_images),
                (&mut *hook, 10 * SECOND, &mut noticed.lost),
            ] {
                *count += u32::from(gap.get_or_insert_with(|| Gap::begin(now)).is_due(limit, now));
            }
            if is_live {
                dark += now - shown.take().expect("it was just set").since();
                noticed.back += u32::from(hook.take().is_some_and(|gap| gap.is_reported()));
            }
            match action {
                Action::Start => {
                    let CameraRun { live, orderly, fails_after } = run(runs, at);
                    runs += 1;
                    let end = SourceEnd { orderly, ..failed(live.is_some()) };
                    let begun = at + if live.is_some() { CONNECTING } else { fails_after };
                    events.push((begun + live.unwrap_or_default(), Event::Ended(end)));
                    events.extend(live.map(|_| (begun, Event::FirstFrame)));
                }
                Action::RetryIn(delay) => {
                    noticed.longest_delay = noticed.longest_delay.max(delay);
                    events.push((at + delay, Event::RetryDue));
                }
                _ => {}
            }
        }
        noticed.dark = (dark.as_secs_f64() / (HOUR * 3 / 2).as_secs_f64() * 100.0).round() as u32;
        noticed
    }

    type Pattern = Box<dyn Fn(u32, Duration) -> CameraRun>;

    /// A camera that is polled each second, of whose polls these fail.
    fn polls(fails: fn(u32) -> bool) -> Pattern {
        let polls = Cell::new(0);
        Box::new(move |_, _| polled(&polls, SECOND, fails))
    }

    /// A camera that gives pictures for this long in a run, unless the run, by its number, fails.
    fn runs(live: Duration, fails: fn(u32) -> bool) -> Pattern {
        Box::new(move |n, _| if fails(n) { refuses() } else { gives(live) })
    }

    /// A camera that is away for the rest of each period.
    fn flaps(live: u64, period: u64) -> Pattern {
        Box::new(move |_, at| match live.saturating_sub(at.as_secs() % period) {
            0 => refuses(),
            left => gives(Duration::from_secs(left)),
        })
    }

    #[test]
    fn recorded_patterns_of_failures_are_noticed_by_the_one_rule() {
        let moment = Duration::from_millis(1);
        let closes: Pattern = Box::new(move |_, _| CameraRun { orderly: true, ..gives(moment) });
        let silent: Pattern = Box::new(|_, _| CameraRun { fails_after: 10 * SECOND, ..refuses() });
        let dead: Pattern =
            Box::new(
                |n, at| if n > 0 && at < HOUR { refuses() } else { gives(SECOND + HOUR * u32::from(n > 0)) },
            );
        // Name, camera, [offline images, lost, back], longest delay, at most this percentage without pictures.
        for (name, run, noticed, longest_delay, dark) in [
            ("each tenth poll fails", polls(|n| n % 10 == 9), [0, 0, 0], Duration::ZERO, 0),
            ("each second poll fails", polls(|n| n % 2 == 0), [0, 0, 0], FIRST_DELAY, 0),
            ("two of ten polls fail", polls(|n| n % 10 > 7), [0, 0, 0], FIRST_DELAY, 6),
            ("RST every 2 s", runs(2 * SECOND, |_| false), [0, 0, 0], FIRST_DELAY, 22),
            ("RST after each picture", runs(moment, |_| false), [0, 0, 0], FIRST_DELAY, 100),
            ("closes after each picture", closes, [0, 0, 0], FIRST_DELAY, 100),
            ("each second run fails", runs(20 * SECOND, |n| n % 2 == 1), [0, 0, 0], SECOND, 8),
            ("two of three runs fail", runs(20 * SECOND, |n| n % 3 > 0), [228, 0, 0], SECOND * 2, 17),
            ("dead for an hour", dead, [1, 1, 1], MAX_DELAY, 68),
            ("5 of 10 s away", flaps(5, 10), [540, 0, 0], 4 * SECOND, 80),
            ("20 of 60 s away", flaps(40, 60), [90, 90, 89], 16 * SECOND, 53),
            ("answers nothing", silent, [1, 1, 0], MAX_DELAY, 0),
        ] {
            let seen = watch(run);
            assert_eq!([seen.offline_images, seen.lost, seen.back], noticed, "{name}: {seen:?}");
            assert_eq!(seen.longest_delay, longest_delay, "{name}: {seen:?}");
            assert!(seen.dark <= dark, "{name}: {seen:?}");
        }
    }
}
