//! Metrics of each stream, and of its renditions together.

use std::time::Instant;

use super::family::{Labels, MetricDef, Scrape, metric, unix};
use crate::{
    bus::{StreamStats, Totals},
    media::frame::FrameKind,
    stream::StreamHandle,
    web::state::WebState,
};

const INFO: MetricDef =
    metric("framecast_stream_info", "Always 1: the stream's title and the type of the source in use.");
const STATE: MetricDef =
    metric("framecast_stream_state", "1 for the current state of the stream, 0 for the others.");
const SINCE: MetricDef =
    metric("framecast_stream_state_start_timestamp_seconds", "Start of the current state, in Unix time.");
const OFFLINE: MetricDef = metric(
    "framecast_stream_offline",
    "1 while a source that is wanted has given no picture for longer than placeholder.after, otherwise 0.",
);
const FAILURES: MetricDef = metric(
    "framecast_stream_failures_in_a_row",
    "Failures of the source in use since its last picture. One that only fails now and then stays at 0 or 1.",
);
const FRAMES_IN: MetricDef =
    metric("framecast_stream_received_frames_total", "Frames received from the source and shown.");
const BYTES_IN: MetricDef = metric("framecast_stream_received_bytes_total", "Bytes of the received frames.");
const FRAMES_OUT: MetricDef = metric(
    "framecast_stream_sent_frames_total",
    "Frames sent to viewers, repeats included: of the stream itself, or of its renditions.",
);
const BYTES_OUT: MetricDef =
    metric("framecast_stream_sent_bytes_total", "Bytes of the sent frames, without headers.");
const SKIPPED: MetricDef = metric(
    "framecast_stream_skipped_frames_total",
    "Frames skipped because a viewer was still busy with an older one, sum of all viewers.",
);
const DROPPED: MetricDef =
    metric("framecast_stream_dropped_frames_total", "Frames that were not shown, by reason.");
const PROCESSED: MetricDef = metric("framecast_stream_made_frames_total", "Frames shown, by processing.");
const ENCODE_SECONDS: MetricDef = metric(
    "framecast_stream_encode_seconds",
    "Time to decode, transform and re-encode a frame. Absent for streams whose frames pass \
     unchanged.",
);
const PARSING: MetricDef = metric(
    "framecast_stream_parse_errors_total",
    "Data from the source in place of a frame that was not a valid frame or could not be \
     accepted, by kind.",
);
const QUIRKS: MetricDef = metric(
    "framecast_stream_quirks_total",
    "Deviations of the source from the standards, by kind. Only kinds that occurred.",
);
const REFUSED_PUSHES: MetricDef =
    metric("framecast_stream_refused_pushes_total", "Refused pushes, by reason.");
const VIEWERS: MetricDef =
    metric("framecast_stream_viewers", "Current viewers, including those of renditions and replays.");
const JOINED: MetricDef =
    metric("framecast_stream_joined_viewers_total", "Viewers that have connected, including current ones.");
const REPLAYING: MetricDef = metric("framecast_stream_replay_viewers", "Current viewers of replays.");
const RECONNECTS: MetricDef =
    metric("framecast_stream_reconnects_total", "Restarts of the source after it had ended.");
const SWITCHES: MetricDef =
    metric("framecast_stream_source_switches_total", "Switches to another of several sources.");
const AGE: MetricDef =
    metric("framecast_stream_frame_age_seconds", "Age of the newest frame. Absent without one.");
const SIZE: MetricDef =
    metric("framecast_stream_frame_bytes", "Size of the newest frame. Absent without one.");
const RENDITIONS: MetricDef = metric("framecast_stream_renditions", "Running renditions of the stream.");
const ADAPTED: MetricDef = metric(
    "framecast_stream_adaptive_moves_total",
    "Changes of adaptive viewers to smaller or larger frames.",
);
const SAVED: MetricDef = metric("framecast_stream_saved_frames_total", "Frames written to disk.");
const SAVE_FAILURES: MetricDef =
    metric("framecast_stream_save_failures_total", "Frames that could not be written to disk.");
const KEPT: MetricDef =
    metric("framecast_stream_replay_bytes", "Memory of the replay buffer. Absent without `replay`.");

/// The states, as the API names them.
const STATES: [&str; 6] = ["idle", "connecting", "live", "waiting", "paused", "stopped"];

pub(super) fn collect(state: &WebState, scrape: &mut Scrape) {
    for stream in state.streams.registry.all().iter().chain(&state.streams.registry.overview()) {
        life(stream, scrape);
        picture(stream, scrape);
        counters(stream, scrape);
        let name = stream.name().as_str();
        scrape.gauge(
            &RENDITIONS,
            &[("stream", name)],
            state.streams.renditions.of_stream(stream).len() as f64,
        );
        let stats = stream.bus().stats();
        let encodes = !stream.config().rework().is_nothing();
        totals(name, "stream", &stats.totals(), encodes, scrape);
        totals(name, "renditions", &state.streams.renditions.totals_of(stream), false, scrape);
    }
}

