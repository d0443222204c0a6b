//! Metrics of the relay as a whole, and of its process.

use std::time::SystemTime;

use super::family::{Meaning, Scrape, metric, unix};
use crate::{
    imaging::codec::codec,
    observability::{process::Figures, tasks::Kind},
    web::state::WebState,
};

/// A metric of one sample, and its value.
type Single = (Meaning, fn(&WebState) -> f64);

const GAUGES: &[Single] = &[
    (
        metric("framecast_streams", "Streams of the configuration, the mosaic of all of them not counted."),
        |state| state.streams.registry.all().len() as f64,
    ),
    (metric("framecast_viewers", "Viewers of all streams together."), |state| {
        state.streams.capacity.viewers() as f64
    }),
    (metric("framecast_viewers_limit", "Viewers that limits.max_viewers allows."), |state| {
        state.runtime.settings.now().limits.max_viewers as f64
    }),
    (metric("framecast_live_pages", "Pages that show live tiles."), |state| {
        state.runtime.pages.count() as f64
    }),
    (metric("framecast_live_pages_limit", "Pages that limits.max_live_connections allows."), |state| {
        state.runtime.settings.now().limits.max_live_connections as f64
    }),
    (metric("framecast_renditions", "Renditions that run, of all streams together."), |state| {
        state.streams.renditions.count() as f64
    }),
    (metric("framecast_renditions_limit", "Renditions that limits.max_renditions allows."), |state| {
        state.streams.renditions.most() as f64
    }),
    (
        metric(
            "framecast_connections_limit",
            "Connections that descriptors and memory leave room for beside sources, files, programs and \
             recordings.",
        ),
        |state| state.runtime.connections.most() as f64,
    ),
    (metric("framecast_pool_workers", "CPU workers."), |state| state.runtime.pool.workers() as f64),
    (metric("framecast_pool_busy_workers", "CPU workers that are at work."), |state| {
        state.runtime.pool.load().at_work as f64
    }),
    (
        metric(
            "framecast_pool_queue_limit",
            "Jobs that may wait; one more is refused, unless its stream has none that waits.",
        ),
        |state| state.runtime.pool.load().max_jobs as f64,
    ),
    (
        metric(
            "framecast_config_last_reload_successful",
            "1 unless the configuration file is wrong as it stands now.",
        ),
        |state| f64::from(u8::from(state.streams.control.configuration().error.is_none())),
    ),
    (
        metric(
            "framecast_config_last_reload_success_timestamp_seconds",
            "When the configuration that holds was read, in Unix time.",
        ),
        |state| unix(state.streams.control.configuration().loaded_at),
    ),
    (
        metric("framecast_config_needs_restart", "Settings that have changed and hold only after a restart."),
        |state| state.streams.control.configuration().needs_restart.len() as f64,
    ),
];

const COUNTERS: &[Single] = &[
    (
        metric(
            "framecast_refused_renditions_total",
            "Renditions that were asked for, by viewers or for adaptive ones, while there was no room.",
        ),
        |state| state.streams.renditions.refused() as f64,
    ),
    (
        metric(
            "framecast_closed_idle_connections_total",
            "Connections that were closed to make room for a new one, those first that had been idle for \
             longest.",
        ),
        |state| state.runtime.connections.closed_idle() as f64,
    ),
    (metric("framecast_pool_refused_total", "Jobs that were refused because too many waited."), |state| {
        state.runtime.pool.load().refused as f64
    }),
];

const BUILD: Meaning =
    metric("framecast_build_info", "Always 1: which version runs, and what decodes and encodes JPEGs.");
const REFUSED_VIEWERS: Meaning =
    metric("framecast_refused_viewers_total", "Viewers and pages that were refused, by what was full.");
const REFUSED_REQUESTS: Meaning =
    metric("framecast_refused_requests_total", "Requests that were refused, by reason.");
const CONNECTIONS: Meaning =
    metric("framecast_connections", "Connections to framecast that are open: with a request, or idle.");
const REFUSED_CONNECTIONS: Meaning =
    metric("framecast_refused_connections_total", "Connections that were refused, by reason.");
const BUDGET: Meaning = metric(
    "framecast_memory_budget_bytes",
    "Bytes that limits.max_decode_bytes (in two parts), max_upload_bytes and max_unsent_bytes allow.",
);
const BUDGET_USED: Meaning = metric("framecast_memory_budget_used_bytes", "Bytes that are held of them.");
const BUDGET_WAITING: Meaning =
    metric("framecast_memory_budget_waiting", "Pictures, requests or answers that wait in line for bytes.");
const BUDGET_REFUSED: Meaning =
    metric("framecast_memory_budget_refused_total", "How often bytes were asked for and refused.");
const POOL_QUEUE: Meaning = metric(
    "framecast_pool_queue",
    "What waits for a CPU worker: jobs, or streams whose frames are transformed.",
);
const POOL_TASKS: Meaning = metric(
    "framecast_pool_task_seconds",
    "How long a CPU worker was at one piece of work: a frame, a tile, a snapshot.",
);
const WEBHOOKS: Meaning = metric(
    "framecast_webhook_events_total",
    "Events that a webhook was told, that it did not take, or that there was no room or time for.",
);
const WEBHOOK_RETRIES: Meaning =
    metric("framecast_webhook_retries_total", "Tries to tell a webhook after the first one.");
