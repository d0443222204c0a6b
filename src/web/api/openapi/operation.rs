//! The documentation of an operation, which stands in its row of the route table.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::{bodies, bodies::RequestBody, parameters::Query};

/// The purpose of an operation, its parameters, and its answers.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Operation {
    pub(in crate::web) tag: &'static str,
    pub(in crate::web) summary: &'static str,
    pub(in crate::web) takes: RequestBody,
    pub(in crate::web) answers: &'static [Answer],
    pub(in crate::web) errors: &'static [Error],
    pub(in crate::web) query: &'static [&'static [Query]],
}

/// An answer that is not problem JSON.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Answer {
    pub(super) status: u16,
    pub(super) description: &'static str,
    pub(super) body: Body,
}

/// The body of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Body {
    Empty,
    Json(fn(&mut SchemaGenerator) -> Value),
    /// Bytes of one of these media types.
    Bytes(&'static [&'static str]),
}

/// A status that is answered with problem JSON, and its reason.
pub(in crate::web) type Error = (u16, &'static str);

pub(in crate::web) const STREAMS: &str = "Streams";
pub(in crate::web) const PUSHING: &str = "Pushing";
pub(in crate::web) const STATE: &str = "What streams are doing";
pub(in crate::web) const CHANGING: &str = "Changing streams";
pub(in crate::web) const ACCESS: &str = "Access";
pub(in crate::web) const PAGES: &str = "Pages and health";
pub(in crate::web) const OTHERS: &str = "Addresses of other programs";

/// The tags, in the order of the document.
pub(super) const TAGS: [&str; 7] = [STREAMS, PUSHING, STATE, CHANGING, ACCESS, PAGES, OTHERS];

const AS_REQUESTED: &str = "As asked.";

pub(in crate::web) const STREAM: Answer = bytes(bodies::STREAM);
pub(in crate::web) const JPEG: Answer = bytes(bodies::JPEG);
pub(in crate::web) const CLIP: Answer = bytes(bodies::CLIPS);
pub(in crate::web) const TEXT: Answer = bytes(bodies::TEXT);
pub(in crate::web) const HTML: Answer = bytes(bodies::HTML);
pub(in crate::web) const ROOT: Answer = bytes(bodies::ROOT);
pub(in crate::web) const ASSET: Answer = bytes(bodies::ASSETS);
pub(in crate::web) const SWITCHED: Answer = empty(101, "From here on it is a WebSocket.");
pub(in crate::web) const DONE: Answer = empty(204, "Done.");
pub(in crate::web) const SEE_OTHER: Answer =
    empty(303, "Location says where to go on; a cookie may come along.");
pub(in crate::web) const NOT_MODIFIED: Answer = empty(304, "If-None-Match had its ETag.");
/// Any JSON object.
pub(in crate::web) const OBJECT: Answer = from_schema(|_| json!({"type": "object"}));

pub(in crate::web) const BAD_QUERY: Error = (400, "A query that makes no sense.");
pub(in crate::web) const UNKNOWN: Error =
    (404, "There is no such stream, or nothing of that name or number.");
pub(in crate::web) const NO_FRAME: Error =
    (503, "No picture, no room for another viewer, or all CPU workers are busy.");
pub(in crate::web) const REPLAY_ERRORS: &[Error] = &[
    BAD_QUERY,
    (409, "The stream has no replay."),
    (503, "No picture has come yet, or there is no room for readers."),
];
pub(in crate::web) const PUSH_ERRORS: &[Error] = &[
    (400, "The body broke off, or the form has no file or several."),
    (409, "The stream takes no pictures, is paused, or is fed by another."),
    (413, "Above limits.max_frame_bytes or limits.max_frame_pixels."),
    (415, "No picture, or of a kind that is not taken."),
    (422, "A broken picture."),
];
pub(in crate::web) const EDIT_ERRORS: &[Error] = &[
    (400, "That is no JSON."),
    (409, "It stands in the configuration file, is there already, or there are 500."),
    (413, "More than 256 KiB."),
    (415, "Not sent as JSON."),
    (422, "Mistakes in the settings: errors names each."),
    (507, "What was added cannot be kept, so nothing has changed."),
];
pub(in crate::web) const GO2RTC_SOCKET_ERRORS: &[Error] =
    &[(400, "It does not say which stream."), UNKNOWN, (426, "The request is no WebSocket's.")];

impl Operation {
    pub(in crate::web) const UNDOCUMENTED: Self =
        Self { tag: "", summary: "", takes: RequestBody::Empty, answers: &[], errors: &[], query: &[] };
}

impl Answer {
    pub(in crate::web) const fn with_status(self, status: u16, description: &'static str) -> Self {
        Self { status, description, ..self }
    }
}

/// Answers with this type as JSON.
pub(in crate::web) const fn json<T: JsonSchema>() -> Answer {
    from_schema(|schemas| schemas.subschema_for::<T>().to_value())
}

/// Answers with one of two types as JSON.
pub(in crate::web) const fn json_of_either<A: JsonSchema, B: JsonSchema>() -> Answer {
    from_schema(|schemas| json!({"anyOf": [schemas.subschema_for::<A>(), schemas.subschema_for::<B>()]}))
}

/// Answers with a JSON object whose keys are names.
pub(in crate::web) const fn json_by_name<T: JsonSchema>() -> Answer {
    from_schema(|schemas| json!({"type": "object", "additionalProperties": schemas.subschema_for::<T>()}))
}

const fn from_schema(schema: fn(&mut SchemaGenerator) -> Value) -> Answer {
    Answer { status: 200, description: AS_REQUESTED, body: Body::Json(schema) }
}

const fn bytes(media_types: &'static [&'static str]) -> Answer {
    Answer { status: 200, description: AS_REQUESTED, body: Body::Bytes(media_types) }
}

const fn empty(status: u16, description: &'static str) -> Answer {
    Answer { status, description, body: Body::Empty }
}
