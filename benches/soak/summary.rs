//! The end of the soak, as Markdown.

use std::{
    fmt,
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use serde_json::Value;

use crate::{memory::Trend, process::Usage, verdict::Verdict};

/// All that was measured.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) length: Duration,
    pub(crate) base: Usage,
    pub(crate) full: Usage,
    pub(crate) after: Usage,
    pub(crate) trend: Trend,
    pub(crate) warnings: u64,
    pub(crate) status: ExitStatus,
    pub(crate) stopped_in: Duration,
    /// `/api/streams`, at the end of the full house.
    pub(crate) report: String,
    pub(crate) verdict: Arc<Verdict>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = &self.verdict;
        let number = |counter: &AtomicU64| counter.load(Relaxed);
        let seconds = self.length.as_secs_f64();
        let cpu = (self.full.cpu_s - self.base.cpu_s) / seconds * 100.0;
        let (base, full, after, trend) = (self.base, self.full, self.after, self.trend);
        writeln!(f, "\n| what | seen |\n|---|---|")?;
        let mut row = |what: &str, value: String| writeln!(f, "| {what} | {value} |");
        row("full house", format!("{seconds:.0} s"))?;
        row("parts that viewers took", format!("{}", number(&seen.parts)))?;
        row("bytes of them", format!("{:.2} GB", number(&seen.bytes) as f64 / 1e9))?;
        row("shown once more", format!("{}", number(&seen.repeats)))?;
        row("placeholders, all of the camera that died", format!("{}", number(&seen.placeholders)))?;
        let delays = [0.5, 0.99, 0.999, 1.0].map(|share| seen.delay_ms(share).to_string()).join(" / ");
        row("camera or publisher to viewer, p50 / p99 / p99.9 / most, ms", delays)?;
        row("viewers that came again", format!("{}", number(&seen.visits)))?;
        row("viewers that never read, let go", format!("{}", number(&seen.let_go)))?;
        row("frames of cameras", format!("{}", number(&seen.camera_frames)))?;
        row("connections of cameras", format!("{}", number(&seen.camera_connections)))?;
        row("frames pushed", format!("{}", number(&seen.pushed)))?;
        row("framecast's CPU, percent of one core", format!("{cpu:.0}"))?;
        row(
            "memory before viewers / settled / most / end / bound, MiB",
            [base.memory_kib, trend.settled_kib, trend.highest_kib, trend.end_kib, trend.bound_kib]
                .map(|kib| format!("{:.1}", kib as f64 / 1024.0))
                .join(" / "),
        )?;
        let usages = [base, full, after];
        row(
            "descriptors before / with / after viewers",
            usages.map(|u| u.descriptors.to_string()).join(" / "),
        )?;
        row("threads before / with / after viewers", usages.map(|u| u.threads.to_string()).join(" / "))?;
        row("warnings about cameras made to go away", self.warnings.to_string())?;
        row("SIGTERM", format!("{}, {:.2} s", self.status, self.stopped_in.as_secs_f64()))?;
        row("violations", seen.violated().to_string())?;
        streams(f, &self.report)?;
        seen.violations().iter().try_for_each(|violation| writeln!(f, "- violation: {violation}"))
    }
}

/// What framecast itself counted.
fn streams(f: &mut fmt::Formatter<'_>, report: &str) -> fmt::Result {
    writeln!(f, "\n| stream | state | frames in | frames out | skipped | dropped | reconnects | quirks |")?;
    writeln!(f, "|---|---|---|---|---|---|---|---|")?;
    let report: Value = serde_json::from_str(report).unwrap_or_default();
    for stream in report["streams"].as_array().into_iter().flatten() {
        let text = |key: &str| stream[key].as_str().unwrap_or("?").to_owned();
        let counts = |key: &str| {
            let map = stream[key].as_object().into_iter().flatten();
            let counted = map.filter(|(_, count)| count.as_u64() != Some(0));
            let words: Vec<_> = counted.map(|(what, count)| format!("{what} {count}")).collect();
            if words.is_empty() { "none".to_owned() } else { words.join(", ") }
        };
        let quirks = stream["quirks"].as_object().map_or(0, serde_json::Map::len);
        let (name, state, dropped) = (text("name"), text("state"), counts("dropped"));
        let [frames_in, frames_out, skipped, reconnects] =
            ["frames_in", "frames_out", "skipped", "reconnects"].map(|key| &stream[key]);
        writeln!(
            f,
            "| {name} | {state} | {frames_in} | {frames_out} | {skipped} | {dropped} | {reconnects} | {quirks} |",
        )?;
    }
    writeln!(f)
}

/// To standard output.
#[expect(clippy::print_stdout, reason = "this program's output is what it is run for")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