const WEBHOOK_QUEUE: Meaning = metric("framecast_webhook_queue", "Events that wait to be told, 200 at most.");
const TASKS: Meaning = metric(
    "framecast_tasks",
    "Tasks: of connections to framecast, of streams and renditions, and what these have started.",
);

pub(super) fn read(state: &WebState, scrape: &mut Scrape) {
    let build = [("version", env!("CARGO_PKG_VERSION")), ("codec", codec().name())];
    scrape.gauge(&BUILD, &build, 1.0);
    for (meaning, value) in GAUGES {
        scrape.gauge(meaning, &[], value(state));
    }
    for (meaning, value) in COUNTERS {
        scrape.counter(meaning, &[], value(state));
    }
    for (reason, count) in state.access.refusals.viewers() {
        scrape.counter(&REFUSED_VIEWERS, &[("full", reason)], count as f64);
    }
    for (reason, count) in state.access.refusals.requests() {
        scrape.counter(&REFUSED_REQUESTS, &[("reason", reason)], count as f64);
    }
    for (reason, count) in state.runtime.connections.refused() {
        scrape.counter(&REFUSED_CONNECTIONS, &[("reason", reason)], count as f64);
    }
    let (open, idle) = (state.runtime.connections.open(), state.runtime.connections.idle());
    for (name, count) in [("busy", open.saturating_sub(idle)), ("idle", idle)] {
        scrape.gauge(&CONNECTIONS, &[("state", name)], count as f64);
    }
    let load = state.runtime.pool.load();
    for (kind, count) in [("jobs", load.jobs), ("streams", load.lanes)] {
        scrape.gauge(&POOL_QUEUE, &[("kind", kind)], count as f64);
    }
    scrape.timing(&POOL_TASKS, &[], &load.timing);
    budgets(state, scrape);
    webhooks(state, scrape);
}

fn budgets(state: &WebState, scrape: &mut Scrape) {
    let budgets = &state.runtime.budgets;
    for (name, budget) in [
        ("decode", &budgets.decode),
        ("kept_pictures", &budgets.kept_pictures),
        ("uploads", &budgets.uploads),
        ("unsent", &budgets.unsent),
    ] {
        let label = [("budget", name)];
        scrape.gauge(&BUDGET, &label, budget.capacity() as f64);
        scrape.gauge(&BUDGET_USED, &label, budget.in_use() as f64);
        scrape.gauge(&BUDGET_WAITING, &label, budget.waiting() as f64);
        scrape.counter(&BUDGET_REFUSED, &label, budget.refused() as f64);
    }
}

/// The webhooks of the configuration.
fn webhooks(state: &WebState, scrape: &mut Scrape) {
    for (hook, deliveries) in state.streams.webhooks.deliveries() {
        let ended = [
            ("delivered", deliveries.delivered),
            ("failed", deliveries.failed),
            ("dropped", deliveries.dropped),
        ];
        for (outcome, count) in ended {
            scrape.counter(&WEBHOOKS, &[("webhook", &*hook), ("outcome", outcome)], count as f64);
        }
        scrape.counter(&WEBHOOK_RETRIES, &[("webhook", &*hook)], deliveries.retries as f64);
        scrape.gauge(&WEBHOOK_QUEUE, &[("webhook", &*hook)], deliveries.waiting as f64);
    }
}

// These names are the same for all programs that Prometheus reads.
const CPU: Meaning = metric("process_cpu_seconds_total", "Time on a processor, in seconds.");
const RESIDENT: Meaning = metric("process_resident_memory_bytes", "Memory in use.");
const VIRTUAL: Meaning = metric("process_virtual_memory_bytes", "Memory asked for.");
const THREADS: Meaning = metric("process_threads", "Threads.");
const FILES: Meaning = metric("process_open_fds", "Open files and sockets.");
const MAX_FILES: Meaning = metric("process_max_fds", "Files and sockets that may be open.");
const STARTED: Meaning = metric("process_start_time_seconds", "When it started, in Unix time.");

/// Adds the process's figures; those that the system does not report are left out.
pub(super) fn process(figures: Figures, started: SystemTime, scrape: &mut Scrape) {
    for kind in Kind::ALL {
        scrape.gauge(&TASKS, &[("kind", kind.word())], kind.count() as f64);
    }
    if let Some(cpu) = figures.cpu {
        scrape.counter(&CPU, &[], cpu.as_secs_f64());
    }
    let gauges = [
        (RESIDENT, figures.resident_bytes),
        (VIRTUAL, figures.virtual_bytes),
        (THREADS, figures.threads),
        (FILES, figures.open_files),
        (MAX_FILES, figures.max_open_files),
    ];
    for (meaning, figure) in gauges {
        if let Some(figure) = figure {
            scrape.gauge(&meaning, &[], figure as f64);
        }
    }
    scrape.gauge(&STARTED, &[], unix(started));
}
