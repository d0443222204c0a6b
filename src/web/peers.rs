//! Addresses that clients of other programs already ask, unchanged: go2rtc, motion, WebcamXP, frigate. Those of
//! mjpg-streamer and ustreamer are in `compat`.
//!
//! Programs that count cameras begin with 1 and mean the order of the configuration; 0 is all of them in one picture. The
//! rules of their routes look for streams in the same way, before the handlers do.

pub(super) mod frigate;
pub(super) mod go2rtc;
pub(super) mod motion;
pub(super) mod webcam_xp;

use actix_web::{HttpRequest, http::StatusCode};

use super::{WebState, error::Problem, query};
use crate::stream::StreamHandle;

/// The stream that the query names.
///
/// # Errors
/// 400 without a name, 404 for a stream that is not there.
fn asked(request: &HttpRequest, state: &WebState, key: &str) -> Result<StreamHandle, Problem> {
    let name = query(request, key).ok_or_else(|| unnamed(key))?;
    state.stream(&name)
}

fn unnamed(key: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("say which stream: ?{key}=NAME"))
}

/// Stream number `digits`, counted from 1; 0 is all of them in one picture.
///
/// # Errors
/// 404 for a stream that is not there.
pub(super) fn counted(state: &WebState, digits: &str) -> Result<StreamHandle, Problem> {
    if digits.bytes().all(|digit| digit == b'0') {
        return state.registry.overview().ok_or_else(|| {
            let detail =
                "number 0 is all streams in one picture, which this relay does not show (server.mosaic)";
            Problem::new(StatusCode::NOT_FOUND, detail)
        });
    }
    let streams = state.registry.all();
    // One with too many digits is a number that no stream has.
    let position = digits.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    position.and_then(|position| streams.get(position).cloned()).ok_or_else(|| {
        let detail =
            format!("there is no stream number {digits}; there are {}, counted from 1", streams.len());
        Problem::new(StatusCode::NOT_FOUND, detail)
    })
}

/// The stream called `cam_N`, or else number N.
///
/// # Errors
/// 404 for a stream that is not there.
pub(super) fn camera(state: &WebState, digits: &str) -> Result<StreamHandle, Problem> {
    state.stream(&format!("cam_{digits}")).or_else(|_| counted(state, digits))
}
