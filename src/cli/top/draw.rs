//! Draws the board: from 80 columns on all is there, wider terminals show more. Pure: whatever backend is drawn to.
//!
//! A state is always a word too; colours only add to it, and there are none where `NO_COLOR` is set.

use std::time::Instant;

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Paragraph, Sparkline, Wrap},
};

use super::{
    board::{Board, Link, Row, Sort},
    report::{Event, Stream},
    words,
};

/// From so many columns on there is room for long names, errors, and short reasons beside the numbers.
const WIDE: usize = 120;

/// How much longer names may be there.
const MORE_NAME: usize = 10;

/// From so many lines on there is room for events below the table.
const HIGH: u16 = 20;

/// How many are shown.
const EVENTS: u16 = 4;

const KEYS: &str = " q quit  ↑↓ select  Enter details  s sort  r reverse  / filter  p pause";

/// A column: its head, its width, and whether it stands at the right.
struct Column {
    head: &'static str,
    width: usize,
    right: bool,
    sort: Sort,
    cell: fn(&Row) -> String,
}

const COLUMNS: [Column; 9] = [
    Column { head: "name", width: 14, right: false, sort: Sort::Name, cell: |row| row.stream.name.clone() },
    Column { head: "state", width: 12, right: false, sort: Sort::State, cell: |row| state(&row.stream) },
    Column {
        head: "fps in",
        width: 6,
        right: true,
        sort: Sort::FpsIn,
        cell: |row| words::rate(Some(row.stream.fps_in)),
    },
    Column { head: "out", width: 6, right: true, sort: Sort::FpsOut, cell: |row| words::rate(row.fps_out) },
    Column {
        head: "kB/s in",
        width: 7,
        right: true,
        sort: Sort::BytesIn,
        cell: |row| words::kilobytes(row.bytes_in),
    },
    Column {
        head: "out",
        width: 6,
        right: true,
        sort: Sort::BytesOut,
        cell: |row| words::kilobytes(row.bytes_out),
    },
    Column {
        head: "viewers",
        width: 7,
        right: true,
        sort: Sort::Viewers,
        cell: |row| row.stream.viewers.to_string(),
    },
    Column { head: "age", width: 4, right: true, sort: Sort::Age, cell: age },
    Column {
        head: "source",
        width: 9,
        right: false,
        sort: Sort::Source,
        cell: |row| row.stream.source.clone(),
    },
];

/// All of them, with a sign before each: the least width of a terminal that anybody has.
const TABLE_WIDTH: usize = 80;

/// What stands between them and the reason.
const ERRORS_WIDTH: usize = 10;

/// How many columns a stream without pictures keeps; its reason stands in the place of the others.
const KEPT_WITH_A_REASON: usize = 2;

fn age(row: &Row) -> String {
    row.stream.frame_age_s.map_or("-".to_owned(), words::span)
}

fn state(stream: &Stream) -> String {
    let sign = match &*stream.state {
        "live" => '●',
        "waiting" => '×',
        _ => '○',
    };
    format!("{sign} {}", stream.state)
}

/// Whether there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    Some,
    None,
}

impl Colours {
    /// As <https://no-color.org> has it.
    pub(super) fn of_environment() -> Self {
        if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            Self::None
        } else {
            Self::Some
        }
    }

    fn style(self, colour: Color) -> Style {
        match self {
            Self::Some => Style::new().fg(colour),
            Self::None => Style::new(),
        }
    }

    fn of_state(self, state: &str) -> Style {
        match state {
            "live" => self.style(Color::Green),
            "waiting" => self.style(Color::Red).add_modifier(Modifier::BOLD),
            "connecting" => self.style(Color::Yellow),
            "paused" | "stopped" => self.style(Color::Blue),
            _ => Style::new().add_modifier(Modifier::DIM),
        }
    }
}

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, board: &mut Board, colours: Colours) {
    let area = frame.area();
    let with_events = area.height >= HIGH && !board.details && board.events(None).next().is_some();
    let events = if with_events { EVENTS + 1 } else { 0 };
    let [head, status, body, happened, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(events),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(head_line(board), head);
    frame.render_widget(status_line(board, colours), status);
    if board.details {
        details(frame, body, board, colours);
    } else {
        table(frame, body, board, colours);
    }
    if with_events {
        let lines = board.events(None).take(EVENTS.into()).map(|event| event_line(event, colours));
        let title = Line::styled(" what has happened", Style::new().add_modifier(Modifier::DIM));
        frame.render_widget(Paragraph::new([title].into_iter().chain(lines).collect::<Vec<_>>()), happened);
    }
    frame.render_widget(foot_line(board), foot);
}

fn head_line(board: &Board) -> Line<'static> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut parts = vec![Span::styled(" framecast", bold), Span::raw(format!("  {}", board.url))];
    if !board.version.is_empty() {
        let up = words::span(board.uptime_s as f64);
        parts.push(Span::raw(format!("  {}, up {up}", board.version)));
    }
    Line::from(parts)
}

