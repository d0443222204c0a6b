//! The table of `framecast status`: from two reports of the relay to lines of text. Pure.

use std::{array, collections::BTreeMap, time::Instant};

use serde::Deserialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

const HEADS: [&str; 12] = [
    "NAME",
    "STATE",
    "FPS_IN",
    "FPS_OUT",
    "KB_S_IN",
    "KB_S_OUT",
    "VIEWERS",
    "AGE",
    "SOURCE",
    "ERRORS",
    "RECONNECTS",
    "NOTE",
];

const NOTE: usize = HEADS.len() - 1;

/// Columns that are left out where the terminal is too narrow, the first ones first.
const OPTIONAL: [&str; 8] =
    ["RECONNECTS", "ERRORS", "SOURCE", "KB_S_IN", "FPS_OUT", "AGE", "KB_S_OUT", "VIEWERS"];

const GAP: &str = "  ";

/// The width that names are cut to where the terminal is too narrow.
const NAME_WIDTH: usize = 24;

/// The width that notes need for a column of their own.
const NOTE_WIDTH: usize = 40;

/// The cells of a stream. Only the last one contains spaces.
pub(super) type Row = [String; HEADS.len()];

/// The part of `/api/streams` that is shown.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    #[serde(skip, default = "Instant::now")]
    received: Instant,
    streams: Vec<Stream>,
}

/// A stream's entry. Fields that an older or newer relay lacks have their default.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stream {
    name: String,
    source: String,
    detected: Option<String>,
    state: String,
    reason: Option<String>,
    next_try_in_s: Option<f64>,
    fps_in: f64,
    bytes_in: u64,
    frames_out: u64,
    bytes_out: u64,
    frame_age_s: Option<f64>,
    viewers: u64,
    dropped: BTreeMap<String, u64>,
    reconnects: u64,
}

/// Makes the rows of a report, with rates since the previous one.
pub(super) fn rows(report: &Report, previous: Option<&Report>) -> Vec<Row> {
    let row = |stream: &Stream| {
        let earlier = previous.and_then(|previous| {
            let seconds = report.received.duration_since(previous.received).as_secs_f64();
            Some((previous.streams.iter().find(|earlier| earlier.name == stream.name)?, seconds))
        });
        let rate = |counter: fn(&Stream) -> u64| {
            let (earlier, seconds) = earlier.filter(|(_, seconds)| *seconds > 0.0)?;
            Some(counter(stream).checked_sub(counter(earlier))? as f64 / seconds)
        };
        let cells = [
            stream.name.clone(),
            stream.state.clone(),
            fps(Some(stream.fps_in)),
            fps(rate(|stream| stream.frames_out)),
            kilobytes(rate(|stream| stream.bytes_in)),
            kilobytes(rate(|stream| stream.bytes_out)),
            stream.viewers.to_string(),
            stream.frame_age_s.map_or("-".to_owned(), duration),
            [&*stream.source].into_iter().chain(stream.detected.as_deref()).collect::<Vec<_>>().join("/"),
            ["invalid", "too_large", "unreadable"]
                .iter()
                .filter_map(|reason| stream.dropped.get(*reason))
                .sum::<u64>()
                .to_string(),
            stream.reconnects.to_string(),
            note(stream),
        ];
        // Texts of cameras and programs must not control the terminal.
        cells.map(|cell| cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
    };
    report.streams.iter().map(row).collect()
}

/// Makes a table: a line of heads and a line for each row, none wider than the terminal. Where the table is
/// too wide, a note stands in place of the numbers, and columns are left out. Without a terminal nothing is
/// cut.
pub(super) fn render(rows: &[Row], terminal_width: Option<usize>) -> Vec<String> {
    let limit = terminal_width.unwrap_or(usize::MAX);
    let mut heads = HEADS.map(str::to_owned);
    let mut widths: [usize; HEADS.len()] = array::from_fn(|column| {
        rows.iter().map(|row| row[column].width()).fold(HEADS[column].len(), usize::max)
    });
    let too_wide = |columns: &[usize], widths: &[usize]| {
        let cells = columns.iter().map(|&column| match column {
            NOTE => widths[NOTE].min(NOTE_WIDTH),
            _ => widths[column],
        });
        cells.map(|width| GAP.len() + width).sum::<usize>() > limit.saturating_add(GAP.len())
    };
    let mut columns: Vec<usize> = (0..HEADS.len()).collect();
    if too_wide(&columns, &widths) {
        columns.pop();
        heads[NOTE].clear();
        widths[NOTE] = usize::MAX;
        if too_wide(&columns, &widths) {
            widths[0] = widths[0].min(NAME_WIDTH);
        }
    }
    for head in OPTIONAL {
        if too_wide(&columns, &widths) {
            columns.retain(|&column| HEADS[column] != head);
        }
    }
    let has_notes = columns.contains(&NOTE);
    let line = |row: &Row| {
        let columns = if has_notes || row[NOTE].is_empty() { &*columns } else { &[0, 1, NOTE] };
        let mut line = String::new();
        for &column in columns {
            let cell = cut(&row[column], widths[column]);
            let padding = if column == NOTE { 0 } else { widths[column] - cell.width() };
            line += &format!("{cell}{}{GAP}", " ".repeat(padding));
        }
        cut(line.trim_end(), limit)
    };
    std::iter::once(&heads).chain(rows).map(line).collect()
}

/// Cuts a text to a display width, with `…` at the cut.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut room = width.saturating_sub(1);
    let fits = |c: &char| {
        let left = room.checked_sub(c.width().unwrap_or_default());
        room = left.unwrap_or_default();
        left.is_some()
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// Formats a rate as `12.5` or `120`; an unknown one is `-`.
fn fps(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value < 99.95 => format!("{value:.1}"),
        Some(value) => format!("{value:.0}"),
    }
}

/// Formats bytes a second in kB/s: `512`, or `12.3M` from 10 MB/s.
fn kilobytes(bytes: Option<f64>) -> String {
    match bytes.map(|bytes| bytes / 1000.0) {
        None => "-".to_owned(),
        Some(kilobytes) if kilobytes < 9999.5 => format!("{kilobytes:.0}"),
        Some(kilobytes) => format!("{:.1}M", kilobytes / 1000.0),
    }
}

/// Formats seconds as `0.1s`, `12s`, `3m`, `2h` or `5d`.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 9.95 => format!("{s:.1}s"),
        s if s < 90.0 => format!("{s:.0}s"),
        s if s < 5400.0 => format!("{:.0}m", s / 60.0),
        s if s < 172_800.0 => format!("{:.0}h", s / 3600.0),
        s => format!("{:.0}d", s / 86400.0),
    }
}

