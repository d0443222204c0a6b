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

use crate::{api::Answer, log::Log, memory::Trend, monitor::Usages, rates::Rates, report::Report};

/// All that was measured.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) length: Duration,
    pub(crate) seed: u64,
    pub(crate) usages: Usages,
    pub(crate) trend: Trend,
    pub(crate) rates: Rates,
    pub(crate) log: Arc<Log>,
    pub(crate) status: ExitStatus,
    pub(crate) stopped_in: Duration,
    /// `/api/streams`, at the end of the full load.
    pub(crate) stream_list: Answer,
    pub(crate) report: Arc<Report>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = &self.report;
        writeln!(f, "\n| what | seen |\n|---|---|")?;
        row(f, "full load, seed", format!("{:.0} s, {}", self.length.as_secs_f64(), self.seed))?;
        self.viewers(f)?;
        self.sources(f)?;
        self.process(f)?;
        row(f, "violations", seen.violated())?;
        streams(f, &self.stream_list.json())?;
        seen.violations().iter().try_for_each(|violation| writeln!(f, "- violation: {violation}"))
    }
}

fn row(f: &mut fmt::Formatter<'_>, what: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "| {what} | {value} |")
}

fn number(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}

impl Summary {
    fn viewers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seen, rates) = (&self.report, self.rates);
        row(f, "parts that viewers took", number(&seen.parts))?;
        row(f, "bytes of them", format!("{:.2} GB", number(&seen.bytes) as f64 / 1e9))?;
        row(f, "shown once more", number(&seen.repeats))?;
        row(f, "encoded anew", number(&seen.made))?;
        row(f, "placeholders, all of cameras that died", number(&seen.placeholders))?;
        let delays = [0.5, 0.99, 0.999, 1.0].map(|share| seen.delay_ms(share).to_string()).join(" / ");
        row(f, "steady camera to healthy viewer, p50 / p99 / p99.9 / most, ms", delays)?;
        let share = rates.got as f64 / rates.offered.max(1) as f64;
        let Rates { viewers, offered, got, least } = rates;
        let text = format!("{got} of {offered}, {:.3} %; least {:.3} %", share * 100.0, least * 100.0);
        row(f, &format!("frames that {viewers} healthy viewers of steady cameras got"), text)?;
        row(f, "viewers let in", number(&seen.joined))?;
        row(f, "visits that ended, or found no stream", number(&seen.visits))?;
        row(f, "viewers that never read, let go", number(&seen.let_go))
    }

    fn sources(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seen = &self.report;
        row(f, "frames of cameras", number(&seen.camera_frames))?;
        row(f, "connections of cameras", number(&seen.camera_connections))?;
        row(f, "deaths of cameras", number(&seen.deaths))?;
        row(f, "frames pushed", number(&seen.pushed))?;
        row(f, "changes of the configuration", number(&seen.changes))
    }

    fn process(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trend, log, Usages { processes, tasks }) = (self.trend, &self.log, self.usages);
        let [base, full, _] = processes;
        let cpu = (full.cpu_s - base.cpu_s) / self.length.as_secs_f64() * 100.0;
        row(f, "framecast's CPU, percent of one core", format!("{cpu:.0}"))?;
        row(
            f,
            "memory before viewers / settled / most / end / bound, MiB",
            [base.memory_kib, trend.settled_kib, trend.highest_kib, trend.end_kib, trend.bound_kib]
                .map(|kib| format!("{:.1}", kib as f64 / 1024.0))
                .join(" / "),
        )?;
        let slope = trend.slope.map_or_else(|| "too short".to_owned(), |slope| format!("{slope:.0}"));
        row(f, "slope of memory behind five minutes, KiB/h", slope)?;
        let all = |of: fn(&crate::process::Usage) -> usize| processes.map(|u| of(&u).to_string()).join(" / ");
        row(f, "descriptors before / with / after viewers", all(|usage| usage.descriptors))?;
        row(f, "threads before / with / after viewers", all(|usage| usage.threads))?;
        let tasks = tasks.map(|tasks| tasks.to_string()).join(" / ");
        row(f, "tasks (connections + streams + work) before / with / after viewers", tasks)?;
        let (lines, bytes) = Log::bound(&self.report);
        row(f, "lines of the log / bound", format!("{} / {lines}", number(&log.lines)))?;
        row(f, "bytes of the log / bound", format!("{} / {bytes}", number(&log.bytes)))?;
        row(f, "warnings about cameras made to go away", number(&log.warnings))?;
        row(f, "errors about spoiled files", number(&log.mistakes))?;
        row(f, "SIGTERM", format!("{}, {:.2} s", self.status, self.stopped_in.as_secs_f64()))
    }
}

/// Prints the counters of framecast itself.
fn streams(f: &mut fmt::Formatter<'_>, stream_list: &Value) -> fmt::Result {
    writeln!(f, "\n| stream | state | frames in | frames out | skipped | dropped | reconnects | quirks |")?;
    writeln!(f, "|---|---|---|---|---|---|---|---|")?;
    for stream in stream_list["streams"].as_array().into_iter().flatten() {
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
            "| {name} | {state} | {frames_in} | {frames_out} | {skipped} | {dropped} | {reconnects} | \
             {quirks} |",
        )?;
    }
    writeln!(f)
}

/// To standard output.
#[expect(clippy::print_stdout, reason = "this program's output is what it is run for")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
