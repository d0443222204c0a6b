//! `streams:` and `defaults:`.

use std::{collections::HashMap, path::Path, path::PathBuf, time::Duration};

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use super::{
    save::{SaveConfig, save},
    source::SourceConfig,
    transform::{Encode, Step, Transform, steps},
};
use crate::{
    config::{
        reader::{LOCAL, Reader, nearest},
        values::{
            DAY, Fps, HOUR, Line, NoneOr, OrNone, SECOND, Short, Text, Time, Wrong, given, json_schema,
            one_or_many, scalar, secs, short, yes,
        },
    },
    media::stream_name::StreamName,
};

/// Most sources of one stream. Each may be tried in turn before a picture comes; a longer list is a mistake
/// of a program that writes it.
const MAX_SOURCES: usize = 8;

/// One entry of `streams:`, with `defaults:` applied.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = require_source)]
pub struct StreamConfig {
    /// The key in the file.
    #[serde(skip, default = "unnamed")]
    pub name: StreamName,
    /// Title on pages and cards.
    #[serde(default, with = "Text::<Line<200>>")]
    #[schemars(extend("x-default" = "the stream's name"))]
    pub title: String,
    /// Source of the frames: a map whose keys depend on its `type`, or a URL or `push` alone. Of a list the
    /// first that works is used.
    #[serde(default, rename = "source", deserialize_with = "sources")]
    #[schemars(with = "Sources", extend("x-unit" = "map, URL or `push`; or a list"))]
    pub sources: Vec<SourceConfig>,
    /// Runs the source only while it is watched. `false` keeps it running. A push stream always runs.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "bool", extend("x-default" = "`true`; `false` with `save`, `replay` or `poll`"))]
    pub on_demand: Option<bool>,
    /// Time that the source runs on after its last viewer left.
    #[serde(default = "secs::<10>", with = "Text::<Time<0, DAY>>")]
    pub linger: Duration,
    /// Time that a preferred source of a list must have given frames before it is used again.
    #[serde(default = "secs::<30>", with = "Text::<Time<0, DAY>>")]
    pub failback_after: Duration,
    /// Maximum frame rate; frames above it are dropped and counted.
    #[serde(default, with = "Text::<OrNone<Fps>>")]
    pub max_fps: Option<f64>,
    /// Steps that are applied to its pictures, in this order: each is one of `crop`, `scale`, `rotate`,
    /// `flip`, `grayscale`, `mask`, `text`, `image`. A picture is turned as its EXIF data say first.
    #[serde(default, deserialize_with = "steps")]
    #[schemars(with = "NoneOr<Vec<Step>>", extend("x-unit" = "list of steps, or `none`", "default" = "none"))]
    pub transform: Vec<Step>,
    /// Encoding of transformed pictures. Without `transform` each picture is encoded anew.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Encode", extend("x-default" = "all defaults"))]
    pub encode: Option<Encode>,
    /// Remove EXIF, GPS and other metadata from pictures that are not re-encoded; re-encoded pictures have
    /// none.
    #[serde(default)]
    pub strip_metadata: bool,
    /// Picture for viewers while the source is away: a card with the stream's name and the reason, the last
    /// picture dimmed with the same words, nothing new, or a picture of your own. `true` is `card`, `false`
    /// is `none`.
    #[serde(default)]
    #[schemars(extend("x-unit" = "`card`, `last`, `none`, true, false, or map"))]
    pub placeholder: PlaceholderConfig,
    /// Chunked transfer coding for HTTP/1.1 viewers. `false` for old programs that do not support it.
    #[serde(default = "yes")]
    pub chunked: bool,
    /// Time after which a viewer that takes nothing is disconnected.
    #[serde(default = "secs::<10>", with = "Text::<Time<SECOND, HOUR>>")]
    pub viewer_timeout: Duration,
    /// Send smaller frames to viewers whose link does not carry the stream, as with `?adapt=1`.
    #[serde(default)]
    pub adapt: bool,
    /// Write frames to disk: `latest`, `dir` or `append`.
    #[serde(default, deserialize_with = "save")]
    #[schemars(with = "NoneOr<SaveConfig>", extend("x-local" = "none"))]
    pub save: Option<SaveConfig>,
    /// Time for which pictures are kept in memory, for `/streams/NAME/replay` and `/streams/NAME/clip`.
    #[serde(default, with = "Text::<OrNone<Time<SECOND, HOUR>>>")]
    pub replay: Option<Duration>,
    /// Time in `X-Timestamp`: that of the frame's arrival, or that at which it was taken, where the camera or
    /// publisher states it. It never goes back.
    #[serde(default)]
    pub timestamps: Timestamps,
    /// Ask the camera with `?meta=1` for the numbers, times and JSON of its frames. Another framecast is
    /// recognised, and asked in any case.
    #[serde(default)]
    pub meta: bool,
}

