//! The sections of a file together.

use serde::de::DeserializeOwned;

use super::{
    api_streams::Written,
    error::{Position, join, printable_key},
    reader::{Context, Reader, add_push_token, nearest, unknown_key},
    schema::SECTIONS,
    sections::{
        auth::{AuthConfig, StreamScope, TokenConfig, UserConfig},
        limits::Limits,
        log::LogConfig,
        mosaic::MosaicConfig,
        server::ServerConfig,
        source::SourceConfig,
        stream::{self, OWN_KEYS, StreamConfig},
        webhooks::WebhookConfig,
    },
    values::{Named, all_defaults},
    yaml::{Entry, Kind, Node},
};
use crate::media::stream_name::StreamName;

/// The name of the mosaic of all streams.
const OVERVIEW: &str = "all";

/// Everything `framecast serve` needs. A value of these types needs no further check.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Addresses to listen on, and the HTTP server.
    pub server: ServerConfig,
    /// Permissions.
    pub auth: AuthConfig,
    /// Receivers of events.
    pub webhooks: Vec<WebhookConfig>,
    /// The log.
    pub log: LogConfig,
    /// Limits of the server and of all streams.
    pub limits: Limits,
    /// The streams, in the order of the file (mjpg-streamer's `stream_N` counts in it).
    pub streams: Vec<StreamConfig>,
    /// All of them in one picture, unless there is a stream of that name, or it was switched off.
    pub overview: Option<StreamConfig>,
    /// The settings of each stream as they are in the file.
    pub written: Written,
    /// Remarks about values that are valid, and perhaps not intended, with their positions.
    pub warnings: Vec<String>,
}

/// Reads all sections, and notes every mistake. The result counts only if there is none.
pub(crate) fn read(context: &Context<'_>, root: &Node) -> Option<Config> {
    let file = Reader::new(context, root, Position { line: 1, column: 1 }, "");
    if !matches!(root.kind, Kind::Map(_)) {
        let (not, keys) = (root.kind_name(), SECTIONS.join(", "));
        file.wrong_value("", format!("must be a map, not {not}: the keys here are {keys}"));
        return None;
    }
    check_sections(&file);
    let server: Option<ServerConfig> = section(&file, "server");
    if let (Some(server), Some(reader)) = (&server, file.child("server")) {
        server.check(&reader);
    }
    let limits: Option<Limits> = section(&file, "limits");
    let max_pixels = limits.as_ref().map_or(u64::MAX, |limits| limits.max_frame_pixels);
    let (log, auth) = (section(&file, "log"), section(&file, "auth"));
    let webhooks = file.child("webhooks").map_or(Some(Named(Vec::new())), |webhooks| webhooks.read());
    let defaults = root.get("defaults").map(|entry| (entry.key_at, without_own_keys(context, entry)));
    let settings = match &defaults {
        Some((at, node)) => Reader::new(context, node, *at, "defaults").read(),
        None => Some(all_defaults()),
    };
    let entries = stream_entries(&file)?;
    let inherited = defaults.as_ref().map_or(&[][..], |(_, node)| node.entries());
    let streams = read_streams(context, entries, inherited, max_pixels);
    let server = server?;
    let overview = streams.as_ref().zip(settings).filter(|_| server.mosaic);
    let overview = overview.and_then(|(streams, settings)| overview_of(streams, settings));
    // The overview is not known while a stream is wrong.
    let may_be_overview = |name: &str| name == OVERVIEW && (streams.is_none() || overview.is_some());
    if let Some(name) = server.default_stream.as_ref().map(StreamName::as_str)
        && !entries.iter().any(|entry| entry.key == name)
        && !may_be_overview(name)
        && let Some(reader) = file.child("server")
    {
        let names: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        let meant = nearest(name, &names).map(|name| format!(" (did you mean {name}?)")).unwrap_or_default();
        let message = format!("must be the name of a stream of this file{meant}, not {name}");
        reader.wrong_key("default_stream", message);
    }
    let (auth, webhooks, log, limits, streams) = (auth?, webhooks?.0, log?, limits?, streams?);
    let written = Written::new(entries);
    Some(Config { server, auth, webhooks, log, limits, streams, overview, written, warnings: Vec::new() })
}

/// The names and keys of all streams. None if they are not there, which is noted.
fn stream_entries<'a>(file: &Reader<'a>) -> Option<&'a [Entry]> {
    let Some(entry) = file.entries().iter().find(|entry| entry.key == "streams") else {
        file.wrong_missing("streams", "name at least one stream");
        return None;
    };
    let streams = file.entry(entry);
    let Kind::Map(entries) = &entry.value.kind else {
        let (not, want) = (entry.value.kind_name(), "each stream's name with its `source` beneath");
        streams.wrong_value("streams", format!("must be a map, not {not}: {want}"));
        return None;
    };
    if entries.is_empty() {
        streams.wrong_value("streams", "is empty: name at least one stream");
    }
    Some(entries)
}

