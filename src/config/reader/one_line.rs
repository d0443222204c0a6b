//! Sources in one line: `door: "http://…"` stands for `door: {source: {type: auto, url: "http://…"}}`.

use std::{borrow::Cow, slice};

use serde_json::Value;

use super::{suggestions::nearest, value::Context};
use crate::config::{
    environment::{Environment, expand, pieces},
    error::NOWHERE,
    url::OTHER_SCHEMES,
    yaml::{Entry, Kind, Node},
};

/// The variable of the environment with the token of a stream that is only `push`.
const PUSH_VARIABLE: &str = "FRAMECAST_PUSH_TOKEN";

/// The source that needs no URL.
pub(super) const PUSH: &str = "push";

/// The schemes of a URL that can be a source, each with the type of that source.
const SCHEMES: [(&str, &str); 4] = [("http", "auto"), ("https", "auto"), ("rtsp", "rtsp"), ("rtsps", "rtsp")];

/// Writes out a stream that is a single text, and those of its sources that are URLs. `push` stays: its token
/// is no part of the settings that the API returns.
pub(crate) fn write_out(stream: &mut Node, environment: &Environment) {
    if matches!(stream.kind, Kind::Text { .. }) {
        stream.kind = Kind::Map(vec![Entry::within(stream, "source", stream.clone())]);
    }
    for source in sources(stream) {
        let Kind::Text { text: raw, .. } = &source.kind else { continue };
        // What cannot be expanded is reported when the source is read.
        let expanded = || expand(&pieces(raw).ok()?, environment, |_, value| Cow::Borrowed(value)).ok();
        let expanded = if source.at == NOWHERE { None } else { expanded() };
        let text = expanded.as_ref().unwrap_or(raw);
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        let known = SCHEMES.iter().find(|(known, _)| scheme.as_deref() == Some(*known));
        if let Some((_, kind)) = known {
            let url = source.clone();
            source.kind = Kind::Map(vec![
                Entry::within(&url, "type", Node::text(kind)),
                Entry::within(&url, "url", url.clone()),
            ]);
        } else if text == PUSH {
            source.kind = Kind::Text { text: PUSH.to_owned(), typed: false };
        }
    }
}

/// Writes out the settings of a stream that came over HTTP: see `write_out`.
pub fn written_out(settings: &Value) -> Value {
    let mut stream = Node::from(settings);
    write_out(&mut stream, &Environment::default());
    stream.to_json()
}

/// Puts the token of the environment into the sources of a stream that are only `push`. One that has no token
/// to get is noted as a mistake, and stays.
pub(crate) fn add_push_token(stream: &mut Node, path: &str, context: &Context<'_>) {
    for source in sources(stream) {
        if !matches!(&source.kind, Kind::Text { text, .. } if text == PUSH) {
            continue;
        }
        let token = context.environment.get(PUSH_VARIABLE).unwrap_or_default();
        let wrong = match token {
            "" => "is not set",
            "none" => "is none, which would let anybody push",
            _ if token.contains(|c: char| c.is_control() || c.is_whitespace()) => "is not one word",
            _ => {
                // At no position, so that no variable is looked for in it.
                let entry = |key, text| Entry::within(source, key, Node::text(text));
                source.kind = Kind::Map(vec![entry("type", PUSH), entry("token", token)]);
                continue;
            }
        };
        context.shown.borrow_mut().push(source.span.clone());
        let message = format!(
            "`push` takes its token from the environment variable {PUSH_VARIABLE}, which {wrong}: set it to a \
             secret, or write the source out with a token: {{type: push, token: …}}"
        );
        context.mistakes.add(source.at, format!("{path}.source"), message);
    }
}

/// The sources of a stream that is a map.
fn sources(stream: &mut Node) -> &mut [Node] {
    let Kind::Map(entries) = &mut stream.kind else { return &mut [] };
    let Some(entry) = entries.iter_mut().find(|entry| entry.key == "source") else { return &mut [] };
    match &mut entry.value {
        Node { kind: Kind::Seq(items), .. } => items,
        single => slice::from_mut(single),
    }
}

/// The message about a source that is a text and was not written out; empty if it was noted already. It
/// names only words that are known: any other may be a misplaced password.
pub(super) fn wrong_source(text: &str, types: &[&str]) -> String {
    if text == PUSH {
        return String::new();
    }
    if types.contains(&text) {
        return format!(
            "must be a map for this type: {{type: {text}, …}}; only a URL and `push` can stand alone"
        );
    }
    let schemes = SCHEMES.map(|(scheme, _)| scheme);
    if let Some((scheme, _)) = text.split_once("://") {
        let hint = match nearest(scheme, &schemes) {
            _ if OTHER_SCHEMES.contains(&scheme) => {
                format!(", not {scheme}: what ffmpeg can read is {{type: exec, command: [ffmpeg, -i, …]}}")
            }
            Some(meant) => format!(" (did you mean {meant}?)"),
            None => String::new(),
        };
        return format!("scheme must be http, https, rtsp or rtsps{hint}");
    }
    let words: Vec<_> = types.iter().copied().chain(schemes).collect();
    let meant = nearest(text, &words).map(|word| format!(" (did you mean {word}?)")).unwrap_or_default();
    format!(
        "must be a URL such as http://192.168.1.20/video.mjpg or rtsp://…, the word push{meant}, or a map \
         such as {{type: images, path: builtin:demo}}"
    )
}
