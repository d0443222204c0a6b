//! Decides which events of streams are reported. Pure: states and times come in, notices go out.
//!
//! A stream is *lost* when its source has been away for `after`; a camera that closes after each picture
//! never is. It is *back* with its first picture after that, and only then: each `lost` has one `back` at
//! most. While nobody wants a stream it is neither. A push stream that waits for its first picture has not
//! been lost.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::media::stream_name::StreamName;

/// An event of a stream that is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Happened {
    /// Its source has been away since then, for this reason.
    Lost {
        /// When it was last well.
        since: Instant,
        /// In words.
        reason: String,
    },
    /// Pictures come again.
    Back,
    /// The last viewer left then.
    NoViewers {
        /// When.
        since: Instant,
    },
}

/// Follows all streams, for one webhook.
#[derive(Debug)]
pub(super) struct Tracker {
    after: Duration,
    streams: HashMap<StreamName, Followed>,
}

#[derive(Debug, Default)]
struct Followed {
    /// Pictures came since its source was started.
    gave: bool,
    away: Option<Away>,
    /// That it is lost was told, and not yet that it is back.
    lost: bool,
    audience: Audience,
    /// Viewers that there have been, when it was last looked.
    joined: u64,
}

#[derive(Debug)]
struct Away {
    since: Instant,
    reason: String,
}

#[derive(Debug, Default)]
enum Audience {
    /// Nobody watches; it was told, or nobody ever did.
    #[default]
    Nobody,
    Somebody,
    /// Nobody has watched since then.
    LeftAt(Instant),
}

impl Tracker {
    /// Tells what has lasted for `after`.
    pub(super) fn new(after: Duration) -> Self {
        Self { after, streams: HashMap::new() }
    }

    /// From now on tells what has lasted for so long.
    pub(super) fn set_after(&mut self, after: Duration) {
        self.after = after;
    }

    /// A stream has this state now, as the API names it, for this reason. States may be missing that lasted
    /// for a moment only. `passive` is a stream whose pictures are pushed: it may wait without having lost
    /// anybody.
    pub(super) fn state(
        &mut self,
        name: &StreamName,
        (state, reason): (&str, &str),
        passive: bool,
        now: Instant,
    ) -> Option<Happened> {
        if !matches!(state, "live" | "connecting" | "waiting") {
            // One that nobody has heard of, or that is forgotten, needs no place.
            if let Some(followed) = self.streams.get_mut(name) {
                (followed.gave, followed.away) = (false, None);
            }
            return None;
        }
        let followed = self.streams.entry(name.clone()).or_default();
        match state {
            "live" => {
                (followed.gave, followed.away) = (true, None);
                return std::mem::take(&mut followed.lost).then_some(Happened::Back);
            }
            "connecting" if followed.gave => followed.is_away("", now),
            "waiting" if followed.gave || !passive => followed.is_away(reason, now),
            _ => {}
        }
        None
    }

    /// A stream that is new here has had so many viewers before, who are not looked back at.
    pub(super) fn begin(&mut self, name: &StreamName, joined: u64) {
        self.streams.entry(name.clone()).or_insert_with(|| Followed { joined, ..Followed::default() });
    }

    /// A stream has `viewers` now, and has had `joined` so far, those among them: who came and left again
    /// since the last look is seen too.
    pub(super) fn viewers(&mut self, name: &StreamName, viewers: usize, joined: u64, now: Instant) {
        if joined == 0 {
            return;
        }
        let followed = self.streams.entry(name.clone()).or_default();
        let came = std::mem::replace(&mut followed.joined, joined) != joined;
        match (viewers, &followed.audience) {
            (1.., _) => followed.audience = Audience::Somebody,
            (0, Audience::Somebody) => followed.audience = Audience::LeftAt(now),
            (0, _) if came => followed.audience = Audience::LeftAt(now),
            (0, _) => {}
        }
    }

    /// A stream is gone.
    pub(super) fn forget(&mut self, name: &StreamName) {
        self.streams.remove(name);
    }

    /// Returns the events that have lasted for long enough by now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(StreamName, Happened)> {
        let after = self.after;
        let lasted = |since: Instant| now.saturating_duration_since(since) >= after;
        let mut due = Vec::new();
        for (name, followed) in &mut self.streams {
            if let Some(away) = followed.away.as_ref().filter(|away| !followed.lost && lasted(away.since)) {
                followed.lost = true;
                due.push((name.clone(), Happened::Lost { since: away.since, reason: away.reason.clone() }));
            }
            if let Audience::LeftAt(since) = followed.audience
                && lasted(since)
            {
                followed.audience = Audience::Nobody;
                due.push((name.clone(), Happened::NoViewers { since }));
            }
        }
        due
    }
}

impl Followed {
    fn is_away(&mut self, reason: &str, now: Instant) {
        let away = self.away.get_or_insert_with(|| Away { since: now, reason: String::new() });
        if !reason.is_empty() {
            reason.clone_into(&mut away.reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(10);

    /// Tells a tracker of one stream's states, one a second, and gives what is told, with the second in which
    /// it was.
    fn told(states: &[&str]) -> Vec<(usize, &'static str)> {
        told_of(false, states)
    }

    fn told_of(passive: bool, states: &[&str]) -> Vec<(usize, &'static str)> {
        let door: StreamName = "door".parse().unwrap();
        let mut tracker = Tracker::new(AFTER);
        let start = Instant::now();
        let mut told = Vec::new();
        for (second, state) in states.iter().enumerate() {
            let now = start + Duration::from_secs(second as u64);
            // An empty one: nothing has changed.
            let at_once =
                if state.is_empty() { None } else { tracker.state(&door, (state, "off"), passive, now) };
            let due = tracker.due(now).into_iter().map(|(_, happened)| happened);
            for happened in at_once.into_iter().chain(due) {
                told.push((second, if happened == Happened::Back { "back" } else { "lost" }));
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
    fn the_reason_is_the_newest_and_the_time_that_of_the_first() {
        let door: StreamName = "door".parse().unwrap();
        let (mut tracker, start) = (Tracker::new(AFTER), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        for (second, state, reason) in [
            (0, "live", ""),
            (1, "waiting", "it was slow"),
            (2, "connecting", ""),
            (3, "waiting", "it is off"),
        ] {
            tracker.state(&door, (state, reason), false, at(second));
        }
        assert_eq!(tracker.due(at(10)), []);
        let lost = Happened::Lost { since: at(1), reason: "it is off".into() };
        assert_eq!(tracker.due(at(11)), [(door, lost)]);
    }

    #[test]
    fn the_last_viewer_who_leaves_is_told_once_unless_another_comes_soon() {
        let door: StreamName = "door".parse().unwrap();
        let (mut tracker, start) = (Tracker::new(AFTER), Instant::now());
        tracker.begin(&door, 5);
        let mut at = |second: u64, viewers, joined| {
            let now = start + Duration::from_secs(second);
            tracker.viewers(&door, viewers, joined, now);
            tracker.due(now).len()
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
