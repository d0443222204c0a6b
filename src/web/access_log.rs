//! One line in the log a finished request, and one each when a viewer or a publisher comes and goes.
//!
//! Where snapshots are polled every second a line for each request is noise, and where somebody tries passwords none would
//! be a mistake. So lines have two levels, both with the target [`ACCESS`]: `info` for what is rare and of interest (viewers,
//! publishers, WebSockets, whatever changes something, and whoever was refused), `debug` for the rest (pictures, pages, reports).
//!
//! No line holds a credential: of a query only parameters are shown that framecast knows and that let nobody in, and their
//! values only where they are small numbers, words that framecast knows, or names of streams that are there. So a token that
//! was put into the wrong parameter is not shown either. Nothing here is
//! on a frame's way: lines are made when an answer begins and when its body is dropped. Requests whose head cannot be read
//! never come here.

use std::{
    fmt::{self, Display},
    net::IpAddr,
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
use tracing::{debug, enabled, field::display, info};
use url::form_urlencoded;

use super::{WebState, access};
use crate::{auth::Caller, frame::StreamName, telemetry::ACCESS};

/// Parameters that are shown. All others may be anybody's, and hold anything.
const SHOWN: [&str; 22] = [
    "action",
    "adapt",
    "after",
    "cache",
    "chunked",
    "dst",
    "format",
    "fps",
    "h",
    "height",
    "page",
    "quality",
    "rotate",
    "seconds",
    "speed",
    "src",
    "stream",
    "then",
    "w",
    "wait",
    "width",
    "advance_headers",
];

/// Values that are shown, besides small numbers and names of streams.
const WORDS: [&str; 14] = [
    "true", "false", "on", "off", "yes", "no", "stream", "snapshot", "next", "live", "raw", "mjpg", "avi",
    "zip",
];

/// Longest number that is shown, in bytes: as long as a shutter's millisecond or a stream's number, and no key.
const MAX_NUMBER: usize = 8;

/// Stands in place of a value that is not shown.
const STARS: &str = "***";

/// Longest address in a line, in bytes: those of our own are shorter.
const MAX_TARGET: usize = 256;

/// Longest `User-Agent` in a line, in bytes: that of a browser.
const MAX_AGENT: usize = 160;

/// Which stream a request is about, as its route says.
#[derive(Debug, Clone)]
pub(super) struct About(pub(super) StreamName);

/// The number in the log of whoever sends or gets a stream by this request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Publisher(pub(super) u64);

/// A request that access refused, whatever the status says of why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refused;

/// An answer whose end says a line of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told;

/// Who asked for what.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// Path and query, without what may let somebody in.
    pub(super) target: String,
    pub(super) client: Option<IpAddr>,
    /// The name of the token or user.
    pub(super) user: Option<String>,
    pub(super) agent: Option<String>,
}

impl Asked {
    pub(super) fn of(state: &WebState, request: &HttpRequest) -> Self {
        let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        Self {
            method: request.method().clone(),
            target: target(request.path(), request.query_string(), |name| {
                name.parse().is_ok_and(|name| state.registry.get(&name).is_some())
            }),
            client: access::address(state, request),
            user: request.extensions().get::<Caller>().and_then(|caller| caller.name().map(str::to_owned)),
            agent: agent.map(|agent| cut(agent, MAX_AGENT).to_owned()),
        }
    }
}

/// As in the request line, in the characters that addresses have; `is_stream` knows the streams' names.
fn target(path: &str, query: &str, is_stream: impl Fn(&str) -> bool) -> String {
    let mut target = String::new();
    for c in cut(path, MAX_TARGET).chars() {
        // A path is printable ASCII, or should be.
        target.push(if c.is_ascii_graphic() { c } else { '?' });
    }
    let mut separator = '?';
    for (key, value) in form_urlencoded::parse(cut(query, MAX_TARGET).as_bytes()) {
        if SHOWN.contains(&&*key) {
            target.push(separator);
            let value = if is_harmless(&value) || is_stream(&value) { &*value } else { STARS };
            target += &format!("{key}={value}");
            separator = '&';
        }
    }
    target
}

/// Whether a value can be no credential: a small number, or a word that framecast knows, perhaps with a number.
fn is_harmless(value: &str) -> bool {
    let is_number = |text: &str| {
        text.len() <= MAX_NUMBER && text.bytes().all(|byte| byte.is_ascii_digit() || b".-".contains(&byte))
    };
    let (word, number) = value.split_once('_').unwrap_or((value, ""));
    is_number(value) || (WORDS.contains(&word) && is_number(number))
}

fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// What is shown of something that may be absent; an absent field is left out.
pub(super) fn shown<T: Display>(value: Option<T>) -> Option<tracing::field::DisplayValue<T>> {
    value.map(display)
}

