//! Pushed pictures: one in a request (`/frame`), or a feed without end (`/feed`).

mod body_kind;
mod feed;
mod form;
pub(crate) mod late_meta;
mod meta;
mod recent_feeds;

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use body_kind::{BodyKind, is_picture};
pub(in crate::web) use feed::Fed;
#[cfg(any(test, fuzzing))]
pub(in crate::web) use form::file_in as file_of_form;
pub use recent_feeds::RecentFeeds;

use tokio::time::timeout;

use crate::{
    bus::DropReason,
    config::{SecondPublisher, SourceConfig},
    imaging::{
        PoolError, convert,
        convert::{ConversionSize, PictureError, PictureLimits},
    },
    media::{
        capture::{CaptureHeaders, Sender},
        frame::Frame,
        jpeg::lacks_eoi,
        multipart::parser::Quirk,
    },
    stream::{StreamHandle, state::State as StreamState},
    web::{
        middleware::{
            problem::Problem,
            rejected_pushes,
            uploads::{
                admission,
                body::{ReceivedBody, RequestBody},
            },
        },
        state::{State, WebState},
    },
};

/// The time limit for the transforms of a picture, and for those before it; then the publisher is told.
const SHOW_TIMEOUT: Duration = Duration::from_secs(30);

/// Content types that only a feed has, wherever it is sent. `image/jpeg` may be both: its address decides.
const FEED_TYPES: [&str; 3] = ["multipart/x-mixed-replace", "multipart/mixed", "video/"];

/// `POST` or `PUT /streams/{name}/frame`: one picture, answered when it is shown.
pub(in crate::web) async fn frame(
    request: HttpRequest,
    state: State,
    name: web::Path<String>,
    payload: web::Payload,
) -> HttpResponse {
    let content_type = content_type(&request);
    let is_feed = FEED_TYPES.iter().any(|feed| content_type.starts_with(feed));
    let mut body = RequestBody::new(&request, payload);
    let taken = async {
        let (stream, second) = push_stream(&state, &name)?;
        if is_feed {
            return feed::run(&request, &state, &stream, second, &mut body).await;
        }
        let headers = meta::capture_headers(&request)?;
        if second == SecondPublisher::Refused && stream.has_publisher() {
            return Err(feed::already_publishing(&name));
        }
        match one_picture(&request, &state, &stream, &mut body).await? {
            Some(picture) => show(&state, &stream, picture, &headers).await,
            None => feed::run(&request, &state, &stream, second, &mut body).await,
        }
    };
    match taken.await {
        Ok(answer) => answer,
        Err(problem) => {
            rejected_pushes::count(&state.streams, &name, problem.status());
            body.refuse(problem).await
        }
    }
}

/// `POST` or `PUT /streams/{name}/feed`: pictures one behind the other until the publisher ends; each is
/// shown when its last byte has come.
pub(in crate::web) async fn feed(
    request: HttpRequest,
    state: State,
    name: web::Path<String>,
    payload: web::Payload,
) -> HttpResponse {
    feed_to(&request, &state, Ok(name.into_inner()), payload).await
}

/// Takes a picture for the stream of this name, or refuses it with a problem.
pub(in crate::web) async fn feed_to(
    request: &HttpRequest,
    state: &WebState,
    name: Result<String, Problem>,
    payload: web::Payload,
) -> HttpResponse {
    let mut body = RequestBody::new(request, payload);
    let name = match name {
        Ok(name) => name,
        Err(problem) => return body.refuse(problem).await,
    };
    let taken = async {
        let (stream, second) = push_stream(state, &name)?;
        feed::run(request, state, &stream, second, &mut body).await
    };
    match taken.await {
        Ok(answer) => answer,
        Err(problem) => {
            rejected_pushes::count(&state.streams, &name, problem.status());
            body.refuse(problem).await
        }
    }
}

/// The stream, if it takes pushes, and what becomes of a second publisher.
fn push_stream(state: &WebState, name: &str) -> Result<(StreamHandle, SecondPublisher), Problem> {
    let stream = state.streams.find(name)?;
    let SourceConfig::Push { second, .. } = *stream.config().source() else {
        let kind = stream.config().source().type_name();
        let detail = format!(
            "stream {name} takes its pictures from a source of type {kind}; only type push takes them here"
        );
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    };
    if stream.status().state == StreamState::Paused {
        return Err(Problem::new(StatusCode::CONFLICT, format!("stream {name} is paused")));
    }
    Ok((stream, second))
}

pub(in crate::web) fn content_type(request: &HttpRequest) -> String {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().trim().to_ascii_lowercase()
}

