//! Recent events, as JSON.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    auth::Principal,
    registry::Event,
    web::{
        middleware::{access::authenticate_fully, problem::Problem},
        query::query,
        response::{
            json_numbers::unix_seconds,
            visibility::{disclosed, may_see},
        },
        state::State,
    },
};

/// The answer of `/api/events`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Events")]
pub(in crate::web) struct Report {
    /// Ask for those after this one the next time.
    last: u64,
    events: Vec<EventReport>,
}

/// One event.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
struct EventReport {
    id: u64,
    time: f64,
    stream: Option<String>,
    kind: &'static str,
    state: Option<&'static str>,
    message: String,
}

/// `GET /api/events?after=ID`: of those that the caller may see the ones behind number ID that are still
/// kept, oldest first.
pub(in crate::web) async fn events(
    request: HttpRequest,
    state: State,
    principal: Principal,
) -> Result<HttpResponse, Problem> {
    let principal = authenticate_fully(principal, &state, &request).await;
    let after = match query(&request, "after") {
        None => 0,
        Some(text) => text.parse().map_err(|_| {
            Problem::new(StatusCode::BAD_REQUEST, "after must be the number of an event, such as after=17")
        })?,
    };
    let visible = state.streams.events.visible(after, may_see(&principal));
    let last = visible.events.last().map_or(visible.last, |event| event.id);
    let events = visible.events.into_iter().map(|event| EventReport::of(event, &principal)).collect();
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(Report { last, events }))
}

impl EventReport {
    fn of(event: Event, principal: &Principal) -> Self {
        let message = disclosed(&event.message, principal, event.stream.as_ref());
        Self {
            id: event.id,
            time: unix_seconds(event.time),
            stream: event.stream.map(|name| name.to_string()),
            kind: event.kind.as_str(),
            state: event.kind.state(),
            message,
        }
    }
}
