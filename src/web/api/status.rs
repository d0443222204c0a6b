//! The state of the streams, as JSON.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    auth::Caller,
    config::{Mistake, Role, SourceConfig},
    imaging::codec::codec,
    media::{
        frame::{Frame, FrameKind},
        stream_name::StreamName,
    },
    registry::Configuration,
    source::Reason,
    stream::{
        StreamHandle,
        failover::priority::{Doing, Sources, Standing},
        state,
    },
    web::{
        State, WebState,
        compat::go2rtc,
        middleware::{access::known_or, problem::Problem},
        place, query,
        server::connections::Connections,
        streams::renditions::{AdaptiveReport, RenditionReport, RenditionsReport},
    },
};

/// Most mistakes of a configuration in an answer: past these it is the wrong file.
const MAX_MISTAKES: usize = 100;

/// `GET /api/streams`: all that the caller may watch, in the order of the configuration.
/// With `?src=NAME` go2rtc's clients mean one of them.
pub(in crate::web) async fn streams(
    request: HttpRequest,
    state: State,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    let caller = known_or(caller, &state, &request).await;
    if query(&request, "src").is_some() {
        return go2rtc::one(&request, &state, &caller);
    }
    let report = Report::of(&state, &caller);
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(report))
}

/// `GET /api/streams/{name}`.
pub(in crate::web) async fn stream(
    request: HttpRequest,
    state: State,
    caller: Caller,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = known_or(caller, &state, &request).await;
    let report = StreamReport::of(&state.stream(&name)?, &state, &caller);
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(report))
}

/// The answer of `/api/streams`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Streams")]
pub(in crate::web) struct Report {
    version: &'static str,
    /// The library that decodes and encodes JPEGs.
    codec: &'static str,
    uptime_s: u64,
    default_stream: Option<String>,
    /// The stream that shows all others in one picture; not one of `streams`.
    mosaic: Option<String>,
    /// Those that viewers ask for in the URL.
    renditions: RenditionsReport,
    /// Connections to framecast.
    connections: ConnectionsReport,
    /// Requests that were refused, by reason.
    refused: BTreeMap<&'static str, u64>,
    config: ConfigReport,
    streams: Vec<StreamReport>,
}

impl Report {
    /// Of all that the caller may watch.
    pub(in crate::web) fn of(state: &WebState, caller: &Caller) -> Self {
        let may_see = |stream: &StreamHandle| caller.may(Role::View, Some(stream.name()));
        let streams = state.registry.all();
        let name = |stream: StreamHandle| stream.name().to_string();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            codec: codec().name(),
            uptime_s: state.started_at.elapsed().as_secs(),
            default_stream: state.default_stream().ok().filter(may_see).map(name),
            mosaic: state.registry.overview().filter(may_see).map(name),
            renditions: RenditionsReport::of(&state.renditions),
            connections: ConnectionsReport::of(&state.connections),
            refused: state.refusals.all(),
            config: ConfigReport::of(state.control.configuration(), caller),
            streams: streams
                .iter()
                .filter(|s| may_see(s))
                .map(|s| StreamReport::of(s, state, caller))
                .collect(),
        }
    }
}

/// Connections, of which a page or program may have several.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Connections")]
struct ConnectionsReport {
    open: usize,
    /// Those without a request.
    idle: usize,
    /// The maximum number.
    most: usize,
    /// Closed to make room for new ones.
    closed_idle: u64,
    /// Refused, by reason.
    refused: BTreeMap<&'static str, u64>,
}

impl ConnectionsReport {
    fn of(connections: &Connections) -> Self {
        Self {
            open: connections.open(),
            idle: connections.idle(),
            most: connections.most(),
            closed_idle: connections.closed_idle(),
            refused: connections.refused().collect(),
        }
    }
}

/// The configuration as it was read last.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Configuration")]
struct ConfigReport {
    /// Its name, without the folder; absent for the demo.
    file: Option<String>,
    #[schemars(extend("enum" = ["ok", "needs-restart", "wrong"]))]
    state: &'static str,
    /// Unix seconds.
    loaded_at: f64,
    /// Settings that hold after a restart.
    needs_restart: Vec<&'static str>,
    /// One line a mistake.
    error: Option<Vec<String>>,
}

