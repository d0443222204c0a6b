//! The recent events: streams that were added, removed or changed their state, and configurations read.
//!
//! A ring of [`MAX_EVENTS`]; the oldest are removed first. Each event has a number that only grows, so that a
//! client can request those after the last one that it has, and detects by a gap that it missed some. A
//! client that may not see all streams has its own numbers ([`Events::visible`]), which count only the events
//! that it may see: neither numbers nor gaps reveal others. No event contains a credential: the texts are
//! those of the log.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use tokio::sync::watch;

use crate::{
    media::stream_name::StreamName,
    source::Reason,
    stream::{StreamStatus, state::State},
};

/// Number of events that are kept: a bad night of a dozen cameras, in less than 200 kB.
pub const MAX_EVENTS: usize = 1000;

/// An event.
#[derive(Debug, Clone)]
pub struct Event {
    /// Number of the event, counted from 1 over the life of the relay.
    pub id: u64,
    /// Time of the event.
    pub time: SystemTime,
    /// Stream of the event; none if it is about the relay.
    pub stream: Option<StreamName>,
    /// Kind of the event.
    pub kind: EventKind,
    /// Message in words: why a source is away, what changed, what is wrong with the configuration; may be
    /// empty.
    pub message: Reason,
}

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// A stream changed to this state, as named by [`State::as_str`].
    State(&'static str),
    /// A stream was added.
    Added,
    /// A stream's settings were changed.
    Changed,
    /// A stream was removed.
    Removed,
    /// A stream's source was restarted on request.
    Restarted,
    /// The configuration was read and applied.
    Reloaded,
    /// The configuration was read and is invalid; the one before stays in effect.
    ReloadFailed,
}

impl EventKind {
    /// Returns the name in JSON: `state`, or a word of its own.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::State(_) => "state",
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Restarted => "restarted",
            Self::Reloaded => "reloaded",
            Self::ReloadFailed => "reload-failed",
        }
    }

    /// Returns the state that a stream changed to, if that is the event.
    pub fn state(self) -> Option<&'static str> {
        match self {
            Self::State(state) => Some(state),
            _ => None,
        }
    }
}

/// The recent events.
#[derive(Debug)]
pub struct Events {
    ring: Mutex<EventRing>,
    last: watch::Sender<u64>,
}

/// The events that a caller may see, with numbers that count no others.
#[derive(Debug)]
pub struct Visible {
    /// Number of the last event, kept or not.
    pub last: u64,
    /// Events that are kept, oldest first.
    pub events: Vec<Event>,
}

#[derive(Debug, Default)]
struct EventRing {
    kept: VecDeque<Event>,
    last: u64,
    /// All events so far by stream. A removed stream has no entry once its last event is forgotten: its
    /// events count as the relay's then, so that names that come and go take no memory.
    totals: HashMap<Option<StreamName>, u64>,
}

impl EventRing {
    /// Drops the oldest event, and with a removed stream's last one its total.
    fn remove_oldest(&mut self) {
        let Some(oldest) = self.kept.pop_front() else { return };
        if oldest.kind != EventKind::Removed || self.kept.iter().any(|event| event.stream == oldest.stream) {
            return;
        }
        let total = self.totals.remove(&oldest.stream).unwrap_or_default();
        *self.totals.entry(None).or_default() += total;
    }

    fn last_visible(&self, may_see: impl Fn(Option<&StreamName>) -> bool) -> u64 {
        self.totals.iter().filter(|(name, _)| may_see(name.as_ref())).map(|(_, total)| total).sum()
    }
}

impl Default for Events {
    fn default() -> Self {
        Self { ring: Mutex::default(), last: watch::Sender::new(0) }
    }
}

impl Events {
    /// Adds an event.
    pub fn add(&self, stream: Option<&StreamName>, kind: EventKind, message: impl Into<Reason>) {
        let mut ring = self.ring();
        ring.last += 1;
        *ring.totals.entry(stream.cloned()).or_default() += 1;
        if ring.kept.len() == MAX_EVENTS {
            ring.remove_oldest();
        }
        let (id, time) = (ring.last, SystemTime::now());
        ring.kept.push_back(Event { id, time, stream: stream.cloned(), kind, message: message.into() });
        drop(ring);
        self.last.send_replace(id);
    }

    /// Returns the kept events after number `id`, oldest first.
    pub fn after(&self, id: u64) -> Vec<Event> {
        self.ring().kept.iter().filter(|event| event.id > id).cloned().collect()
    }

