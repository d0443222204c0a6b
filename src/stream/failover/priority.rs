//! The order of a stream's sources: which of them is started next, and the state of each. Pure: times are
//! arguments, and the choice is returned.
//!
//! A stream with one source is the simplest case: that one is started again after its delay. With several the
//! first of the list that may be tried is; one that failed may be tried again when its own delay is over.

use std::time::{Duration, Instant, SystemTime};

use crate::{
    source::Reason,
    stream::{health::Failures, run_outcome::SourceEnd},
};

/// All sources of a stream, the most preferred first.
#[derive(Debug)]
pub struct SourcePriority {
    list: Vec<Candidate>,
    in_use: usize,
    /// Position of the source whose frames came last.
    shown: usize,
    since: Option<SystemTime>,
    /// Position of the source that is tried beside the one in use.
    on_trial: Option<usize>,
}

#[derive(Debug, Default)]
struct Candidate {
    failures: Failures,
    /// Earliest time of the next start.
    due: Option<Instant>,
    failure: Option<Failure>,
    /// Time since which it has given frames on trial, not counting orderly ends.
    stable_since: Option<Instant>,
}

/// The failure of a source that is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Reason in words, without credentials.
    pub reason: Reason,
    /// Time at which it was first found to be away.
    pub since: SystemTime,
}

/// The state of a stream's sources, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcesReport {
    /// Position of the source in use, from 0.
    pub in_use: usize,
    /// Time at which its frames began to be shown.
    pub since: Option<SystemTime>,
    /// State of each source, in the order of the list.
    pub statuses: Vec<SourceStatus>,
}

/// The state of one of several sources, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStatus {
    /// Activity of the source.
    pub activity: SourceActivity,
    /// The last failure of the source; none while it works.
    pub failure: Option<Failure>,
    /// Time at which it may be tried again.
    pub due: Option<Instant>,
}

/// The activity of one of several sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceActivity {
    /// Its frames are shown, or will be.
    InUse,
    /// It is tried beside the one in use.
    Tried,
    /// It failed, and is tried again later.
    Away,
    /// It was not needed.
    Ready,
}

impl SourceActivity {
    /// Returns the name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InUse => "in_use",
            Self::Tried => "tried",
            Self::Away => "away",
            Self::Ready => "ready",
        }
    }
}

impl SourcePriority {
    /// Creates a list of `count` sources of which nothing is known yet. At least one.
    pub fn new(count: usize) -> Self {
        let list = (0..count.max(1)).map(|_| Candidate::default()).collect();
        Self { list, in_use: 0, shown: 0, since: None, on_trial: None }
    }

    /// Returns whether there are several sources.
    pub fn has_choice(&self) -> bool {
        self.list.len() > 1
    }

    /// Returns the position of the source that is started, or was last.
    pub fn in_use(&self) -> usize {
        self.in_use
    }

    /// Returns the number of failures of the source in use since its last picture.
    pub fn failures_in_a_row(&self) -> u32 {
        self.list[self.in_use].failures.in_a_row()
    }

    /// Returns the last failure of a source.
    pub fn failure(&self, position: usize) -> Option<&Failure> {
        self.list.get(position)?.failure.as_ref()
    }

    /// Chooses the source to start now.
    pub fn choose(&mut self, now: Instant) -> usize {
        self.in_use = self.next(now).0;
        self.in_use
    }

    /// Makes the source at `position` the one in use.
    pub fn set_in_use(&mut self, position: usize) {
        self.in_use = position;
    }

    /// Records that frames come from the source in use. Returns whether they came from another before.
    pub fn on_live(&mut self) -> bool {
        let candidate = &mut self.list[self.in_use];
        (candidate.failure, candidate.due) = (None, None);
        let switched = self.shown != self.in_use;
        if switched || self.since.is_none() {
            self.since = Some(SystemTime::now());
        }
        self.shown = self.in_use;
        switched
    }

    /// Records that the source in use ended, and returns how long to wait before the next is started. One
    /// that ended in an orderly way is started again: cameras that close after each picture are well.
    pub fn on_ended(&mut self, ending: &SourceEnd, now: Instant) -> Duration {
        let delay = self.list[self.in_use].ended(ending, now);
        if ending.orderly || !self.has_choice() { delay } else { self.next(now).1 }
    }

    /// Returns the reason for which there is no picture: the failure of each source, if there are several.
    pub fn reason(&self, ending: &SourceEnd) -> Reason {
        let away = self.list.iter().enumerate().filter_map(|(n, one)| Some((n, one.failure.as_ref()?)));
        if self.has_choice() && !ending.orderly {
            return Reason::numbered(away.map(|(n, failure)| (n + 1, &failure.reason)));
        }
        ending.reason.clone()
    }