fn status_line(board: &Board, colours: Colours) -> Line<'static> {
    match &board.link {
        Link::Connecting => Line::raw(" asking …"),
        Link::Lost { why, until } => {
            let seconds = until.saturating_duration_since(Instant::now()).as_secs_f64().ceil();
            let style = colours.style(Color::Red).add_modifier(Modifier::BOLD);
            Line::styled(format!(" gone; next try in {seconds:.0} s: {why}"), style)
        }
        Link::There => {
            let rows = board.all();
            let count = |state| rows.iter().filter(|row| row.stream.state == state).count() as u64;
            let viewers = rows.iter().map(|row| row.stream.viewers).sum();
            let mut parts =
                vec![format!("{} of {} live", count("live"), words::plural(rows.len() as u64, "stream"))];
            if count("waiting") > 0 {
                parts.push(format!("{} waiting", count("waiting")));
            }
            parts.push(words::plural(viewers, "viewer"));
            let out: f64 = rows.iter().filter_map(|row| row.bytes_out).sum();
            parts.push(format!("{} kB/s to viewers", words::kilobytes(Some(out))));
            let line = Line::raw(format!(" {}", parts.join(", ")));
            if board.paused {
                line + Span::styled("  PAUSED", Style::new().add_modifier(Modifier::REVERSED))
            } else {
                line
            }
        }
    }
}

fn foot_line(board: &Board) -> Line<'static> {
    let dim = Style::new().add_modifier(Modifier::DIM);
    if board.typing {
        return Line::raw(format!(" filter: {}_   Enter keeps it, Esc takes it away", board.filter));
    }
    let keys = Line::styled(KEYS, dim);
    if board.filter.is_empty() {
        return keys;
    }
    let mut line = Line::raw(format!(" only *{}*, Esc shows all ", board.filter));
    line.extend(keys.spans.into_iter().map(|keys| keys.patch_style(dim)));
    line
}

fn table(frame: &mut Frame<'_>, area: Rect, board: &mut Board, colours: Colours) {
    let width = usize::from(area.width);
    let [head, rows] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let fits = usize::from(rows.height);
    let shown: Vec<Row> = board.shown().into_iter().cloned().collect();
    let refs: Vec<&Row> = shown.iter().collect();
    let selected = board.position(&refs);
    // The selected row is always on the screen.
    board.fits = fits;
    board.first = board.first.min(selected).max((selected + 1).saturating_sub(fits));
    frame.render_widget(heads(board, width >= WIDE), head);
    if shown.is_empty() {
        let text = match (&board.link, board.filter.is_empty()) {
            (Link::There, true) => " There are no streams that you may watch.",
            (Link::There, false) => " No stream is like that; Esc shows all.",
            _ => "",
        };
        frame.render_widget(Line::raw(text), rows);
        return;
    }
    let is_gone = matches!(board.link, Link::Lost { .. });
    let visible = shown.iter().enumerate().skip(board.first).take(fits);
    let lines = visible.map(|(at, row)| {
        let mut line = row_line(row, width, colours);
        if at == selected {
            line = line.patch_style(Style::new().add_modifier(Modifier::REVERSED));
        }
        if is_gone { line.patch_style(Style::new().add_modifier(Modifier::DIM)) } else { line }
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), rows);
}

