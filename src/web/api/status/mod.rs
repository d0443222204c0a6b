//! The state of the streams, as JSON.

mod frame_size;
mod relay;
mod renditions;
mod stream;

use actix_web::{HttpRequest, HttpResponse, http::header, web};
pub(in crate::web) use relay::Report;
pub(in crate::web) use stream::StreamReport;

use crate::{
    auth::Principal,
    web::{
        compat::go2rtc,
        middleware::{access::authenticate_fully, problem::Problem},
        query::query,
        state::State,
    },
};

/// `GET /api/streams`: all that the caller may watch, in the order of the configuration. With `?src=NAME`
/// go2rtc's clients mean one of them.
pub(in crate::web) async fn streams(
    request: HttpRequest,
    state: State,
    principal: Principal,
) -> Result<HttpResponse, Problem> {
    let principal = authenticate_fully(principal, &state, &request).await;
    if query(&request, "src").is_some() {
        return go2rtc::one(&request, &state, &principal);
    }
    let report = Report::of(&state, &principal);
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(report))
}

/// `GET /api/streams/{name}`.
pub(in crate::web) async fn stream(
    request: HttpRequest,
    state: State,
    principal: Principal,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let principal = authenticate_fully(principal, &state, &request).await;
    let report = StreamReport::of(&state.streams.find(&name)?, &state, &principal);
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(report))
}
