//! `streams:` and `defaults:`.

use std::{
    collections::HashMap,
    fmt,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use schemars::{JsonSchema, Schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::json;

use super::{
    Encode, Rework, SourceConfig, Step,
    reader::{LOCAL, Reader, from_map, nearest},
    server::yes,
    transform::steps,
    values::{
        Bytes, Count, DAY, Fps, GIB, Given, HOUR, KIB, Line, NoneOr, OrNone, SECOND, Text, Time, Wrong,
        given, scalar,
    },
};
use crate::media::stream_name::StreamName;

/// Most sources of one stream. Each may be tried in turn before a picture comes; a longer list is a mistake
/// of a program that writes it.
const MAX_SOURCES: usize = 8;

/// One entry of `streams:`, with `defaults:` applied.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamConfig {
    /// The key in the file.
    pub name: StreamName,
    /// What people read; the name if not said.
    pub title: String,
    /// Where its frames come from; the first choice, if there are others.
    pub source: SourceConfig,
    /// What is shown while all before are away, in this order.
    pub fallbacks: Vec<SourceConfig>,
    /// A source before the one in use is taken again when frames came from it for so long.
    pub failback_after: Duration,
    /// Run the source only while somebody watches.
    pub on_demand: bool,
    /// How long the source goes on after the last viewer left.
    pub linger: Duration,
    /// Frames above this rate (per second) are dropped and counted.
    pub max_fps: Option<f64>,
    /// What is shown while the source is away.
    pub placeholder: Placeholder,
    /// Chunked transfer coding to HTTP/1.1 viewers.
    pub chunked: bool,
    /// A viewer that takes nothing for so long is let go.
    pub viewer_timeout: Duration,
    /// Viewers whose link does not carry the stream get smaller pictures.
    pub adapt: bool,
    /// Write each frame to disk too.
    pub save: Option<SaveConfig>,
    /// What is done to its pictures.
    pub rework: Rework,
    /// Keep the pictures of the last so long in memory.
    pub replay: Option<Duration>,
}

impl StreamConfig {
    /// All of them, the most wanted first.
    pub fn sources(&self) -> impl Iterator<Item = &SourceConfig> {
        std::iter::once(&self.source).chain(&self.fallbacks)
    }

    /// Whether others stand in for the first.
    pub fn has_fallbacks(&self) -> bool {
        !self.fallbacks.is_empty()
    }

    fn is_push(&self) -> bool {
        matches!(self.source, SourceConfig::Push { .. })
    }

    /// The streams whose pictures any of them needs.
    pub fn origins(&self) -> impl Iterator<Item = &StreamName> {
        self.sources().flat_map(SourceConfig::origins)
    }
}

/// The keys of a stream as they are in the file; those of `defaults:`, but for `title` and `source`.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = require_source)]
pub(super) struct StreamYaml {
    /// What people read.
    #[serde(with = "Text::<Given<Line<200>>>")]
    #[schemars(extend("x-default" = "the stream's name"))]
    title: Option<String>,
    /// Where the frames come from; which keys it has depends on its `type`. Of a list the first that is well
    /// is used.
    #[schemars(extend("x-unit" = "map, or list of maps"))]
    source: Sources,
    /// Run the source only while somebody watches. `false` keeps it running. A push stream always runs.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "bool", extend("x-default" = "`true`; `false` with `save`, `replay` or `poll`"))]
    on_demand: Option<bool>,
    /// How long the source runs on after its last viewer left.
    #[serde(with = "Text::<Time<0, DAY>>")]
    linger: Duration,
    /// With a list of sources: one that is back is used again when frames came from it for so long.
    #[serde(with = "Text::<Time<0, DAY>>")]
    failback_after: Duration,
    /// Frames above this rate are dropped, and counted.
    #[serde(with = "Text::<OrNone<Fps>>")]
    max_fps: Option<f64>,
    /// What is done to its pictures, in this order: each step is one of `crop`, `scale`, `rotate`, `flip`,
    /// `grayscale`, `mask`, `text`, `image`. A picture is turned as its EXIF data say first.
    #[serde(deserialize_with = "steps")]
    #[schemars(with = "NoneOr<Vec<Step>>", extend("x-unit" = "list of steps, or `none`", "default" = "none"))]
    transform: Vec<Step>,
    /// How transformed pictures are encoded. Without `transform` it encodes each picture anew.
    #[serde(deserialize_with = "given")]
    #[schemars(with = "Encode", extend("x-default" = "all defaults"))]
    encode: Option<Encode>,
    /// Take EXIF, GPS and other metadata out of pictures that are not encoded anew; those that are have none.
    strip_metadata: bool,
    /// What viewers see while the source is away: a card with the stream's name and the reason, the last
    /// picture dimmed with the same words, nothing new, or a picture of your own. `true` is `card`, `false`
    /// is `none`.
    #[schemars(extend("x-unit" = "`card`, `last`, `none`, true, false, or map"))]
    placeholder: Placeholder,
    /// Chunked transfer coding to HTTP/1.1 viewers. `false` for old programs that cannot read it.
    chunked: bool,
    /// A viewer that takes nothing for so long is let go.
    #[serde(with = "Text::<Time<SECOND, HOUR>>")]
    viewer_timeout: Duration,
    /// Viewers whose link does not carry the stream get smaller pictures for as long as it does not, without
    /// asking for them with `?adapt=1`.
    adapt: bool,
    /// Write frames to disk too: `latest`, `dir` or `append`.
    #[serde(deserialize_with = "save")]
    #[schemars(with = "NoneOr<SaveConfig>", extend("x-local" = "none"))]
    save: Option<SaveConfig>,
    /// Keep the pictures of the last so long in memory, for `/streams/NAME/replay` and `/streams/NAME/clip`.
    #[serde(with = "Text::<OrNone<Time<SECOND, HOUR>>>")]
    replay: Option<Duration>,
}

impl Default for StreamYaml {
    fn default() -> Self {
        Self {
            title: None,
            source: Sources(Vec::new()),
            on_demand: None,
            linger: Duration::from_secs(10),
            failback_after: Duration::from_secs(30),
            max_fps: None,
            transform: Vec::new(),
            encode: None,
            strip_metadata: false,
            placeholder: Placeholder::Card,
            chunked: true,
            viewer_timeout: Duration::from_secs(10),
            adapt: false,
            save: None,
            replay: None,
        }
    }
}

/// Keys of a stream that are not settings for all.
pub(super) const OWN_KEYS: [&str; 2] = ["title", "source"];

const NEED_SOURCE: &str =
    "say where the frames come from, such as `source: {type: mjpeg, url: \"http://…\"}`";

fn require_source(schema: &mut Schema) {
    schema.insert("required".to_owned(), json!(["source"]));
}

impl StreamYaml {
    /// The stream, and what is wrong with several of its keys together. None if its source is wrong.
    pub(super) fn finish(
        self,
        name: StreamName,
        reader: &Reader<'_>,
        max_pixels: u64,
    ) -> Option<StreamConfig> {
        let source = reader.child("source");
        if source.is_none() && !reader.has_misspelt("source") {
            reader.wrong_missing("source", NEED_SOURCE);
        }
        let source = source.filter(Reader::is_right)?;
        let count = self.source.0.len();
        for (number, (config, reader)) in self.source.0.iter().zip(source.items()).enumerate() {
            config.check(&reader, max_pixels);
            if let Some(message) = misplaced(config, number, count) {
                reader.wrong(message);
            }
        }
        let (is_own, on_demand) = (reader.has_own("on_demand"), self.on_demand);
        let stream = self.into_config(name)?;
        if stream.is_push() && on_demand == Some(true) && is_own {
            reader.wrong_key("on_demand", "a push stream always runs: remove the key");
        }
        Some(stream)
    }

    /// The stream with these settings and another source.
    pub(super) fn with_source(self, name: StreamName, source: SourceConfig) -> StreamConfig {
        let yaml = Self { source: Sources(vec![source]), ..self };
        yaml.into_config(name).expect("it has a source")
    }

    fn into_config(self, name: StreamName) -> Option<StreamConfig> {
        // A graph that is fetched only while somebody watches would have a hole for the rest of the time.
        let polls =
            |source: &SourceConfig| matches!(source, SourceConfig::Chart(chart) if chart.poll.is_some());
        let wants_all = self.source.0.iter().any(polls) || self.save.is_some() || self.replay.is_some();
        let mut sources = self.source.0.into_iter();
        let source = sources.next()?;
        let is_push = matches!(source, SourceConfig::Push { .. });
        Some(StreamConfig {
            title: self.title.unwrap_or_else(|| name.to_string()),
            name,
            source,
            fallbacks: sources.collect(),
            failback_after: self.failback_after,
            on_demand: !is_push && self.on_demand.unwrap_or(!wants_all),
            linger: self.linger,
            max_fps: self.max_fps,
            placeholder: self.placeholder,
            chunked: self.chunked,
            viewer_timeout: self.viewer_timeout,
            adapt: self.adapt,
            save: self.save,
            rework: Rework {
                steps: self.transform,
                encode: self.encode,
                strip_metadata: self.strip_metadata,
            },
            replay: self.replay,
        })
    }
}

/// `source:` of a stream: one, or a list of which the first that is well is used.
pub(super) struct Sources(Vec<SourceConfig>);

impl JsonSchema for Sources {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Sources".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<SourceConfig>();
        schemars::json_schema!({"anyOf": [one, {"type": "array", "items": one, "maxItems": MAX_SOURCES}]})
    }
}

