//! Writes the standard error of a program to the log, rate-limited and without credentials.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    task::yield_now,
};
use tracing::info;

use super::redact::Redactor;
use crate::media::{multipart::sniff::is_invisible, stream_name::StreamName};

/// Maximum number of logged lines in each [`PERIOD`]: enough for the error messages of a start, but not for
/// one of each frame.
const LINES_PER_PERIOD: u32 = 20;

/// Period of the rate limit.
const PERIOD: Duration = Duration::from_secs(30);

/// Maximum length of a line, in bytes; the rest is cut off.
const MAX_LINE: usize = 500;

/// The last line that a program wrote to standard error. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct LastLine(Arc<Mutex<String>>);

impl LastLine {
    /// Returns the line; empty if there was none.
    pub(super) fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, line: &str) {
        line.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Logs the standard error of one program.
#[derive(Debug)]
pub(super) struct StderrLogger {
    stream: StreamName,
    program: String,
    redactor: Redactor,
    last: LastLine,
    limiter: LineLimiter,
}

impl StderrLogger {
    pub(super) fn new(stream: StreamName, program: &str, redactor: Redactor, last: LastLine) -> Self {
        Self { stream, program: program.to_owned(), redactor, last, limiter: LineLimiter::default() }
    }

    /// Logs lines until the program has closed its end.
    pub(super) async fn run(mut self, mut stderr: impl AsyncRead + Unpin) {
        let mut lines = LineSplitter::default();
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = stderr.read(&mut bytes).await {
            for &byte in &bytes[..count] {
                if let Some(line) = lines.push(byte) {
                    self.on_line(&line, Instant::now());
                }
            }
            // A program that writes without a pause gets its thread for one piece at a time.
            yield_now().await;
        }
        if let Some(line) = lines.push(b'\n') {
            self.on_line(&line, Instant::now());
        }
        if let Some(suppressed) = self.limiter.take_suppressed() {
            self.log_suppressed(suppressed);
        }
    }

    fn on_line(&mut self, line: &[u8], now: Instant) {
        let text = self.redactor.redact(&String::from_utf8_lossy(line));
        // Colours and cursor movements are for terminals, and would overwrite other lines.
        let text: String = text.chars().map(|c| if is_invisible(c) { ' ' } else { c }).collect();
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        self.last.set(text);
        let LineDecision { logged, suppressed_before } = self.limiter.next(now);
        if let Some(suppressed) = suppressed_before {
            self.log_suppressed(suppressed);
        }
        if logged {
            info!(stream = %self.stream, program = self.program, "stderr: {text}");
        }
    }

    fn log_suppressed(&self, suppressed: u64) {
        info!(stream = %self.stream, program = self.program, "{suppressed} more lines suppressed");
    }
}

/// Splits bytes into lines at `\n` and `\r`, with which programs overwrite their last line.
#[derive(Debug, Default)]
struct LineSplitter {
    line: Vec<u8>,
}

impl LineSplitter {
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

/// Limits logged lines to [`LINES_PER_PERIOD`].
#[derive(Debug, Default)]
struct LineLimiter {
    since: Option<Instant>,
    lines: u32,
    suppressed: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct LineDecision {
    logged: bool,
    /// Lines of the previous period that were not logged, if any.
    suppressed_before: Option<u64>,
}

impl LineLimiter {
    fn next(&mut self, now: Instant) -> LineDecision {
        let mut suppressed_before = None;
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= PERIOD) {
            suppressed_before = self.take_suppressed();
            (self.since, self.lines) = (Some(now), 0);
        }
        let logged = self.lines < LINES_PER_PERIOD;
        self.lines = self.lines.saturating_add(1);
        self.suppressed += u64::from(!logged);
        LineDecision { logged, suppressed_before }
    }

    fn take_suppressed(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.suppressed)).filter(|suppressed| *suppressed > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chatterer_is_logged_for_some_lines_and_counted_for_the_rest() {
        let mut limiter = LineLimiter::default();
        let start = Instant::now();
        let logged = (0..1000).filter(|_| limiter.next(start).logged).count();
        assert_eq!(logged, LINES_PER_PERIOD as usize);
        assert_eq!(limiter.next(start + PERIOD), LineDecision { logged: true, suppressed_before: Some(980) });
        assert_eq!(limiter.take_suppressed(), None);
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
            let logger = StderrLogger::new("door".parse().unwrap(), "p", Redactor::default(), kept.clone());
            logger.run(text.as_bytes()).await;
            assert_eq!(kept.get(), last);
        }
    }
}
