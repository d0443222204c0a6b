//! The parts of a request that the log may contain.
//!
//! A client may put a credential anywhere: into the path, a parameter that has another meaning, the method,
//! `User-Agent`. So nothing is logged because it looks harmless, only because it is one of few known texts:
//!
//! - of a path that of its route, with names of existing streams and small numbers in it;
//! - of a query the parameters in [`PARAMETERS`], with the values that they may have;
//! - of methods those of HTTP;
//! - of `User-Agent` names of programs and their versions ([`user_agent`]).
//!
//! No text is compared with a credential: the time before the answer would tell which word is one, past the
//! limits on guesses, and a request without a credential would cost a digest for each word and user.

mod user_agent;
#[cfg(test)]
mod tests;

use actix_web::{HttpRequest, http::Method};
use url::form_urlencoded;
pub(super) use user_agent::agent;

use crate::web::state::Streams;

/// Query parameters that are logged, with their values. All others may contain anything.
const PARAMETERS: [(&str, Values); 24] = [
    ("action", Values::Numbered(&["stream", "snapshot"])),
    ("adapt", SWITCH),
    ("advance_headers", SWITCH),
    ("after", Values::Number),
    ("cache", Values::Number),
    ("chunked", SWITCH),
    ("dst", Values::Stream),
    ("format", Values::Words(&["raw", "mjpg", "avi", "zip", "jsonl"])),
    ("fps", Values::Number),
    ("h", Values::Size),
    ("height", Values::Size),
    ("meta", SWITCH),
    ("page", Values::Number),
    ("quality", Values::Number),
    ("rotate", Values::Number),
    ("seconds", Values::Number),
    ("seq", Values::Number),
    ("speed", Values::Number),
    ("src", Values::Stream),
    ("stream", Values::Stream),
    ("then", Values::Words(&["live"])),
    ("w", Values::Size),
    ("wait", Values::Words(&["next"])),
    ("width", Values::Size),
];

const SWITCH: Values = Values::Words(&["0", "1", "true", "false", ""]);

/// Methods that are logged. A request may have any other.
const METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
    Method::CONNECT,
];

/// The maximum number of digits before the fraction of a number that is logged. A credential of as many could
/// be guessed within an hour at the rate that the limits on guesses allow. A PIN has more.
const MAX_DIGITS: usize = 3;

/// The maximum number of digits of a fraction: a frame rate of 29.97.
const MAX_FRACTION: usize = 2;

/// Usual widths and heights of pictures that have more digits.
const SIZES: [&str; 19] = [
    "1024", "1080", "1152", "1200", "1280", "1296", "1440", "1520", "1536", "1600", "1920", "1944", "2048",
    "2160", "2304", "2560", "2592", "3072", "3840",
];

/// Replaces a value that is not logged.
const REDACTED: &str = "***";

/// The maximum length of a query that is read, in bytes: framecast's own are shorter.
const MAX_TARGET: usize = 256;

/// The maximum number of parameters that are read. A line costs at most as many look-ups of streams, besides
/// those of its path.
const MAX_PARAMETERS: usize = 16;

/// Values of a parameter that are logged.
#[derive(Clone, Copy)]
enum Values {
    Number,
    /// A number, or one of [`SIZES`].
    Size,
    Words(&'static [&'static str]),
    /// A word, which `_` and a number may follow.
    Numbered(&'static [&'static str]),
    /// The name of an existing stream, which the log contains in any case.
    Stream,
}

impl Values {
    fn contains(self, value: &str, is_stream: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Number => is_number(value),
            Self::Size => is_number(value) || SIZES.contains(&value),
            Self::Words(words) => words.contains(&value),
            Self::Numbered(words) => match value.split_once('_') {
                Some((word, number)) => words.contains(&word) && is_number(number),
                None => words.contains(&value),
            },
            Self::Stream => is_stream(value),
        }
    }
}

/// Returns the method, or stars.
pub(super) fn method(request: &HttpRequest) -> Method {
    let method = request.method();
    match METHODS.contains(method) {
        true => method.clone(),
        false => Method::from_bytes(REDACTED.as_bytes()).expect("a method may consist of stars"),
    }
}

/// Returns the path and the query.
pub(super) fn target(streams: &Streams, request: &HttpRequest) -> String {
    let is_stream = |text: &str| text.parse().is_ok_and(|name| streams.registry.get(&name).is_some());
    let path = match request.match_pattern() {
        Some(pattern) => path(&pattern, |name| request.match_info().get(name), is_stream),
        None => format!("/{REDACTED}"),
    };
    path + &query(request.query_string(), is_stream)
}

/// Returns a route's pattern, its variables replaced by those of their values that may be logged.
fn path<'a>(
    pattern: &str,
    value_of: impl Fn(&str) -> Option<&'a str>,
    is_stream: impl Fn(&str) -> bool,
) -> String {
    let mut path = String::new();
    let mut rest = pattern;
    while let Some((before, (variable, after))) =
        rest.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        let name = variable.split(':').next().unwrap_or_default();
        let values = if name == "n" { Values::Number } else { Values::Stream };
        path += before;
        match value_of(name).filter(|value| values.contains(value, &is_stream)) {
            Some(value) => path += value,
            None => path += &format!("{{{name}}}"),
        }
        rest = after;
    }
    path + rest
}

/// Returns the parameters that may be logged, after a `?` if there are any.
fn query(query: &str, is_stream: impl Fn(&str) -> bool) -> String {
    let mut shown = String::new();
    // A part of a value could be taken for a number.
    let whole = cut_before(query, MAX_TARGET, |c| c == '&');
    for (key, value) in form_urlencoded::parse(whole.as_bytes()).take(MAX_PARAMETERS) {
        if let Some((_, values)) = PARAMETERS.iter().find(|(name, _)| *name == key) {
            let value = if values.contains(&value, &is_stream) { &*value } else { REDACTED };
            shown += &format!("{}{key}={value}", if shown.is_empty() { '?' } else { '&' });
        }
    }
    shown
}

fn is_number(text: &str) -> bool {
    let is_digits = |digits: &str, most| {
        (1..=most).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let number = text.strip_prefix('-').unwrap_or(text);
    match number.split_once('.') {
        Some((whole, fraction)) => is_digits(whole, MAX_DIGITS) && is_digits(fraction, MAX_FRACTION),
        None => is_digits(number, MAX_DIGITS),
    }
}

/// Returns the beginning of a text that is longer than `most`, up to the last separator in it.
fn cut_before(text: &str, most: usize, is_separator: impl Fn(char) -> bool) -> &str {
    match cut(text, most) {
        part if part.len() == text.len() => text,
        part => &part[..part.rfind(is_separator).unwrap_or_default()],
    }
}

fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