impl<'de> Deserialize<'de> for Sources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SourcesVisitor;

        impl<'de> Visitor<'de> for SourcesVisitor {
            type Value = Sources;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("1 to 8 sources, the most wanted first")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Sources, D::Error> {
                deserializer.deserialize_seq(self)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Sources, A::Error> {
                let mut sources = Vec::new();
                while let Some(source) = items.next_element()? {
                    sources.push(source);
                }
                if sources.len() > MAX_SOURCES {
                    let message = format!(
                        "must have 1 to {MAX_SOURCES} sources, the most wanted first, not {}",
                        sources.len()
                    );
                    return Err(serde::de::Error::custom(message));
                }
                Ok(Sources(sources))
            }
        }

        deserializer.deserialize_newtype_struct(super::reader::ONE_OR_MANY, SourcesVisitor)
    }
}

/// Why a source cannot stand in this place of a list, if it cannot.
fn misplaced(source: &SourceConfig, number: usize, len: usize) -> Option<String> {
    if len > 1 && matches!(source, SourceConfig::Push { .. }) {
        return Some(
            "a push source cannot stand in a list, since nobody can tell its publisher's silence from its absence: \
             give it a stream of its own, and put {type: rendition, of: THAT-STREAM, frame_timeout: 10s} here"
                .to_owned(),
        );
    }
    (source.never_fails() && number + 1 < len).then(|| {
        format!(
            "a source of type {} is never away, so those behind it would never be used: put it last",
            source.type_name()
        )
    })
}