    /// Returns the events that `may_see` allows, of a stream or (none) of the relay, and that follow number
    /// `after`: all that are kept if there is no such number yet, since it is then from before a restart.
    pub fn visible(&self, after: u64, may_see: impl Fn(Option<&StreamName>) -> bool) -> Visible {
        let ring = self.ring();
        let last = ring.last_visible(&may_see);
        let after = if after > last { 0 } else { after };
        let visible = ring.kept.iter().rev().filter(|event| may_see(event.stream.as_ref()));
        let numbered = visible.zip(0..).map(|(event, newer)| Event { id: last - newer, ..event.clone() });
        let mut events: Vec<_> = numbered.take_while(|event| event.id > after).collect();
        events.reverse();
        Visible { last, events }
    }

    /// Returns the number of the last event that `may_see` allows.
    pub fn last_visible_id(&self, may_see: impl Fn(Option<&StreamName>) -> bool) -> u64 {
        self.ring().last_visible(may_see)
    }

    /// Returns a receiver of the number of each new event.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    fn ring(&self) -> MutexGuard<'_, EventRing> {
        // What a panic may leave is a ring without its newest event.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds an event for each state of a stream until it ends. States that follow each other at once may be noted
/// as the last of them.
pub async fn record_states(
    name: StreamName,
    mut status: watch::Receiver<StreamStatus>,
    events: std::sync::Arc<Events>,
) {
    while status.changed().await.is_ok() {
        let state = status.borrow_and_update().state.clone();
        let reason = match &state {
            State::Waiting { reason, .. } => reason.clone(),
            _ => Reason::default(),
        };
        events.add(Some(&name), EventKind::State(state.as_str()), reason);
        if state == State::Stopped {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first_and_numbers_only_grow() {
        let events = Events::default();
        let mut changes = events.changes();
        for n in 0..MAX_EVENTS + 5 {
            events.add(None, EventKind::Reloaded, Reason::public_only(n.to_string()));
        }
        let all = events.after(0);
        assert_eq!((all.len(), all[0].id, all[0].message.public()), (MAX_EVENTS, 6, "5"));
        let last = all.last().unwrap().id;
        assert_eq!(last, 1005);
        assert!(events.after(last).is_empty());
        assert_eq!(events.after(last - 2).len(), 2);
        assert!(changes.has_changed().unwrap());
        assert_eq!(*changes.borrow_and_update(), last);
    }

    #[test]
    fn names_that_come_and_go_take_no_memory() {
        let events = Events::default();
        let name = |n: usize| format!("s{n}").parse::<StreamName>().unwrap();
        for n in 0..3 * MAX_EVENTS {
            events.add(Some(&name(n)), EventKind::Added, "");
            events.add(Some(&name(n)), EventKind::Removed, "");
        }
        assert!(events.ring().totals.len() <= MAX_EVENTS, "{}", events.ring().totals.len());
        assert_eq!(events.last_visible_id(|_| true), 6 * MAX_EVENTS as u64, "none goes missing");
        let again = name(3 * MAX_EVENTS - 1);
        events.add(Some(&again), EventKind::Added, "");
        for _ in 0..MAX_EVENTS {
            events.add(None, EventKind::Reloaded, "");
        }
        assert_eq!(events.last_visible_id(|name| name == Some(&again)), 3, "it is there again");
    }

    #[test]
    fn numbers_of_visible_events_tell_nothing_of_others() {
        let (shown, hidden): (StreamName, StreamName) = ("shown".parse().unwrap(), "hidden".parse().unwrap());
        let of_shown = |name: Option<&StreamName>| name == Some(&shown);
        let numbers = |events: &Events, after| {
            let visible = events.visible(after, of_shown);
            (visible.events.iter().map(|event| event.id).collect::<Vec<_>>(), visible.last)
        };
        let events = Events::default();
        assert_eq!(numbers(&events, 0), (vec![], 0));
        for n in 0..4 {
            events.add(Some(&shown), EventKind::Changed, "");
            (0..n).for_each(|_| events.add(Some(&hidden), EventKind::Changed, ""));
            events.add(None, EventKind::Reloaded, "");
        }
        assert_eq!(numbers(&events, 0), (vec![1, 2, 3, 4], 4));
        assert_eq!(numbers(&events, 2), (vec![3, 4], 4));
        assert_eq!(numbers(&events, 4), (vec![], 4));
        assert_eq!(numbers(&events, 99), (vec![1, 2, 3, 4], 4), "99 is from before a restart");
        assert_eq!(events.last_visible_id(of_shown), 4);
        let all = events.visible(0, |_| true);
        let ids = |events: &[Event]| events.iter().map(|event| event.id).collect::<Vec<_>>();
        assert_eq!((ids(&all.events), all.last), (ids(&events.after(0)), 14));
        // What is forgotten leaves a gap.
        (0..MAX_EVENTS - 1).for_each(|_| events.add(Some(&hidden), EventKind::Changed, ""));
        events.add(Some(&shown), EventKind::Changed, "");
        assert_eq!(numbers(&events, 2), (vec![5], 5));
    }
}