impl ConfigReport {
    /// Reports the configuration to this caller. Errors are for administrators, since they quote the file;
    /// its name is for callers that may see all streams.
    fn of(known: Configuration, caller: &Caller) -> Self {
        let of_all = caller.may_with_all(Role::View);
        let name = known.file.as_deref().and_then(Path::file_name);
        Self {
            file: name.filter(|_| of_all).map(|name| name.to_string_lossy().into_owned()),
            state: match (&known.error, known.needs_restart.is_empty()) {
                (Some(_), _) => "wrong",
                (None, false) => "needs-restart",
                (None, true) => "ok",
            },
            loaded_at: unix_seconds(known.loaded_at),
            needs_restart: known.needs_restart,
            error: known.error.filter(|_| administers(caller, None)).map(|wrong| {
                let line = |mistake: &Mistake| Mistake { file: String::new(), ..mistake.clone() }.to_string();
                wrong.mistakes().iter().take(MAX_MISTAKES).map(line).collect()
            }),
        }
    }
}

/// One stream. Counters count from the start of the relay; times are Unix seconds.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StreamState")]
pub(in crate::web) struct StreamReport {
    name: String,
    title: String,
    source: &'static str,
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
    size: Option<PictureSize>,
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

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct PictureSize {
    width: u16,
    height: u16,
}

impl PictureSize {
    pub(in crate::web) fn of(frame: &Frame) -> Self {
        Self { width: frame.width(), height: frame.height() }
    }
}

impl StreamReport {
    fn of(stream: &StreamHandle, state: &WebState, caller: &Caller) -> Self {
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
                (Some(disclosed(reason, caller, Some(stream.name()))), *next_try)
            }
            _ => (None, None),
        };
        Self {
            name: stream.name().to_string(),
            title: stream.config().title.clone(),
            source: source.type_name(),
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
            size: picture.map(PictureSize::of),
            frame_bytes: picture.map(|frame| frame.jpeg().len()),
            frame_age_s: picture
                .map(|frame| rounded(now.saturating_duration_since(frame.arrived()).as_secs_f64())),
            viewers: stats.viewers(),
            skipped: stats.skipped(),
            made: stats.made().map(|(way, count)| (way.as_str(), count)).collect(),
            dropped: stats.dropped().map(|(reason, count)| (reason.as_str(), count)).collect(),
            quirks: stats.quirks().map(|(quirk, count)| (quirk.as_str(), count)).collect(),
            reconnects: stats.reconnects(),
            source_id: stream.source_id(),
            switches: stats.switches(),
            sources: choice.map(|choice| source_reports(stream, &choice, caller, now)),
            saved: stats.saved(),
            save_failures: stats.save_failures(),
            saving: stats.saving().map(|saving| SavingReport {
                state: saving.state.as_str(),
                since: unix_seconds(saving.since),
                reason: saving.reason,
            }),
            replay: stream.bus().history().map(|history| {
                let kept = history.kept();
                let span_s = rounded(kept.span.as_secs_f64());
                ReplayReport { span_s, frames: kept.frames, bytes: kept.bytes, viewers: stats.replaying() }
            }),
            adaptive: AdaptiveReport::of(stats.adaptive()),
            renditions: state.renditions.of(stream).iter().map(RenditionReport::of).collect(),
        }
    }
}

/// Returns a reason as this caller may read it: with details only for administrators of the stream; without a
/// stream, of framecast itself.
pub(in crate::web) fn disclosed(reason: &Reason, caller: &Caller, stream: Option<&StreamName>) -> String {
    if administers(caller, stream) { reason.detailed() } else { reason.public() }.to_owned()
}

fn administers(caller: &Caller, stream: Option<&StreamName>) -> bool {
    match stream {
        Some(_) => caller.may(Role::Admin, stream),
        None => caller.may_with_all(Role::Admin),
    }
}

fn source_reports(
    stream: &StreamHandle,
    choice: &Sources,
    caller: &Caller,
    now: Instant,
) -> Vec<SourceReport> {
    let sources = stream.config().sources().zip(&choice.standings);
    let report = |(source, standing): (&SourceConfig, &Standing)| SourceReport {
        kind: source.type_name(),
        // Hosts, programs, files and other streams' names: viewers of a stream may not see where it comes
        // from.
        place: place(source, caller).filter(|_| administers(caller, Some(stream.name()))),
        state: standing.doing.as_str(),
        reason: standing
            .failure
            .as_ref()
            .map(|failure| disclosed(&failure.reason, caller, Some(stream.name()))),
        since: match (standing.doing, &standing.failure) {
            (Doing::InUse, _) => choice.since.map(unix_seconds),
            (_, failure) => failure.as_ref().map(|failure| unix_seconds(failure.since)),
        },
        next_try_in_s: standing.due.map(|at| rounded(at.saturating_duration_since(now).as_secs_f64())),
    };
    sources.map(report).collect()
}

pub(in crate::web) fn unix_seconds(time: SystemTime) -> f64 {
    rounded(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64())
}

/// To milliseconds: more digits say nothing and make the answer long.
pub(in crate::web) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
