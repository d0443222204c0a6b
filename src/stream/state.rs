//! The states of a stream, and the pure function that moves between them.
//!
//! ```text
//!          Wanted               FirstFrame
//!   idle ─────────► connecting ───────────► live
//!    ▲                 ▲    │ Ended          │ Ended
//!    │ Unwanted        │    ▼                │
//!    └──── any ────    └─ waiting ◄──────────┘
//!                RetryDue          any ── Stop ──► stopped
//!                                   any ── Pause ──► paused ── Resume ──► idle
//! ```

use std::time::{Duration, Instant};

use super::{failover::priority::SourcePriority, run_outcome::SourceEnd};
use crate::source::Reason;

/// The state of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// An on-demand stream without viewers; its source is stopped.
    Idle,
    /// The source runs and has not given a frame yet.
    Connecting,
    /// Frames come.
    Live,
    /// The source is away.
    Waiting {
        /// The error, or the event that is waited for.
        reason: Reason,
        /// Time at which the source is tried again; none while a publisher is waited for.
        next_try: Option<Instant>,
    },
    /// Stopped until it is resumed, regardless of viewers.
    Paused,
    /// Never runs again.
    Stopped,
}

impl State {
    /// Returns the name in JSON and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Waiting { .. } => "waiting",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }

    /// Returns whether the source's task runs in this state (a waiting stream runs one only when it waits for
    /// a publisher).
    pub fn runs_source(&self) -> bool {
        match self {
            Self::Connecting | Self::Live => true,
            Self::Waiting { next_try, .. } => next_try.is_none(),
            Self::Idle | Self::Paused | Self::Stopped => false,
        }
    }
}

/// An event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The stream has viewers, or always runs.
    Wanted,
    /// The last viewer left and the linger is over.
    Unwanted,
    /// The first frame since the source was started.
    FirstFrame,
    /// The source ended.
    Ended(SourceEnd),
    /// The delay before the next try is over.
    RetryDue,
    /// The stream is paused.
    Pause,
    /// The pause is over.
    Resume,
    /// The relay stops, or its configuration removes the stream.
    Stop,
}

/// An action that the actor has to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// Start the source.
    Start,
    /// End the source and clear its last frame.
    StopSource,
    /// Start the source after a delay.
    RetryIn(Duration),
}

/// The inputs of [`next`] besides state and event.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// The moment of the event.
    pub now: Instant,
    /// The sources, which determine the delays.
    pub sources: &'a mut SourcePriority,
    /// Reason for which a source waits that only receives pushed pictures.
    pub passive: Option<&'static str>,
}

/// Returns the state after `event`, and the action to take.
pub fn next(state: &State, event: Event, with: Inputs<'_>) -> (State, Action) {
    match (state, event) {
        (State::Stopped, _) => (State::Stopped, Action::Nothing),
        (_, Event::Stop) => (State::Stopped, Action::StopSource),
        (State::Paused, Event::Resume) => {
            with.sources.on_idle();
            (State::Idle, Action::Nothing)
        }
        (State::Paused, _) => (State::Paused, Action::Nothing),
        (_, Event::Pause) => (State::Paused, Action::StopSource),
        (State::Idle, Event::Wanted) | (State::Waiting { next_try: Some(_), .. }, Event::RetryDue) => {
            (started(with.passive), Action::Start)
        }
        (State::Idle, _) => (State::Idle, Action::Nothing),
        (_, Event::Unwanted) => {
            with.sources.on_idle();
            (State::Idle, Action::StopSource)
        }
        (current, Event::FirstFrame) if current.runs_source() => (State::Live, Action::Nothing),
        (current, Event::Ended(ending)) if current.runs_source() => {
            let delay = with.sources.on_ended(&ending, with.now);
            if delay.is_zero() {
                // Another source is started at once; viewers wait for its first picture.
                return (started(with.passive), Action::Start);
            }
            let reason = with.sources.reason(&ending);
            let waiting = State::Waiting { reason, next_try: Some(with.now + delay) };
            (waiting, Action::RetryIn(delay))
        }
        (current, _) => (current.clone(), Action::Nothing),
    }
}

