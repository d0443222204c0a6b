//! Streams that show other streams' pictures: those must be there, and none may show its own in the end.

use std::rc::Rc;

use super::{
    model::StreamConfig,
    node::{Entry, Kind, Node, join},
    reader::Context,
    suggest,
};
use crate::media::stream_name::StreamName;

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
        for of in stream.origins() {
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
            next.extend(stream.into_iter().flat_map(StreamConfig::origins));
        }
    }
    false
}

/// Where the name `of` stands in a stream's source, or in one of them.
fn place_of(stream: &Entry, of: &str) -> Option<super::error::Position> {
    let source = find(&stream.value, "source")?;
    match &source.kind {
        Kind::Seq(items) => items.iter().find_map(|item| place_in(item, of)),
        _ => place_in(&source, of),
    }
}

fn find(node: &Node, key: &str) -> Option<Rc<Node>> {
    match &node.kind {
        Kind::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.clone()),
        _ => None,
    }
}

fn place_in(source: &Node, of: &str) -> Option<super::error::Position> {
    let value = find(source, "of")?;
    let names_it = |node: &Node| matches!(&node.kind, Kind::Scalar { text, .. } if text == of);
    match &value.kind {
        Kind::Seq(items) => items.iter().find(|item| names_it(item)).map(|item| item.at),
        Kind::Scalar { .. } => names_it(&value).then_some(value.at),
        Kind::Map(_) => None,
    }
}
