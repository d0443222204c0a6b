//! What a publisher states about a picture: in headers beside it, or later by its number.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};

use super::push_stream;
use crate::{
    auth::Principal,
    config::Role,
    media::{
        capture::{CaptureHeaders, FrameMeta, MAX_META_BYTES},
        frame::Frame,
    },
    stream::StreamHandle,
    web::{
        middleware::{
            problem::Problem,
            rejected_pushes,
            uploads::{admission, body::RequestBody},
        },
        state::{State, WebState},
    },
};

/// Reads the headers of a pushed picture.
///
/// # Errors
/// 400 for JSON that cannot belong to a frame. Times that make no sense are ignored.
pub(super) fn capture_headers(request: &HttpRequest) -> Result<CaptureHeaders, Problem> {
    let mut headers = CaptureHeaders::default();
    for (name, value) in request.headers() {
        if name.as_str() == "x-framecast-meta" {
            headers.meta = Some(parse("X-Framecast-Meta", value.as_bytes())?);
        } else {
            headers.read(name.as_str().as_bytes(), value.as_bytes());
        }
    }
    Ok(headers)
}

/// `POST /streams/{name}/meta/{seq}`: the JSON of a frame that is still held.
pub(in crate::web) async fn add(
    request: HttpRequest,
    state: State,
    principal: Principal,
    path: web::Path<(String, u64)>,
    payload: web::Payload,
) -> HttpResponse {
    let (name, seq) = path.into_inner();
    let mut body = RequestBody::new(&request, payload);
    let taken = async {
        let stream = annotated_stream(&state, &name, &principal)?;
        let frame = held_frame(&stream, seq)?;
        let too_large = || {
            let detail = format!("the JSON of a frame may have {MAX_META_BYTES} bytes");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
        };
        let upload = admission::push(&state, &request, &name)?;
        let json = body.whole(upload, MAX_META_BYTES, too_large).await?;
        let meta = parse("the body", &json)?;
        *frame.meta() = Some(meta);
        stream.bus().update_meta(frame.facts());
        Ok::<_, Problem>(HttpResponse::NoContent().finish())
    };
    match taken.await {
        Ok(answer) => answer,
        Err(problem) => {
            rejected_pushes::count(&state.streams, &name, problem.status());
            body.refuse(problem).await
        }
    }
}

/// Returns the stream, if this caller may add to its frames: a publisher of a push stream, which the access
/// rule has checked, or a holder of the role for any other one.
fn annotated_stream(state: &WebState, name: &str, principal: &Principal) -> Result<StreamHandle, Problem> {
    let stream = state.streams.find(name)?;
    match principal.is_allowed(Role::Push, Some(stream.name())) {
        true => Ok(stream),
        false => push_stream(state, name).map(|(stream, _)| stream),
    }
}

fn held_frame(stream: &StreamHandle, seq: u64) -> Result<Frame, Problem> {
    let newest = stream.bus().newest().map(|newest| newest.frame.clone());
    let newest = newest.filter(|frame| frame.seq().is_some_and(|found| found.get() == seq));
    let found = newest.or_else(|| stream.bus().replay_buffer()?.find(seq));
    found.ok_or_else(|| {
        let name = stream.name();
        let detail = format!(
            "stream {name} does not hold frame {seq}: only the newest one and those of its replay buffer \
             (`replay: 30s`) can be given JSON"
        );
        Problem::new(StatusCode::NOT_FOUND, detail)
    })
}

fn parse(what: &str, json: &[u8]) -> Result<FrameMeta, Problem> {
    FrameMeta::parse(json)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("{what} is wrong: {error}")))
}
