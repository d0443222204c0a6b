//! Writes the standard error of a program to the log, within bounds and without credentials.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    task::yield_now,
};
use tracing::info;

use super::redact::Hidden;
use crate::media::{multipart::content::is_invisible, stream_name::StreamName};

/// Number of lines that are logged in each [`PERIOD`]: enough for the error messages of a start, but not for
/// one of each frame.
const LINES_PER_PERIOD: u32 = 20;

/// Afterwards lines are logged again.
const PERIOD: Duration = Duration::from_secs(30);

/// Longer lines are cut, in bytes: more is no sentence.
const MAX_LINE: usize = 500;

/// The last line that a program wrote to standard error. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct LastLine(Arc<Mutex<String>>);

impl LastLine {
    /// The line; empty if it said nothing.
    pub(super) fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, line: &str) {
        line.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Listens to one program.
#[derive(Debug)]
pub(super) struct Listener {
    stream: StreamName,
    program: String,
    hidden: Hidden,
    last: LastLine,
    rate: Rate,
}

impl Listener {
    pub(super) fn new(stream: StreamName, program: &str, hidden: Hidden, last: LastLine) -> Self {
        Self { stream, program: program.to_owned(), hidden, last, rate: Rate::default() }
    }

    /// Until the program has closed its end.
    pub(super) async fn listen(mut self, mut stderr: impl AsyncRead + Unpin) {
        let mut lines = Lines::default();
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = stderr.read(&mut bytes).await {
            for &byte in &bytes[..count] {
                if let Some(line) = lines.push(byte) {
                    self.hear(&line, Instant::now());
                }
            }
            // A program that chatters without a pause has its thread for one piece at a time.
            yield_now().await;
        }
        if let Some(line) = lines.push(b'\n') {
            self.hear(&line, Instant::now());
        }
        if let Some(unsaid) = self.rate.rest() {
            self.tell_unsaid(unsaid);
        }
    }

    fn hear(&mut self, line: &[u8], now: Instant) {
        let text = self.hidden.clean(&String::from_utf8_lossy(line));
        // Colours and cursor movements are for terminals, and would write over other lines.
        let text: String = text.chars().map(|c| if is_invisible(c) { ' ' } else { c }).collect();
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        self.last.set(text);
        let Verdict { logged, unsaid_before } = self.rate.next(now);
        if let Some(unsaid) = unsaid_before {
            self.tell_unsaid(unsaid);
        }
        if logged {
            info!(stream = %self.stream, program = self.program, "says: {text}");
        }
    }

    fn tell_unsaid(&self, unsaid: u64) {
        info!(stream = %self.stream, program = self.program, "said {unsaid} more lines");
    }
}

/// Takes a stretch of bytes apart at `\n` and `\r`, with which programs write over their last line.
#[derive(Debug, Default)]
struct Lines {
    line: Vec<u8>,
}

impl Lines {
    fn push(&mut self, byte: u8) -> Option<Vec<u8>> {
        match byte {
            b'\n' | b'\r' => Some(std::mem::take(&mut self.line)).filter(|line| !line.is_empty()),
            _ => {
                if self.line.len() < MAX_LINE {
                    self.line.push(byte);
                }
                None
            }
        }
    }
}

/// Counts lines, to log no more than [`LINES_PER_PERIOD`].
#[derive(Debug, Default)]
struct Rate {
    since: Option<Instant>,
    lines: u32,
    unsaid: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    logged: bool,
    /// Lines of the period before that were not logged, if any.
    unsaid_before: Option<u64>,
}

impl Rate {
    fn next(&mut self, now: Instant) -> Verdict {
        let mut unsaid_before = None;
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= PERIOD) {
            unsaid_before = self.rest();
            (self.since, self.lines) = (Some(now), 0);
        }
        let logged = self.lines < LINES_PER_PERIOD;
        self.lines = self.lines.saturating_add(1);
        self.unsaid += u64::from(!logged);
        Verdict { logged, unsaid_before }
    }

    fn rest(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.unsaid)).filter(|unsaid| *unsaid > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chatterer_is_logged_for_some_lines_and_counted_for_the_rest() {
        let mut rate = Rate::default();
        let start = Instant::now();
        let logged = (0..1000).filter(|_| rate.next(start).logged).count();
        assert_eq!(logged, LINES_PER_PERIOD as usize);
        assert_eq!(rate.next(start + PERIOD), Verdict { logged: true, unsaid_before: Some(980) });
        assert_eq!(rate.rest(), None);
    }

    #[tokio::test]
    async fn the_last_line_is_kept_whole_or_cut_and_without_controls() {
        for (text, last) in [
            ("", String::new()),
            ("one\ntwo\n\n", "two".into()),
            ("frame=1\rframe=2\r", "frame=2".into()),
            ("\x1b[31mred\x1b[0m", "[31mred [0m".into()),
            ("no newline at rtsp://u:pw@h/x", "no newline at rtsp://h/***".into()),
            (&"x".repeat(10_000), "x".repeat(MAX_LINE)),
        ] {
            let kept = LastLine::default();
            let listener = Listener::new("door".parse().unwrap(), "p", Hidden::default(), kept.clone());
            listener.listen(text.as_bytes()).await;
            assert_eq!(kept.get(), last);
        }
    }
}
