//! Addresses that clients of other programs already ask, unchanged: go2rtc, motion, WebcamXP, frigate. Those
//! of mjpg-streamer and ustreamer are in `compat`.
//!
//! Programs that count cameras begin with 1 and mean the order of the configuration; 0 is all of them in one
//! picture. The rules of their routes look for streams in the same way, before the handlers do.

use actix_web::{HttpRequest, http::StatusCode};

use crate::{
    auth::Caller,
    stream::StreamHandle,
    web::{WebState, middleware::problem::Problem, query::query},
};

/// The stream that the query names.
///
/// # Errors
/// 400 without a name, 404 for a stream that is not there.
pub(super) fn asked(request: &HttpRequest, state: &WebState, key: &str) -> Result<StreamHandle, Problem> {
    let name = query(request, key).ok_or_else(|| unnamed(key))?;
    state.stream(&name)
}

pub(super) fn unnamed(key: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("say which stream: ?{key}=NAME"))
}

/// Stream number `digits`, counted from 1; 0 is all of them in one picture.
///
/// # Errors
/// 404 for a stream that is not there.
pub(in crate::web) fn counted(state: &WebState, digits: &str) -> Result<StreamHandle, Problem> {
    if digits.bytes().all(|digit| digit == b'0') {
        return state.registry.overview().ok_or_else(|| {
            let detail =
                "number 0 is all streams in one picture, which this relay does not show (server.mosaic)";
            Problem::new(StatusCode::NOT_FOUND, detail)
        });
    }
    // One with too many digits is a number that no stream has.
    let position = digits.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let found = position.and_then(|position| state.registry.nth(position));
    found.ok_or_else(|| Problem::no_such_number(digits, 1))
}

/// Returns the name that makes a stream camera N whatever its number is.
pub(in crate::web) fn camera_name(digits: &str) -> String {
    format!("cam_{digits}")
}

/// Returns the stream called `cam_N` if the caller may see it, otherwise number N.
///
/// # Errors
/// 404 for a stream that is not there.
pub(in crate::web) fn camera(
    state: &WebState,
    caller: &Caller,
    digits: &str,
) -> Result<StreamHandle, Problem> {
    state.seen(caller, &camera_name(digits)).or_else(|_| counted(state, digits))
}
