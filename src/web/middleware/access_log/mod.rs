//! The access log: a line for each finished request, and one each when a viewer or a publisher connects and
//! disconnects.
//!
//! A line for each request would be noise where snapshots are polled every second, but attempts to guess
//! passwords must be visible. So lines have two levels, both with the target [`ACCESS`]: `info` for requests
//! that are rare and of interest (viewers, publishers, WebSockets, changes, and refused callers), `debug` for
//! the others (pictures, pages, reports).
//!
//! No line contains a credential, not even where a client put it into the wrong place: [`redaction`] decides
//! what is logged of a request. Frames cause no work here: lines are prepared when an answer begins and
//! written when its body is dropped. Requests whose head cannot be read are not logged here.

pub(in crate::web) mod request_info;
pub(in crate::web) mod extensions;
mod redaction;

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use actix_web::{
    Error, HttpMessage, HttpRequest,
    body::{BodySize, BoxBody, EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode, header},
    middleware::Next,
    web,
};
use bytes::Bytes;
use tracing::{debug, enabled, info};

use super::access;
use crate::{auth::Principal, media::stream_name::StreamName, observability::ACCESS, web::state::WebState};
use extensions::{LoggedElsewhere, LoggedRarely, PublisherId, Rejected, RequestedStream};
use request_info::{RequestInfo, milliseconds, optional_field};

/// Returns the part of a request that may be logged.
pub(in crate::web) fn asked(state: &WebState, request: &HttpRequest) -> RequestInfo {
    let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    RequestInfo {
        method: redaction::method(request),
        target: redaction::target(&state.streams, request),
        client: access::address(&state.runtime, request),
        user: request
            .extensions()
            .get::<Principal>()
            .and_then(|principal| principal.name().map(str::to_owned)),
        agent: agent.map(redaction::agent),
    }
}

/// Logs a line for each request when its response has been sent.
pub(in crate::web) async fn log(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<EitherBody<BoxBody, CountedBody>>, Error> {
    let begun = Instant::now();
    let response = next.call(request).await?;
    let level = Level::for_response(&response);
    if !level.is_enabled() || response.response().extensions().get::<LoggedElsewhere>().is_some() {
        return Ok(response.map_into_left_body());
    }
    let line = LogLine::from_response(&response, level, begun);
    Ok(response.map_body(|_, body| EitherBody::right(CountedBody { body, bytes: 0, line })))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Notable,
    Usual,
}

impl Level {
    fn for_response(response: &ServiceResponse) -> Self {
        if response.request().extensions().get::<Rejected>().is_some() {
            return Self::Notable;
        }
        if response.request().extensions().get::<LoggedRarely>().is_some() {
            return Self::Usual;
        }
        Self::for_answer(response.request().method(), response.request().path(), response.status())
    }

    fn for_answer(method: &Method, path: &str, status: StatusCode) -> Self {
        // Pushed one by one, pictures and points come as often as those that are watched.
        let often = path.ends_with("/frame") || path.ends_with("/points");
        let changes = *method != Method::GET && *method != Method::HEAD;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::Notable,
            // A client can cause any number of these. They are counted.
            StatusCode::TOO_MANY_REQUESTS => Self::Usual,
            StatusCode::SWITCHING_PROTOCOLS => Self::Notable,
            _ if changes && !often => Self::Notable,
            _ => Self::Usual,
        }
    }

    fn is_enabled(self) -> bool {
        match self {
            Self::Notable => enabled!(target: ACCESS, tracing::Level::INFO),
            Self::Usual => enabled!(target: ACCESS, tracing::Level::DEBUG),
        }
    }
}

/// The fields that are known when an answer begins.
struct LogLine {
    level: Level,
    request: RequestInfo,
    stream: Option<StreamName>,
    publisher: Option<u64>,
    status: u16,
    begun: Instant,
}

impl LogLine {
    fn from_response(response: &ServiceResponse, level: Level, begun: Instant) -> Self {
        let request = response.request();
        let state = request.app_data::<web::Data<WebState>>().expect("every app has its state");
        let extensions = request.extensions();
        let (stream, publisher) =
            (extensions.get::<RequestedStream>().cloned(), extensions.get::<PublisherId>().copied());
        drop(extensions);
        Self {
            level,
            request: asked(state, request),
            // The requested name may be any text; only the name of an existing stream is logged.
            stream: stream
                .map(|RequestedStream(name)| name)
                .filter(|name| state.streams.registry.get(name).is_some()),
            publisher: publisher.map(|PublisherId(id)| id),
            status: response.status().as_u16(),
            begun,
        }
    }

    fn log(&self, bytes: u64) {
        let RequestInfo { method, target, client, user, agent } = &self.request;
        let (user, agent, publisher) = (user.as_deref(), agent.as_deref(), self.publisher);
        let (client, stream, status) =
            (optional_field(*client), optional_field(self.stream.as_ref()), self.status);
        let duration_ms = milliseconds(self.begun);
        match self.level {
            Level::Notable => info!(
                target: ACCESS, %method, path = %target, status, bytes, duration_ms, client, user, stream,
                publisher, agent, "request"
            ),
            Level::Usual => debug!(
                target: ACCESS, %method, path = %target, status, bytes, duration_ms, client, user, stream,
                publisher, agent, "request"
            ),
        }
    }
}

/// An answer's body that counts its bytes, and logs the request when it is dropped.
pub(in crate::web) struct CountedBody {
    body: BoxBody,
    bytes: u64,
    line: LogLine,
}

impl MessageBody for CountedBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        let next = ready!(Pin::new(&mut this.body).poll_next(cx));
        if let Some(Ok(piece)) = &next {
            this.bytes += piece.len() as u64;
        }
        Poll::Ready(next)
    }
}

impl Drop for CountedBody {
    fn drop(&mut self) {
        // Of an answer to HEAD only the length is sent.
        self.line.log(if self.line.request.method == Method::HEAD { 0 } else { self.bytes });
    }
}

impl fmt::Debug for CountedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountedBody").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_often_is_not_notable() {
        let level = |method: Method, path, status| {
            Level::for_answer(&method, path, StatusCode::from_u16(status).unwrap())
        };
        for (method, path, status) in [
            (Method::GET, "/streams/door/snapshot", 200),
            (Method::GET, "/streams/door/snapshot", 503),
            (Method::GET, "/healthz", 200),
            (Method::GET, "/nothing", 404),
            (Method::GET, "/streams/door", 429),
            (Method::POST, "/login", 429),
            (Method::POST, "/streams/door/frame", 204),
            (Method::POST, "/streams/graph/points", 204),
        ] {
            assert_eq!(level(method, path, status), Level::Usual, "{path} {status}");
        }
        for (method, path, status) in [
            (Method::POST, "/api/streams/door/restart", 204),
            (Method::DELETE, "/api/streams/door", 204),
            (Method::POST, "/streams/door/feed", 200),
            (Method::POST, "/login", 401),
            (Method::GET, "/streams/door/snapshot", 401),
            (Method::POST, "/streams/door/frame", 403),
            (Method::GET, "/api/live", 101),
        ] {
            assert_eq!(level(method, path, status), Level::Notable, "{path} {status}");
        }
    }
}
