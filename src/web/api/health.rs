//! Liveness and readiness, as container platforms ask for them.

use std::sync::atomic::Ordering;

use actix_web::{HttpResponse, http::header};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    config::Role,
    web::{middleware::problem::Problem, state::State},
};

/// The answer of `/healthz`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct Alive {
    #[schemars(extend("const" = "ok"))]
    status: &'static str,
}

/// The answer of `/readyz`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct Ready {
    #[schemars(extend("const" = "ready"))]
    status: &'static str,
    /// Number of streams that everybody may watch.
    streams: usize,
}

/// `GET /healthz`: the process answers.
pub(in crate::web) async fn live() -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(Alive { status: "ok" })
}

/// `GET /readyz`: it takes viewers.
pub(in crate::web) async fn ready(state: State) -> Result<HttpResponse, Problem> {
    if state.runtime.stopping.load(Ordering::Relaxed) {
        return Err(Problem::unavailable("framecast is shutting down"));
    }
    // Everybody may ask, so only streams that everybody may watch are counted.
    let anybody = state.access.auth.anonymous();
    let streams = state.streams.registry.all();
    let streams = streams.iter().filter(|stream| anybody.is_allowed(Role::View, Some(stream.name()))).count();
    let answer = Ready { status: "ready", streams };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}
