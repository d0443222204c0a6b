//! One picture as an HTTP answer.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
    web,
};

use super::{State, WebState, error::Problem, query};
use crate::{
    bus::Published,
    multipart::writer::timestamp,
    session::{newest_picture, next_after},
    stream::StreamHandle,
};

/// `GET /streams/{name}/snapshot`, `/{name}.jpg`.
pub(super) async fn by_name(
    request: HttpRequest,
    state: State,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    answer(&request, &state, &state.stream(&name)?).await
}

/// Answers with the stream's newest picture; with `?wait=next`, with the first that comes after the request did.
///
/// # Errors
/// 503 when there is none, with the reason.
pub(super) async fn answer(
    request: &HttpRequest,
    state: &WebState,
    stream: &StreamHandle,
) -> Result<HttpResponse, Problem> {
    let picture = match query(request, "wait").as_deref() {
        Some("next") => next_after(stream, stream.bus().newest().map_or(0, |newest| newest.seq)).await?,
        _ => newest_picture(stream).await?,
    };
    Ok(picture_answer(request, state, stream, &picture))
}

fn picture_answer(
    request: &HttpRequest,
    state: &WebState,
    stream: &StreamHandle,
    picture: &Published,
) -> HttpResponse {
    // The number alone would repeat after a restart.
    let etag = format!("\"{}-{}\"", timestamp(state.started), picture.seq);
    let known =
        request.headers().get(header::IF_NONE_MATCH).is_some_and(|tag| tag.as_bytes() == etag.as_bytes());
    let mut head = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    super::never_cached(&mut head);
    super::allow_origin(&mut head, state);
    let frame = &picture.frame;
    head.insert_header((header::ETAG, etag));
    head.insert_header(("X-Timestamp", timestamp(frame.taken())));
    head.insert_header((
        "X-UStreamer-Online",
        (stream.status().state == crate::stream::state::State::Live).to_string(),
    ));
    head.insert_header(("X-UStreamer-Width", frame.width().to_string()));
    head.insert_header(("X-UStreamer-Height", frame.height().to_string()));
    if known {
        return head.finish();
    }
    head.content_type("image/jpeg");
    if request.method() == Method::HEAD {
        head.no_chunking(frame.jpeg().len() as u64);
        return head.finish();
    }
    stream.bus().stats().count_frame_out(frame.jpeg().len(), 0);
    head.body(frame.jpeg().clone())
}
