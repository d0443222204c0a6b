//! Streams that show other streams' pictures: those must be there, and none may show its own in the end.

use super::{
    StreamConfig,
    node::{Entry, Kind, Node, join},
    reader::Context,
    suggest,
};
use crate::frame::StreamName;

/// Notes names of streams that are not there, and circles. `read` has the streams of `entries`, those in which nothing
/// is wrong.
pub(super) fn check(
    context: &Context<'_>,
    entries: &[Entry],
    names: &[String],
    read: &[Option<StreamConfig>],
) {
    for (entry, stream) in entries.iter().zip(read) {
        let Some(stream) = stream else { continue };
        for of in stream.source.origins() {
            let message = if !names.iter().any(|name| name == of.as_str()) {
                let meant = suggest::nearest(of.as_str(), names.iter().map(String::as_str));
                let meant = meant.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default();
                format!("must be the name of a stream of this file{meant}, not {of}")
            } else if leads_back(stream, of, read) {
                "shows its own pictures in the end: what it shows must come from a source of its own"
                    .to_owned()
            } else {
                continue;
            };
            let at = place_of(entry, of.as_str()).unwrap_or(entry.key_at);
            context.mistakes.add(at, join(&join("streams", stream.name.as_str()), "source.of"), message);
        }
    }
}

/// Whether following origins from `of`, one of a stream's, comes back to it.
fn leads_back(start: &StreamConfig, of: &StreamName, read: &[Option<StreamConfig>]) -> bool {
    let mut seen = Vec::new();
    let mut next = vec![of];
    while let Some(name) = next.pop() {
        if *name == start.name {
            return true;
        }
        if !seen.contains(&name) {
            seen.push(name);
            let stream = read.iter().flatten().find(|stream| stream.name == *name);
            next.extend(stream.into_iter().flat_map(|stream| stream.source.origins()));
        }
    }
    false
}

/// Where the name `of` stands in a stream's source.
fn place_of(stream: &Entry, of: &str) -> Option<super::error::Position> {
    let find = |entry: &Entry, key: &str| match &entry.value.kind {
        Kind::Map(entries) => entries.iter().find(|entry| entry.key == key).cloned(),
        _ => None,
    };
    let value = find(&find(stream, "source")?, "of")?.value;
    let names_it = |node: &Node| matches!(&node.kind, Kind::Scalar { text, .. } if text == of);
    let item = match &value.kind {
        Kind::Seq(items) => items.iter().find(|item| names_it(item)).map(|item| item.at),
        _ => None,
    };
    Some(item.unwrap_or(value.at))
}