/// Returns the picture file in the body, whose content is not checked yet; `None` for a feed, of which
/// nothing is read yet. Counts bodies that cannot be read.
async fn one_picture(
    request: &HttpRequest,
    state: &WebState,
    stream: &StreamHandle,
    body: &mut RequestBody,
) -> Result<Option<ReceivedBody>, Problem> {
    let max = state.runtime.settings.current().limits.max_frame_bytes;
    let too_large = || {
        let detail = format!(
            "the picture is larger than {max} bytes (limits.max_frame_bytes); several pictures in one body \
             are a feed, for …/feed"
        );
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    };
    let upload = admission::push(state, request, stream.name().as_str())
        .inspect_err(|_| stream.ingest().count_drop(DropReason::Busy))?;
    let is_form = content_type(request).starts_with("multipart/form-data");
    let max = if is_form { max.saturating_add(form::OVERHEAD_BYTES) } else { max };
    let mut kind = BodyKind::new(body.declared().is_some(), is_form);
    let picture = match body.whole_unless(upload, max, too_large, |bytes| kind.judge(bytes)).await {
        Ok(Some(whole)) if is_form && !is_picture(&whole) => form::file(request, whole).await.map(Some),
        whole => whole,
    };
    picture.inspect_err(|problem| {
        stream.ingest().count_drop(match problem.status() {
            StatusCode::PAYLOAD_TOO_LARGE => DropReason::TooLarge,
            StatusCode::SERVICE_UNAVAILABLE => DropReason::Busy,
            _ => DropReason::Invalid,
        });
    })
}

/// Shows a picture, and answers once viewers and snapshots have it.
async fn show(
    state: &WebState,
    stream: &StreamHandle,
    picture: ReceivedBody,
    headers: &CaptureHeaders,
) -> Result<HttpResponse, Problem> {
    let limits = PictureLimits::from(&state.runtime.settings.current().limits);
    let lacks_eoi = lacks_eoi(&picture);
    match convert(state, stream, picture, limits).await? {
        Ok(frame) => {
            stream.ingest().count_quirk(Quirk::MissingEoi, lacks_eoi.into());
            let frame = frame.with_headers(headers, Sender::Publisher);
            let outcome = timeout(SHOW_TIMEOUT, stream.ingest().push_and_wait(frame)).await;
            let busy = "the CPU workers are busy, and a newer picture came meanwhile";
            match outcome.map_err(|_| Problem::unavailable("no CPU worker was free for the picture"))? {
                Ok(seq) => {
                    let mut done = HttpResponse::NoContent();
                    if let Some(seq) = seq {
                        done.insert_header(("X-Framecast-Seq", seq.get()));
                    }
                    Ok(done.finish())
                }
                // It was taken, and the stream's own setting leaves it out.
                Err(DropReason::MaxFps) => Ok(HttpResponse::Accepted().finish()),
                Err(DropReason::Busy) => Err(Problem::unavailable(busy)),
                Err(DropReason::TooLarge) => Err(Problem::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "the picture takes more memory than its transforms may have (limits.max_decode_bytes)",
                )),
                Err(_) => Err(Problem::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "the picture cannot be transformed as the stream is configured; the log says why",
                )),
            }
        }
        Err(error) => {
            stream.ingest().count_drop(drop_reason(&error));
            Err(error.into())
        }
    }
}

/// Converts it to a frame, in the pool if it has to be decoded.
///
/// # Errors
/// 503, which is counted, if too many conversions are already waiting.
async fn convert(
    state: &WebState,
    stream: &StreamHandle,
    picture: ReceivedBody,
    limits: PictureLimits,
) -> Result<Result<Frame, PictureError>, Problem> {
    let transform = stream.config().rework();
    let encode = transform.encode.filter(|_| transform.steps.is_empty());
    let size = match convert::conversion_size(&picture, limits, encode) {
        Ok(Some(size)) => size,
        Ok(None) => return Ok(convert::to_frame(picture.into_parts().0, limits)),
        Err(error) => return Ok(Err(error)),
    };
    let ConversionSize { width, height, bytes } = size;
    let queue = state.runtime.pool.queue(stream.name());
    let to_jpeg = move || {
        let (picture, upload) = picture.into_parts();
        let converted = convert::to_frame_with(picture, limits, encode);
        // Charged until then, also if the publisher has disconnected.
        drop(upload);
        converted
    };
    match queue.convert(bytes, to_jpeg).await {
        Ok(converted) => Ok(converted),
        Err(PoolError::Memory { needed, most }) => {
            Ok(Err(PictureError::TooMuchMemory { width, height, needed, most }))
        }
        Err(error) => {
            stream.ingest().count_drop(DropReason::Busy);
            Err(error.into())
        }
    }
}

fn drop_reason(error: &PictureError) -> DropReason {
    match error {
        PictureError::TooLarge { .. }
        | PictureError::TooManyPixels { .. }
        | PictureError::TooLong { .. }
        | PictureError::TooMuchMemory { .. } => DropReason::TooLarge,
        _ => DropReason::Invalid,
    }
}
