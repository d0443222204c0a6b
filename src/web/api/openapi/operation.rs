//! The documentation of an operation, which is part of its row in the route table.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::{bodies, bodies::RequestBody, parameters::QueryParameter};

/// The purpose of an operation, its parameters, and its answers.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Operation {
    pub(in crate::web) tag: &'static str,
    pub(in crate::web) summary: &'static str,
    pub(in crate::web) request_body: RequestBody,
    pub(in crate::web) answers: &'static [Answer],
    pub(in crate::web) errors: &'static [Error],
    pub(in crate::web) query: &'static [&'static [QueryParameter]],
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
pub(in crate::web) const STATE: &str = "Stream status";
pub(in crate::web) const CHANGING: &str = "Changing streams";
pub(in crate::web) const ACCESS: &str = "Access";
pub(in crate::web) const PAGES: &str = "Pages and health";
pub(in crate::web) const OTHERS: &str = "Routes of other programs";

/// The tags, in the order of the document.
pub(super) const TAGS: [&str; 7] = [STREAMS, PUSHING, STATE, CHANGING, ACCESS, PAGES, OTHERS];

const AS_REQUESTED: &str = "Success.";

pub(in crate::web) const STREAM: Answer = bytes(bodies::STREAM);
pub(in crate::web) const JPEG: Answer = bytes(bodies::JPEG);
pub(in crate::web) const CLIP: Answer = bytes(bodies::CLIPS);
pub(in crate::web) const EVENTS: Answer = bytes(bodies::EVENTS);
pub(in crate::web) const TEXT: Answer = bytes(bodies::TEXT);
pub(in crate::web) const HTML: Answer = bytes(bodies::HTML);
pub(in crate::web) const ROOT: Answer = bytes(bodies::ROOT);
pub(in crate::web) const ASSET: Answer = bytes(bodies::ASSETS);
pub(in crate::web) const SWITCHED: Answer = empty(101, "The connection is a WebSocket.");
pub(in crate::web) const DONE: Answer = empty(204, "Done.");
pub(in crate::web) const LEFT_OUT: Answer =
    empty(202, "Taken, and left out because of the stream's max_fps.");
pub(in crate::web) const SEE_OTHER: Answer = empty(303, "Location is the next page; a cookie may be set.");
pub(in crate::web) const NOT_MODIFIED: Answer = empty(304, "If-None-Match contains its ETag.");
/// Any JSON object.
pub(in crate::web) const OBJECT: Answer = from_schema(|_| json!({"type": "object"}));

pub(in crate::web) const BAD_QUERY: Error = (400, "The query is invalid.");
pub(in crate::web) const UNKNOWN: Error = (404, "No such stream, or nothing with that name or number.");
pub(in crate::web) const NO_FRAME: Error =
    (503, "No frame, a limit on viewers, or all CPU workers are busy.");
pub(in crate::web) const REPLAY_ERRORS: &[Error] = &[
    BAD_QUERY,
    (409, "The stream has no replay."),
    (503, "No frame has arrived yet, or a limit on readers is reached."),
];
pub(in crate::web) const PUSH_ERRORS: &[Error] = &[
    (400, "The body was cut off, or the form has no file or several."),
    (409, "The stream does not accept pictures, is paused, or has another publisher."),
    (413, "Above limits.max_frame_bytes or limits.max_frame_pixels."),
    (415, "Not an image, or an unsupported format."),
    (422, "A broken picture."),
];
pub(in crate::web) const EDIT_ERRORS: &[Error] = &[
    (400, "Invalid JSON."),
    (409, "It is defined in the configuration file, exists already, or there are 500 streams."),
    (413, "More than 256 KiB."),
    (415, "Not sent as JSON."),
    (422, "The settings have mistakes, which `errors` lists."),
    (507, "The change cannot be saved, so nothing has changed."),
];
pub(in crate::web) const GO2RTC_SOCKET_ERRORS: &[Error] =
    &[(400, "The stream is not named."), UNKNOWN, (426, "Not a WebSocket request.")];

impl Operation {
    pub(in crate::web) const UNDOCUMENTED: Self = Self {
        tag: "",
        summary: "",
        request_body: RequestBody::Empty,
        answers: &[],
        errors: &[],
        query: &[],
    };
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
