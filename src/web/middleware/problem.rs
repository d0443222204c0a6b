//! Errors as HTTP answers: problem JSON (RFC 9457). The only place that chooses status codes.

use std::{borrow::Cow, fmt};

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    bus::ReplayError,
    config::Mistake,
    imaging::{convert::PictureError, cpu_pool::PoolError, transform::pipeline::TransformError},
    registry::{ImageParamsError, ReloadError, RenditionError},
    stream::AtCapacity,
    viewer::SnapshotError,
};

/// A refused client may try again after so many seconds: about the time a viewer stays on a page it does not
/// like.
const RETRY_AFTER_S: &str = "5";

/// An answer that says what went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    headers: Vec<(header::HeaderName, Cow<'static, str>)>,
    mistakes: Vec<Mistake>,
}

/// An error as a problem document (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(in crate::web) struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'a str,
    status: u16,
    /// For people; may change.
    detail: &'a str,
    /// Each mistake in a configuration or in settings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<MistakeBody<'a>>,
}

/// A mistake in a configuration or in settings.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Mistake")]
struct MistakeBody<'a> {
    /// Such as `streams.door.source.url`.
    path: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

impl<'a> From<&'a Mistake> for MistakeBody<'a> {
    fn from(mistake: &'a Mistake) -> Self {
        Self {
            path: &mistake.path,
            detail: &mistake.message,
            line: mistake.position.map(|at| at.line),
            column: mistake.position.map(|at| at.column),
        }
    }
}

impl Problem {
    /// Makes an error with any status and its reason.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), headers: Vec::new(), mistakes: Vec::new() }
    }

    /// Returns a 404 for a stream that is not configured.
    pub fn no_such_stream(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no stream {name:?}; GET /api/streams lists them"))
    }

    /// Returns a 404 for a number that no stream has. It does not say how many streams there are.
    pub fn no_such_number(digits: &str, from: u8) -> Self {
        let detail =
            format!("there is no stream number {digits}, counted from {from}; GET /api/streams lists them");
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// Returns a 404 without a default stream.
    pub fn no_default_stream() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no default stream; GET /api/streams lists the streams")
    }

    /// Returns a 405 with the allowed methods.
    pub fn method_not_allowed(allow: String) -> Self {
        let detail = format!("this address accepts {allow} only");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, detail).with(header::ALLOW, allow)
    }

    /// Returns a 401 that requests a token.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail)
            .with(header::WWW_AUTHENTICATE, "Bearer realm=\"framecast\"")
    }

    /// Returns a 403.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// Returns a 426 for routes that require a WebSocket.
    pub fn not_a_web_socket() -> Self {
        let detail = "this address accepts only WebSocket (RFC 6455), version 13";
        Self::new(StatusCode::UPGRADE_REQUIRED, detail).with(header::UPGRADE, "websocket")
    }

    /// Returns a 503 with `Retry-After`.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).with(header::RETRY_AFTER, RETRY_AFTER_S)
    }

    /// Adds a header.
    pub fn with(mut self, name: header::HeaderName, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Returns the further headers of its response.
    pub fn headers(&self) -> &[(header::HeaderName, Cow<'static, str>)] {
        &self.headers
    }

    /// Returns its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let body = Body {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: self.mistakes.iter().map(MistakeBody::from).collect(),
        };
        let mut answer = HttpResponse::build(self.status);
        answer.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        answer.insert_header((header::CACHE_CONTROL, "no-store"));
        for (name, value) in &self.headers {
            answer.append_header((name.clone(), value.as_ref()));
        }
        answer.body(serde_json::to_string(&body).expect("strings and a number are always JSON"))
    }
}

impl From<ReloadError> for Problem {
    fn from(error: ReloadError) -> Self {
        let status = match &error {
            ReloadError::NoFile
            | ReloadError::DefinedInFile(_)
            | ReloadError::Exists(_)
            | ReloadError::TooMany => StatusCode::CONFLICT,
            ReloadError::NoSuchStream(_) => StatusCode::NOT_FOUND,
            ReloadError::Mistakes(_)
            | ReloadError::RedactedValue { .. }
            | ReloadError::CredentialForOtherHost { .. }
            | ReloadError::StartsProgram { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            ReloadError::NotSaved { .. } => StatusCode::INSUFFICIENT_STORAGE,
            ReloadError::System(_) => return Self::unavailable(error.to_string()),
        };
        let ReloadError::Mistakes(wrong) = error else { return Self::new(status, error.to_string()) };
        let mistakes = wrong.mistakes().to_vec();
        let detail = match &mistakes[..] {
            [one] => format!("{}: {}", one.path, one.message),
            more => format!("there are {} mistakes; see `errors`", more.len()),
        };
        Self { mistakes, ..Self::new(status, detail) }
    }
}

impl From<AtCapacity> for Problem {
    fn from(error: AtCapacity) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<PictureError> for Problem {
    fn from(error: PictureError) -> Self {
        let status = match error {
            PictureError::NotAPicture { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            PictureError::TooLarge { .. }
            | PictureError::TooManyPixels { .. }
            | PictureError::TooLong { .. }
            | PictureError::TooMuchMemory { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, error.to_string())
    }
}

impl From<PoolError> for Problem {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Busy | PoolError::Memory { .. } => Self::unavailable(error.to_string()),
            PoolError::Panicked { .. } => Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

impl From<ImageParamsError> for Problem {
    fn from(error: ImageParamsError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.to_string())
    }
}

impl From<RenditionError> for Problem {
    fn from(error: RenditionError) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<TransformError> for Problem {
    /// The next picture may be a better one.
    fn from(error: TransformError) -> Self {
        Self::unavailable(format!("the newest frame cannot be converted: {error}"))
    }
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<SnapshotError> for Problem {
    fn from(error: SnapshotError) -> Self {
        Self::unavailable(error.to_string())
    }
}
