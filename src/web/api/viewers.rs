//! The connected viewers, as JSON.

use actix_web::{HttpResponse, http::header, web};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    auth::Principal,
    config::Role,
    media::stream_name::StreamName,
    web::{
        middleware::{access_log::request_info::RequestInfo, problem::Problem},
        response::json_numbers::unix_seconds,
        state::{State, WebState},
        streams::viewer_list::ViewerEntry,
    },
};

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
    fn of(viewer: &ViewerEntry) -> Self {
        let RequestInfo { target, client, user, agent, .. } = viewer.request.clone();
        Self {
            id: viewer.id,
            stream: viewer.stream.to_string(),
            kind: viewer.kind.as_str(),
            protocol: viewer.protocol.clone(),
            path: target,
            client: client.map(|client| client.to_string()),
            user,
            agent,
            since: unix_seconds(viewer.since),
            frames: viewer.counts.frames(),
            bytes: viewer.counts.bytes(),
            skipped: viewer.counts.skipped(),
        }
    }
}

/// `GET /api/viewers`: of all streams that the caller may change. Others may not see who watches.
pub(in crate::web) async fn all(state: State, principal: Principal) -> HttpResponse {
    answer(&state, |stream| principal.is_allowed(Role::Admin, Some(stream)))
}

/// `GET /api/streams/{name}/viewers`.
pub(in crate::web) async fn of_stream(
    state: State,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let stream = state.streams.find(&name)?;
    Ok(answer(&state, |name| name == stream.name()))
}

fn answer(state: &WebState, wanted: impl Fn(&StreamName) -> bool) -> HttpResponse {
    let viewers = state.streams.viewers.of(wanted).iter().map(|viewer| ViewerReport::of(viewer)).collect();
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(Report { viewers })
}