/// Says a line for each request when its answer has gone.
pub(super) async fn log(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<EitherBody<BoxBody, Counted>>, Error> {
    let begun = Instant::now();
    own_headers(&mut request);
    let response = next.call(request).await?;
    let level = Level::of(&response);
    if !level.is_enabled() || response.response().extensions().get::<Told>().is_some() {
        return Ok(response.map_into_left_body());
    }
    let line = Line::of(&response, level, begun);
    Ok(response.map_body(|_, body| EitherBody::right(Counted { body, bytes: 0, line })))
}

/// Copies the headers' values out of the buffer that the connection was read into.
///
/// actix-http's values are slices of it, and it may have grown to 256 KiB with the beginning of a body behind them. That
/// stays for as long as the request does (a stream's viewer), and longer: actix-web keeps 128 requests a thread to use them
/// again, with their headers. After 300 uploads of 1 MB 94 MB were kept so.
fn own_headers(request: &mut ServiceRequest) {
    request.headers_mut().retain(|_, value| {
        // What cannot be copied was no value in the first place, and stays as it is.
        if let Ok(copy) = header::HeaderValue::from_bytes(value.as_bytes()) {
            *value = copy;
        }
        true
    });
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Notable,
    Usual,
}

impl Level {
    fn of(response: &ServiceResponse) -> Self {
        if response.request().extensions().get::<Refused>().is_some() {
            return Self::Notable;
        }
        Self::for_answer(response.request().method(), response.request().path(), response.status())
    }

    fn for_answer(method: &Method, path: &str, status: StatusCode) -> Self {
        // Pushed one by one, pictures and points come as often as those that are watched.
        let often = path.ends_with("/frame") || path.ends_with("/points");
        let changes = *method != Method::GET && *method != Method::HEAD;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::Notable,
            // Of those there are as many as somebody likes to send. They are counted.
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

/// What is known when an answer begins.
struct Line {
    level: Level,
    asked: Asked,
    stream: Option<StreamName>,
    publisher: Option<u64>,
    status: u16,
    begun: Instant,
}

impl Line {
    fn of(response: &ServiceResponse, level: Level, begun: Instant) -> Self {
        let request = response.request();
        let state = request.app_data::<web::Data<WebState>>().expect("every app has its state");
        let extensions = request.extensions();
        let (stream, publisher) =
            (extensions.get::<About>().cloned(), extensions.get::<Publisher>().copied());
        drop(extensions);
        Self {
            level,
            asked: Asked::of(state, request),
            // What was asked for may be anything; a stream that is there is none of it.
            stream: stream.map(|About(name)| name).filter(|name| state.registry.get(name).is_some()),
            publisher: publisher.map(|Publisher(id)| id),
            status: response.status().as_u16(),
            begun,
        }
    }

    fn say(&self, bytes: u64) {
        let Asked { method, target, client, user, agent } = &self.asked;
        let (user, agent, publisher) = (user.as_deref(), agent.as_deref(), self.publisher);
        let (client, stream, status) = (shown(*client), shown(self.stream.as_ref()), self.status);
        let duration_ms = milliseconds(self.begun);
        match self.level {
            Level::Notable => info!(
                target: ACCESS, %method, path = %target, status, bytes, duration_ms, client, user, stream, publisher,
                agent, "request"
            ),
            Level::Usual => debug!(
                target: ACCESS, %method, path = %target, status, bytes, duration_ms, client, user, stream, publisher,
                agent, "request"
            ),
        }
    }
}

/// Since then, to microseconds.
pub(super) fn milliseconds(begun: Instant) -> f64 {
    (begun.elapsed().as_secs_f64() * 1e6).round() / 1e3
}

/// An answer's body, whose bytes are counted; its end is the request's.
pub(super) struct Counted {
    body: BoxBody,
    bytes: u64,
    line: Line,
}

impl MessageBody for Counted {
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

impl Drop for Counted {
    fn drop(&mut self) {
        // Of an answer to HEAD only the length is sent.
        self.line.say(if self.line.asked.method == Method::HEAD { 0 } else { self.bytes });
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_query_only_what_lets_nobody_in_is_shown() {
        for (path, query, line) in [
            ("/streams/door", "", "/streams/door"),
            ("/streams/door", "width=320&fps=5", "/streams/door?width=320&fps=5"),
            ("/streams/door", "token=hunter2&width=320", "/streams/door?width=320"),
            ("/door.jpg", "TOKEN=hunter2&%74oken=hunter2&pwd=hunter2", "/door.jpg"),
            ("/streams/door", "expires=1&signature=hunter2", "/streams/door"),
            ("/", "action=stream&hunter2", "/?action=stream"),
            ("/streams/door", "width=3%0a20", "/streams/door?width=***"),
            (
                "/streams/door",
                "width=hunter2&format=hunter2&fps=0.5",
                "/streams/door?width=***&format=***&fps=0.5",
            ),
            ("/streams/door", "page=123456789012", "/streams/door?page=***"),
            ("/", "action=snapshot_2", "/?action=snapshot_2"),
            ("/", "action=snapshot_hunter2", "/?action=***"),
            ("/api/frame.jpeg", "src=door&dst=hunter2", "/api/frame.jpeg?src=door&dst=***"),
            ("/x", "src=door&access_token=hunter2&apikey=hunter2&sig=hunter2", "/x?src=door"),
            ("/x", "key=hunter2&auth=hunter2&password=hunter2", "/x"),
            ("/caf\u{e9}\n", "", "/caf??"),
        ] {
            assert_eq!(target(path, query, |name| name == "door"), line);
        }
        let long = target(&"/a".repeat(1000), &"width=1&".repeat(1000), |_| false);
        assert!(long.len() <= 2 * MAX_TARGET, "{}", long.len());
    }

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
