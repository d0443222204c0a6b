//! The frame rates of the last minutes, as JSON: a page that was just opened has its graphs full.

use std::{
    collections::BTreeMap,
    time::{Instant, SystemTime},
};

use actix_web::{HttpResponse, http::header, web};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    auth::Principal,
    bus::FPS_HISTORY_STEP,
    config::Role,
    stream::StreamHandle,
    web::{
        middleware::problem::Problem,
        response::json_numbers::{rounded, unix_seconds},
        state::State,
    },
};

/// The answer of `/api/history`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "History")]
pub(in crate::web) struct Report {
    time: f64,
    step_s: f64,
    /// Frames a second in each step, oldest first. The last one ended less than a step ago.
    fps: BTreeMap<String, Vec<f64>>,
}

/// `GET /api/history`: of all streams that the caller may watch.
pub(in crate::web) async fn all(state: State, principal: Principal) -> HttpResponse {
    let streams = state.streams.registry.all().into_iter().chain(state.streams.registry.overview());
    answer(streams.filter(|stream| principal.is_allowed(Role::View, Some(stream.name()))))
}

/// `GET /api/streams/{name}/history`.
pub(in crate::web) async fn of_stream(
    state: State,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    Ok(answer([state.streams.find(&name)?].into_iter()))
}

fn answer(streams: impl Iterator<Item = StreamHandle>) -> HttpResponse {
    let now = Instant::now();
    let rates =
        |stream: &StreamHandle| stream.bus().stats().fps_history(now).into_iter().map(rounded).collect();
    let report = Report {
        time: unix_seconds(SystemTime::now()),
        step_s: FPS_HISTORY_STEP.as_secs_f64(),
        fps: streams.map(|stream| (stream.name().to_string(), rates(&stream))).collect(),
    };
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(report)
}
