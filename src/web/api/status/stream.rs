//! The report of one stream.

use std::{collections::BTreeMap, time::Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    frame_size::FrameSize,
    renditions::{AdaptiveReport, RenditionReport},
};
use crate::{
    auth::Principal,
    config::SourceConfig,
    media::frame::FrameKind,
    source::camera::detection::CameraKind,
    stream::{
        StreamHandle,
        failover::priority::{SourceActivity, SourceStatus, SourcesReport},
        state,
    },
    web::{
        response::{
            json_numbers::{rounded, unix_seconds},
            visibility::{administers, disclosed, source_location},
        },
        state::WebState,
    },
};

/// One stream. Counters count from the start of the relay; times are Unix seconds.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StreamState")]
pub(in crate::web) struct StreamReport {
    name: String,
    title: String,
    source: &'static str,
    /// The type that `type: auto` was found to be; absent: another type, or not found yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["mjpeg", "snapshot"]))]
    detected: Option<&'static str>,
    /// `token`: a publisher must show one; `open`: none; absent: not a push stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["token", "open"]))]
    push: Option<&'static str>,
    #[schemars(extend("enum" = ["idle", "connecting", "live", "waiting", "paused", "stopped"]))]
    state: &'static str,
    reason: Option<String>,
    since: f64,
    next_try_in_s: Option<f64>,
    fps_in: f64,
    frames_in: u64,
    bytes_in: u64,
    frames_out: u64,
    bytes_out: u64,
    size: Option<FrameSize>,
    frame_bytes: Option<usize>,
    frame_age_s: Option<f64>,
    viewers: usize,
    skipped: u64,
    dropped: BTreeMap<&'static str, u64>,
    made: BTreeMap<&'static str, u64>,
    quirks: BTreeMap<&'static str, u64>,
    reconnects: u64,
    source_id: Option<u64>,
    switches: u64,
    sources: Option<Vec<SourceReport>>,
    saved: u64,
    save_failures: u64,
    saving: Option<SavingReport>,
    replay: Option<ReplayReport>,
    renditions: Vec<RenditionReport>,
    adaptive: AdaptiveReport,
}

/// One of several sources.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SourceState")]
struct SourceReport {
    #[serde(rename = "type")]
    kind: &'static str,
    /// The type that `type: auto` was found to be; absent: another type, or not found yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["mjpeg", "snapshot"]))]
    detected: Option<&'static str>,
    place: Option<String>,
    #[schemars(extend("enum" = ["in_use", "tried", "away", "ready"]))]
    state: &'static str,
    reason: Option<String>,
    since: Option<f64>,
    next_try_in_s: Option<f64>,
}

/// The state of a recording.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SavingState")]
struct SavingReport {
    #[schemars(extend("enum" = ["waiting", "saving", "failing", "full"]))]
    state: &'static str,
    since: f64,
    reason: Option<String>,
}

/// The replay buffer, and how many viewers it plays for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReplayState")]
struct ReplayReport {
    span_s: f64,
    frames: usize,
    bytes: usize,
    viewers: usize,
}

impl StreamReport {
    pub(super) fn of(stream: &StreamHandle, state: &WebState, principal: &Principal) -> Self {
        let now = Instant::now();
        let status = stream.status();
        let stats = stream.bus().stats();
        let choice = stream.sources();
        let in_use = choice.as_ref().map_or(0, |choice| choice.in_use);
        let source = stream.config().sources().nth(in_use).unwrap_or_else(|| stream.config().source());
        let picture = stream.bus().newest().filter(|newest| newest.frame.kind() == FrameKind::Picture);
        let picture = picture.as_ref().map(|newest| &newest.frame);
        let (reason, next_try) = match &status.state {
            state::State::Waiting { reason, next_try } => {
                (Some(disclosed(reason, principal, Some(stream.name()))), *next_try)
            }
            state::State::Connecting => (stats.keyframe_wait(), None),
            _ => (None, None),
        };
        Self {
            name: stream.name().to_string(),
            title: stream.config().title.clone(),
            source: source.type_name(),
            detected: stream.detected(in_use).map(CameraKind::as_str),
            push: match stream.config().source() {
                SourceConfig::Push { token, .. } => Some(if token.is_some() { "token" } else { "open" }),
                _ => None,
            },
            state: status.state.as_str(),
            reason,
            since: unix_seconds(status.since),
            next_try_in_s: next_try.map(|at| rounded(at.saturating_duration_since(now).as_secs_f64())),
            fps_in: if status.state == state::State::Live { rounded(stats.fps(now)) } else { 0.0 },
            frames_in: stats.frames_in(),
            bytes_in: stats.bytes_in(),
            frames_out: stats.frames_out(),
            bytes_out: stats.bytes_out(),
            size: picture.map(FrameSize::of),
            frame_bytes: picture.map(|frame| frame.jpeg().len()),
            frame_age_s: picture
                .map(|frame| rounded(now.saturating_duration_since(frame.arrived_at()).as_secs_f64())),
            viewers: stats.viewers(),
            skipped: stats.skipped(),
            made: stats.processed().map(|(way, count)| (way.as_str(), count)).collect(),
            dropped: stats.dropped().map(|(reason, count)| (reason.as_str(), count)).collect(),
            quirks: stats.quirks().map(|(quirk, count)| (quirk.as_str(), count)).collect(),
            reconnects: stats.reconnects(),
            source_id: stream.source_id(),
            switches: stats.switches(),
            sources: choice.map(|choice| source_reports(stream, &choice, principal, now)),
            saved: stats.recorded(),
            save_failures: stats.recording_failures(),
            saving: stats.recording_status().map(|saving| SavingReport {
                state: saving.state.as_str(),
                since: unix_seconds(saving.since),
                reason: saving.reason,
            }),
            replay: stream.bus().replay_buffer().map(|history| {
                let kept = history.usage();
                let span_s = rounded(kept.span.as_secs_f64());
                ReplayReport { span_s, frames: kept.frames, bytes: kept.bytes, viewers: stats.replaying() }
            }),
            adaptive: AdaptiveReport::of(stats.abr_levels()),
            renditions: state.streams.renditions.of_stream(stream).iter().map(RenditionReport::of).collect(),
        }
    }
}

fn source_reports(
    stream: &StreamHandle,
    choice: &SourcesReport,
    principal: &Principal,
    now: Instant,
) -> Vec<SourceReport> {
    let sources = stream.config().sources().zip(&choice.statuses).enumerate();
    let report = |(position, (source, standing)): (usize, (&SourceConfig, &SourceStatus))| SourceReport {
        kind: source.type_name(),
        detected: stream.detected(position).map(CameraKind::as_str),
        // Hosts, programs, files and other streams' names: viewers of a stream may not see where it comes
        // from.
        place: source_location(source, principal).filter(|_| administers(principal, Some(stream.name()))),
        state: standing.activity.as_str(),
        reason: standing
            .failure
            .as_ref()
            .map(|failure| disclosed(&failure.reason, principal, Some(stream.name()))),
        since: match (standing.activity, &standing.failure) {
            (SourceActivity::InUse, _) => choice.since.map(unix_seconds),
            (_, failure) => failure.as_ref().map(|failure| unix_seconds(failure.since)),
        },
        next_try_in_s: standing.due.map(|at| rounded(at.saturating_duration_since(now).as_secs_f64())),
    };
    sources.map(report).collect()
}
