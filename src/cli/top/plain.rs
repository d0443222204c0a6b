//! The same as a plain table: for scripts.

use std::fmt::Write;

use super::{
    board::{Board, Row},
    words,
};

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

/// One line a stream; columns stand in line, and only the last has spaces in it.
pub(super) fn table(board: &Board) -> String {
    let rows: Vec<_> = board.shown().into_iter().map(cells).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|cells| cells[column].chars().count());
        cells.chain([HEADS[column].len()]).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..HEADS.len() - 1).map(width).collect();
    let mut table = String::new();
    let heads = HEADS.map(str::to_owned);
    for cells in std::iter::once(&heads).chain(&rows) {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            write!(line, "{cell:width$}  ").expect("a String takes every text");
        }
        table += (line + &cells[HEADS.len() - 1]).trim_end();
        table.push('\n');
    }
    table
}

fn cells(row: &Row) -> [String; HEADS.len()] {
    let stream = &row.stream;
    [
        stream.name.clone(),
        stream.state.clone(),
        words::rate(Some(stream.fps_in)),
        words::rate(row.fps_out),
        words::kilobytes(row.bytes_in),
        words::kilobytes(row.bytes_out),
        stream.viewers.to_string(),
        stream.frame_age_s.map_or("-".to_owned(), words::span),
        stream.source.clone(),
        stream.errors().to_string(),
        stream.reconnects.to_string(),
        words::note(stream.reason.as_deref(), stream.next_try_in_s),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::board::tests::board;
    use super::*;

    #[test]
    fn each_stream_is_a_line_of_words() {
        let table = table(&board(&[("front-door", "live", 25.0), ("attic", "waiting", 0.0)]));
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(
            lines,
            [
                "NAME        STATE    FPS_IN  FPS_OUT  KB_S_IN  KB_S_OUT  VIEWERS  AGE   SOURCE  ERRORS  RECONNECTS  NOTE",
                "front-door  live     25.0    20.0     200      1500      2        0.1s  mjpeg   0       0",
                "attic       waiting  0.0     20.0     200      1500      2        -     mjpeg   0       0           \
                 192.0.2.9:80 refused the connection; next try in 12s",
            ]
        );
    }
}