fn started(passive: Option<&'static str>) -> State {
    match passive {
        Some(reason) => State::Waiting { reason: Reason::public_only(reason), next_try: None },
        None => State::Connecting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(reason: &'static str) -> Event {
        Event::Ended(SourceEnd { reason: reason.into(), orderly: false, gave_frames: false })
    }

    #[test]
    fn every_event_in_every_state() {
        let now = Instant::now();
        let ending = SourceEnd { reason: Reason::default(), orderly: false, gave_frames: false };
        let delay = SourcePriority::without_jitter(1).on_ended(&ending, now);
        let waiting = |r: &'static str| State::Waiting { reason: r.into(), next_try: Some(now + delay) };
        let hoping = || State::Waiting { reason: "push".into(), next_try: None };
        use Action as A;
        use Event as E;
        use State as S;
        #[rustfmt::skip]
        let table = [
            (S::Idle,        E::Wanted,     S::Connecting,   A::Start),
            (S::Idle,        E::Unwanted,   S::Idle,         A::Nothing),
            (S::Idle,        E::FirstFrame, S::Idle,         A::Nothing),
            (S::Idle,        ended("x"),    S::Idle,         A::Nothing),
            (S::Idle,        E::RetryDue,   S::Idle,         A::Nothing),
            (S::Idle,        E::Stop,       S::Stopped,      A::StopSource),
            (S::Connecting,  E::Wanted,     S::Connecting,   A::Nothing),
            (S::Connecting,  E::Unwanted,   S::Idle,         A::StopSource),
            (S::Connecting,  E::FirstFrame, S::Live,         A::Nothing),
            (S::Connecting,  ended("x"),    waiting("x"),    A::RetryIn(delay)),
            (S::Connecting,  E::RetryDue,   S::Connecting,   A::Nothing),
            (S::Connecting,  E::Stop,       S::Stopped,      A::StopSource),
            (S::Live,        E::Wanted,     S::Live,         A::Nothing),
            (S::Live,        E::Unwanted,   S::Idle,         A::StopSource),
            (S::Live,        E::FirstFrame, S::Live,         A::Nothing),
            (S::Live,        ended("x"),    waiting("x"),    A::RetryIn(delay)),
            (S::Live,        E::RetryDue,   S::Live,         A::Nothing),
            (S::Live,        E::Stop,       S::Stopped,      A::StopSource),
            (waiting("x"),   E::Wanted,     waiting("x"),    A::Nothing),
            (waiting("x"),   E::Unwanted,   S::Idle,         A::StopSource),
            (waiting("x"),   E::FirstFrame, waiting("x"),    A::Nothing),
            (waiting("x"),   ended("y"),    waiting("x"),    A::Nothing),
            (waiting("x"),   E::RetryDue,   S::Connecting,   A::Start),
            (waiting("x"),   E::Stop,       S::Stopped,      A::StopSource),
            (hoping(),       E::FirstFrame, S::Live,         A::Nothing),
            (hoping(),       ended("x"),    waiting("x"),    A::RetryIn(delay)),
            (hoping(),       E::RetryDue,   hoping(),        A::Nothing),
            (hoping(),       E::Stop,       S::Stopped,      A::StopSource),
            (S::Stopped,     E::Wanted,     S::Stopped,      A::Nothing),
            (S::Stopped,     E::RetryDue,   S::Stopped,      A::Nothing),
            (S::Stopped,     E::FirstFrame, S::Stopped,      A::Nothing),
            (S::Stopped,     ended("x"),    S::Stopped,      A::Nothing),
            (S::Stopped,     E::Unwanted,   S::Stopped,      A::Nothing),
            (S::Stopped,     E::Stop,       S::Stopped,      A::Nothing),
            (S::Stopped,     E::Pause,      S::Stopped,      A::Nothing),
            (S::Idle,        E::Pause,      S::Paused,       A::StopSource),
            (S::Live,        E::Pause,      S::Paused,       A::StopSource),
            (waiting("x"),   E::Pause,      S::Paused,       A::StopSource),
            (S::Paused,      E::Pause,      S::Paused,       A::Nothing),
            (S::Paused,      E::Wanted,     S::Paused,       A::Nothing),
            (S::Paused,      E::Unwanted,   S::Paused,       A::Nothing),
            (S::Paused,      E::FirstFrame, S::Paused,       A::Nothing),
            (S::Paused,      E::RetryDue,   S::Paused,       A::Nothing),
            (S::Paused,      ended("x"),    S::Paused,       A::Nothing),
            (S::Paused,      E::Resume,     S::Idle,         A::Nothing),
            (S::Paused,      E::Stop,       S::Stopped,      A::StopSource),
            (S::Live,        E::Resume,     S::Live,         A::Nothing),
        ];
        for (state, event, wanted_state, wanted_action) in table {
            let mut sources = SourcePriority::without_jitter(1);
            let with = Inputs { now, sources: &mut sources, passive: None };
            let got = next(&state, event.clone(), with);
            assert_eq!(got, (wanted_state, wanted_action), "{state:?} + {event:?}");
        }
    }

    #[test]
    fn a_stream_with_another_source_does_not_wait() {
        let mut sources = SourcePriority::without_jitter(2);
        for expected in [Action::Start, Action::RetryIn(Duration::from_millis(500))] {
            let now = Instant::now();
            sources.choose(now);
            let with = Inputs { now, sources: &mut sources, passive: None };
            let (state, action) = next(&State::Live, ended("x"), with);
            assert_eq!(state == State::Connecting, expected == Action::Start, "{state:?}");
            assert_eq!(std::mem::discriminant(&action), std::mem::discriminant(&expected), "{action:?}");
        }
    }

    #[test]
    fn a_push_stream_waits_for_its_publisher_without_a_next_try() {
        let mut sources = SourcePriority::without_jitter(1);
        let with = Inputs { now: Instant::now(), sources: &mut sources, passive: Some("nothing pushed") };
        let (state, action) = next(&State::Idle, Event::Wanted, with);
        assert_eq!(state, State::Waiting { reason: "nothing pushed".into(), next_try: None });
        assert_eq!(action, Action::Start);
    }
}
