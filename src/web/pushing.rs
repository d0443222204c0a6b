//! Pictures pushed to us: one a request (`/frame`), or a feed without end (`/feed`).

use std::time::Duration;

use actix_multipart::Multipart;
use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde_json::json;
use subtle::ConstantTimeEq;
use tokio::time::timeout;
use tracing::info;

use super::{State, WebState, error::Problem, query};
use crate::{
    bus::DropReason,
    config::SourceConfig,
    multipart::{
        boundary::ContentKind,
        parser::{ParserLimits, PartParser},
    },
    stream::StreamHandle,
    transform::picture::{self, PictureError, PictureLimits},
};

/// A publisher that sends nothing of its body for so long is let go: its connection is dead or it holds one for nothing.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// `POST` or `PUT /streams/{name}/frame`: one picture, answered when it is shown.
pub(super) async fn frame(
    request: HttpRequest,
    state: State,
    name: web::Path<String>,
    body: web::Payload,
) -> Result<HttpResponse, Problem> {
    let stream = push_stream(&request, &state, &name)?;
    let content_type = content_type(&request);
    if content_type.starts_with("multipart/x-mixed-replace") || content_type.starts_with("multipart/mixed") {
        return feed_into(&request, &state, &stream, body).await;
    }
    let max = state.limits.max_frame_bytes;
    let picture = if content_type.starts_with("multipart/form-data") {
        file_of_form(&request, body, max).await?
    } else {
        whole_body(&request, body, max).await?
    };
    show(&state, &stream, picture).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST` or `PUT /streams/{name}/feed`: pictures one behind the other until the publisher ends; each is shown when its
/// last byte has come.
pub(super) async fn feed(
    request: HttpRequest,
    state: State,
    name: web::Path<String>,
    body: web::Payload,
) -> Result<HttpResponse, Problem> {
    let stream = push_stream(&request, &state, &name)?;
    feed_into(&request, &state, &stream, body).await
}

/// The stream, if it takes pushes and the publisher may push.
fn push_stream(request: &HttpRequest, state: &WebState, name: &str) -> Result<StreamHandle, Problem> {
    let stream = state.stream(name)?;
    let SourceConfig::Push { token } = &stream.config().source else {
        let kind = stream.config().source.type_name();
        let detail = format!(
            "stream {name} takes its pictures from a source of type {kind}; only type push takes them here"
        );
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    };
    let Some(token) = token else { return Ok(stream) };
    let shown = shown_token(request).ok_or_else(|| {
        let detail =
            format!("stream {name} wants its token: send Authorization: Bearer TOKEN, or ?token=TOKEN");
        Problem::wrong_token(detail)
    })?;
    if bool::from(shown.as_bytes().ct_eq(token.reveal().as_bytes())) {
        Ok(stream)
    } else {
        Err(Problem::wrong_token(format!("that is not the token of stream {name}")))
    }
}

fn shown_token(request: &HttpRequest) -> Option<String> {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = header.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
    });
    bearer.or_else(|| query(request, "token"))
}

fn content_type(request: &HttpRequest) -> String {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().trim().to_ascii_lowercase()
}

async fn show(state: &WebState, stream: &StreamHandle, picture: Bytes) -> Result<(), Problem> {
    let limits = PictureLimits {
        max_frame_bytes: state.limits.max_frame_bytes,
        max_frame_pixels: state.limits.max_frame_pixels,
    };
    let checked = if picture::needs_conversion(&picture) {
        match state.pool.run(move || picture::to_jpeg(picture, limits)).await {
            Ok(converted) => converted,
            Err(error) => {
                stream.sink().dropped(DropReason::Busy);
                return Err(error.into());
            }
        }
    } else {
        picture::to_jpeg(picture, limits)
    };
    match checked {
        Ok(frame) => {
            stream.sink().frame(frame);
            Ok(())
        }
        Err(error) => {
            stream.sink().dropped(drop_reason(&error));
            Err(error.into())
        }
    }
}

fn drop_reason(error: &PictureError) -> DropReason {
    match error {
        PictureError::TooLarge { .. } | PictureError::TooManyPixels { .. } | PictureError::TooLong { .. } => {
            DropReason::TooLarge
        }
        _ => DropReason::Invalid,
    }
}

async fn whole_body(request: &HttpRequest, mut body: web::Payload, max: usize) -> Result<Bytes, Problem> {
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared: Option<usize> = declared.and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|len| len > max) {
        return Err(too_large(max));
    }
    let mut whole = BytesMut::with_capacity(declared.unwrap_or_default());
    while let Some(chunk) = next_chunk(&mut body).await? {
        append(&mut whole, &chunk, max)?;
    }
    Ok(whole.freeze())
}

async fn next_chunk(body: &mut web::Payload) -> Result<Option<Bytes>, Problem> {
    match timeout(BODY_TIMEOUT, body.next()).await {
        Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
        Ok(None) => Ok(None),
        Ok(Some(Err(error))) => {
            Err(Problem::new(StatusCode::BAD_REQUEST, format!("the body broke off: {error}")))
        }
        Err(_) => Err(stalled()),
    }
}

fn stalled() -> Problem {
    let detail = format!("nothing of the body came for {} s", BODY_TIMEOUT.as_secs());
    Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
}

fn append(whole: &mut BytesMut, chunk: &[u8], max: usize) -> Result<(), Problem> {
    if whole.len() + chunk.len() > max {
        return Err(too_large(max));
    }
    whole.extend_from_slice(chunk);
    Ok(())
}

fn too_large(max: usize) -> Problem {
    let detail = format!("the picture is larger than {max} bytes (limits.max_frame_bytes)");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

/// The one file of a form, whatever its field is called.
async fn file_of_form(request: &HttpRequest, body: web::Payload, max: usize) -> Result<Bytes, Problem> {
    let broken = |error: &dyn std::fmt::Display| {
        Problem::new(StatusCode::BAD_REQUEST, format!("the form is not as RFC 7578 says: {error}"))
    };
    let mut payload = body.into_inner();
    let mut form = Multipart::from_request(request, &mut payload).await.map_err(|error| broken(&error))?;
    let mut file = None;
    while let Some(field) = timeout(BODY_TIMEOUT, form.next()).await.map_err(|_| stalled())? {
        let mut field = field.map_err(|error| broken(&error))?;
        let is_file = field.content_disposition().is_some_and(|d| d.get_filename().is_some());
        let mut whole = BytesMut::new();
        while let Some(chunk) = timeout(BODY_TIMEOUT, field.next()).await.map_err(|_| stalled())? {
            append(&mut whole, &chunk.map_err(|error| broken(&error))?, max)?;
        }
        if is_file && file.replace(whole.freeze()).is_some() {
            let detail = "the form has several files; send one a request, or a feed to …/feed";
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
        }
    }
    file.ok_or_else(|| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "the form has no file; send one, as curl -F file=@picture.jpg does",
        )
    })
}

async fn feed_into(
    request: &HttpRequest,
    state: &WebState,
    stream: &StreamHandle,
    mut body: web::Payload,
) -> Result<HttpResponse, Problem> {
    let limits = ParserLimits {
        max_frame_bytes: state.limits.max_frame_bytes,
        max_header_bytes: state.limits.max_header_bytes,
    };
    let kind = ContentKind::from_header(
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()),
    );
    let mut parser = PartParser::new(kind, limits);
    let mut turn = stream.take_over_publishing();
    turn.mark_unchanged();
    let (stream_name, mut frames) = (stream.name().as_str(), 0_u64);
    info!(stream = stream_name, peer = ?request.peer_addr(), "publisher feeds");
    loop {
        let chunk = tokio::select! {
            biased;
            _ = turn.changed() => {
                let detail = format!("another publisher feeds stream {stream_name} now; the newest wins");
                return Err(Problem::new(StatusCode::CONFLICT, detail));
            }
            chunk = next_chunk(&mut body) => chunk,
        };
        let ended = match chunk {
            Ok(Some(chunk)) => {
                parser.push(&chunk);
                false
            }
            Ok(None) => true,
            Err(problem) => {
                info!(stream = stream_name, frames, "publisher left: {problem}");
                return Err(problem);
            }
        };
        loop {
            let part = if ended { parser.finish() } else { parser.next_part() };
            let part =
                part.map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()));
            stream.sink().parsed(&parser.take_events());
            match part? {
                Some(part) => {
                    stream.sink().part(part);
                    frames += 1;
                }
                None => break,
            }
        }
        if ended {
            info!(stream = stream_name, frames, "publisher ended its feed");
            return Ok(HttpResponse::Ok().json(json!({"frames": frames})));
        }
    }
}