/// `placeholder:`, what viewers see while the source is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placeholder {
    /// Nothing: the last picture stays as it was.
    None,
    /// A card with the stream's title, since when, and why.
    Card,
    /// The last picture, dimmed, with the same words; a card where there is none.
    Last,
    /// A picture of the user's own.
    Image {
        /// PNG, JPEG, WebP, GIF or BMP.
        path: PathBuf,
        /// Whether title, since when and why are written on it.
        label: bool,
    },
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PlaceholderImage {
    /// A picture to show: JPEG, PNG, WebP, GIF or BMP, of at most 50 million pixels. Fitted into the size of
    /// the stream's last picture.
    #[serde(with = "Text::<Picture>")]
    #[schemars(extend("x-need" = "the picture to show, such as {image: offline.png}"))]
    image: PathBuf,
    /// Write the stream's name, since when, and why below it.
    #[serde(default = "yes")]
    label: bool,
}

scalar!(Picture => PathBuf, "path of a file", LOCAL, |text| {
    let path = PathBuf::from(text);
    path.is_file().then_some(path).ok_or_else(|| Wrong::shown("must be a file that exists"))
});

impl Serialize for Placeholder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("card")
    }
}

impl JsonSchema for Placeholder {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Placeholder".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> Schema {
        let image = generator.subschema_for::<PlaceholderImage>();
        schemars::json_schema!({"anyOf": [{"enum": ["card", "last", "none", true, false]}, image]})
    }
}

impl<'de> Deserialize<'de> for Placeholder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrMap;

        impl<'de> Visitor<'de> for WordOrMap {
            type Value = Placeholder;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`card`, `last`, `none`, true, false, or map")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Placeholder, E> {
                match text {
                    "card" | "true" | "True" | "TRUE" => Ok(Placeholder::Card),
                    "none" | "false" | "False" | "FALSE" => Ok(Placeholder::None),
                    "last" => Ok(Placeholder::Last),
                    _ => {
                        let want = "must be card, last, none, or a map such as {image: offline.png}";
                        Err(E::invalid_value(serde::de::Unexpected::Str(text), &want))
                    }
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Placeholder, A::Error> {
                let PlaceholderImage { image: path, label } = from_map(map)?;
                Ok(Placeholder::Image { path, label })
            }
        }

        deserializer.deserialize_any(WordOrMap)
    }
}

/// `save:`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "SaveYaml")]
#[schemars(with = "SaveYaml")]
pub struct SaveConfig {
    /// Where to.
    pub target: SaveTarget,
    /// One frame each so long; every frame without it.
    pub every: Option<Duration>,
}

/// Reads `none` or a map, which as a whole is only for the configuration file.
fn save<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SaveConfig>, D::Error> {
    struct Local(SaveConfig);

    impl<'de> Deserialize<'de> for Local {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_newtype_struct(LOCAL, LocalVisitor)
        }
    }

    struct LocalVisitor;

    impl<'de> Visitor<'de> for LocalVisitor {
        type Value = Local;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("map, or `none`")
        }

        fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Local, D::Error> {
            SaveConfig::deserialize(deserializer).map(Local)
        }
    }

    Ok(Option::<Local>::deserialize(deserializer)?.map(|save| save.0))
}

