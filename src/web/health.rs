//! Liveness and readiness, as container platforms ask for them.

use std::sync::atomic::Ordering;

use actix_web::{HttpResponse, http::header};
use serde_json::json;

use super::{State, error::Problem};

/// `GET /healthz`: the process answers.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(json!({"status": "ok"}))
}

/// `GET /readyz`: it takes viewers.
pub(super) async fn ready(state: State) -> Result<HttpResponse, Problem> {
    if state.stopping.load(Ordering::Relaxed) {
        return Err(Problem::unavailable("framecast is shutting down"));
    }
    let streams = state.registry.all().len();
    let answer = json!({"status": "ready", "streams": streams});
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}
