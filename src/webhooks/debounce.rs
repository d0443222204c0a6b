//! Decides which events of streams are reported. Pure: states and times are arguments, events are returned.
//!
//! A stream is *lost* when its source has been away for `after`; a camera that closes after each picture
//! never is. It is *back* with its first picture after that, and only then: each `lost` has one `back` at
//! most. While a stream has no demand it is neither. A push stream that waits for its first picture has not
//! been lost.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::{media::stream_name::StreamName, stream::Gap};

/// An event of a stream that is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StreamEvent {
    /// Its source has been away since `since`.
    Offline {
        /// Time of its last healthy state.
        since: Instant,
        /// The reason, for people.
        reason: String,
    },
    /// Frames arrive again.
    Online,
    /// The last viewer has left.
    NoViewers {
        /// Time of leaving.
        since: Instant,
    },
}

/// The state of all streams, for one webhook.
#[derive(Debug)]
pub(super) struct Debouncer {
    after: Duration,
    streams: HashMap<StreamName, StreamRecord>,
}

#[derive(Debug, Default)]
struct StreamRecord {
    /// Frames have arrived since its source was started.
    gave: bool,
    away: Option<Away>,
    /// `lost` was reported, and `back` has not been.
    lost: bool,
    viewers: ViewerState,
    /// Total number of viewers so far, at the last check.
    joined: u64,
}

#[derive(Debug)]
struct Away {
    gap: Gap,
    reason: String,
}

#[derive(Debug, Default)]
enum ViewerState {
    /// The stream has no viewers; that was reported, or it never had any.
    #[default]
    Absent,
    Present,
    /// The last viewer left at this time.
    LeftAt(Instant),
}

impl Debouncer {
    /// Creates a debouncer that reports what has lasted for `after`.
    pub(super) fn new(after: Duration) -> Self {
        Self { after, streams: HashMap::new() }
    }

    /// Changes the time that something has to last.
    pub(super) fn set_after(&mut self, after: Duration) {
        self.after = after;
    }

    /// Takes the current state of a stream, as the API names it, and its reason. States that lasted only for
    /// a moment may be left out: `gap_since`, the time since which the stream has given no picture, shows them.
    /// `passive` is a stream whose pictures are pushed: it may wait without having lost anything.
    pub(super) fn on_state(
        &mut self,
        name: &StreamName,
        (state, reason, gap_since): (&str, &str, Option<Instant>),
        passive: bool,
        now: Instant,
    ) -> Option<StreamEvent> {
        if !matches!(state, "live" | "connecting" | "waiting") {
            // An unknown or forgotten stream needs no entry.
            if let Some(followed) = self.streams.get_mut(name) {
                (followed.gave, followed.away) = (false, None);
            }
            return None;
        }
        let followed = self.streams.entry(name.clone()).or_default();
        let was_live = followed.away.as_ref().is_some_and(|away| gap_since > Some(away.gap.since()));
        let is_back = (state == "live" || was_live) && std::mem::take(&mut followed.lost);
        if state == "live" || was_live {
            (followed.gave, followed.away) = (true, None);
        }
        match state {
            "connecting" if followed.gave => followed.is_away("", now),
            "waiting" if followed.gave || !passive => followed.is_away(reason, now),
            _ => {}
        }
        is_back.then_some(StreamEvent::Online)
    }

    /// Starts to follow a stream that has had `joined` viewers before, who are not reported.
    pub(super) fn track(&mut self, name: &StreamName, joined: u64) {
        self.streams
            .entry(name.clone())
            .or_insert_with(|| StreamRecord { joined, ..StreamRecord::default() });
    }

    /// Takes the number of current viewers and of all viewers so far: the second shows those who came and
    /// left again since the last check.
    pub(super) fn on_viewers(&mut self, name: &StreamName, viewers: usize, joined: u64, now: Instant) {
        if joined == 0 {
            return;
        }
        let followed = self.streams.entry(name.clone()).or_default();
        let came = std::mem::replace(&mut followed.joined, joined) != joined;
        match (viewers, &followed.viewers) {
            (1.., _) => followed.viewers = ViewerState::Present,
            (0, ViewerState::Present) => followed.viewers = ViewerState::LeftAt(now),
            (0, _) if came => followed.viewers = ViewerState::LeftAt(now),
            (0, _) => {}
        }
    }

    /// Removes a stream.
    pub(super) fn remove(&mut self, name: &StreamName) {
        self.streams.remove(name);
    }

    /// Returns the events that have lasted long enough by now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(StreamName, StreamEvent)> {
        let after = self.after;
        let lasted = |since: Instant| now.saturating_duration_since(since) >= after;
        let mut due = Vec::new();
        for (name, followed) in &mut self.streams {
            if let Some(Away { gap, reason }) = followed.away.as_mut().filter(|_| !followed.lost)
                && gap.is_due(after, now)
            {
                followed.lost = true;
                let lost = StreamEvent::Offline { since: gap.since(), reason: reason.clone() };
                due.push((name.clone(), lost));
            }
            if let ViewerState::LeftAt(since) = followed.viewers
                && lasted(since)
            {
                followed.viewers = ViewerState::Absent;
                due.push((name.clone(), StreamEvent::NoViewers { since }));
            }
        }
        due
    }
}

