//! Reads the headers beside a pushed picture.

use actix_web::{HttpRequest, http::StatusCode};

use crate::{
    media::capture::{CaptureHeaders, FrameMeta},
    web::middleware::problem::Problem,
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

/// Parses JSON that `what` holds.
///
/// # Errors
/// 400 with the reason.
pub(super) fn parse(what: &str, json: &[u8]) -> Result<FrameMeta, Problem> {
    FrameMeta::parse(json)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("{what} is wrong: {error}")))
}
