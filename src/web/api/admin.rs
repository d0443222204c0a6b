//! Administration: streams added over HTTP, pauses, restarts, and reloads of the configuration. For
//! administrators.
//!
//! A stream's settings are those of the file in JSON, and are checked as the file is: all that is wrong comes
//! at once.

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::{StatusCode, header},
    web,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{
    media::stream_name::{NameError, StreamName},
    registry::{AppliedChanges, EditResult, EventKind, StreamEdit},
    web::{
        middleware::{
            problem::Problem,
            uploads::{admission, body::RequestBody},
        },
        state::State,
    },
};

/// The maximum length of one stream's settings, in bytes: a chart with all its series has less than a tenth.
const MAX_SETTINGS_BYTES: usize = 256 * 1024;

/// The effect of a change: names of streams.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Applied")]
pub(in crate::web) struct Report<'a> {
    added: Vec<&'a str>,
    changed: Vec<&'a str>,
    removed: Vec<&'a str>,
    /// Settings that hold after a restart.
    needs_restart: &'a [&'static str],
}

/// A stream's settings.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StreamSettings")]
pub(in crate::web) struct Shown<'a> {
    name: &'a str,
    /// Over HTTP, and can be changed so.
    added: bool,
    /// As they were written, with `***` in place of credentials.
    settings: Value,
}

/// `POST /api/streams`: a stream with its `name` beside its settings.
pub(in crate::web) async fn create(
    request: HttpRequest,
    state: State,
    payload: web::Payload,
) -> HttpResponse {
    handle_body(&request, &state, payload, async |mut settings| {
        let name = match &mut settings {
            Value::Object(map) => map.remove("name"),
            _ => None,
        };
        let Some(Value::String(name)) = name else {
            return Err(unprocessable("name", "is missing: say what the stream is called, such as \"door\""));
        };
        edit(&state, &name, StreamEdit::Create(settings)).await
    })
    .await
}

/// `POST /api/streams/{name}`: a stream that is not there yet.
pub(in crate::web) async fn create_named(
    request: HttpRequest,
    state: State,
    name: web::Path<String>,
    payload: web::Payload,
) -> HttpResponse {
    handle_body(&request, &state, payload, async |settings| {
        edit(&state, &name, StreamEdit::Create(settings)).await
    })
    .await
}

/// `PUT /api/streams/{name}`.
pub(in crate::web) async fn replace(
    request: HttpRequest,
    state: State,
    name: web::Path<String>,
    payload: web::Payload,
) -> HttpResponse {
    handle_body(&request, &state, payload, async |settings| {
        edit(&state, &name, StreamEdit::Replace(settings)).await
    })
    .await
}

/// `PATCH /api/streams/{name}` (RFC 7396).
pub(in crate::web) async fn merge(
    request: HttpRequest,
    state: State,
    name: web::Path<String>,
    payload: web::Payload,
) -> HttpResponse {
    handle_body(&request, &state, payload, async |patch| edit(&state, &name, StreamEdit::Merge(patch)).await)
        .await
}

/// `DELETE /api/streams/{name}`.
pub(in crate::web) async fn remove(state: State, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    edit(&state, &name, StreamEdit::Remove).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `GET /api/streams/{name}/config`: a stream's settings as they were written, without credentials.
pub(in crate::web) async fn config(state: State, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let known = match name.parse::<StreamName>() {
        Ok(name) => state.streams.control.stream_settings(name).await,
        Err(_) => None,
    };
    let found = known.ok_or_else(|| {
        let detail = format!("no stream {:?} was configured", name.as_str());
        Problem::new(StatusCode::NOT_FOUND, detail)
    })?;
    Ok(never_stored(StatusCode::OK, &Shown { name: &name, added: found.added, settings: found.settings }))
}

/// `POST /api/streams/{name}/restart`: its source starts anew.
pub(in crate::web) async fn restart(state: State, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let stream = state.streams.find(&name)?;
    stream.restart().await;
    state.streams.events.add(Some(stream.name()), EventKind::Restarted, "");
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /api/streams/{name}/pause`: its source is stopped, its viewers stay. Not kept over a restart.
pub(in crate::web) async fn pause(state: State, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    state.streams.find(&name)?.pause().await;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /api/streams/{name}/resume`.
pub(in crate::web) async fn resume(state: State, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    state.streams.find(&name)?.resume().await;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /api/reload`: the configuration is read again.
pub(in crate::web) async fn reload(state: State) -> Result<HttpResponse, Problem> {
    let applied = state.streams.control.reload().await?;
    Ok(never_stored(StatusCode::OK, &report(&applied)))
}

async fn edit(state: &State, name: &str, edit: StreamEdit) -> Result<HttpResponse, Problem> {
    let name: StreamName =
        name.parse().map_err(|error: NameError| unprocessable("name", error.to_string()))?;
    let EditResult { created, applied } = state.streams.control.edit(name.clone(), edit).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    let mut answer = never_stored(status, &report(&applied));
    if created
        && let Ok(address) =
            header::HeaderValue::from_str(&format!("{}/api/streams/{name}", state.runtime.base_path))
    {
        answer.headers_mut().insert(header::LOCATION, address);
    }
    Ok(answer)
}

fn report(applied: &AppliedChanges) -> Report<'_> {
    fn names(names: &[StreamName]) -> Vec<&str> {
        names.iter().map(StreamName::as_str).collect()
    }
    Report {
        added: names(&applied.added),
        changed: names(&applied.changed),
        removed: names(&applied.removed),
        needs_restart: &applied.needs_restart,
    }
}

fn never_stored(status: StatusCode, answer: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status).insert_header((header::CACHE_CONTROL, "no-store")).json(answer)
}

fn unprocessable(path: &str, message: impl Into<String>) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{path}: {}", message.into()))
}

/// Reads the JSON of a request, and answers in a way that also reaches clients that are still sending.
async fn handle_body(
    request: &HttpRequest,
    state: &State,
    payload: web::Payload,
    then: impl AsyncFnOnce(Value) -> Result<HttpResponse, Problem>,
) -> HttpResponse {
    let mut body = RequestBody::new(request, payload);
    match json_of(request, state, &mut body).await {
        Ok(value) => then(value).await.unwrap_or_else(|problem| problem.error_response()),
        Err(problem) => body.refuse(problem).await,
    }
}

async fn json_of(request: &HttpRequest, state: &State, body: &mut RequestBody) -> Result<Value, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    if kind
        .as_deref()
        .is_some_and(|kind| kind != "application/json" && kind != "application/merge-patch+json")
    {
        let detail = "settings come as JSON: send Content-Type: application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let too_large = || {
        let detail = format!("the settings of a stream have at most {MAX_SETTINGS_BYTES} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    };
    let upload = admission::admin(state, request)?;
    let whole = body.whole(upload, MAX_SETTINGS_BYTES, too_large).await?;
    serde_json::from_slice(&whole).map_err(|error| {
        // Without what it found there, which may be a credential.
        let detail = format!("that is not JSON (line {}, column {})", error.line(), error.column());
        Problem::new(StatusCode::BAD_REQUEST, detail)
    })
}