/// Returns why there are no frames, and when the source is tried again.
fn note(stream: &Stream) -> String {
    let next = stream.next_try_in_s.map(|seconds| format!("next try in {}", duration(seconds)));
    [stream.reason.clone(), next].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Returns the rows from two reports that are two seconds apart.
    fn sample() -> Vec<Row> {
        let reports = [(0, 0.0), (1, 2.0)].map(|(count, seconds)| {
            let json = serde_json::json!({"streams": [
                {"name": "front-door", "state": "live", "source": "mjpeg", "fps_in": 25.0, "viewers": 2,
                 "frames_out": 40 * count, "bytes_in": 400_000 * count, "bytes_out": 3_000_000 * count,
                 "frame_age_s": 0.05, "dropped": {"invalid": 1, "unreadable": 2, "busy": 9}},
                {"name": "attic", "state": "waiting", "source": "mjpeg", "bytes_in": 7 - 7 * count,
                 "reason": "192.0.2.9:80 sent 图像\u{1b}[2J instead of a frame", "next_try_in_s": 12.0,
                 "reconnects": 3},
            ]});
            let mut report: Report = serde_json::from_value(json).unwrap();
            report.received += Duration::from_secs_f64(seconds);
            (seconds, report)
        });
        let [(_, before), (_, now)] = reports;
        rows(&now, Some(&before))
    }

    #[test]
    fn each_stream_is_a_line_with_rates_and_reasons() {
        assert_eq!(
            render(&sample(), None),
            [
                "NAME        STATE    FPS_IN  FPS_OUT  KB_S_IN  KB_S_OUT  VIEWERS  AGE   SOURCE  ERRORS  RECONNECTS  NOTE",
                "front-door  live     25.0    20.0     200      1500      2        0.1s  mjpeg   3       0",
                "attic       waiting  0.0     0.0      -        0         0        -     mjpeg   0       3           \
                 192.0.2.9:80 sent 图像 [2J instead of a frame; next try in 12s",
            ]
        );
        let one = r#"{"streams": [{"name": "a", "source": "auto", "detected": "mjpeg"}]}"#;
        let rates = rows(&serde_json::from_str(one).unwrap(), None);
        assert_eq!(rates[0][3..6], ["-", "-", "-"], "there is nothing to compare with");
        assert_eq!(rates[0][8], "auto/mjpeg");
    }

    #[test]
    fn a_table_is_as_wide_as_the_terminal_at_most() {
        let mut rows = sample();
        assert_eq!(
            render(&rows, Some(80)),
            [
                "NAME        STATE    FPS_IN  FPS_OUT  KB_S_IN  KB_S_OUT  VIEWERS  AGE   SOURCE",
                "front-door  live     25.0    20.0     200      1500      2        0.1s  mjpeg",
                "attic       waiting  192.0.2.9:80 sent 图像 [2J instead of a frame; next try in…",
            ]
        );
        rows[0][0] = "long".repeat(16);
        for width in 1..200 {
            let lines = render(&rows, Some(width));
            assert!(lines.iter().all(|line| line.width() <= width), "{width}: {lines:#?}");
        }
        let cut = &render(&rows, Some(100))[1];
        assert!(cut.starts_with("longlonglonglonglonglon…  live "), "{cut}");
        let note = &render(&rows, Some(240))[2];
        assert!(note.contains("  0       3           192.0.2.9:80"), "{note}");
        assert!(render(&rows, None)[1].starts_with(&rows[0][0]), "files and pipes get all of it");
    }

    #[test]
    fn numbers_take_few_characters() {
        assert_eq!([None, Some(0.0), Some(25.04), Some(120.4)].map(fps), ["-", "0.0", "25.0", "120"]);
        assert_eq!([None, Some(512_400.0), Some(12_340_000.0)].map(kilobytes), ["-", "512", "12.3M"]);
        assert_eq!([0.04, 12.0, 100.0, 7200.0, 400_000.0].map(duration), ["0.0s", "12s", "2m", "2h", "5d"]);
    }
}
