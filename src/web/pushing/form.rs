//! A form with one picture, as `curl -F file=@picture.jpg` and a browser's form send it.

use actix_multipart::Multipart;
use actix_web::{HttpRequest, error::PayloadError, http::StatusCode};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};

use crate::web::error::Problem;

/// What a form may hold besides its file: delimiters, headers, some short fields.
pub(super) const OVERHEAD_BYTES: usize = 64 * 1024;

/// The form's one file, whatever its field is called.
pub(in crate::web) async fn file(request: &HttpRequest, body: Bytes) -> Result<Bytes, Problem> {
    let body = stream::iter([Ok::<_, PayloadError>(body)]);
    let mut form = Multipart::new(request.headers(), body);
    let mut file = None;
    while let Some(field) = form.next().await {
        let mut field = field.map_err(|error| broken(&error))?;
        let is_file = field.content_disposition().is_some_and(|about| about.get_filename().is_some());
        let mut value = BytesMut::new();
        while let Some(chunk) = field.next().await {
            value.extend_from_slice(&chunk.map_err(|error| broken(&error))?);
        }
        if is_file && file.replace(value.freeze()).is_some() {
            return Err(bad("the form has several files; send one a request, or a feed to …/feed"));
        }
    }
    file.ok_or_else(|| bad("the form has no file; send one, as curl -F file=@picture.jpg does"))
}

fn broken(error: &dyn std::fmt::Display) -> Problem {
    bad(format!("the form is not as RFC 7578 says: {error}"))
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}
