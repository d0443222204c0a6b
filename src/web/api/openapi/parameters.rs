//! Parameters in paths and queries, with types and bounds.

use serde_json::{Value, json};

/// A name in the query.
#[derive(Debug)]
pub(in crate::web) struct Query {
    name: &'static str,
    meaning: &'static str,
    value: Kind,
    required: bool,
}

/// The type and bounds of a value.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Any text.
    Text,
    /// One word of a list.
    Words(&'static [&'static str]),
    /// A text that matches a pattern.
    Like(&'static str),
    /// A range.
    Whole(u64, u64),
    /// From, to.
    Number(f64, f64),
    /// A number above 0, with its upper bound.
    Above0(f64),
}

/// The pattern of stream names.
pub(super) const STREAM_NAME: &str = "^[a-z0-9_-]{1,64}$";

const fn may(name: &'static str, meaning: &'static str, value: Kind) -> Query {
    Query { name, meaning, value, required: false }
}

const fn must(name: &'static str, meaning: &'static str) -> Query {
    Query { name, meaning, value: Kind::Like(STREAM_NAME), required: true }
}

const SIDE: Kind = Kind::Whole(1, 8192);
const QUALITY: Kind = Kind::Whole(1, 100);
const RATE: Kind = Kind::Above0(240.0);
const TURN: Kind = Kind::Words(&["0", "90", "180", "270"]);
const YES_NO: Kind = Kind::Words(&["1", "true", "", "0", "false"]);

/// Options of renditions.
pub(in crate::web) const AS_ASKED: &[Query] = &[
    may("width", "maximum width in pixels", SIDE),
    may("height", "maximum height in pixels", SIDE),
    may("quality", "JPEG quality", QUALITY),
    may("fps", "maximum frames per second; streams only", RATE),
    may("rotate", "clockwise rotation in degrees", TURN),
    may("gray", "grayscale", YES_NO),
];
/// Options of how a stream is sent. Other values are ignored.
pub(in crate::web) const HOW_SENT: &[Query] = &[
    may("chunked", "0: raw bytes until the connection closes", Kind::Text),
    may("format", "raw: concatenated JPEGs", Kind::Text),
    may("adapt", "1: adaptive quality; 0: off", Kind::Text),
    may("extra_headers", "1: ustreamer's headers on each part", Kind::Text),
    may("advance_headers", "1: the next part's headers are sent ahead", Kind::Text),
    may("zero_data", "1: parts without pictures, for measurements", Kind::Text),
];
pub(in crate::web) const WAIT: &[Query] =
    &[may("wait", "the first frame that arrives after the request", Kind::Words(&["next"]))];
pub(in crate::web) const ACTION: &[Query] = &[may(
    "action",
    "mjpg-streamer's: a stream or a snapshot; streams are counted from 0",
    Kind::Like("^(stream|snapshot)(_[0-9]+)?$"),
)];
pub(in crate::web) const SECONDS: &[Query] =
    &[may("seconds", "the last seconds to return; by default everything that is kept", Kind::Above0(3600.0))];
pub(in crate::web) const PLAYED: &[Query] = &[
    may("speed", "1 is the original speed", Kind::Number(0.1, 10.0)),
    may("then", "live: continue with the live stream", Kind::Words(&["live"])),
    may("chunked", "0: raw bytes until the connection closes", Kind::Text),
];
pub(in crate::web) const FORMAT: &[Query] =
    &[may("format", "format of the file; the default is mjpg", Kind::Words(&["mjpg", "avi", "zip"]))];
pub(in crate::web) const AFTER: &[Query] =
    &[may("after", "the number of an event; later ones are returned", Kind::Whole(0, u64::MAX))];
pub(in crate::web) const NEXT: &[Query] = &[may("next", "the page to open afterwards", Kind::Text)];
pub(in crate::web) const SRC: &[Query] = &[must("src", "name of the stream")];
pub(in crate::web) const DST: &[Query] = &[must("dst", "name of the stream")];
pub(in crate::web) const ONE: &[Query] =
    &[may("src", "go2rtc's: only this stream, in its format", Kind::Like(STREAM_NAME))];
pub(in crate::web) const GO2RTC: &[Query] = &[
    may("w", "maximum width in pixels", SIDE),
    may("h", "maximum height in pixels", SIDE),
    may("rotate", "clockwise rotation in degrees", Kind::Words(&["0", "90", "180", "270", "-90"])),
    may("cache", "maximum age of the frame", Kind::Like(r"^[0-9]{1,6}(\.[0-9]{1,3})?(ms|s|m|h)$")),
];
pub(in crate::web) const FRIGATE: &[Query] = &[
    may("height", "maximum height in pixels", SIDE),
    may("h", "the same", SIDE),
    may("quality", "JPEG quality", QUALITY),
];
pub(in crate::web) const KEY: &[Query] = &[may("key", "returned in the cookie stream_client", Kind::Text)];

/// Returns the parameters of the path and of the query.
pub(super) fn parameters(path: &str, query: &[&[Query]]) -> Vec<Value> {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name));
    let in_path = names.map(|name| {
        let schema = match name {
            "n" => json!({"type": "integer", "minimum": 0}),
            "name" => json!({"type": "string", "pattern": STREAM_NAME}),
            _ => json!({"type": "string"}),
        };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    });
    let in_query = query.iter().copied().flatten().map(|query| {
        json!({
            "name": query.name, "in": "query", "required": query.required, "description": query.meaning,
            "schema": query.value.schema(),
        })
    });
    in_path.chain(in_query).collect()
}

impl Kind {
    fn schema(self) -> Value {
        match self {
            Self::Text => json!({"type": "string"}),
            Self::Words(words) => json!({"type": "string", "enum": words}),
            Self::Like(pattern) => json!({"type": "string", "pattern": pattern}),
            Self::Whole(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
            Self::Number(least, most) => json!({"type": "number", "minimum": least, "maximum": most}),
            Self::Above0(most) => json!({"type": "number", "exclusiveMinimum": 0, "maximum": most}),
        }
    }
}