/// `timestamps:`, the time in `X-Timestamp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Timestamps {
    /// The time at which the frame arrived.
    #[default]
    Arrival,
    /// The time at which it was taken, where that is known.
    Capture,
}

/// Keys of a stream that are not settings for all.
pub(crate) const OWN_KEYS: [&str; 2] = ["title", "source"];

const NEED_SOURCE: &str = "say where the frames come from, such as `source: \"http://…\"`";

fn unnamed() -> StreamName {
    "unnamed".parse().expect("it is a name")
}

fn require_source(schema: &mut Schema) {
    schema.insert("required".to_owned(), json!(["source"]));
}

impl StreamConfig {
    /// The source that is wanted most.
    pub fn source(&self) -> &SourceConfig {
        self.sources.first().expect("a stream that was read has a source")
    }

    /// All sources, the most wanted first.
    pub fn sources(&self) -> impl Iterator<Item = &SourceConfig> {
        self.sources.iter()
    }

    /// Returns whether other sources stand in for the first.
    pub fn has_fallbacks(&self) -> bool {
        self.sources.len() > 1
    }

    /// Returns whether the source runs only while somebody watches. A graph that is polled only then would
    /// have a hole for the rest of the time.
    pub fn on_demand(&self) -> bool {
        let polls =
            |source: &SourceConfig| matches!(source, SourceConfig::Chart(chart) if chart.poll.is_some());
        let wants_all = self.sources.iter().any(polls) || self.save.is_some() || self.replay.is_some();
        !self.is_push() && self.on_demand.unwrap_or(!wants_all)
    }

    /// The processing of its pictures.
    pub fn rework(&self) -> Transform {
        let Self { transform, encode, strip_metadata, .. } = self;
        Transform { steps: transform.clone(), encode: *encode, strip_metadata: *strip_metadata }
    }

    fn is_push(&self) -> bool {
        matches!(self.sources.first(), Some(SourceConfig::Push { .. }))
    }

    /// The streams whose pictures any of its sources needs.
    pub fn origins(&self) -> impl Iterator<Item = &StreamName> {
        self.sources.iter().flat_map(SourceConfig::origins)
    }

    /// Completes the stream, and notes what is wrong with several of its keys together. None if its source is
    /// wrong.
    pub(crate) fn finish(mut self, name: StreamName, reader: &Reader<'_>, max_pixels: u64) -> Option<Self> {
        let source = reader.child("source");
        if source.is_none() && !reader.has_misspelt("source") {
            reader.wrong_missing("source", NEED_SOURCE);
        }
        let source = source.filter(Reader::is_right)?;
        let count = self.sources.len();
        for (number, (config, reader)) in self.sources.iter_mut().zip(source.items()).enumerate() {
            config.complete();
            config.check(&reader, max_pixels);
            if let Some(message) = misplaced(config, number, count) {
                reader.wrong(message);
            }
        }
        if self.is_push() && self.on_demand == Some(true) && reader.has_own("on_demand") {
            reader.wrong_key("on_demand", "a push stream always runs: remove the key");
        }
        if let Some(placeholder) = reader.child("placeholder") {
            let has = |key| placeholder.child(key).is_some();
            if has("label") && !has("image") && !placeholder.has_misspelt("image") {
                placeholder.wrong_missing("image", NEED_IMAGE);
            }
            if has("style") && has("image") {
                placeholder.wrong_key("style", "cannot stand beside `image`: remove one of them");
            }
        }
        if self.title.is_empty() {
            self.title = name.to_string();
        }
        // A default that is written out is no change for a reload.
        let on_demand = Some(self.on_demand());
        Some(Self { name, on_demand, ..self })
    }
}

