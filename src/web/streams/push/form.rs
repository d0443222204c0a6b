//! A form with one picture, as `curl -F file=@picture.jpg` and a browser's form send it.

use actix_multipart::Multipart;
use actix_web::{HttpRequest, error::PayloadError, http::StatusCode};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use crate::web::middleware::{problem::Problem, uploads::body::ReceivedBody};

/// Bytes that a form may hold besides its file: delimiters, headers, some short fields.
pub(super) const OVERHEAD_BYTES: usize = 64 * 1024;

/// Bytes of it that the form's parser holds at a time.
const PARSER_BYTES: usize = 128 * 1024;

/// Returns the form's one file, whatever its field is called. It is copied out of the form, and the copy is
/// charged as well.
///
/// # Errors
/// 400 if it is not a form with one file, 503 if there is no memory for the copy.
pub(super) async fn file(request: &HttpRequest, form: ReceivedBody) -> Result<ReceivedBody, Problem> {
    let (form, mut upload) = form.into_parts();
    upload.reserve(2 * form.len() + PARSER_BYTES)?;
    let file = file_in(request, form).await?;
    upload.set(file.len())?;
    Ok(ReceivedBody::new(file, upload))
}

/// Returns the form's one file as `file` does, for bytes that are not charged.
pub(in crate::web) async fn file_in(request: &HttpRequest, form: Bytes) -> Result<Bytes, Problem> {
    let length = form.len();
    let mut form = Multipart::new(request.headers(), stream::iter([Ok::<_, PayloadError>(form)]));
    let mut file = None;
    while let Some(field) = form.next().await {
        let mut field = field.map_err(|error| broken(&error))?;
        let is_file = field.content_disposition().is_some_and(|about| about.get_filename().is_some());
        if is_file && file.is_some() {
            return Err(bad("the form has several files; send one per request, or a feed to …/feed"));
        }
        // Other fields are read and dropped.
        let mut value = Vec::with_capacity(if is_file { length } else { 0 });
        while let Some(chunk) = field.next().await {
            let chunk = chunk.map_err(|error| broken(&error))?;
            if is_file {
                value.extend_from_slice(&chunk);
            }
        }
        if is_file {
            value.shrink_to_fit();
            file = Some(value.into());
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
