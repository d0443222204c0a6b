//! Metrics of the relay as a whole, and of its process.

use std::time::SystemTime;

use super::family::{MetricDef, Scrape, metric, unix};
use crate::{
    imaging::codec::codec,
    observability::{process::ProcessStats, task_counts::TaskKind},
    registry::RenditionUse,
    web::state::WebState,
};

/// A metric of one sample, and its value.
type Single = (MetricDef, fn(&WebState) -> f64);

const GAUGES: &[Single] = &[
    (
        metric("framecast_streams", "Streams of the configuration, without the mosaic of all streams."),
        |state| state.streams.registry.all().len() as f64,
    ),
    (metric("framecast_viewers", "Current viewers of all streams."), |state| {
        state.streams.viewer_limit.viewers() as f64
    }),
    (metric("framecast_viewers_limit", "The limit on viewers (limits.max_viewers)."), |state| {
        state.runtime.settings.current().limits.max_viewers as f64
    }),
    (metric("framecast_live_pages", "Open pages with live tiles."), |state| {
        state.runtime.live_connections.count() as f64
    }),
    (
        metric(
            "framecast_live_pages_limit",
            "The limit on pages with live tiles (limits.max_live_connections).",
        ),
        |state| state.runtime.settings.current().limits.max_live_connections as f64,
    ),
    (metric("framecast_renditions", "Running renditions that viewers requested, of all streams."), |state| {
        state.streams.renditions.count(RenditionUse::Viewers) as f64
    }),
    (metric("framecast_renditions_limit", "The limit on renditions (limits.max_renditions)."), |state| {
        state.streams.renditions.max(RenditionUse::Viewers) as f64
    }),
    (metric("framecast_tile_renditions", "Running renditions for the tiles of pages."), |state| {
        state.streams.renditions.count(RenditionUse::Tiles) as f64
    }),
    (
        metric(
            "framecast_tile_renditions_limit",
            "The limit on renditions for tiles (limits.max_tile_renditions).",
        ),
        |state| state.streams.renditions.max(RenditionUse::Tiles) as f64,
    ),
    (
        metric(
            "framecast_connections_limit",
            "The limit on connections, from descriptors and memory minus the reserve.",
        ),
        |state| state.runtime.connections.max() as f64,
    ),
    (metric("framecast_pool_workers", "CPU workers."), |state| state.runtime.pool.workers() as f64),
    (metric("framecast_pool_busy_workers", "Busy CPU workers."), |state| {
        state.runtime.pool.load().at_work as f64
    }),
    (
        metric(
            "framecast_pool_queue_limit",
            "The limit on waiting jobs; one more is refused, unless its stream has none waiting.",
        ),
        |state| state.runtime.pool.load().max_jobs as f64,
    ),
    (
        metric(
            "framecast_config_last_reload_successful",
            "0 if the current configuration file has mistakes, otherwise 1.",
        ),
        |state| f64::from(u8::from(state.streams.control.config_status().error.is_none())),
    ),
    (
        metric(
            "framecast_config_last_reload_success_timestamp_seconds",
            "When the configuration in effect was read, in Unix time.",
        ),
        |state| unix(state.streams.control.config_status().loaded_at),
    ),
    (
        metric("framecast_config_needs_restart", "Changed settings that take effect only after a restart."),
        |state| state.streams.control.config_status().needs_restart.len() as f64,
    ),
];

const COUNTERS: &[Single] = &[
    (
        metric(
            "framecast_refused_renditions_total",
            "Renditions that were requested, also by adaptive viewers, and refused at the limit.",
        ),
        |state| state.streams.renditions.rejected(RenditionUse::Viewers) as f64,
    ),
    (
        metric(
            "framecast_refused_tile_renditions_total",
            "Tiles that get the stream's own pictures because the limit on renditions for tiles is reached.",
        ),
        |state| state.streams.renditions.rejected(RenditionUse::Tiles) as f64,
    ),
    (
        metric(
            "framecast_closed_idle_connections_total",
            "Idle connections closed for a new one, the one idle for longest first.",
        ),
        |state| state.runtime.connections.closed_idle() as f64,
    ),
    (metric("framecast_pool_refused_total", "Jobs refused because too many were waiting."), |state| {
        state.runtime.pool.load().refused as f64
    }),
];

