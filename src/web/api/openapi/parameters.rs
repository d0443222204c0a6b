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
    /// Anything.
    Text,
    /// One of these.
    Words(&'static [&'static str]),
    /// Like this.
    Like(&'static str),
    /// From, to.
    Whole(u64, u64),
    /// From, to.
    Number(f64, f64),
    /// Above nothing, to.
    Above0(f64),
}

/// As names of streams are.
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

/// Options for the pictures themselves.
pub(in crate::web) const AS_ASKED: &[Query] = &[
    may("width", "at most so many pixels wide", SIDE),
    may("height", "at most so many pixels high", SIDE),
    may("quality", "JPEG quality", QUALITY),
    may("fps", "at most so many frames a second; of streams only", RATE),
    may("rotate", "turned clockwise, in degrees", TURN),
    may("gray", "without colours", YES_NO),
];
/// Options for the way a stream is sent. Other values are as if nothing were there.
pub(in crate::web) const HOW_SENT: &[Query] = &[
    may("chunked", "0: raw bytes to the end of the connection", Kind::Text),
    may("format", "raw: JPEGs one behind the other", Kind::Text),
    may("adapt", "1: smaller pictures while the link carries no others; 0: never", Kind::Text),
    may("extra_headers", "1: ustreamer's headers on each part", Kind::Text),
    may("advance_headers", "1: the next part's headers are sent ahead", Kind::Text),
    may("zero_data", "1: parts without pictures, to measure with", Kind::Text),
];
pub(in crate::web) const WAIT: &[Query] =
    &[may("wait", "the first picture that comes after the request did", Kind::Words(&["next"]))];
pub(in crate::web) const ACTION: &[Query] = &[may(
    "action",
    "mjpg-streamer's: a stream or a snapshot; its streams count from 0",
    Kind::Like("^(stream|snapshot)(_[0-9]+)?$"),
)];
pub(in crate::web) const SECONDS: &[Query] =
    &[may("seconds", "only the last so many; all that is kept if not said", Kind::Above0(3600.0))];
pub(in crate::web) const PLAYED: &[Query] = &[
    may("speed", "1 is as it was", Kind::Number(0.1, 10.0)),
    may("then", "goes on with the present instead of ending", Kind::Words(&["live"])),
    may("chunked", "0: raw bytes to the end of the connection", Kind::Text),
];
pub(in crate::web) const FORMAT: &[Query] =
    &[may("format", "of the file; mjpg if not said", Kind::Words(&["mjpg", "avi", "zip"]))];
pub(in crate::web) const AFTER: &[Query] =
    &[may("after", "the number of an event: those behind it", Kind::Whole(0, u64::MAX))];
pub(in crate::web) const NEXT: &[Query] = &[may("next", "the address to go to then", Kind::Text)];
pub(in crate::web) const SRC: &[Query] = &[must("src", "which stream")];
pub(in crate::web) const DST: &[Query] = &[must("dst", "which stream")];
pub(in crate::web) const ONE: &[Query] =
    &[may("src", "go2rtc's: only this stream, in its words", Kind::Like(STREAM_NAME))];
pub(in crate::web) const GO2RTC: &[Query] = &[
    may("w", "at most so many pixels wide", SIDE),
    may("h", "at most so many pixels high", SIDE),
    may("rotate", "turned clockwise, in degrees", Kind::Words(&["0", "90", "180", "270", "-90"])),
    may(
        "cache",
        "a picture no older than this will do",
        Kind::Like(r"^[0-9]{1,6}(\.[0-9]{1,3})?(ms|s|m|h)$"),
    ),
];
pub(in crate::web) const FRIGATE: &[Query] = &[
    may("height", "at most so many pixels high", SIDE),
    may("h", "the same", SIDE),
    may("quality", "JPEG quality", QUALITY),
];
pub(in crate::web) const KEY: &[Query] = &[may("key", "goes back in the cookie stream_client", Kind::Text)];

/// Those in the path, and those of the query.
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
