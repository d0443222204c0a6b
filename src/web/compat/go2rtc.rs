//! go2rtc's addresses over HTTP: `/api/stream.mjpeg`, `/api/frame.jpeg`, and its list of streams.
//!
//! Its list is at `/api/streams`, where framecast's own is: a client that asks for one stream there
//! (`?src=NAME`) gets go2rtc's answer, and one that asks for all gets it at `/go2rtc/api/streams`, with
//! `/go2rtc` as its base address.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::stream_selector::{missing_stream, stream_from_query};
use crate::{
    auth::Principal,
    bus::PublishedFrame,
    config::Role,
    media::frame::FrameKind,
    registry::ImageParams,
    stream::StreamHandle,
    web::{
        middleware::{access::authenticate_fully, problem::Problem},
        query::query,
        response::visibility::source_location,
        state::State,
        streams::{options::StreamOptions, push, snapshot, watch},
    },
};

/// `GET /api/stream.mjpeg?src=NAME`.
pub(in crate::web) async fn stream(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let stream = stream_from_query(&request, &state, "src")?;
    watch::answer(&request, &state, &stream, StreamOptions::from_request(&request)).await
}

/// `POST /api/stream.mjpeg?dst=NAME`: a feed.
pub(in crate::web) async fn feed(request: HttpRequest, state: State, payload: web::Payload) -> HttpResponse {
    let name = query(&request, "dst");
    push::feed_to(&request, &state, name.ok_or_else(|| missing_stream("dst")), payload).await
}

/// `GET /api/frame.jpeg?src=NAME`, with `w`, `h`, `rotate` and `cache`.
pub(in crate::web) async fn frame(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let stream = stream_from_query(&request, &state, "src")?;
    let params = ImageParams::parse(|key| match key {
        "width" => query(&request, "w").or_else(|| query(&request, "width")),
        "height" => query(&request, "h").or_else(|| query(&request, "height")),
        "rotate" => query(&request, "rotate").map(|turn| if turn == "-90" { "270".to_owned() } else { turn }),
        _ => None,
    })?;
    match cache(&request)?.and_then(|within| kept(&stream, within)) {
        Some(picture) => snapshot::show(&request, &state, &stream, params, &picture).await,
        None => snapshot::answer_as(&request, &state, &stream, params).await,
    }
}

/// The newest picture, if it is no older: also of a stream whose source is away.
fn kept(stream: &StreamHandle, within: Duration) -> Option<Arc<PublishedFrame>> {
    let newest = stream.bus().newest()?;
    let fresh = newest.frame.kind() == FrameKind::Picture && newest.frame.arrived_at().elapsed() <= within;
    fresh.then_some(newest)
}

/// Returns the greatest age of a picture: `?cache=10s`.
fn cache(request: &HttpRequest) -> Result<Option<Duration>, Problem> {
    let Some(text) = query(request, "cache").filter(|text| !text.is_empty()) else { return Ok(None) };
    let age = duration(&text).ok_or_else(|| {
        let detail = "cache must be a time such as 500ms, 10s or 1m";
        Problem::new(StatusCode::BAD_REQUEST, detail)
    })?;
    Ok(Some(age))
}

fn duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

/// `GET /go2rtc/api/streams`: all, by their names.
pub(in crate::web) async fn streams(
    request: HttpRequest,
    state: State,
    principal: Principal,
) -> HttpResponse {
    let principal = authenticate_fully(principal, &state, &request).await;
    let streams = state.streams.registry.all();
    let seen = streams.iter().filter(|stream| principal.is_allowed(Role::View, Some(stream.name())));
    let all: BTreeMap<String, Entry> =
        seen.map(|stream| (stream.name().to_string(), entry(stream, &principal))).collect();
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(all)
}

/// `GET /api/streams?src=NAME`: one of them.
pub(in crate::web) fn one(
    request: &HttpRequest,
    state: &State,
    principal: &Principal,
) -> Result<HttpResponse, Problem> {
    let stream = stream_from_query(request, state, "src")?;
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(entry(&stream, principal)))
}

/// A stream, as go2rtc describes its own.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Go2rtcStream")]
pub(in crate::web) struct Entry {
    producers: Vec<Producer>,
    consumers: Vec<Consumer>,
}

/// A source.
#[derive(Debug, Serialize, JsonSchema)]
struct Producer {
    url: String,
}

/// A viewer.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Consumer {
    format_name: &'static str,
    protocol: &'static str,
}

/// Reports a stream: a producer per source, whose `url` is its type and for administrators its place, and a
/// consumer per viewer.
fn entry(stream: &StreamHandle, principal: &Principal) -> Entry {
    let administers = principal.is_allowed(Role::Admin, Some(stream.name()));
    let producers: Vec<_> = stream
        .config()
        .sources()
        .map(|source| {
            let place = source_location(source, principal).filter(|_| administers).unwrap_or_default();
            Producer { url: format!("{}:{place}", source.type_name()) }
        })
        .collect();
    let consumer = Consumer { format_name: "mpjpeg", protocol: "http" };
    Entry { producers, consumers: vec![consumer; stream.bus().stats().viewers()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_go_writes_them() {
        for (text, wanted) in [("500ms", 0.5), ("10s", 10.0), ("1m", 60.0), ("1.5h", 5400.0)] {
            assert_eq!(duration(text), Some(Duration::from_secs_f64(wanted)), "{text}");
        }
        for text in ["10", "s", "-1s", "1d", "1e99h", "..s", "99999999999999999999999h"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
