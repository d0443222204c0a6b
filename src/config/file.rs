//! The sections of a file together, and the streams that were added over HTTP.

use std::{collections::BTreeMap, fmt};

use serde::de::{DeserializeOwned, Error as _};
use serde_json::Value;

use super::{
    AuthConfig, Config, ServerConfig, StreamConfig,
    document::{Entry, Kind, NOWHERE, Node},
    error::{Mistakes, Position, join, printable_key},
    mosaic,
    reader::{Context, Error, Reader, nearest},
    schema::SECTIONS,
    stream::{self, OWN_KEYS, StreamYaml},
    values::Named,
};
use crate::media::stream_name::StreamName;

/// Most streams that can be added: more than a machine has cameras, and little enough to be written at each
/// change.
pub const MAX_ADDED: usize = 500;

/// A stream that was added over HTTP. It is read with those of the file, by the same types, but names no file
/// or program of this machine, and no variable is put into its values: whoever may add a stream is not to
/// learn what the environment holds.
#[derive(Clone, PartialEq)]
pub struct Added {
    /// Its name, not checked yet.
    pub name: String,
    /// Its keys, as beneath `streams.NAME`.
    pub settings: Value,
}

/// Settings may hold credentials.
impl fmt::Debug for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Added").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The settings of each stream as in the file or as added: without defaults, variables not put in.
#[derive(Clone, Default, PartialEq)]
pub struct Written(BTreeMap<StreamName, Value>);

/// Settings may hold credentials.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Written {
    /// The settings of a stream.
    pub fn of(&self, name: &StreamName) -> Option<&Value> {
        self.0.get(name)
    }
}

/// Puts `added` behind the streams of the file. One that the file has too is left out: the file counts.
pub(super) fn graft(root: &mut Node, added: &[Added], mistakes: &Mistakes) {
    let Kind::Map(top) = &mut root.kind else { return };
    let Some(streams) = top.iter_mut().find(|entry| entry.key == "streams") else { return };
    let Kind::Map(streams) = &mut streams.value.kind else { return };
    let own = streams.len();
    for one in added {
        if streams[..own].iter().any(|entry| entry.key == one.name) {
            continue;
        }
        if streams.len() > own + MAX_ADDED {
            mistakes.add(NOWHERE, "streams", format!("at most {MAX_ADDED} streams can be added"));
            break;
        }
        streams.push(Entry::new(&one.name, &one.settings));
    }
}