    /// Resets the failures when the stream has no viewers any more. If there are other sources, those that
    /// are known to be away keep their failures: otherwise the next viewer would wait for them.
    pub fn on_idle(&mut self) {
        self.on_trial = None;
        let several = self.has_choice();
        for candidate in &mut self.list {
            candidate.failures.reset();
            candidate.stable_since = None;
            if !several {
                candidate.due = None;
            }
        }
    }

    /// Returns the more preferred source to try next, and the time until then.
    pub fn next_trial(&self, now: Instant) -> Option<(usize, Duration)> {
        let waits =
            |n: usize| self.list[n].due.map_or(Duration::ZERO, |due| due.saturating_duration_since(now));
        (0..self.in_use).map(|n| (n, waits(n))).min_by_key(|&(n, wait)| (wait, n))
    }

    /// Records that the source at `position` is tried beside the one in use.
    pub fn begin_trial(&mut self, position: usize) {
        self.on_trial = Some(position);
    }

    /// Returns whether the source in use gave frames before it ended, and only has to be started again.
    pub fn in_use_is_stable(&self) -> bool {
        let last = &self.list[self.in_use];
        last.failure.is_none() && last.due.is_some()
    }

    /// Returns whether the source at `position` is on trial.
    pub fn is_on_trial(&self, position: usize) -> bool {
        self.on_trial == Some(position)
    }

    /// Records that frames come from the source on trial. Returns the time since which they have.
    pub fn on_trial_frame(&mut self, now: Instant) -> Option<Instant> {
        let candidate = &mut self.list[self.on_trial?];
        candidate.failure = None;
        Some(*candidate.stable_since.get_or_insert(now))
    }

    /// Records that the run on trial ended by itself.
    pub fn on_trial_ended(&mut self, ending: &SourceEnd, now: Instant) {
        if let Some(position) = self.on_trial.take() {
            self.list[position].ended(ending, now);
        }
    }

    /// Ends the trial: its source is used now, or given up.
    pub fn end_trial(&mut self) -> Option<usize> {
        let position = self.on_trial.take()?;
        self.list[position].stable_since = None;
        Some(position)
    }

    /// Returns the state of all sources, for people; `running` says whether the one in use runs.
    pub fn report(&self, running: bool) -> SourcesReport {
        SourcesReport { in_use: self.in_use, since: self.since, statuses: self.statuses(running) }
    }

    /// Returns the state of each source.
    fn statuses(&self, running: bool) -> Vec<SourceStatus> {
        let status_of = |(n, candidate): (usize, &Candidate)| {
            let activity = match (&candidate.failure, self.on_trial == Some(n)) {
                _ if running && n == self.in_use => SourceActivity::InUse,
                (_, true) => SourceActivity::Tried,
                (Some(_), false) => SourceActivity::Away,
                (None, false) => SourceActivity::Ready,
            };
            let due = candidate.due.filter(|_| activity == SourceActivity::Away);
            SourceStatus { activity, failure: candidate.failure.clone(), due }
        };
        self.list.iter().enumerate().map(status_of).collect()
    }

    /// Returns the source to start next, and the delay: the one in use if it ended in an orderly way, else
    /// the first that may be started, else the one on trial, which runs already, else the one that may be
    /// started soonest.
    fn next(&self, now: Instant) -> (usize, Duration) {
        let last = &self.list[self.in_use];
        if let (None, Some(due)) = (&last.failure, last.due) {
            return (self.in_use, due.saturating_duration_since(now));
        }
        let wait = |candidate: &Candidate| {
            candidate.due.map_or(Duration::ZERO, |due| due.saturating_duration_since(now))
        };
        let others = self.list.iter().enumerate().filter(|(n, _)| self.on_trial != Some(*n));
        let soonest = others.map(|(n, candidate)| (n, wait(candidate))).min_by_key(|&(n, wait)| (wait, n));
        match (soonest, self.on_trial) {
            (Some((n, wait)), None) => (n, wait),
            (Some((n, Duration::ZERO)), Some(_)) => (n, Duration::ZERO),
            (_, Some(trial)) => (trial, Duration::ZERO),
            (None, None) => (self.in_use, Duration::ZERO),
        }
    }

    #[cfg(test)]
    pub(in crate::stream) fn without_jitter(count: usize) -> Self {
        let mut candidates = Self::new(count);
        candidates.list.iter_mut().for_each(|candidate| candidate.failures = Failures::without_jitter());
        candidates
    }
}

