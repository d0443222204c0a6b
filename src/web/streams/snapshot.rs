//! A single frame as an HTTP response.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{Method, StatusCode, header},
    web,
};

use super::renditions;
use crate::{
    bus::PublishedFrame,
    media::{frame::Frame, multipart::writer::timestamp},
    registry::ImageParams,
    stream::StreamHandle,
    viewer::{newest_picture, next_after},
    web::{
        middleware::problem::Problem,
        query::query,
        response::frame_headers::{allow_origin, set_no_cache},
        server::transport::{Busy, Outbox},
        state::{State, WebState},
    },
};

/// `GET /streams/{name}/snapshot`, `/{name}.jpg`.
pub(in crate::web) async fn by_name(
    request: HttpRequest,
    state: State,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    answer(&request, &state, &state.streams.find(&name)?).await
}

/// Answers with the stream's newest picture; with `?wait=next`, with the first that comes after the request
/// did. In the size and so on that the query asks for.
///
/// # Errors
/// 400 for a query that makes no sense; 503 when there is none, or no worker to make it so, with the reason.
pub(in crate::web) async fn answer(
    request: &HttpRequest,
    state: &WebState,
    stream: &StreamHandle,
) -> Result<HttpResponse, Problem> {
    answer_as(request, state, stream, renditions::params_of(request)?).await
}

/// Serves a snapshot with options that come from another API's parameters.
///
/// # Errors
/// 503 when there is none, or no worker to make it so, with the reason.
pub(in crate::web) async fn answer_as(
    request: &HttpRequest,
    state: &WebState,
    stream: &StreamHandle,
    params: ImageParams,
) -> Result<HttpResponse, Problem> {
    let params = params.without_rate();
    let _busy = Outbox::of(request).busy(Busy::Answering);
    let number = query(request, "seq").map(|seq| {
        let wrong =
            || Problem::new(StatusCode::BAD_REQUEST, "seq must be the number of a frame, such as seq=17");
        seq.parse().map_err(|_| wrong())
    });
    if let Some(seq) = number.transpose()? {
        let picture = held(stream, seq)?;
        return show(request, state, stream, params, &picture).await;
    }
    let picture = match query(request, "wait").as_deref() {
        Some("next") => next_after(stream, stream.bus().newest().map_or(0, |newest| newest.seq)).await?,
        Some(_) => {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "wait must be next, or left out"));
        }
        None => newest_picture(stream).await?,
    };
    show(request, state, stream, params, &picture).await
}

/// Returns the frame with this number, if it is the newest one or in the replay buffer.
///
/// # Errors
/// 404 when it is not held.
pub(in crate::web) fn held(stream: &StreamHandle, seq: u64) -> Result<Arc<PublishedFrame>, Problem> {
    let is_it = |newest: &Arc<PublishedFrame>| newest.frame.seq().is_some_and(|found| found.get() == seq);
    let found = stream.bus().newest().filter(is_it);
    let past = || Some(Arc::new(stream.bus().replay_buffer()?.find(seq)?.published()));
    found.or_else(past).ok_or_else(|| {
        let name = stream.name();
        let detail = format!(
            "stream {name} does not hold frame {seq}: only the newest one and those of its replay buffer \
             (`replay: 30s`) are held"
        );
        Problem::new(StatusCode::NOT_FOUND, detail)
    })
}

/// Serves this frame.
///
/// # Errors
/// 503 when there is no worker to make it so, with the reason.
pub(in crate::web) async fn show(
    request: &HttpRequest,
    state: &WebState,
    stream: &StreamHandle,
    params: ImageParams,
    picture: &PublishedFrame,
) -> Result<HttpResponse, Problem> {
    // The number alone would repeat after a restart.
    let mut etag = format!("\"{}-{}", timestamp(state.runtime.started), picture.seq);
    if !params.is_default() {
        etag = format!("{etag}-{params}");
    }
    etag.push('"');
    if has_cached(request, &etag) {
        return Ok(head_of(HttpResponse::NotModified(), state, stream, &etag, &picture.frame).finish());
    }
    let frame = renditions::cached_picture(state, stream, params, picture).await?;
    let mut head = head_of(HttpResponse::Ok(), state, stream, &etag, &frame);
    head.insert_header(("X-UStreamer-Width", frame.width().to_string()));
    head.insert_header(("X-UStreamer-Height", frame.height().to_string()));
    head.content_type("image/jpeg");
    if request.method() != Method::HEAD {
        stream.bus().stats().count_frame_out(frame.jpeg().len(), 0);
    }
    // actix leaves out the body of an answer to HEAD, and keeps its length.
    Ok(head.body(frame.jpeg().clone()))
}

fn head_of(
    mut head: HttpResponseBuilder,
    state: &WebState,
    stream: &StreamHandle,
    etag: &str,
    frame: &Frame,
) -> HttpResponseBuilder {
    set_no_cache(&mut head);
    allow_origin(&mut head, &state.runtime.settings.current());
    head.insert_header((header::ETAG, etag));
    head.insert_header(("X-Timestamp", timestamp(frame.captured_at())));
    for (name, value) in frame.facts().headers() {
        head.insert_header((name, value.as_ref()));
    }
    head.insert_header((
        "X-UStreamer-Online",
        (stream.status().state == crate::stream::state::State::Live).to_string(),
    ));
    head
}

/// Returns whether the client has this frame already (RFC 9110, 13.1.2: a list of tags, weak ones too, or
/// `*`).
fn has_cached(request: &HttpRequest, etag: &str) -> bool {
    let lines = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}
