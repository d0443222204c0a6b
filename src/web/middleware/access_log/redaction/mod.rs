//! The parts of a request that the log may contain.
//!
//! A client may put a credential anywhere: into the path, a parameter that has another meaning, the method,
//! `User-Agent`. So nothing is logged because it looks harmless, only because it is known:
//!
//! - of a path that of its route, with names of existing streams and short numbers in it;
//! - of a query the parameters in [`PARAMETERS`], with the values that they may have;
//! - of methods those of HTTP;
//! - of `User-Agent` short words, without what follows `:`, `=` or a scheme such as `Bearer`.
//!
//! In numbers and words, credentials of the configuration are recognized, and those that the request sends in
//! their own place. Of a password only a slow hash is known: one in `User-Agent` that looks like a word is
//! recognized only if its user has logged in within the last minutes.

use std::cell::OnceCell;

use actix_web::{HttpRequest, http::Method};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use url::form_urlencoded;

use crate::{
    config::Secret,
    web::{WebState, middleware::access},
};

/// Query parameters that are logged, with their values. All others may contain anything.
const PARAMETERS: [(&str, Values); 22] = [
    ("action", Values::Numbered(&["stream", "snapshot"])),
    ("adapt", SWITCH),
    ("advance_headers", SWITCH),
    ("after", Values::Number),
    ("cache", Values::Number),
    ("chunked", SWITCH),
    ("dst", Values::Stream),
    ("format", Values::Words(&["raw", "mjpg", "avi", "zip"])),
    ("fps", Values::Number),
    ("h", Values::Number),
    ("height", Values::Number),
    ("page", Values::Number),
    ("quality", Values::Number),
    ("rotate", Values::Number),
    ("seconds", Values::Number),
    ("speed", Values::Number),
    ("src", Values::Stream),
    ("stream", Values::Stream),
    ("then", Values::Words(&["live"])),
    ("w", Values::Number),
    ("wait", Values::Words(&["next"])),
    ("width", Values::Number),
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

/// Longest number that is logged, in bytes: a picture's width, or a rate with its fraction.
const MAX_NUMBER: usize = 5;

/// Longest word of `User-Agent` that is logged, in bytes. Longer ones are no names of programs, and may be
/// tokens.
const MAX_WORD: usize = 24;

/// Longest run of letters and digits together that is logged. Names of programs and devices with both are
/// shorter.
const MAX_MIXED: usize = 9;

/// Words in `User-Agent` after which a credential follows.
const SCHEMES: [&str; 8] = ["basic", "bearer", "digest", "token", "apikey", "password", "pass", "cookie"];

/// Replaces a value that is not logged.
const STARS: &str = "***";

/// Longest path, and longest query, in bytes: those of our own are shorter.
const MAX_TARGET: usize = 256;

/// Longest `User-Agent`, in bytes: that of a browser.
const MAX_AGENT: usize = 160;

/// Base64 with and without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Values of a parameter that are logged.
#[derive(Clone, Copy)]
enum Values {
    Number,
    Words(&'static [&'static str]),
    /// A word, which `_` and a number may follow.
    Numbered(&'static [&'static str]),
    /// The name of an existing stream, which the log contains in any case.
    Stream,
}

impl Values {
    fn contains(self, value: &str, known: &impl Known) -> bool {
        let is_number = |text| is_number(text) && !known.is_credential(text);
        match self {
            Self::Number => is_number(value),
            Self::Words(words) => words.contains(&value),
            Self::Numbered(words) => match value.split_once('_') {
                Some((word, number)) => words.contains(&word) && is_number(number),
                None => words.contains(&value),
            },
            Self::Stream => known.is_stream(value),
        }
    }
}

/// Knows which texts are names of streams, and which are credentials.
pub(super) trait Known {
    fn is_stream(&self, text: &str) -> bool;
    fn is_credential(&self, text: &str) -> bool;
    /// Returns whether a credential is part of the text. Finds only those of which more than a hash is known.
    fn is_credential_in(&self, text: &str) -> bool;
}

/// The streams and credentials of the configuration, and the credentials of a request.
pub(super) struct KnownTo<'a> {
    state: &'a WebState,
    request: &'a HttpRequest,
    texts: OnceCell<Vec<Secret>>,
}

impl<'a> KnownTo<'a> {
    pub(super) fn new(state: &'a WebState, request: &'a HttpRequest) -> Self {
        Self { state, request, texts: OnceCell::new() }
    }

    /// Streams' own tokens, and what the request sends as a credential, whether or not it is one.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let texts = self.texts.get_or_init(|| {
            let mut texts = access::own_tokens(self.state);
            texts.extend(access::sent_credentials(self.request));
            texts
        });
        texts.iter().map(Secret::reveal).filter(|text| !text.is_empty())
    }
}

impl Known for KnownTo<'_> {
    fn is_stream(&self, text: &str) -> bool {
        text.parse().is_ok_and(|name| self.state.registry.get(&name).is_some())
    }

    fn is_credential(&self, text: &str) -> bool {
        self.texts().any(|known| known == text) || self.state.auth.is_secret(text)
    }

    fn is_credential_in(&self, text: &str) -> bool {
        self.texts().any(|known| text.contains(known))
    }
}