fn heads(board: &Board, wide: bool) -> Line<'static> {
    let head = |column: &Column| {
        let mark = match (board.sort == column.sort, board.reversed) {
            (false, _) => ' ',
            (true, false) => '▾',
            (true, true) => '▴',
        };
        padded(mark, column.head, column, wide)
    };
    let mut text: String = COLUMNS.iter().map(head).collect();
    if wide {
        text += "  errors  why";
    }
    Line::styled(text, Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED))
}

/// A sign, mostly a space, and the text in the column's width.
fn padded(sign: char, text: &str, column: &Column, wide: bool) -> String {
    let width = column.width + if wide && column.sort == Sort::Name { MORE_NAME } else { 0 };
    let text: String = text.chars().take(width).collect();
    if column.right { format!("{sign}{text:>width$}") } else { format!("{sign}{text:width$}") }
}

fn row_line(row: &Row, width: usize, colours: Colours) -> Line<'static> {
    let stream = &row.stream;
    let wide = width >= WIDE;
    let note = words::note(stream.reason.as_deref(), stream.next_try_in_s);
    let room = width.saturating_sub(TABLE_WIDTH + MORE_NAME + ERRORS_WIDTH);
    let instead = !note.is_empty() && note.chars().count() > room;
    let columns = if instead { &COLUMNS[..KEPT_WITH_A_REASON] } else { &COLUMNS[..] };
    let mut parts: Vec<_> = columns
        .iter()
        .map(|column| {
            let text = padded(' ', &(column.cell)(row), column, wide);
            if column.sort == Sort::State {
                Span::styled(text, colours.of_state(&stream.state))
            } else {
                Span::raw(text)
            }
        })
        .collect();
    if instead {
        parts.push(Span::raw(format!(" {note}")));
    } else if wide {
        parts.push(Span::raw(format!("  {:>6}  {note}", stream.errors())));
    }
    // A selection goes to the edge.
    let line = Line::from(parts);
    let rest = width.saturating_sub(line.width());
    line + Span::raw(" ".repeat(rest))
}

fn event_line(event: &Event, colours: Colours) -> Line<'static> {
    let what = event.state.as_deref().unwrap_or(&event.kind).replace('-', " ");
    let of = event.stream.as_deref().unwrap_or("framecast");
    let style = event.state.as_deref().map(|state| colours.of_state(state)).unwrap_or_default();
    Line::from(vec![
        Span::raw(format!(" {}  {of} ", time_of_day(event.time))),
        Span::styled(what, style),
        Span::raw(format!("  {}", words::note(Some(&event.message), None))),
    ])
}

/// Here, on this machine.
fn time_of_day(unix_seconds: f64) -> String {
    let time = jiff::Timestamp::from_second(unix_seconds as i64).unwrap_or_default();
    time.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string()
}

fn details(frame: &mut Frame<'_>, area: Rect, board: &Board, colours: Colours) {
    let shown = board.shown();
    let Some(row) = shown.get(board.position(&shown)) else {
        frame.render_widget(Line::raw(" No stream is like that; Esc shows all."), area);
        return;
    };
    let stream = &row.stream;
    let facts = facts(row, colours);
    let [text, head, graph, happened] = Layout::vertical([
        Constraint::Length(facts.len() as u16),
        Constraint::Length(1),
        Constraint::Length(4),
        Constraint::Min(0),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(facts), text);
    let rates: Vec<_> = board.rates(&stream.name).rev().take(graph.width.into()).collect();
    let most = rates.iter().copied().fold(0.0, f64::max);
    let dim = Style::new().add_modifier(Modifier::DIM);
    frame.render_widget(
        Line::styled(format!(" frames a second of late, up to {}", words::rate(Some(most))), dim),
        head,
    );
    // In tenths, since whole numbers are drawn.
    let bars: Vec<_> = rates.iter().rev().map(|rate| (rate * 10.0) as u64).collect();
    let sparkline =
        Sparkline::default().data(&bars).max(((most * 10.0) as u64).max(1)).style(colours.style(Color::Cyan));
    frame.render_widget(sparkline, graph);
    let events = board.events(Some(&stream.name)).take(happened.height.into());
    let lines: Vec<_> = events.map(|event| event_line(event, colours)).collect();
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), happened);
}

