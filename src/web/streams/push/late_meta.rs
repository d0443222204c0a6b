//! JSON for a frame that was pushed before, by its number.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};

use super::{meta::parse, push_stream};
use crate::{
    auth::Principal,
    config::Role,
    media::capture::MAX_META_BYTES,
    stream::StreamHandle,
    web::{
        middleware::{
            problem::Problem,
            rejected_pushes,
            uploads::{admission, body::RequestBody},
        },
        state::{State, WebState},
        streams::snapshot,
    },
};

/// `POST /streams/{name}/meta/{seq}`: the JSON of a frame that is still held.
pub(in crate::web) async fn add(
    request: HttpRequest,
    state: State,
    principal: Principal,
    path: web::Path<(String, String)>,
    payload: web::Payload,
) -> HttpResponse {
    let (name, seq) = path.into_inner();
    let mut body = RequestBody::new(&request, payload);
    let taken = async {
        let stream = annotated_stream(&state, &name, &principal)?;
        let seq = seq.parse::<u64>().map_err(|_| {
            Problem::new(StatusCode::BAD_REQUEST, "the number of a frame must be a number, such as 17")
        })?;
        let frame = snapshot::held(&stream, seq)?.frame.clone();
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