/// `source:` of a stream: one, or a list of which the first that is well is used.
fn sources<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SourceConfig>, D::Error> {
    let sources: Vec<SourceConfig> = one_or_many(deserializer, "1 to 8 sources, the most wanted first")?;
    if sources.len() > MAX_SOURCES {
        let count = sources.len();
        let message = format!("must have 1 to {MAX_SOURCES} sources, the most wanted first, not {count}");
        return Err(serde::de::Error::custom(message));
    }
    Ok(sources)
}

/// The schema of `source`.
struct Sources;

json_schema!(impl for Sources, |generator| {
    let map = generator.subschema_for::<SourceConfig>();
    let one = json!({"anyOf": [map, source_in_one_line()]});
    schemars::json_schema!({
        "anyOf": [map, source_in_one_line(), {"type": "array", "items": one, "maxItems": MAX_SOURCES}]
    })
});

/// The schema of a source that is a URL or `push`.
fn source_in_one_line() -> Value {
    json!({"type": "string", "pattern": r"^(push$|(https?|rtsps?)://.)|\$\{"})
}

/// An entry of `streams:` as it is written: a map, or its source in one line.
pub(crate) struct WrittenStream;

json_schema!(impl for WrittenStream, |generator| schemars::json_schema!({
    "anyOf": [generator.subschema_for::<StreamConfig>(), source_in_one_line()]
}));

/// Returns the reason why a source cannot stand in this place of a list, if it cannot.
fn misplaced(source: &SourceConfig, number: usize, len: usize) -> Option<String> {
    if len > 1 && matches!(source, SourceConfig::Push { .. }) {
        return Some(
            "a push source cannot stand in a list, since nobody can tell its publisher's silence from its \
             absence: give it a stream of its own, and put {type: rendition, of: THAT-STREAM, \
             frame_timeout: 10s} here"
                .to_owned(),
        );
    }
    (source.never_fails() && number + 1 < len).then(|| {
        let kind = source.type_name();
        format!("a source of type {kind} is never away, so those behind it would never be used: put it last")
    })
}

/// `placeholder:`, the picture for viewers while the source is away.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Placeholder {
    /// Nothing: the last picture stays as it was.
    None,
    /// A card with the stream's title, since when, and why.
    #[default]
    Card,
    /// The last picture, dimmed, with the same words; a card where there is none.
    Last,
    /// A picture of the user's own.
    Image {
        /// PNG, JPEG, WebP, GIF or BMP.
        path: PathBuf,
        /// Writes title, since when and why on it.
        label: bool,
    },
}

/// `placeholder:`, and when it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceholderConfig {
    /// The picture.
    pub style: Placeholder,
    /// Time without a picture after which a source is offline.
    pub after: Duration,
}

impl Default for PlaceholderConfig {
    fn default() -> Self {
        Self { style: Placeholder::default(), after: secs::<3>() }
    }
}

/// The keys of `placeholder`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceholderMap {
    /// `card`, `last` or `none`, as without a map.
    #[serde(default, with = "Text::<Option<Style>>")]
    #[schemars(extend("x-default" = "`card`"))]
    style: Option<Placeholder>,
    /// Image to show: JPEG, PNG, WebP, GIF or BMP, of at most 50 million pixels. It is fitted into the size
    /// of the stream's last picture.
    #[serde(default, with = "Text::<Option<Picture>>")]
    #[schemars(extend("x-default" = "no image"))]
    image: Option<PathBuf>,
    /// Write the stream's name, the time and the reason below the image.
    #[serde(default = "yes")]
    label: bool,
    /// Time without a picture after which the source is offline. Shorter gaps are not shown, not logged, and
    /// not offline in the metrics.
    #[serde(default = "secs::<3>", with = "Text::<Time<0, DAY>>")]
    after: Duration,
}