/// Where frames are saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaveTarget {
    /// One file that is always the newest frame, replaced atomically.
    Latest(PathBuf),
    /// The newest frames as files in a folder. One bound at least is there.
    Ring {
        /// The folder, made if absent.
        dir: PathBuf,
        /// How many files stay.
        keep: Option<NonZeroU32>,
        /// How many bytes the files have together.
        max_bytes: Option<u64>,
    },
    /// One behind the other in one file.
    Append {
        /// The file, made if absent.
        file: PathBuf,
        /// Its bytes at most.
        max_bytes: u64,
        /// What becomes of it then.
        when_full: WhenFull,
    },
}

impl SaveTarget {
    /// The file or folder as configured.
    pub fn place(&self) -> &Path {
        match self {
            Self::Latest(path) | Self::Ring { dir: path, .. } | Self::Append { file: path, .. } => path,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SaveYaml {
    /// One file that is always the newest frame, replaced atomically. Its folder must exist.
    #[serde(default, with = "Text::<Given<NewFile>>")]
    #[schemars(extend("x-default" = "nothing"))]
    latest: Option<PathBuf>,
    /// The newest frames as files in this folder, which is made if absent: `keep` of them, or `max_bytes`, or
    /// what is less of both.
    #[serde(default, with = "Text::<Given<NewFolder>>")]
    #[schemars(extend("x-default" = "nothing"))]
    dir: Option<PathBuf>,
    /// How many files stay in `dir`.
    #[serde(default, with = "Text::<Given<Count<NonZeroU32, 1, 1_000_000>>>")]
    #[schemars(extend("x-default" = "`dir` needs it or `max_bytes`"))]
    keep: Option<NonZeroU32>,
    /// One file with JPEGs one behind the other, up to `max_bytes`. Its folder must exist.
    #[serde(default, with = "Text::<Given<NewFile>>")]
    #[schemars(extend("x-default" = "nothing"))]
    append: Option<PathBuf>,
    /// How many bytes the file of `append` has at most, or the files of `dir` together.
    #[serde(default, with = "Text::<Given<Bytes<u64, KIB, { 16_384 * GIB }>>>")]
    #[schemars(extend("x-default" = "needed with `append`"))]
    max_bytes: Option<u64>,
    /// `append`: a full `a.mjpg` becomes `a.1.mjpg`, in place of the one before, and a new one is begun (so
    /// both have twice `max_bytes`); or it stays, and nothing more is saved.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "WhenFull", extend("default" = "rotate"))]
    when_full: Option<WhenFull>,
    /// One frame each so long: a time lapse.
    #[serde(default, with = "Text::<Given<Time<100, DAY>>>")]
    #[schemars(extend("x-default" = "every frame"))]
    every: Option<Duration>,
}

impl TryFrom<SaveYaml> for SaveConfig {
    type Error = &'static str;

    fn try_from(yaml: SaveYaml) -> Result<Self, Self::Error> {
        let SaveYaml { latest, dir, keep, append, max_bytes, when_full, every } = yaml;
        let target = match (latest, dir, append, keep, max_bytes, when_full) {
            (Some(file), None, None, None, None, None) => SaveTarget::Latest(file),
            (None, Some(dir), None, keep, max_bytes, None) if keep.is_some() || max_bytes.is_some() => {
                SaveTarget::Ring { dir, keep, max_bytes }
            }
            (None, None, Some(file), None, Some(max_bytes), when_full) => {
                SaveTarget::Append { file, max_bytes, when_full: when_full.unwrap_or(WhenFull::Rotate) }
            }
            _ => {
                return Err(
                    "must be {latest: FILE}, {dir: FOLDER, keep: NUMBER} (or max_bytes: SIZE) or {append: \
                            FILE, max_bytes: SIZE}",
                );
            }
        };
        Ok(Self { target, every })
    }
}

/// What becomes of a file that is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WhenFull {
    /// It is renamed, in place of the one before, and begun anew.
    Rotate,
    /// It stays as it is.
    Stop,
}

scalar!(NewFile => PathBuf, "path of a file", LOCAL, |text| match Path::new(text).is_dir() {
    true => Err(Wrong::shown("must be a file, not a folder")),
    false => writable(text),
});

scalar!(NewFolder => PathBuf, "path of a folder", LOCAL, writable);

/// A path whose parent folder exists.
fn writable(text: &str) -> Result<PathBuf, Wrong> {
    let path = PathBuf::from(text);
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Err(Wrong::hidden("must be a path below an existing folder")),
    };
    if parent.is_dir() { Ok(path) } else { Err(Wrong::shown("must be in a folder that exists")) }
}

/// Notes what is wrong with streams together: two that save to the same place, origins that are not there,
/// and circles.
pub(super) fn check(names: &[&str], streams: &[(Reader<'_>, Option<StreamConfig>)]) {
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

/// Whether following origins from `of`, one of a stream's, comes back to it.
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
