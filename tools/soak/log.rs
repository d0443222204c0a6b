//! framecast's log: checked line by line, and counted.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use crate::report::{Report, count};

/// Log message for a camera whose script explains it.
const EXPECTED_WARNING: &str = "source is offline";

/// Log message for a file that was spoiled on purpose.
const EXPECTED_ERROR: &str = "the configuration has mistakes";

/// A file is read when somebody asks for it, and when it is seen that it has changed.
const READS_OF_A_FILE: u64 = 2;

/// Lines of all streams' starts and ends, of the publishers, and of the stop.
const LINES_OF_A_RUN: u64 = 150;

/// A viewer comes, and goes.
const LINES_OF_A_VISIT: u64 = 2;

/// The stream's source is live, and is stopped.
const LINES_OF_A_WAKING: u64 = 2;

/// The source is away, and live: of the camera's stream, and of one that shows it.
const LINES_OF_A_CONNECTION: u64 = 4;

/// Two reads, each with a line for why, one for what came of it, and the four of a mistake; the request; and
/// the stream goes and comes.
const LINES_OF_A_CHANGE: u64 = 15;

/// A line about a viewer has some 200 bytes, with its path and numbers.
const BYTES_OF_A_LINE: u64 = 250;

/// The logged lines.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) lines: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// Warnings about cameras that were made to go away.
    pub(crate) warnings: AtomicU64,
    /// Files that were said to be wrong.
    pub(crate) mistakes: AtomicU64,
    mistakes_made: AtomicU64,
}

impl Log {
    /// A file with a mistake is about to be written.
    pub(crate) fn expect_a_mistake(&self) {
        self.mistakes_made.fetch_add(1, Relaxed);
    }

    /// Returns the largest number of lines, and of bytes, after these changes: one line a change of state,
    /// and no more.
    pub(crate) fn bound(report: &Report) -> (u64, u64) {
        let of = |lines: u64, counter: &AtomicU64| lines * counter.load(Relaxed);
        let lines = LINES_OF_A_RUN
            + of(LINES_OF_A_VISIT, &report.joined)
            + of(LINES_OF_A_WAKING, &report.woken)
            + of(LINES_OF_A_CONNECTION, &report.camera_connections)
            + of(LINES_OF_A_CHANGE, &report.changes);
        (lines, lines * BYTES_OF_A_LINE)
    }

    /// Reads to the end. Warnings are allowed about the streams `may_go_away` only, errors about spoiled
    /// files.
    pub(crate) async fn check(
        self: Arc<Self>,
        log: impl AsyncRead + Unpin,
        may_go_away: Vec<String>,
        report: Arc<Report>,
    ) {
        let mut lines = BufReader::new(log).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            count(&self.lines);
            self.bytes.fetch_add(line.len() as u64 + 1, Relaxed);
            if !self.is_expected(&line, &may_go_away) {
                report.violation(format!("in the log: {line}"));
            }
        }
    }

    fn is_expected(&self, line: &str, may_go_away: &[String]) -> bool {
        if line.contains("panicked") {
            return false;
        }
        // Others go on with a mistake of the line before: they quote the file.
        let begins = line.starts_with(|c: char| c.is_ascii_digit()) && line.contains('Z');
        let is = |level: &str| begins && line.contains(level);
        if is(" WARN ") {
            let named = |name: &String| format!("{line} ").contains(&format!(" stream={name} "));
            count(&self.warnings);
            return line.contains(EXPECTED_WARNING) && may_go_away.iter().any(named);
        }
        if is(" ERROR ") {
            count(&self.mistakes);
            let made = self.mistakes_made.load(Relaxed) * READS_OF_A_FILE;
            return line.contains(EXPECTED_ERROR) && self.mistakes.load(Relaxed) <= made;
        }
        true
    }
}
