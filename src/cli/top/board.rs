//! What is shown and how it is ordered: what was heard of the server, and what keys have changed. Pure.

use std::{
    cmp::Ordering,
    collections::{HashMap, VecDeque},
    time::Instant,
};

use super::report::{Event, History, Report, Stream};

/// Rates kept for the graph of a stream: more than a screen is wide.
const RATES_KEPT: usize = 600;

/// Events kept: more than a screen is high.
const EVENTS_KEPT: usize = 100;

/// Longest text to filter by.
const MAX_FILTER: usize = 64;

/// What was heard.
pub(super) enum Heard {
    Report(Box<Report>),
    /// The server does not answer; it is asked again at `until`.
    Lost {
        why: String,
        until: Instant,
    },
    /// What has happened since the last time, oldest first.
    Events(Vec<Event>),
    /// What was before this program.
    History(History),
}

/// A key, as far as it means something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    Backspace,
    /// Ctrl-C.
    Interrupt,
}

/// What the streams are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// As in the configuration.
    Order,
    Name,
    State,
    FpsIn,
    FpsOut,
    BytesIn,
    BytesOut,
    Viewers,
    Age,
    Source,
}

impl Sort {
    const ALL: [Self; 10] = [
        Self::Order,
        Self::Name,
        Self::State,
        Self::FpsIn,
        Self::FpsOut,
        Self::BytesIn,
        Self::BytesOut,
        Self::Viewers,
        Self::Age,
        Self::Source,
    ];

    fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }
}

/// A stream with its rates.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) stream: Stream,
    /// Frames and bytes a second, since the report before; none with the first.
    pub(super) fps_out: Option<f64>,
    pub(super) bytes_in: Option<f64>,
    pub(super) bytes_out: Option<f64>,
}

/// Whether the server is there.
#[derive(Debug, Clone)]
pub(super) enum Link {
    /// Nothing was heard yet.
    Connecting,
    There,
    Lost {
        why: String,
        until: Instant,
    },
}

/// All that is shown.
pub(super) struct Board {
    pub(super) url: String,
    pub(super) link: Link,
    pub(super) version: String,
    pub(super) uptime_s: u64,
    rows: Vec<Row>,
    before: Option<Instant>,
    rates: HashMap<String, VecDeque<f64>>,
    events: VecDeque<Event>,
    pub(super) sort: Sort,
    pub(super) reversed: bool,
    pub(super) filter: String,
    /// The filter is being typed.
    pub(super) typing: bool,
    pub(super) paused: bool,
    pub(super) details: bool,
    /// By name: rows move.
    selected: Option<String>,
    /// First row on the screen.
    pub(super) first: usize,
    /// How many fit, as they were drawn last.
    pub(super) fits: usize,
    done: bool,
}

