//! The viewers that are there: who they are, since when, and what they were given.
//!
//! Each has a number, which the lines of the log say when it comes and when it goes.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use dashmap::DashMap;
use schemars::JsonSchema;
use serde::Serialize;
use tracing::info;

use crate::{
    auth::Caller,
    config::Role,
    media::stream_name::StreamName,
    observability::{ACCESS, next_id},
    viewer::Counts,
    web::{
        State, WebState,
        middleware::{
            access_log::{Asked, milliseconds, shown},
            problem::Problem,
        },
        response::numbers::unix_seconds,
    },
};

/// All viewers by number. As many as there are seats: `limits.max_viewers`.
#[derive(Debug, Default)]
pub struct Viewers(DashMap<u64, Arc<Present>>);

/// The way a viewer gets its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Kind {
    /// A stream of parts.
    Stream,
    /// go2rtc's WebSocket.
    WebSocket,
    /// The past, played again.
    Replay,
    /// The past as a file.
    Clip,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::WebSocket => "web_socket",
            Self::Replay => "replay",
            Self::Clip => "clip",
        }
    }
}

/// A viewer.
#[derive(Debug)]
struct Present {
    id: u64,
    stream: StreamName,
    kind: Kind,
    asked: Asked,
    protocol: String,
    since: SystemTime,
    begun: Instant,
    counts: Arc<Counts>,
}

/// While it lives, a viewer is one of those that are there.
#[derive(Debug)]
pub(in crate::web) struct Viewing {
    viewers: Arc<Viewers>,
    present: Arc<Present>,
}

impl Viewing {
    /// A viewer of `stream` who asked by `request`; what it is given is counted in `counts`.
    pub(in crate::web) fn begin(
        state: &WebState,
        request: &HttpRequest,
        stream: &StreamName,
        kind: Kind,
        counts: Arc<Counts>,
    ) -> Self {
        let present = Arc::new(Present {
            id: next_id(),
            stream: stream.clone(),
            kind,
            asked: Asked::of(state, request),
            protocol: format!("{:?}", request.version()),
            since: SystemTime::now(),
            begun: Instant::now(),
            counts,
        });
        present.say_begin();
        state.viewers.0.insert(present.id, present.clone());
        Self { viewers: state.viewers.clone(), present }
    }
}

impl Drop for Viewing {
    fn drop(&mut self) {
        self.viewers.0.remove(&self.present.id);
        self.present.say_end();
    }
}

impl Present {
    fn say_begin(&self) {
        let Asked { method, target, client, user, agent } = &self.asked;
        let (user, agent, kind) = (user.as_deref(), agent.as_deref(), self.kind.as_str());
        info!(
            target: ACCESS, viewer = self.id, stream = %self.stream, kind, %method, path = %target,
            client = shown(*client), user, agent, "a viewer comes"
        );
    }

    fn say_end(&self) {
        let Asked { method, target, client, user, .. } = &self.asked;
        let (user, kind, status) = (user.as_deref(), self.kind.as_str(), 200);
        let (frames, bytes, skipped) = (self.counts.frames(), self.counts.bytes(), self.counts.skipped());
        info!(
            target: ACCESS, viewer = self.id, stream = %self.stream, kind, %method, path = %target, status,
            frames, bytes, skipped, duration_ms = milliseconds(self.begun), client = shown(*client), user,
            "a viewer goes"
        );
    }
}

/// The answer of `/api/viewers`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Viewers")]
pub(in crate::web) struct Report {
    viewers: Vec<ViewerReport>,
}

/// One viewer.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Viewer")]
struct ViewerReport {
    id: u64,
    stream: String,
    kind: &'static str,
    protocol: String,
    path: String,
    client: Option<String>,
    user: Option<String>,
    agent: Option<String>,
    since: f64,
    frames: u64,
    bytes: u64,
    skipped: u64,
}

impl ViewerReport {
    fn of(present: &Present) -> Self {
        let Asked { target, client, user, agent, .. } = present.asked.clone();
        Self {
            id: present.id,
            stream: present.stream.to_string(),
            kind: present.kind.as_str(),
            protocol: present.protocol.clone(),
            path: target,
            client: client.map(|client| client.to_string()),
            user,
            agent,
            since: unix_seconds(present.since),
            frames: present.counts.frames(),
            bytes: present.counts.bytes(),
            skipped: present.counts.skipped(),
        }
    }
}

/// `GET /api/viewers`: of all streams that the caller may change. Who watches is nobody else's business.
pub(in crate::web) async fn all(state: State, caller: Caller) -> HttpResponse {
    answer(&state, |stream| caller.may(Role::Admin, Some(stream)))
}

/// `GET /api/streams/{name}/viewers`.
pub(in crate::web) async fn of_stream(
    state: State,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let stream = state.stream(&name)?;
    Ok(answer(&state, |name| name == stream.name()))
}

fn answer(state: &WebState, wanted: impl Fn(&StreamName) -> bool) -> HttpResponse {
    let present = state.viewers.0.iter().filter(|present| wanted(&present.stream));
    let mut viewers: Vec<_> = present.map(|present| ViewerReport::of(&present)).collect();
    viewers.sort_by_key(|viewer| viewer.id);
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(Report { viewers })
}