impl Candidate {
    /// Records an end, and returns how long to wait before the next start.
    fn ended(&mut self, ending: &SourceEnd, now: Instant) -> Duration {
        let delay = self.failures.next_delay(ending);
        self.due = Some(now + delay);
        if !ending.orderly {
            self.stable_since = None;
            let since = self.failure.take().map_or_else(SystemTime::now, |failure| failure.since);
            self.failure = Some(Failure { reason: ending.reason.clone(), since });
        }
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Duration = Duration::from_millis(500);

    fn failed(reason: &'static str) -> SourceEnd {
        SourceEnd { reason: reason.into(), orderly: false, gave_frames: false }
    }

    fn closed() -> SourceEnd {
        SourceEnd { reason: "closed".into(), orderly: true, gave_frames: true }
    }

    #[test]
    fn the_next_in_the_list_is_started_at_once_and_the_first_again_when_its_delay_is_over() {
        let mut sources = SourcePriority::without_jitter(3);
        let start = Instant::now();
        assert_eq!(sources.choose(start), 0);
        assert_eq!(sources.on_ended(&failed("a"), start), Duration::ZERO);
        assert_eq!(sources.choose(start), 1);
        assert_eq!(sources.on_ended(&failed("b"), start), Duration::ZERO);
        assert_eq!(sources.choose(start), 2);
        assert_eq!(
            sources.on_ended(&failed("c"), start),
            HALF,
            "all are away: the first of them again, later"
        );
        assert_eq!(sources.reason(&failed("c")).public(), "1: a; 2: b; 3: c");
        assert_eq!(sources.choose(start + HALF), 0);
        assert_eq!(sources.on_ended(&failed("a"), start + HALF), Duration::ZERO);
        assert_eq!(sources.choose(start + HALF), 1);
    }

    #[test]
    fn a_camera_that_closes_after_each_picture_is_started_again_and_no_other() {
        let mut sources = SourcePriority::without_jitter(2);
        let start = Instant::now();
        sources.choose(start);
        assert!(!sources.on_live());
        assert_eq!(sources.on_ended(&closed(), start), HALF);
        assert_eq!(sources.reason(&closed()).public(), "closed");
        assert_eq!(sources.choose(start + HALF), 0);
        assert!(!sources.on_live(), "the same one is no switch");
    }

    #[test]
    fn those_before_the_one_in_use_are_tried_the_most_wanted_first() {
        let mut sources = SourcePriority::without_jitter(3);
        let start = Instant::now();
        for reason in ["a", "b"] {
            sources.choose(start);
            sources.on_ended(&failed(reason), start);
        }
        sources.choose(start);
        assert!(sources.on_live(), "another than the first is a switch");
        assert_eq!(sources.next_trial(start), Some((0, HALF)));
        sources.begin_trial(0);
        sources.on_trial_ended(&failed("a"), start + HALF);
        assert_eq!(
            sources.next_trial(start + HALF),
            Some((1, Duration::ZERO)),
            "its turn, while the first rests"
        );
        sources.begin_trial(1);
        assert_eq!(sources.on_trial_frame(start), Some(start));
        sources.on_trial_ended(&closed(), start + HALF);
        sources.begin_trial(1);
        assert_eq!(sources.on_trial_frame(start + HALF), Some(start), "an orderly end leaves it well");
        sources.on_trial_ended(&failed("b"), start + HALF);
        sources.begin_trial(1);
        assert_eq!(sources.on_trial_frame(start + HALF), Some(start + HALF), "a failure does not");
        let position = sources.end_trial().unwrap();
        sources.set_in_use(position);
        assert!(sources.on_live(), "back is one too");
        assert_eq!(sources.in_use(), 1);
        assert_eq!(sources.next_trial(start + HALF).map(|(n, _)| n), Some(0));
    }

    #[test]
    fn one_that_is_on_trial_already_is_taken_when_no_other_can_be_started() {
        let mut sources = SourcePriority::without_jitter(2);
        let start = Instant::now();
        sources.choose(start);
        sources.on_ended(&failed("a"), start);
        sources.choose(start);
        sources.on_live();
        sources.begin_trial(0);
        assert_eq!(sources.on_ended(&failed("b"), start), Duration::ZERO, "it runs: nothing to wait for");
        assert_eq!(sources.choose(start), 0);
    }

    #[test]
    fn each_says_what_it_is_doing() {
        let mut sources = SourcePriority::without_jitter(3);
        let start = Instant::now();
        sources.choose(start);
        sources.on_ended(&failed("a"), start);
        sources.choose(start);
        sources.on_live();
        let roles =
            |sources: &SourcePriority| sources.statuses(true).iter().map(|s| s.activity).collect::<Vec<_>>();
        assert_eq!(roles(&sources), [SourceActivity::Away, SourceActivity::InUse, SourceActivity::Ready]);
        assert_eq!(sources.statuses(true)[0].due, Some(start + HALF));
        sources.begin_trial(0);
        assert_eq!(roles(&sources), [SourceActivity::Tried, SourceActivity::InUse, SourceActivity::Ready]);
        sources.on_idle();
        assert_eq!(sources.statuses(false)[1].activity, SourceActivity::Ready);
        assert_eq!(sources.choose(start), 1, "what is away is not waited for by the next viewer");
    }
}