impl Board {
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            link: Link::Connecting,
            version: String::new(),
            uptime_s: 0,
            rows: Vec::new(),
            before: None,
            rates: HashMap::new(),
            events: VecDeque::new(),
            sort: Sort::Order,
            reversed: false,
            filter: String::new(),
            typing: false,
            paused: false,
            details: false,
            selected: None,
            first: 0,
            fits: 1,
            done: false,
        }
    }

    /// Somebody wants to leave.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    pub(super) fn hear(&mut self, heard: Heard) {
        self.hear_at(heard, Instant::now());
    }

    fn hear_at(&mut self, heard: Heard, now: Instant) {
        match heard {
            Heard::Lost { why, until } => {
                self.link = Link::Lost { why, until };
                // Counters may begin anew.
                self.before = None;
            }
            Heard::Events(events) => {
                self.events.extend(events);
                let beyond = self.events.len().saturating_sub(EVENTS_KEPT);
                self.events.drain(..beyond);
            }
            Heard::History(history) => {
                self.rates = history.fps.into_iter().map(|(name, rates)| (name, rates.into())).collect();
            }
            Heard::Report(report) => {
                if !matches!(self.link, Link::There) {
                    self.link = Link::There;
                }
                if !self.paused {
                    self.take(*report, now);
                }
            }
        }
    }

    fn take(&mut self, report: Report, now: Instant) {
        let passed = self.before.map(|before| now.saturating_duration_since(before).as_secs_f64());
        let passed = passed.filter(|seconds| *seconds > 0.0);
        let old: HashMap<_, _> =
            self.rows.drain(..).map(|row| (row.stream.name.clone(), row.stream)).collect();
        let row = |stream: Stream| {
            let since = old.get(&stream.name).zip(passed);
            let rate = |of: fn(&Stream) -> u64| {
                let (before, seconds) = since?;
                Some(of(&stream).checked_sub(of(before))? as f64 / seconds)
            };
            Row {
                fps_out: rate(|stream| stream.frames_out),
                bytes_in: rate(|stream| stream.bytes_in),
                bytes_out: rate(|stream| stream.bytes_out),
                stream,
            }
        };
        self.rows = report.streams.into_iter().map(row).collect();
        (self.version, self.uptime_s, self.before) = (report.version, report.uptime_s, Some(now));
        self.rates.retain(|name, _| self.rows.iter().any(|row| row.stream.name == *name));
        for Row { stream, .. } in &self.rows {
            let rates = self.rates.entry(stream.name.clone()).or_default();
            rates.push_back(stream.fps_in);
            let beyond = rates.len().saturating_sub(RATES_KEPT);
            rates.drain(..beyond);
        }
    }

    /// All streams, whatever is filtered.
    pub(super) fn all(&self) -> &[Row] {
        &self.rows
    }

    /// Those to show, in order.
    pub(super) fn shown(&self) -> Vec<&Row> {
        let wanted = self.filter.to_lowercase();
        let matches = |row: &&Row| {
            let stream = &row.stream;
            [&stream.name, &stream.title, &stream.state, &stream.source]
                .iter()
                .any(|text| text.to_lowercase().contains(&wanted))
        };
        let mut rows: Vec<_> = self.rows.iter().filter(matches).collect();
        rows.sort_by(|one, other| compare(self.sort, one, other));
        if self.reversed {
            rows.reverse();
        }
        rows
    }

    /// The place of the selected stream among those shown; the first, if it is not there.
    pub(super) fn position(&self, shown: &[&Row]) -> usize {
        let at =
            self.selected.as_ref().and_then(|name| shown.iter().position(|row| row.stream.name == *name));
        at.unwrap_or_default()
    }

    /// Frame rates of a stream, oldest first.
    pub(super) fn rates(&self, name: &str) -> impl DoubleEndedIterator<Item = f64> + ExactSizeIterator {
        self.rates.get(name).map(VecDeque::iter).unwrap_or_default().copied()
    }

    /// Newest first; of one stream, or of all.
    pub(super) fn events(&self, of: Option<&str>) -> impl Iterator<Item = &Event> {
        self.events
            .iter()
            .rev()
            .filter(move |event| of.is_none_or(|name| event.stream.as_deref() == Some(name)))
    }

    pub(super) fn press(&mut self, key: Key) {
        match key {
            Key::Interrupt => self.done = true,
            _ if self.typing => self.type_filter(key),
            Key::Char('q') => self.done = true,
            Key::Char('s') => self.sort = self.sort.next(),
            Key::Char('r') => self.reversed = !self.reversed,
            Key::Char('p' | ' ') => self.paused = !self.paused,
            Key::Char('/') => (self.typing, self.details) = (true, false),
            Key::Enter => self.details = !self.details && !self.rows.is_empty(),
            // What was opened last is closed first.
            Key::Escape if self.details => self.details = false,
            Key::Escape => self.filter.clear(),
            Key::Up | Key::Char('k') => self.select(|at, _| at.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.select(|at, _| at + 1),
            Key::PageUp => self.select(usize::saturating_sub),
            Key::PageDown => self.select(|at, page| at + page),
            Key::Home => self.select(|_, _| 0),
            Key::End => self.select(|_, _| usize::MAX),
            Key::Char(_) | Key::Backspace => {}
        }
    }

    fn type_filter(&mut self, key: Key) {
        match key {
            Key::Enter => self.typing = false,
            Key::Escape => {
                self.typing = false;
                self.filter.clear();
            }
            Key::Backspace => drop(self.filter.pop()),
            Key::Char(c) if self.filter.len() < MAX_FILTER => self.filter.push(c),
            _ => {}
        }
    }

    /// Selects the row at the place that `to` makes of the present one and the length of a page.
    fn select(&mut self, to: impl Fn(usize, usize) -> usize) {
        let shown = self.shown();
        let at = to(self.position(&shown), self.fits.max(1)).min(shown.len().saturating_sub(1));
        self.selected = shown.get(at).map(|row| row.stream.name.clone());
    }
}

