//! Parameters in paths and queries, with types and bounds.

use serde_json::{Value, json};

/// A name in the query.
#[derive(Debug)]
pub(in crate::web) struct QueryParameter {
    name: &'static str,
    description: &'static str,
    value: ParameterType,
    required: bool,
}

/// The type and bounds of a value.
#[derive(Debug, Clone, Copy)]
enum ParameterType {
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

const fn optional(name: &'static str, description: &'static str, value: ParameterType) -> QueryParameter {
    QueryParameter { name, description, value, required: false }
}

const fn required(name: &'static str, description: &'static str) -> QueryParameter {
    QueryParameter { name, description, value: ParameterType::Like(STREAM_NAME), required: true }
}

const SIDE: ParameterType = ParameterType::Whole(1, 8192);
const QUALITY: ParameterType = ParameterType::Whole(1, 100);
const RATE: ParameterType = ParameterType::Above0(240.0);
const TURN: ParameterType = ParameterType::Words(&["0", "90", "180", "270"]);
const YES_NO: ParameterType = ParameterType::Words(&["1", "true", "", "0", "false"]);

/// Options of renditions.
pub(in crate::web) const IMAGE_PARAMETERS: &[QueryParameter] = &[
    optional("width", "maximum width in pixels", SIDE),
    optional("height", "maximum height in pixels", SIDE),
    optional("quality", "JPEG quality", QUALITY),
    optional("fps", "maximum frames per second; streams only", RATE),
    optional("rotate", "clockwise rotation in degrees", TURN),
    optional("gray", "grayscale", YES_NO),
];
/// Options of how a stream is sent. Other values are ignored.
pub(in crate::web) const SEND_PARAMETERS: &[QueryParameter] = &[
    optional("chunked", "0: raw bytes until the connection closes", ParameterType::Text),
    optional("format", "raw: concatenated JPEGs", ParameterType::Text),
    optional("adapt", "1: adaptive quality; 0: off", ParameterType::Text),
    optional("extra_headers", "1: ustreamer's headers on each part", ParameterType::Text),
    optional("advance_headers", "1: the next part's headers are sent ahead", ParameterType::Text),
    optional("meta", "1: number, capture time and JSON of the frame on each part", ParameterType::Text),
    optional("zero_data", "1: parts without pictures, for measurements", ParameterType::Text),
];
pub(in crate::web) const WAIT: &[QueryParameter] = &[
    optional("wait", "the first frame that arrives after the request", ParameterType::Words(&["next"])),
    optional("seq", "the number of a frame that is still held", ParameterType::Like("^[0-9]{1,19}$")),
];
/// Parameters of `/snapshots`.
pub(in crate::web) const OF_AT: &[QueryParameter] = &[
    QueryParameter {
        name: "of",
        description: "names of 1 to 16 streams, with commas",
        value: ParameterType::Like("^[a-z0-9_-]{1,64}(,[a-z0-9_-]{1,64}){0,15}$"),
        required: true,
    },
    optional("at", "Unix seconds or RFC 3339; now if absent", ParameterType::Like(r"^[0-9]{1,10}$")),
];
pub(in crate::web) const ACTION: &[QueryParameter] = &[optional(
    "action",
    "mjpg-streamer's: a stream or a snapshot; streams are counted from 0",
    ParameterType::Like("^(stream|snapshot)(_[0-9]+)?$"),
)];
pub(in crate::web) const SECONDS: &[QueryParameter] = &[optional(
    "seconds",
    "the last seconds to return; by default everything that is kept",
    ParameterType::Above0(3600.0),
)];
pub(in crate::web) const PLAYED: &[QueryParameter] = &[
    optional("speed", "1 is the original speed", ParameterType::Number(0.1, 10.0)),
    optional("meta", "1: number, capture time and JSON of the frame on each part", ParameterType::Text),
    optional("then", "live: continue with the live stream", ParameterType::Words(&["live"])),
    optional("chunked", "0: raw bytes until the connection closes", ParameterType::Text),
];
pub(in crate::web) const FORMAT: &[QueryParameter] = &[optional(
    "format",
    "format of the file; the default is mjpg",
    ParameterType::Words(&["mjpg", "avi", "zip", "jsonl"]),
)];
pub(in crate::web) const AFTER: &[QueryParameter] = &[optional(
    "after",
    "the number of an event; later ones are returned",
    ParameterType::Whole(0, u64::MAX),
)];
pub(in crate::web) const NEXT: &[QueryParameter] =
    &[optional("next", "the page to open afterwards", ParameterType::Text)];
pub(in crate::web) const SRC: &[QueryParameter] = &[required("src", "name of the stream")];
pub(in crate::web) const DST: &[QueryParameter] = &[required("dst", "name of the stream")];
pub(in crate::web) const ONE: &[QueryParameter] =
    &[optional("src", "go2rtc's: only this stream, in its format", ParameterType::Like(STREAM_NAME))];
pub(in crate::web) const GO2RTC: &[QueryParameter] = &[
    optional("w", "maximum width in pixels", SIDE),
    optional("h", "maximum height in pixels", SIDE),
    optional(
        "rotate",
        "clockwise rotation in degrees",
        ParameterType::Words(&["0", "90", "180", "270", "-90"]),
    ),
    optional(
        "cache",
        "maximum age of the frame",
        ParameterType::Like(r"^[0-9]{1,6}(\.[0-9]{1,3})?(ms|s|m|h)$"),
    ),
];
pub(in crate::web) const FRIGATE: &[QueryParameter] = &[
    optional("height", "maximum height in pixels", SIDE),
    optional("h", "the same", SIDE),
    optional("quality", "JPEG quality", QUALITY),
];
pub(in crate::web) const KEY: &[QueryParameter] =
    &[optional("key", "returned in the cookie stream_client", ParameterType::Text)];

/// Returns the parameters of the path and of the query.
pub(super) fn parameters(path: &str, query: &[&[QueryParameter]]) -> Vec<Value> {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name));
    let in_path = names.map(|name| {
        let schema = match name {
            "n" | "seq" => json!({"type": "integer", "minimum": 0}),
            "name" => json!({"type": "string", "pattern": STREAM_NAME}),
            _ => json!({"type": "string"}),
        };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    });
    let in_query = query.iter().copied().flatten().map(|query| {
        json!({
            "name": query.name, "in": "query", "required": query.required, "description": query.description,
            "schema": query.value.schema(),
        })
    });
    in_path.chain(in_query).collect()
}

impl ParameterType {
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