impl StreamRecord {
    fn is_away(&mut self, reason: &str, now: Instant) {
        let away = self.away.get_or_insert_with(|| Away { gap: Gap::begin(now), reason: String::new() });
        if !reason.is_empty() {
            reason.clone_into(&mut away.reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(10);

    /// Feeds a debouncer the states of one stream, one a second, and returns what it reports, with the
    /// second.
    fn told(states: &[&str]) -> Vec<(usize, &'static str)> {
        told_of(false, states)
    }

    fn told_of(passive: bool, states: &[&str]) -> Vec<(usize, &'static str)> {
        let door: StreamName = "door".parse().unwrap();
        let mut debouncer = Debouncer::new(AFTER);
        let start = Instant::now();
        let mut told = Vec::new();
        for (second, state) in states.iter().enumerate() {
            let now = start + Duration::from_secs(second as u64);
            // An empty one: nothing has changed.
            let at_once = if state.is_empty() {
                None
            } else {
                debouncer.on_state(&door, (state, "off", None), passive, now)
            };
            let due = debouncer.due(now).into_iter().map(|(_, stream_event)| stream_event);
            for stream_event in at_once.into_iter().chain(due) {
                told.push((second, if stream_event == StreamEvent::Online { "back" } else { "lost" }));
            }
        }
        told
    }

    fn then<'a>(first: &[&'a str], quiet: usize, last: &[&'a str]) -> Vec<&'a str> {
        [first, &vec![""; quiet], last].concat()
    }

    #[test]
    fn a_camera_that_is_away_is_lost_once_and_back_with_its_first_picture() {
        assert_eq!(
            told(&then(&["connecting", "live", "waiting"], 20, &["live"])),
            [(12, "lost"), (23, "back")]
        );
        let tries = ["connecting", "waiting"].repeat(20);
        assert_eq!(told(&then(&["connecting", "live"], 0, &tries)), [(12, "lost")], "since it was last well");
        assert_eq!(told(&then(&["connecting", "waiting"], 20, &["live"])), [(11, "lost"), (22, "back")]);
        let twice = then(&["live", "waiting"], 10, &["live", "waiting"]);
        assert_eq!(told(&then(&twice, 10, &["live"])).len(), 4, "each time anew");
    }

    #[test]
    fn what_is_away_for_a_moment_or_wanted_by_nobody_is_not_lost() {
        assert_eq!(told(&["live", "waiting", "connecting"].repeat(20)), [], "closes after each picture");
        assert_eq!(told(&then(&["live", "waiting", "idle"], 20, &["connecting", "live"])), []);
        assert_eq!(told(&then(&["live", "waiting", "paused"], 20, &["connecting", "live"])), []);
        let first = then(&["waiting"], 20, &["live"]);
        assert_eq!(told_of(true, &first), [], "a push stream waits for its first picture");
        assert_eq!(told(&first), [(10, "lost"), (21, "back")], "a camera that was connected for a moment");
        assert_eq!(told(&then(&["connecting"], 20, &["live"])), [], "it has not failed yet");
        let lost = ["live", "waiting"];
        let given_up = then(&lost, 12, &["idle", "connecting", "live"]);
        assert_eq!(told(&given_up), [(11, "lost"), (16, "back")], "lost until it is back");
    }

    #[test]
    fn a_picture_whose_state_was_too_short_to_be_noticed_ends_the_gap() {
        let door: StreamName = "door".parse().unwrap();
        let (mut debouncer, start) = (Debouncer::new(AFTER), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        debouncer.on_state(&door, ("live", "", None), false, start);
        for second in 1..30 {
            let state = ("waiting", "reset", Some(at(second)));
            assert_eq!(debouncer.on_state(&door, state, false, at(second)), None);
            assert_eq!(debouncer.due(at(second)), [], "a picture came each second");
        }
        assert_eq!(debouncer.due(at(39)).len(), 1, "and none after");
        let state = ("connecting", "", Some(at(45)));
        assert_eq!(debouncer.on_state(&door, state, false, at(45)), Some(StreamEvent::Online));
    }

    #[test]
    fn the_reason_is_the_newest_and_the_time_that_of_the_first() {
        let door: StreamName = "door".parse().unwrap();
        let (mut debouncer, start) = (Debouncer::new(AFTER), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        for (second, state, reason) in [
            (0, "live", ""),
            (1, "waiting", "it was slow"),
            (2, "connecting", ""),
            (3, "waiting", "it is off"),
        ] {
            debouncer.on_state(&door, (state, reason, None), false, at(second));
        }
        assert_eq!(debouncer.due(at(10)), []);
        let lost = StreamEvent::Offline { since: at(1), reason: "it is off".into() };
        assert_eq!(debouncer.due(at(11)), [(door, lost)]);
    }

    #[test]
    fn the_last_viewer_who_leaves_is_told_once_unless_another_comes_soon() {
        let door: StreamName = "door".parse().unwrap();
        let (mut debouncer, start) = (Debouncer::new(AFTER), Instant::now());
        debouncer.track(&door, 5);
        let mut at = |second: u64, viewers, joined| {
            let now = start + Duration::from_secs(second);
            debouncer.on_viewers(&door, viewers, joined, now);
            debouncer.due(now).len()
        };
        assert_eq!((at(0, 0, 5), at(20, 0, 5)), (0, 0), "those before are of the past");
        assert_eq!((at(21, 2, 7), at(40, 1, 7), at(41, 0, 7), at(50, 0, 7)), (0, 0, 0, 0));
        assert_eq!((at(50, 1, 8), at(51, 0, 8), at(60, 0, 8)), (0, 0, 0), "a page that is loaded anew");
        assert_eq!((at(61, 0, 8), at(90, 0, 8)), (1, 0));
        assert_eq!(
            (at(91, 0, 9), at(100, 0, 9), at(101, 0, 9)),
            (0, 0, 1),
            "came and left between two looks"
        );
    }
}