const NEED_IMAGE: &str = "the picture to show, such as {image: offline.png}";

scalar!(struct Style => Placeholder, "`card`, `last` or `none`", "", |text| {
    Ok(PlaceholderConfig::from_word(text)?.style)
}, schema json!({"enum": ["card", "last", "none", true, false]}));

scalar!(struct Picture => PathBuf, "path of a file", LOCAL, |text| {
    let path = PathBuf::from(text);
    path.is_file().then_some(path).ok_or_else(|| Wrong::shown("must be a file that exists"))
});

impl From<PlaceholderMap> for PlaceholderConfig {
    fn from(PlaceholderMap { style, image, label, after }: PlaceholderMap) -> Self {
        let image = image.map(|path| Placeholder::Image { path, label });
        Self { style: image.or(style).unwrap_or_default(), after }
    }
}

impl Short for PlaceholderConfig {
    type Map = PlaceholderMap;
    const UNIT: &'static str = "`card`, `last`, `none`, true, false, or map";

    fn from_word(word: &str) -> Result<Self, Wrong> {
        let style = match word {
            "card" | "true" | "True" | "TRUE" => Placeholder::Card,
            "none" | "false" | "False" | "FALSE" => Placeholder::None,
            "last" => Placeholder::Last,
            _ => return Err(Wrong::shown("must be card, last, none, or a map such as {image: offline.png}")),
        };
        Ok(Self { style, ..Self::default() })
    }
}

impl<'de> Deserialize<'de> for PlaceholderConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        short(deserializer)
    }
}

/// Writes the default.
impl Serialize for PlaceholderConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("card")
    }
}

json_schema!(impl for PlaceholderConfig, |generator| {
    let map = generator.subschema_for::<PlaceholderMap>();
    schemars::json_schema!({"anyOf": [{"enum": ["card", "last", "none", true, false]}, map]})
});

/// Notes what is wrong with streams together: two that save to the same place, origins that are not there,
/// and circles.
pub(crate) fn check(names: &[&str], streams: &[(Reader<'_>, Option<StreamConfig>)]) {
    let mut saved: HashMap<&Path, &StreamName> = HashMap::new();
    let all = || streams.iter().filter_map(|(reader, stream)| Some((reader, stream.as_ref()?)));
    for (reader, stream) in all() {
        let place = stream.save.as_ref().map(|save| save.target.place());
        if let Some(other) = place.and_then(|place| saved.insert(place, &stream.name)) {
            reader.wrong_key("save", format!("stream {other} saves there too: give each its own path"));
        }
    }
    for (reader, stream) in all() {
        for of in stream.origins() {
            let message = if !names.contains(&of.as_str()) {
                let meant = nearest(of.as_str(), names).map(|name| format!(" (did you mean {name}?)"));
                format!("must be the name of a stream of this file{}, not {of}", meant.unwrap_or_default())
            } else if leads_back(stream, of, all().map(|(_, stream)| stream)) {
                "shows its own pictures in the end: what it shows must come from a source of its own"
                    .to_owned()
            } else {
                continue;
            };
            let sources = reader.child("source").into_iter().flat_map(|source| source.items());
            let mut origins = sources.filter_map(|source| source.child("of")).flat_map(|of| of.items());
            let path = format!("streams.{}.source.of", stream.name);
            match origins.find(|origin| origin.raw() == Some(of.as_str())) {
                Some(origin) => origin.wrong_value(&path, message),
                None => reader.wrong_key("source.of", message),
            }
        }
    }
}

/// Returns whether following origins from `of`, one of a stream's, comes back to it.
fn leads_back<'a>(
    start: &StreamConfig,
    of: &'a StreamName,
    streams: impl Iterator<Item = &'a StreamConfig> + Clone,
) -> bool {
    let mut seen = Vec::new();
    let mut next = vec![of];
    while let Some(name) = next.pop() {
        if *name == start.name {
            return true;
        }
        if !seen.contains(&name) {
            seen.push(name);
            let stream = streams.clone().find(|stream| stream.name == *name);
            next.extend(stream.into_iter().flat_map(StreamConfig::origins));
        }
    }
    false
}