/// Reads all sections, and notes every mistake. The result counts only if there is none.
pub(super) fn read(context: &Context<'_>, root: &Node) -> Option<Config> {
    let top = Position { line: 1, column: 1 };
    let file = Reader::new(context, root, top, "");
    if !matches!(root.kind, Kind::Map(_)) {
        let message =
            format!("must be a map, not {}: the keys here are {}", root.kind_name(), SECTIONS.join(", "));
        file.wrong_value("", message);
        return None;
    }
    for (number, entry) in root.entries().iter().enumerate() {
        let path = printable_key(&entry.key);
        if let Some(first) = root.entries()[..number].iter().find(|first| first.key == entry.key) {
            let message = format!("is given twice, first on line {}: remove one", first.key_at.line);
            context.mistakes.add(entry.key_at, path, message);
        } else if !entry.key.starts_with("x-") && !SECTIONS.contains(&entry.key.as_str()) {
            context.mistakes.add(entry.key_at, path, Error::unknown_field(&entry.key, &SECTIONS).to_string());
        }
    }
    let server: Option<ServerConfig> = section(&file, "server");
    if let (Some(server), Some(reader)) = (&server, file.child("server")) {
        server.check(&reader);
    }
    let limits: Option<super::Limits> = section(&file, "limits");
    let max_pixels = limits.as_ref().map_or(u64::MAX, |limits| limits.max_frame_pixels);
    let log = section(&file, "log");
    let auth = section::<AuthConfig>(&file, "auth");
    let webhooks = match file.child("webhooks") {
        Some(reader) => reader.read::<Webhooks>().map(|webhooks| webhooks.0),
        None => Some(Vec::new()),
    };
    let defaults = root.get("defaults").map(|entry| (entry.key_at, without_own_keys(context, entry)));
    let settings = match &defaults {
        Some((at, node)) => Reader::new(context, node, *at, "defaults").read(),
        None => Some(StreamYaml::default()),
    };
    let Some(entry) = root.get("streams") else {
        file.wrong_missing("streams", "name at least one stream");
        return None;
    };
    let streams = Reader::new(context, &entry.value, entry.key_at, "streams");
    let entries = match &entry.value.kind {
        Kind::Map(entries) => entries.as_slice(),
        _ => {
            let not = entry.value.kind_name();
            let want = "each stream's name with its `source` beneath";
            streams.wrong_value("streams", format!("must be a map, not {not}: {want}"));
            return None;
        }
    };
    if entries.is_empty() {
        streams.wrong_value("streams", "is empty: name at least one stream");
    }
    let names: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    let nodes: Vec<Node> = entries
        .iter()
        .map(|entry| with_defaults(&entry.value, defaults.as_ref().map(|(_, node)| node)))
        .collect();
    let read: Vec<_> = (entries.iter().zip(&nodes).enumerate())
        .map(|(number, (entry, node))| {
            let path = join("streams", &printable_key(&entry.key));
            let reader = Reader::new(context, node, entry.key_at, path);
            if let Some(first) = entries[..number].iter().find(|first| first.key == entry.key) {
                reader.wrong(format!("is given twice, first on line {}: remove one", first.key_at.line));
            }
            let stream = read_stream(&entry.key, &reader, max_pixels);
            (reader, stream)
        })
        .collect();
    stream::check(&names, &read);
    let streams: Option<Vec<StreamConfig>> = read.into_iter().map(|(_, stream)| stream).collect();
    let server = server?;
    let overview = streams.as_ref().zip(settings).filter(|_| server.mosaic);
    let overview = overview.and_then(|(streams, settings)| mosaic::overview(streams, settings));
    if let Some(name) = server.default_stream.as_ref().map(StreamName::as_str)
        && !names.contains(&name)
        && (streams.is_some() || name != mosaic::OVERVIEW)
        && overview.as_ref().is_none_or(|stream| stream.name.as_str() != name)
        && let Some(reader) = file.child("server")
    {
        let meant = nearest(name, &names).map(|name| format!(" (did you mean {name}?)")).unwrap_or_default();
        let message = format!("must be the name of a stream of this file{meant}, not {name}");
        reader.wrong_key("default_stream", message);
    }
    let written = entries.iter().filter_map(|entry| Some((entry.key.parse().ok()?, entry.value.to_json())));
    let written = Written(written.collect());
    Some(Config {
        server,
        auth: auth?,
        webhooks: webhooks?,
        log: log?,
        limits: limits?,
        streams: streams?,
        overview,
        written,
    })
}

/// Reads a section; one that is not there or empty has all defaults.
fn section<T: DeserializeOwned + Default>(file: &Reader<'_>, key: &str) -> Option<T> {
    file.child(key)
        .filter(|section| !section.is_empty())
        .map_or_else(|| Some(T::default()), |section| section.read())
}

/// `webhooks:`.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Webhooks(#[serde(deserialize_with = "Named::deserialize")] Vec<super::WebhookConfig>);

fn read_stream(name: &str, reader: &Reader<'_>, max_pixels: u64) -> Option<StreamConfig> {
    let name = name.parse::<StreamName>().map_err(|error| reader.wrong(error.to_string()));
    let stream: Option<StreamYaml> = reader.read();
    stream?.finish(name.ok()?, reader, max_pixels)
}

/// A stream's keys, and those of `defaults` that it does not have itself.
fn with_defaults(stream: &Node, defaults: Option<&Node>) -> Node {
    let mut node = stream.clone();
    let inherited = defaults.map(Node::entries).unwrap_or_default();
    let inherited = inherited.iter().filter(|entry| stream.get(&entry.key).is_none());
    let inherited = inherited.map(|entry| Entry { inherited_from: Some("defaults"), ..entry.clone() });
    match &mut node.kind {
        Kind::Map(entries) => entries.extend(inherited),
        Kind::Null => node.kind = Kind::Map(inherited.collect()),
        _ => {}
    }
    node
}

/// `defaults:` without the keys that only a stream has, which are noted.
fn without_own_keys(context: &Context<'_>, entry: &Entry) -> Node {
    let mut node = entry.value.clone();
    if let Kind::Map(entries) = &mut node.kind {
        entries.retain(|entry| {
            let is_own = OWN_KEYS.contains(&entry.key.as_str());
            if is_own {
                let message = "unknown key: each stream has its own";
                context.mistakes.add(entry.key_at, join("defaults", &entry.key), message);
            }
            !is_own
        });
    }
    node
}
