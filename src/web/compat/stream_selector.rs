//! Streams as other programs (go2rtc, motion, WebcamXP) name them in the query or by number. The names
//! that mjpg-streamer has are in `middleware::access::mjpg_streamer_ids`.
//!
//! Programs that count cameras begin with 1 and mean the order of the configuration; 0 is all of them in one
//! picture. The rules of their routes look for streams in the same way, before the handlers do.

use actix_web::{HttpRequest, http::StatusCode};

use crate::{
    auth::Principal,
    stream::StreamHandle,
    web::{
        middleware::{access::mjpg_streamer_ids::camera_name, problem::Problem},
        query::query,
        state::WebState,
    },
};

/// Returns the stream that the query names.
///
/// # Errors
/// 400 without a name, 404 for a stream that is not there.
pub(super) fn stream_from_query(
    request: &HttpRequest,
    state: &WebState,
    key: &str,
) -> Result<StreamHandle, Problem> {
    let name = query(request, key).ok_or_else(|| missing_stream(key))?;
    state.streams.find(&name)
}

pub(super) fn missing_stream(key: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("say which stream: ?{key}=NAME"))
}

/// Returns the stream called `cam_N` if the caller may see it, otherwise number N.
///
/// # Errors
/// 404 for a stream that is not there.
pub(in crate::web) fn camera(
    state: &WebState,
    principal: &Principal,
    digits: &str,
) -> Result<StreamHandle, Problem> {
    state
        .streams
        .find_visible(principal, &camera_name(digits))
        .or_else(|_| state.streams.find_by_number(digits))
}