fn facts(row: &Row, colours: Colours) -> Vec<Line<'static>> {
    let stream = &row.stream;
    let mut lines = Vec::new();
    let mut fact = |name: &str, text: String| {
        let name = Span::styled(format!(" {name:12} "), Style::new().add_modifier(Modifier::DIM));
        let style =
            if name.content.trim() == "state" { colours.of_state(&stream.state) } else { Style::new() };
        lines.push(Line::from(vec![name, Span::styled(text, style)]));
    };
    let title = if stream.title == stream.name { String::new() } else { format!(" ({})", stream.title) };
    fact("stream", format!("{}{title}", stream.name));
    let now = jiff::Timestamp::now().as_millisecond() as f64 / 1000.0;
    let since = (stream.since > 0.0).then(|| format!(", for {}", words::span((now - stream.since).max(0.0))));
    fact("state", format!("{}{}", state(stream), since.unwrap_or_default()));
    let note = words::note(stream.reason.as_deref(), stream.next_try_in_s);
    if !note.is_empty() {
        fact("why", note);
    }
    let id = stream.source_id.map(|id| format!(", number {id} in the log")).unwrap_or_default();
    fact("source", format!("{}{id}", stream.source));
    for source in stream.sources.iter().flatten() {
        let named = [Some(&*source.kind), source.place.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ");
        fact(
            "",
            format!(
                "{named}: {} {}",
                source.state.replace('_', " "),
                words::note(source.reason.as_deref(), None)
            ),
        );
    }
    if let (Some(size), Some(bytes)) = (stream.size, stream.frame_bytes) {
        fact(
            "picture",
            format!("{}x{}, {:.0} kB, {} old", size.width, size.height, bytes as f64 / 1000.0, age(row)),
        );
    }
    let kilobytes = |bytes| format!("{} kB/s", words::kilobytes(bytes));
    let rate = words::rate(Some(stream.fps_in));
    fact("comes", format!("{rate} fps, {}, {} frames in all", kilobytes(row.bytes_in), stream.frames_in));
    let (rate, viewers) = (words::rate(row.fps_out), words::plural(stream.viewers, "viewer"));
    let (out, skipped) = (kilobytes(row.bytes_out), stream.skipped);
    fact("goes", format!("{rate} fps, {out} to {viewers}; {skipped} frames skipped by slow ones"));
    let dropped: Vec<_> = stream
        .dropped
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(why, count)| format!("{count} {why}"))
        .collect();
    let dropped = if dropped.is_empty() { "none".to_owned() } else { dropped.join(", ").replace('_', " ") };
    fact("dropped", format!("{dropped}; reconnected {}", words::plural(stream.reconnects, "time")));
    if !stream.quirks.is_empty() {
        let quirks: Vec<_> =
            stream.quirks.iter().map(|(quirk, count)| format!("{quirk} ({count})")).collect();
        fact("its own way", quirks.join(", "));
    }
    lines
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend, buffer::Buffer};

    use super::{
        super::board::{
            Heard, Key,
            tests::{board, report},
        },
        *,
    };

    const FOUR: [(&str, &str, f64); 4] = [
        ("yard", "live", 25.0),
        ("attic", "waiting", 0.0),
        ("door", "connecting", 0.0),
        ("gate", "idle", 0.0),
    ];

    fn drawn(board: &mut Board, width: u16, height: u16, colours: Colours) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, board, colours)).unwrap();
        terminal.backend().buffer().clone()
    }

    fn text(buffer: &Buffer) -> Vec<String> {
        let row = |y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..buffer.area.height).map(|y| row(y).trim_end().to_owned()).collect()
    }

    fn line<'a>(lines: &'a [String], word: &str) -> &'a str {
        lines.iter().find(|line| line.contains(word)).unwrap_or_else(|| panic!("no {word} in {lines:#?}"))
    }

    #[test]
    fn eighty_columns_hold_all_columns_and_a_reason_in_place_of_numbers() {
        let lines = text(&drawn(&mut board(&FOUR), 80, 24, Colours::Some));
        assert_eq!(lines[2], " name           state        fps in    out kB/s in    out viewers  age source");
        assert_eq!(
            line(&lines, "yard"),
            " yard           ● live         25.0   20.0     200   1500       2 0.1s mjpeg"
        );
        let attic = " attic          × waiting    192.0.2.9:80 refused the connection; next try in 12s";
        assert_eq!(line(&lines, "attic"), attic.chars().take(80).collect::<String>());
        assert_eq!(COLUMNS.iter().map(|column| column.width + 1).sum::<usize>(), TABLE_WIDTH);
        assert!(
            line(&lines, "of 4").contains("1 of 4 streams live, 1 waiting, 8 viewers, 6000 kB/s"),
            "{lines:#?}"
        );
        assert!(lines[0].contains("http://127.0.0.1:8080/  1.2.3, up 2h"), "{}", lines[0]);
        assert!(lines[23].contains("q quit"), "{lines:#?}");
    }

    #[test]
    fn a_wide_terminal_has_numbers_and_reasons_beside_each_other() {
        let lines = text(&drawn(&mut board(&FOUR), 170, 24, Colours::Some));
        let attic = line(&lines, "attic");
        assert!(attic.contains("0.0   20.0") && attic.ends_with("next try in 12s"), "{attic}");
    }

    #[test]
    fn colours_add_to_words_and_can_be_done_without() {
        let styles = |colours| {
            let buffer = drawn(&mut board(&FOUR), 80, 24, colours);
            let used: Vec<_> =
                buffer.content.iter().map(|cell| cell.fg).filter(|fg| *fg != Color::Reset).collect();
            used
        };
        assert!(styles(Colours::Some).contains(&Color::Red) && styles(Colours::Some).contains(&Color::Green));
        assert!(styles(Colours::None).is_empty());
    }

    #[test]
    fn a_server_that_is_gone_is_said_to_be_and_what_was_known_stays() {
        let mut board = board(&FOUR);
        let until = Instant::now() + std::time::Duration::from_secs(4);
        board.hear(Heard::Lost { why: "127.0.0.1:8080 refused the connection".to_owned(), until });
        let lines = text(&drawn(&mut board, 80, 24, Colours::Some));
        assert!(lines[1].contains("gone; next try in 4 s: 127.0.0.1:8080 refused"), "{}", lines[1]);
        line(&lines, "yard");
    }

    #[test]
    fn one_stream_is_shown_in_full_and_closed_again() {
        let mut board = board(&FOUR);
        board.press(Key::Down);
        board.press(Key::Enter);
        let lines = text(&drawn(&mut board, 80, 24, Colours::Some));
        for words in
            ["attic (The attic)", "× waiting", "refused the connection", "20.0 fps, 1500 kB/s to 2 viewers"]
        {
            line(&lines, words);
        }
        assert!(!lines.iter().any(|line| line.contains("yard")), "{lines:#?}");
        board.press(Key::Escape);
        line(&text(&drawn(&mut board, 80, 24, Colours::Some)), "yard");
    }

    #[test]
    fn more_streams_than_lines_are_scrolled_to() {
        let names: Vec<_> = (0..50).map(|n| format!("camera-{n:02}")).collect();
        let streams: Vec<_> = names.iter().map(|name| (&**name, "live", 1.0)).collect();
        let mut board = board(&streams);
        let lines = text(&drawn(&mut board, 80, 14, Colours::Some));
        line(&lines, "camera-09");
        assert!(!lines.iter().any(|line| line.contains("camera-10")));
        board.press(Key::PageDown);
        line(&text(&drawn(&mut board, 80, 14, Colours::Some)), "camera-10");
        board.press(Key::End);
        line(&text(&drawn(&mut board, 80, 14, Colours::Some)), "camera-49");
    }

    #[test]
    fn what_happened_is_below_and_no_size_is_too_small() {
        let mut board = board(&FOUR);
        let event = Event {
            time: 1_795_372_017.0,
            stream: Some("attic".to_owned()),
            kind: "state".to_owned(),
            state: Some("waiting".to_owned()),
            message: "it \u{1b}[2J hung up".to_owned(),
        };
        board.hear(Heard::Events(vec![event]));
        line(&text(&drawn(&mut board, 80, 24, Colours::Some)), "attic waiting  it  [2J hung up");
        board.hear(report(&FOUR, 9));
        for details in [false, true] {
            board.details = details;
            for (width, height) in [(1, 1), (10, 3), (40, 8), (79, 19), (300, 100)] {
                drawn(&mut board, width, height, Colours::None);
            }
        }
    }
}
