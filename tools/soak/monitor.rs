//! The process under full load, and whether it gives everything back.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::time::{Instant, interval, sleep};

use crate::{
    api::Tasks,
    camera::{self, CAMERAS},
    memory::Memory,
    process::{Relay, Usage},
    report::Report,
    scenario::camera_name,
    summary::say,
};

/// A line of progress so often.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// A sample of the process so often.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);

/// `linger` is 2 s and helpers' threads idle for 10 s; behind this all that viewers needed is given back.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(30);

/// Interval of these checks. The metrics, which contain the number of tasks, are gathered on a helper's
/// thread.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The resources of the process before the viewers, with them, and after them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usages {
    pub(crate) processes: [Usage; 3],
    pub(crate) tasks: [Tasks; 3],
}

impl Usages {
    pub(crate) async fn before(relay: &Relay) -> Result<Self> {
        let usage = relay.usage()?;
        let tasks = Tasks::now(relay.address()).await?;
        Ok(Self { processes: [usage; 3], tasks: [tasks; 3] })
    }
}

/// Runs the full load, with samples and lines of progress; notes the usage at its end.
pub(crate) async fn monitor(
    relay: &Relay,
    length: Duration,
    report: &Report,
    usages: &mut Usages,
) -> Result<Memory> {
    let start = Instant::now();
    let mut memory = Memory::default();
    let (mut samples, mut lines) = (interval(SAMPLE_EVERY), interval(PROGRESS_EVERY));
    while start.elapsed() < length {
        tokio::select! {
            _ = samples.tick() => {
                usages.processes[1] = relay.usage().context("framecast is gone")?;
                memory.sample(start.elapsed(), usages.processes[1].memory_kib);
            }
            _ = lines.tick() => {
                match Tasks::now(relay.address()).await {
                    Ok(tasks) => usages.tasks[1] = tasks,
                    Err(error) => report.violation(format!("/metrics: {error}")),
                }
                say(&progress(start.elapsed(), relay, report, usages));
            }
        }
    }
    Ok(memory)
}

fn progress(elapsed: Duration, relay: &Relay, report: &Report, usages: &Usages) -> String {
    let usage = usages.processes[1];
    let before = usages.processes[0].cpu_s;
    format!(
        "{:4} s  {:8} parts  {:6} MB  {:5} placeholders  delay p99 {:3} ms  memory {:6} KiB  {} threads  {} \
         descriptors  {} tasks  {} changes  {} lines  CPU {:.0} % and {:.0} %  {} violations",
        elapsed.as_secs(),
        report.parts.load(Relaxed),
        report.bytes.load(Relaxed) / 1_000_000,
        report.placeholders.load(Relaxed),
        report.delay_ms(0.99),
        usage.memory_kib,
        usage.threads,
        usage.descriptors,
        usages.tasks[1],
        report.changes.load(Relaxed),
        relay.log.lines.load(Relaxed),
        (usage.cpu_s - before) / elapsed.as_secs_f64().max(1.0) * 100.0,
        own_cpu_s() / elapsed.as_secs_f64().max(1.0) * 100.0,
        report.violated(),
    )
}

/// CPU time of this program itself.
fn own_cpu_s() -> f64 {
    Usage::of(std::process::id()).map(|usage| usage.cpu_s).unwrap_or_default()
}

/// framecast must have noticed what is odd about the cameras that stay in their dialect.
pub(crate) fn check_quirks(stream_list: &Value, report: &Report) {
    for (position, habit) in CAMERAS.into_iter().enumerate() {
        let Some(quirk) = camera::expected_quirk(habit) else { continue };
        let counted = stream_list["streams"][position]["quirks"][quirk].as_u64().unwrap_or_default();
        if counted == 0 {
            report.violation(format!("{}: the quirk {quirk} was not noticed", camera_name(position)));
        }
    }
}

/// Waits until descriptors and threads, and then tasks, are back at what they were before the viewers.
pub(crate) async fn check_resources_released(
    relay: &Relay,
    usages: &mut Usages,
    report: &Report,
) -> Result<()> {
    let start = Instant::now();
    let late = || start.elapsed() > GIVEN_BACK_WITHIN;
    let base = usages.processes[0];
    loop {
        let usage = relay.usage()?;
        usages.processes[2] = usage;
        if usage.descriptors <= base.descriptors && usage.threads <= base.threads {
            break;
        }
        if late() {
            let text = format!("not given back after the viewers had left: {base:?} became {usage:?}");
            report.violation(text);
            break;
        }
        sleep(POLL_INTERVAL).await;
    }
    let base = usages.tasks[0];
    loop {
        let tasks = Tasks::now(relay.address()).await?;
        usages.tasks[2] = tasks;
        if tasks.is_within(base) {
            return Ok(());
        }
        if late() {
            report.violation(format!("tasks go on after the viewers had left: {base} became {tasks}"));
            return Ok(());
        }
        sleep(POLL_INTERVAL).await;
    }
}