fn life(stream: &StreamHandle, scrape: &mut Scrape) {
    let name = stream.name().as_str();
    let status = stream.status();
    let in_use = stream.sources().map_or(0, |choice| choice.in_use);
    let source = stream.config().sources().nth(in_use).unwrap_or_else(|| stream.config().source());
    let info = [("stream", name), ("title", &*stream.config().title), ("source", source.type_name())];
    scrape.gauge(&INFO, &info, 1.0);
    let now = status.state.as_str();
    for state in STATES {
        scrape.gauge(&STATE, &[("stream", name), ("state", state)], if state == now { 1.0 } else { 0.0 });
    }
    scrape.gauge(&SINCE, &[("stream", name)], unix(status.since));
    scrape.gauge(&OFFLINE, &[("stream", name)], f64::from(u8::from(status.is_offline)));
    scrape.gauge(&FAILURES, &[("stream", name)], f64::from(status.failures_in_a_row));
}

fn picture(stream: &StreamHandle, scrape: &mut Scrape) {
    let labels = [("stream", stream.name().as_str())];
    if let Some(newest) = stream.bus().newest().filter(|newest| newest.frame.kind() == FrameKind::Picture) {
        let age = Instant::now().saturating_duration_since(newest.frame.arrived_at());
        scrape.gauge(&AGE, &labels, age.as_secs_f64());
        scrape.gauge(&SIZE, &labels, newest.frame.jpeg().len() as f64);
    }
    if let Some(history) = stream.bus().replay_buffer() {
        scrape.gauge(&KEPT, &labels, history.usage().bytes as f64);
    }
}

fn counters(stream: &StreamHandle, scrape: &mut Scrape) {
    let name = stream.name().as_str();
    let labels: Labels<'_> = &[("stream", name)];
    let stats: &StreamStats = stream.bus().stats();
    scrape.gauge(&VIEWERS, labels, stats.viewers() as f64);
    scrape.gauge(&REPLAYING, labels, stats.replaying() as f64);
    let counts = [
        (FRAMES_IN, stats.frames_in()),
        (BYTES_IN, stats.bytes_in()),
        (JOINED, stats.joined()),
        (RECONNECTS, stats.reconnects()),
        (SWITCHES, stats.switches()),
        (SAVED, stats.recorded()),
        (SAVE_FAILURES, stats.recording_failures()),
    ];
    for (meaning, count) in counts {
        scrape.counter(&meaning, labels, count as f64);
    }
    for (direction, count) in
        [("down", stats.abr_levels().moved_down()), ("up", stats.abr_levels().moved_up())]
    {
        scrape.counter(&ADAPTED, &[("stream", name), ("direction", direction)], count as f64);
    }
    for (why, count) in stats.discarded() {
        scrape.counter(&PARSING, &[("stream", name), ("kind", why.as_str())], count as f64);
    }
    for (quirk, count) in stats.quirks() {
        scrape.counter(&QUIRKS, &[("stream", name), ("quirk", quirk.as_str())], count as f64);
    }
    for (why, count) in stats.push_rejections().all() {
        scrape.counter(&REFUSED_PUSHES, &[("stream", name), ("reason", why.as_str())], count as f64);
    }
}

/// Frames that were sent, dropped and encoded: `of` the stream as it is, or of its renditions.
fn totals(name: &str, of: &str, totals: &Totals, encodes: bool, scrape: &mut Scrape) {
    let labels: Labels<'_> = &[("stream", name), ("of", of)];
    scrape.counter(&FRAMES_OUT, labels, totals.frames_out as f64);
    scrape.counter(&BYTES_OUT, labels, totals.bytes_out as f64);
    scrape.counter(&SKIPPED, labels, totals.skipped as f64);
    for (reason, count) in totals.dropped() {
        let labels = [("stream", name), ("of", of), ("reason", reason.as_str())];
        scrape.counter(&DROPPED, &labels, count as f64);
    }
    for (way, count) in totals.processed() {
        scrape.counter(&PROCESSED, &[("stream", name), ("of", of), ("way", way.as_str())], count as f64);
    }
    if encodes || totals.encode_times.count() > 0 {
        scrape.histogram(&ENCODE_SECONDS, labels, &totals.encode_times);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::state::State;

    #[test]
    fn every_state_has_its_series() {
        let waiting = State::Waiting { reason: crate::source::Reason::default(), next_try: None };
        let states = [State::Idle, State::Connecting, State::Live, waiting, State::Paused, State::Stopped];
        assert_eq!(states.map(|state| state.as_str()), STATES);
    }
}
