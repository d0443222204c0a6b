//! The routes that clients of mjpg-streamer and ustreamer already use, unchanged.
//!
//! Their answers are raw bytes to the end of the connection: those clients expect no chunks.

pub(crate) mod answers;

use std::{collections::BTreeMap, time::Instant};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use answers::{
    Encoder, Format, Input, Output, Plugin, Program, Resolution, Result as Reported, Source, State as Told,
    Stream as Sent,
};

use crate::{
    auth::Principal,
    config::Role,
    stream::{StreamHandle, state},
    web::{
        middleware::{
            access::mjpg_streamer_ids::{Which, stream_of},
            problem::Problem,
        },
        query::query,
        state::State,
        streams::{options::StreamOptions, snapshot, watch},
    },
};

/// The maximum length of `?key=` in the cookie.
const MAX_KEY_LENGTH: usize = 64;

/// `/?action=…` of mjpg-streamer; `N` counts streams from 0 in the order of the configuration. Anything
/// behind it (`&ignored.mjpg`) is ignored.
///
/// # Errors
/// 404 for a stream that is not there, 501 for what only mjpg-streamer does.
pub(in crate::web) async fn mjpg_streamer(
    request: &HttpRequest,
    state: &State,
    action: &str,
) -> Result<HttpResponse, Problem> {
    let verb = action.split_once('_').map_or(action, |(verb, _)| verb);
    let stream = || match stream_of(action) {
        Some(Which::Default) => state.default_stream(),
        Some(Which::Nth(digits)) => state.streams.find_by_position(digits),
        None => Err(unknown_action(action)),
    };
    match verb {
        "stream" => {
            let StreamOptions { adapt, meta, is_framecast, .. } = StreamOptions::from_request(request);
            let options =
                StreamOptions { unchunked: true, adapt, meta, is_framecast, ..StreamOptions::default() };
            watch::answer(request, state, &stream()?, options).await
        }
        "snapshot" => snapshot::answer(request, state, &stream()?).await,
        "command" | "take" => {
            let detail =
                format!("mjpg-streamer's action={verb} is not for framecast: it sets no camera's controls");
            Err(Problem::new(StatusCode::NOT_IMPLEMENTED, detail))
        }
        _ => Err(unknown_action(action)),
    }
}

fn unknown_action(action: &str) -> Problem {
    let detail = format!("action={action} is not known; use stream, stream_N, snapshot or snapshot_N");
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

/// `GET /stream` of ustreamer: the default stream.
pub(in crate::web) async fn ustreamer_stream(
    request: HttpRequest,
    state: State,
) -> Result<HttpResponse, Problem> {
    let key: String = query(&request, "key").unwrap_or_default();
    let safe = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    let key: String = key.chars().filter(safe).take(MAX_KEY_LENGTH).collect();
    let key = if key.is_empty() { "0".to_owned() } else { key };
    let cookie = format!("stream_client={key}/{:016x}; path=/; max-age=30", fastrand::u64(..));
    let options =
        StreamOptions { unchunked: true, cookie: Some(cookie), ..StreamOptions::from_request(&request) };
    watch::answer(&request, &state, &state.default_stream()?, options).await
}

/// `GET /snapshot` of ustreamer.
pub(in crate::web) async fn ustreamer_snapshot(
    request: HttpRequest,
    state: State,
) -> Result<HttpResponse, Problem> {
    snapshot::answer(&request, &state, &state.default_stream()?).await
}

/// `GET /state` of ustreamer.
pub(in crate::web) async fn ustreamer_state(state: State) -> Result<HttpResponse, Problem> {
    let stream = state.default_stream()?;
    let (width, height) = stream.bus().newest().map_or((0, 0), |n| (n.frame.width(), n.frame.height()));
    let stats = stream.bus().stats();
    let fps = stats.fps(Instant::now()).round() as u64;
    let online = stream.status().state == state::State::Live;
    let result = Reported {
        instance_id: "",
        encoder: Encoder { kind: "CPU", quality: 0 },
        source: Source {
            resolution: Resolution { width, height },
            online,
            desired_fps: stream.config().max_fps.unwrap_or(0.0).round() as u64,
            captured_fps: fps,
        },
        stream: Sent { queued_fps: fps, clients: stats.viewers(), clients_stat: BTreeMap::new() },
    };
    let answer = Told { ok: true, result };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

/// `GET /program.json` of mjpg-streamer: its plugins; here, one input a stream.
pub(in crate::web) async fn program_json(state: State, principal: Principal) -> HttpResponse {
    let streams = state.streams.registry.all();
    let inputs = streams
        .iter()
        .enumerate()
        .filter(|(_, stream)| principal.is_allowed(Role::View, Some(stream.name())));
    let inputs = inputs.map(|(n, stream)| input_entry(n, stream)).collect();
    let name = "framecast HTTP output".to_owned();
    let outputs = vec![Plugin { id: 0, name, plugin: "output_http.so", args: "" }];
    HttpResponse::Ok().json(Program { inputs, outputs })
}

fn input_entry(id: usize, stream: &StreamHandle) -> Plugin {
    let config = stream.config();
    Plugin { id, name: config.title.clone(), plugin: config.source().type_name(), args: "" }
}

/// `GET /input_N.json` of mjpg-streamer: a camera's controls and formats. framecast has no controls to offer.
pub(in crate::web) async fn input_json(
    state: State,
    number: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let stream = state.streams.find_by_position(&number)?;
    let mut formats = Vec::new();
    if let Some(newest) = stream.bus().newest() {
        let size = format!("{}x{}", newest.frame.width(), newest.frame.height());
        let resolutions = BTreeMap::from([("0", size)]);
        formats.push(Format { id: 0, name: "JPEG", current: "true", resolutions });
    }
    Ok(HttpResponse::Ok().json(Input { controls: [], formats }))
}

/// `GET /output_N.json` of mjpg-streamer: one output, without controls.
pub(in crate::web) async fn output_json(number: web::Path<usize>) -> Result<HttpResponse, Problem> {
    if *number != 0 {
        let detail = format!("there is no output number {number}; there is one, number 0");
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    }
    Ok(HttpResponse::Ok().json(Output { controls: [] }))
}