/// Names from a to z, what is wrong before what is well, numbers from large to small.
fn compare(sort: Sort, one: &Row, other: &Row) -> Ordering {
    let falling = |of: fn(&Row) -> f64| of(other).total_cmp(&of(one));
    match sort {
        Sort::Order => Ordering::Equal,
        Sort::Name => one.stream.name.cmp(&other.stream.name),
        Sort::State => urgency(&one.stream.state).cmp(&urgency(&other.stream.state)),
        Sort::FpsIn => falling(|row| row.stream.fps_in),
        Sort::FpsOut => falling(|row| row.fps_out.unwrap_or_default()),
        Sort::BytesIn => falling(|row| row.bytes_in.unwrap_or_default()),
        Sort::BytesOut => falling(|row| row.bytes_out.unwrap_or_default()),
        Sort::Viewers => falling(|row| row.stream.viewers as f64),
        Sort::Age => falling(|row| row.stream.frame_age_s.unwrap_or(-1.0)),
        Sort::Source => one.stream.source.cmp(&other.stream.source),
    }
}

fn urgency(state: &str) -> usize {
    const URGENT_FIRST: [&str; 6] = ["waiting", "connecting", "stopped", "paused", "live", "idle"];
    URGENT_FIRST.iter().position(|known| *known == state).unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;

    /// A report of streams with a name, a state and a frame rate each.
    pub(in crate::cli::top) fn report(streams: &[(&str, &str, f64)], seconds: u64) -> Heard {
        let stream = |(name, state, fps): &(&str, &str, f64)| Stream {
            name: (*name).to_owned(),
            title: format!("The {name}"),
            source: "mjpeg".to_owned(),
            state: (*state).to_owned(),
            fps_in: *fps,
            frames_in: seconds * *fps as u64,
            bytes_in: seconds * 200_000,
            frames_out: seconds * 20,
            bytes_out: seconds * 1_500_000,
            viewers: 2,
            frame_age_s: (*state == "live").then_some(0.05),
            reason: (*state == "waiting").then(|| "192.0.2.9:80 refused the connection".to_owned()),
            next_try_in_s: (*state == "waiting").then_some(11.5),
            ..Stream::default()
        };
        let streams = streams.iter().map(stream).collect();
        Heard::Report(Box::new(Report { version: "1.2.3".to_owned(), uptime_s: 7200, streams }))
    }

    /// A board that has heard two reports, a second apart.
    pub(in crate::cli::top) fn board(streams: &[(&str, &str, f64)]) -> Board {
        let mut board = Board::new("http://127.0.0.1:8080/".to_owned());
        let now = Instant::now();
        board.hear_at(report(streams, 1), now);
        board.hear_at(report(streams, 2), now + Duration::from_secs(1));
        board
    }

    const THREE: [(&str, &str, f64); 3] =
        [("yard", "live", 25.0), ("attic", "waiting", 0.0), ("door", "live", 10.0)];

    fn names(board: &Board) -> Vec<&str> {
        board.shown().iter().map(|row| &*row.stream.name).collect()
    }

    #[test]
    fn rates_are_what_came_between_two_reports() {
        let board = board(&THREE);
        let row = &board.all()[0];
        assert_eq!(
            (row.fps_out, row.bytes_in, row.bytes_out),
            (Some(20.0), Some(200_000.0), Some(1_500_000.0))
        );
        assert_eq!(board.rates("yard").collect::<Vec<_>>(), [25.0, 25.0]);
    }

    #[test]
    fn a_server_that_came_back_has_no_rates_until_its_second_report() {
        let mut board = board(&THREE);
        let now = Instant::now();
        board.hear_at(Heard::Lost { why: "gone".to_owned(), until: now }, now);
        assert!(matches!(board.link, Link::Lost { .. }) && board.all().len() == 3, "what was known stays");
        board.hear_at(report(&THREE, 0), now + Duration::from_secs(5));
        assert!(matches!(board.link, Link::There));
        assert_eq!(board.all()[0].bytes_in, None, "counters that went back are no rate");
    }

    #[test]
    fn rows_are_sorted_filtered_and_reversed() {
        let mut board = board(&THREE);
        assert_eq!(names(&board), ["yard", "attic", "door"]);
        board.press(Key::Char('s'));
        assert_eq!(names(&board), ["attic", "door", "yard"]);
        board.press(Key::Char('s'));
        assert_eq!(names(&board), ["attic", "yard", "door"], "what is wrong comes first");
        board.press(Key::Char('r'));
        assert_eq!(names(&board), ["door", "yard", "attic"]);
        "/LIVx".chars().for_each(|c| board.press(Key::Char(c)));
        assert!(names(&board).is_empty());
        board.press(Key::Backspace);
        board.press(Key::Char('q'));
        assert!(!board.is_done(), "a letter of the filter");
        board.press(Key::Backspace);
        board.press(Key::Enter);
        assert_eq!((names(&board), board.typing), (vec!["door", "yard"], false));
        board.press(Key::Escape);
        assert_eq!(names(&board).len(), 3);
        board.press(Key::Char('q'));
        assert!(board.is_done());
    }

    #[test]
    fn the_selection_follows_its_stream_and_stays_in_the_list() {
        let mut board = board(&THREE);
        let selected = |board: &Board| {
            let shown = board.shown();
            shown[board.position(&shown)].stream.name.clone()
        };
        assert_eq!(selected(&board), "yard");
        board.press(Key::Down);
        assert_eq!(selected(&board), "attic");
        board.press(Key::Char('r'));
        assert_eq!(selected(&board), "attic");
        for key in [Key::End, Key::Down, Key::PageDown] {
            board.press(key);
            assert_eq!(selected(&board), "yard", "{key:?}");
        }
        for key in [Key::Home, Key::Up, Key::PageUp] {
            board.press(key);
            assert_eq!(selected(&board), "door", "{key:?}");
        }
    }

    #[test]
    fn a_pause_holds_what_is_shown_and_not_the_connection() {
        let mut board = board(&THREE);
        board.press(Key::Char('p'));
        board.hear(report(&THREE[..1], 3));
        assert_eq!(board.all().len(), 3);
        board.press(Key::Char('p'));
        board.hear(report(&THREE[..1], 4));
        assert_eq!(board.all().len(), 1);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut board = board(&THREE);
        for n in 0..2000 {
            board.hear(report(&THREE, n));
            board.hear(Heard::Events(vec![Event { message: n.to_string(), ..Event::default() }]));
        }
        assert_eq!((board.rates("door").len(), board.events(None).count()), (RATES_KEPT, EVENTS_KEPT));
        assert_eq!(board.events(None).next().unwrap().message, "1999");
        "/".chars().chain("x".repeat(1000).chars()).for_each(|c| board.press(Key::Char(c)));
        assert_eq!(board.filter.len(), MAX_FILTER);
    }
}