/// Reads all streams. None if one of them is wrong.
fn read_streams(
    context: &Context<'_>,
    entries: &[Entry],
    inherited: &[Entry],
    max_pixels: u64,
) -> Option<Vec<StreamConfig>> {
    let node = |entry: &Entry| {
        let mut node = with_defaults(&entry.value, inherited);
        add_push_token(&mut node, &join("streams", &printable_key(&entry.key)), context);
        node
    };
    let nodes: Vec<Node> = entries.iter().map(node).collect();
    let streams = entries.iter().zip(&nodes).enumerate().map(|(number, (entry, node))| {
        let path = join("streams", &printable_key(&entry.key));
        let reader = Reader::new(context, node, entry.key_at, path);
        check_repeated(&entries[..number], entry, &reader);
        let name = entry.key.parse::<StreamName>().map_err(|error| reader.wrong(error.to_string()));
        let stream: Option<StreamConfig> = reader.read();
        let stream = stream.zip(name.ok());
        let stream = stream.and_then(|(stream, name)| stream.finish(name, &reader, max_pixels));
        (reader, stream)
    });
    let streams: Vec<_> = streams.collect();
    let names: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    stream::check(&names, &streams);
    streams.into_iter().map(|(_, stream)| stream).collect()
}

/// Notes sections that are unknown or repeated.
fn check_sections(file: &Reader<'_>) {
    let entries = file.entries();
    for (number, entry) in entries.iter().enumerate() {
        let reader = file.entry(entry);
        let is_known = entry.key.starts_with("x-") || SECTIONS.contains(&entry.key.as_str());
        if !check_repeated(&entries[..number], entry, &reader) && !is_known {
            reader.wrong(unknown_key(&entry.key, &SECTIONS));
        }
    }
}

/// Reports a key that is repeated. Returns whether it is.
fn check_repeated(before: &[Entry], entry: &Entry, reader: &Reader<'_>) -> bool {
    let first = before.iter().find(|first| first.key == entry.key);
    if let Some(first) = first {
        reader.wrong(format!("is given twice, first on line {}: remove one", first.key_at.line));
    }
    first.is_some()
}

/// Reads a section; one that is not there or empty has all defaults.
fn section<T: DeserializeOwned + Default>(file: &Reader<'_>, key: &str) -> Option<T> {
    file.child(key)
        .filter(|section| !section.is_empty())
        .map_or_else(|| Some(T::default()), |section| section.read())
}

/// A stream's keys, and those of `defaults` that it does not have itself.
fn with_defaults(stream: &Node, defaults: &[Entry]) -> Node {
    let mut node = stream.clone();
    let inherited = defaults.iter().filter(|entry| stream.get(&entry.key).is_none());
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
                let path = join("defaults", &entry.key);
                context.mistakes.add(entry.key_at, path, "unknown key: each stream has its own");
            }
            !is_own
        });
    }
    node
}

/// The mosaic of all streams, but of other mosaics, whose tiles it has already. None if a stream has its
/// name, if there is nothing to show, or if there are too many.
fn overview_of(streams: &[StreamConfig], defaults: StreamConfig) -> Option<StreamConfig> {
    let name: StreamName = OVERVIEW.parse().expect("it is one");
    let is_shown = |stream: &&StreamConfig| !matches!(stream.source(), SourceConfig::Mosaic(_));
    let of: Vec<_> = streams.iter().filter(is_shown).map(|stream| stream.name.clone()).collect();
    let is_taken = streams.iter().any(|stream| stream.name == name);
    if is_taken || of.is_empty() || of.len() > MosaicConfig::MAX_TILES {
        return None;
    }
    Some(StreamConfig {
        name,
        title: "All streams".to_owned(),
        sources: vec![SourceConfig::Mosaic(MosaicConfig { of, ..MosaicConfig::default() })],
        on_demand: Some(true),
        max_fps: None,
        save: None,
        transform: Vec::new(),
        encode: None,
        strip_metadata: false,
        replay: None,
        ..defaults
    })
}

/// Names of streams in `auth` that no stream has, each with its place: they may be added later, or be
/// misspelt.
pub fn unknown_streams(config: &Config) -> Vec<String> {
    let streams: Vec<_> =
        config.streams.iter().chain(&config.overview).map(|stream| stream.name.as_str()).collect();
    let path = |kind: &str, name: &str| format!("auth.{kind}.{name}.streams");
    let AuthConfig { anonymous, tokens, users, .. } = &config.auth;
    let tokens = tokens.iter().map(|TokenConfig { name, streams, .. }| (path("tokens", name), streams));
    let users = users.iter().map(|UserConfig { name, streams, .. }| (path("users", name), streams));
    let reaches = [("auth.anonymous".to_owned(), anonymous)].into_iter().chain(tokens).chain(users);
    let mut unknown = Vec::new();
    for (path, reach) in reaches {
        let StreamScope::Only(names) = reach else { continue };
        for name in names.iter().map(StreamName::as_str).filter(|name| !streams.contains(name)) {
            let meant = nearest(name, &streams).map(|meant| format!(" (did you mean {meant}?)"));
            let meant = meant.unwrap_or_default();
            unknown
                .push(format!("{path}: there is no stream {name}{meant}; it counts as soon as there is one"));
        }
    }
    unknown
}