const BUILD: MetricDef =
    metric("framecast_build_info", "Always 1: the version, and the JPEG decoder and encoder.");
const REFUSED_VIEWERS: MetricDef =
    metric("framecast_refused_viewers_total", "Refused viewers and pages, by the limit that was reached.");
const REFUSED_REQUESTS: MetricDef =
    metric("framecast_refused_requests_total", "Refused requests, by reason.");
const CONNECTIONS: MetricDef =
    metric("framecast_connections", "Open connections to framecast: with a request, or idle.");
const REFUSED_CONNECTIONS: MetricDef =
    metric("framecast_refused_connections_total", "Refused connections, by reason.");
const BUDGET: MetricDef = metric(
    "framecast_memory_budget_bytes",
    "Budgets of limits.max_decode_bytes (in two parts), max_upload_bytes and \
     max_unsent_bytes.",
);
const BUDGET_USED: MetricDef = metric("framecast_memory_budget_used_bytes", "Bytes in use of each budget.");
const BUDGET_WAITING: MetricDef = metric(
    "framecast_memory_budget_waiting",
    "Pictures, requests or responses that wait for bytes of the budget.",
);
const BUDGET_REFUSED: MetricDef =
    metric("framecast_memory_budget_refused_total", "Requests for bytes that were refused.");
const POOL_QUEUE: MetricDef = metric(
    "framecast_pool_queue",
    "Waiting work of the CPU pool: jobs, or streams whose frames are transformed.",
);
const POOL_TASKS: MetricDef = metric(
    "framecast_pool_task_seconds",
    "Duration of one task of a CPU worker: a frame, a tile, a snapshot.",
);
const WEBHOOKS: MetricDef = metric(
    "framecast_webhook_events_total",
    "Events by outcome: delivered, refused by the webhook, or dropped.",
);
const WEBHOOK_RETRIES: MetricDef =
    metric("framecast_webhook_retries_total", "Repeated attempts to deliver an event.");
const WEBHOOK_QUEUE: MetricDef =
    metric("framecast_webhook_queue", "Events waiting for delivery, at most 200.");
const TASKS: MetricDef = metric(
    "framecast_tasks",
    "Tasks: of connections to framecast, of streams and renditions, and those started by \
     these.",
);

pub(super) fn collect(state: &WebState, scrape: &mut Scrape) {
    let build = [("version", env!("CARGO_PKG_VERSION")), ("codec", codec().name())];
    scrape.gauge(&BUILD, &build, 1.0);
    for (meaning, value) in GAUGES {
        scrape.gauge(meaning, &[], value(state));
    }
    for (meaning, value) in COUNTERS {
        scrape.counter(meaning, &[], value(state));
    }
    for (reason, count) in state.access.rejections.viewers() {
        scrape.counter(&REFUSED_VIEWERS, &[("full", reason)], count as f64);
    }
    for (reason, count) in state.access.rejections.requests() {
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
    for (kind, count) in [("jobs", load.jobs), ("streams", load.latest_queues)] {
        scrape.gauge(&POOL_QUEUE, &[("kind", kind)], count as f64);
    }
    scrape.histogram(&POOL_TASKS, &[], &load.timing);
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
const CPU: MetricDef = metric("process_cpu_seconds_total", "CPU time, in seconds.");
const RESIDENT: MetricDef = metric("process_resident_memory_bytes", "Resident memory.");
const VIRTUAL: MetricDef = metric("process_virtual_memory_bytes", "Virtual memory.");
const THREADS: MetricDef = metric("process_threads", "Threads.");
const FILES: MetricDef = metric("process_open_fds", "Open file descriptors.");
const MAX_FILES: MetricDef = metric("process_max_fds", "The limit on open file descriptors.");
const STARTED: MetricDef = metric("process_start_time_seconds", "Start of the process, in Unix time.");

/// Adds the process's figures; those that the system does not report are left out.
pub(super) fn process(figures: ProcessStats, started: SystemTime, scrape: &mut Scrape) {
    for kind in TaskKind::ALL {
        scrape.gauge(&TASKS, &[("kind", kind.as_str())], kind.count() as f64);
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