/// Returns the method, or stars.
pub(super) fn method(request: &HttpRequest) -> Method {
    let method = request.method();
    match METHODS.contains(method) {
        true => method.clone(),
        false => Method::from_bytes(STARS.as_bytes()).expect("a method may consist of stars"),
    }
}

/// Returns the path and the query.
pub(super) fn target(request: &HttpRequest, known: &impl Known) -> String {
    let path = match request.match_pattern() {
        Some(pattern) => path(&pattern, |name| request.match_info().get(name).map(str::to_owned), known),
        None => format!("/{STARS}"),
    };
    path + &query(request.query_string(), known)
}

/// Returns a route's pattern, its variables replaced by those of their values that may be logged.
fn path(pattern: &str, value_of: impl Fn(&str) -> Option<String>, known: &impl Known) -> String {
    let mut path = String::new();
    let mut rest = pattern;
    while let Some((before, (variable, after))) =
        rest.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        let name = variable.split(':').next().unwrap_or_default();
        let values = if name == "n" { Values::Number } else { Values::Stream };
        path += before;
        match value_of(name).filter(|value| values.contains(value, known)) {
            Some(value) => path += &value,
            None => path += &format!("{{{name}}}"),
        }
        rest = after;
    }
    path + rest
}

/// Returns the parameters that may be logged, after a `?` if there are any.
fn query(query: &str, known: &impl Known) -> String {
    let mut shown = String::new();
    // A part of a value could be taken for a number.
    let whole = cut_before(query, MAX_TARGET, |c| c == '&');
    for (key, value) in form_urlencoded::parse(whole.as_bytes()) {
        if let Some((_, values)) = PARAMETERS.iter().find(|(name, _)| *name == key) {
            let value = if values.contains(&value, known) { &*value } else { STARS };
            shown += &format!("{}{key}={value}", if shown.is_empty() { '?' } else { '&' });
        }
    }
    shown
}

/// Returns those words of `User-Agent` that name a program.
pub(super) fn agent(text: &str, known: &impl Known) -> String {
    // It may have any characters, also those between words.
    if known.is_credential_in(text) {
        return STARS.to_owned();
    }
    let whole = cut_before(text, MAX_AGENT, char::is_whitespace);
    let mut agent = String::new();
    let mut is_value = false;
    for piece in whole.split_inclusive(char::is_whitespace) {
        let part = piece.trim_end();
        let bare = part.trim_matches(is_punctuation);
        let has_secret =
            [bare].into_iter().chain(part.split(is_punctuation)).any(|part| is_secret(part, known));
        match has_secret || (is_value && !is_version(bare)) {
            true => agent += STARS,
            false => push_words(&mut agent, part, known),
        }
        agent += &piece[part.len()..];
        if !part.is_empty() {
            let key = bare.trim_end_matches([':', '=']);
            is_value = key.len() < bare.len() || SCHEMES.contains(&key.to_ascii_lowercase().as_str());
        }
    }
    if agent.is_empty() { STARS.to_owned() } else { cut(&agent, MAX_AGENT).to_owned() }
}

/// Returns whether a part of `User-Agent` without spaces is a credential, or may be an encoded one.
fn is_secret(part: &str, known: &impl Known) -> bool {
    let is_login = || {
        let decoded = BASE64.decode(part).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        decoded.is_some_and(|text| text.contains(':') && !text.contains(char::is_control))
    };
    part.contains('%') || known.is_credential(part) || is_login()
}

/// Appends a part of `User-Agent` without spaces, and stars in place of words that may be credentials.
fn push_words(agent: &mut String, part: &str, known: &impl Known) {
    let mut is_value = false;
    for piece in part.split_inclusive(|c: char| !is_in_word(c)) {
        let word = piece.trim_end_matches(|c: char| !is_in_word(c));
        let is_hidden = word.len() > MAX_WORD
            || is_random(word)
            || (is_value && !is_version(word))
            || known.is_credential(word);
        *agent += if is_hidden { STARS } else { word };
        *agent += &piece[word.len()..];
        is_value |= piece.ends_with([':', '=']);
    }
}

fn is_punctuation(c: char) -> bool {
    "()[]{}<>\"',;".contains(c)
}

/// Returns whether a token may contain the character.
fn is_in_word(c: char) -> bool {
    c.is_alphanumeric() || "-_.~+".contains(c)
}

/// Returns whether letters and digits stand together for longer than in names.
fn is_random(word: &str) -> bool {
    word.split(|c: char| !c.is_alphanumeric()).any(|run| {
        run.len() > MAX_MIXED && run.contains(char::is_numeric) && run.contains(char::is_alphabetic)
    })
}

fn is_version(word: &str) -> bool {
    word.split('.').all(|number| number.len() <= MAX_NUMBER && number.bytes().all(|b| b.is_ascii_digit()))
}

fn is_number(text: &str) -> bool {
    (1..=MAX_NUMBER).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit() || b".-".contains(&byte))
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

#[cfg(test)]
mod tests;
