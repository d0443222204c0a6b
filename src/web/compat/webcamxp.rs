//! WebcamXP's addresses: `/cam_N.mjpg` and `/cam_N.jpg`, counted from 1. A stream that has such a name comes
//! first.

use actix_web::{HttpRequest, HttpResponse, web};

use super::stream_selector::camera;
use crate::{
    auth::Principal,
    web::{
        middleware::problem::Problem,
        state::State,
        streams::{options::StreamOptions, snapshot, watch},
    },
};

/// `GET /cam_N.mjpg`.
pub(in crate::web) async fn stream(
    request: HttpRequest,
    state: State,
    principal: Principal,
    number: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    watch::answer(
        &request,
        &state,
        &camera(&state, &principal, &number)?,
        StreamOptions::from_request(&request),
    )
    .await
}

/// `GET /cam_N.jpg`.
pub(in crate::web) async fn picture(
    request: HttpRequest,
    state: State,
    principal: Principal,
    number: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    snapshot::answer(&request, &state, &camera(&state, &principal, &number)?).await
}
