//! The purpose of each address, its request, its answers when all is well, and how it refuses
//! beside what its rule and path say.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::{
    bodies::{self, Takes},
    parameters::{
        ACTION, AFTER, AS_ASKED, DST, FORMAT, FRIGATE, GO2RTC, HOW_SENT, KEY, NEXT, ONE, PLAYED, Query,
        SECONDS, SRC, WAIT,
    },
};
use crate::web::{
    api, compat::answers, editing, events, health, history, login, peers::go2rtc, probe, pushing::Fed,
    viewers,
};

/// Documentation of an operation beyond its row in the route table.
pub(super) struct About {
    /// The heading it stands under.
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) takes: Takes,
    pub(super) answers: Vec<Answer>,
    /// Statuses of its own.
    pub(super) refuses: &'static [(u16, &'static str)],
    pub(super) query: &'static [&'static [Query]],
}

/// One that is not a refusal, or at least no problem JSON.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) says: &'static str,
    pub(super) body: Body,
}

/// The content of an answer.
pub(super) enum Body {
    Nothing,
    Json(fn(&mut SchemaGenerator) -> Value),
    Of(&'static [&'static str]),
}

pub(super) const STREAMS: &str = "Streams";
pub(super) const PUSHING: &str = "Pushing";
pub(super) const STATE: &str = "What streams are doing";
pub(super) const CHANGING: &str = "Changing streams";
pub(super) const ACCESS: &str = "Access";
pub(super) const PAGES: &str = "Pages and health";
pub(super) const OTHERS: &str = "Addresses of other programs";

/// The headings, in this order.
pub(super) const TAGS: [&str; 7] = [STREAMS, PUSHING, STATE, CHANGING, ACCESS, PAGES, OTHERS];

const SENSELESS: (u16, &str) = (400, "A query that makes no sense.");
const QUERY: &[(u16, &str)] =
    &[SENSELESS, (503, "No picture, no room for another viewer, or all CPU workers are busy.")];
const KEPT: &[(u16, &str)] = &[
    SENSELESS,
    (409, "The stream has no replay."),
    (503, "No picture has come yet, or there is no room for readers."),
];
const PUSHED: &[(u16, &str)] = &[
    (400, "The body broke off, or the form has no file or several."),
    (409, "The stream takes no pictures, is paused, or is fed by another."),
    (413, "Above limits.max_frame_bytes or limits.max_frame_pixels."),
    (415, "No picture, or of a kind that is not taken."),
    (422, "A broken picture."),
];
const POINTS: &[(u16, &str)] = &[
    (400, "Something is wrong with a point: the line or item is named, and none is taken."),
    (409, "The stream takes no points."),
    (413, "More than 1 MiB."),
];
const EDITED: &[(u16, &str)] = &[
    (400, "That is no JSON."),
    (409, "It stands in the configuration file, is there already, or there are 500."),
    (413, "More than 256 KiB."),
    (415, "Not sent as JSON."),
    (422, "Mistakes in the settings: errors names each."),
    (507, "What was added cannot be kept, so nothing has changed."),
];
const REMOVED: &[(u16, &str)] = &[
    (409, "It stands in the configuration file."),
    (422, "Other streams need it, or that is no name."),
    (507, "The change cannot be kept, so nothing has changed."),
];
const RELOADED: &[(u16, &str)] =
    &[(409, "There is no file: the demo is served."), (422, "The file has mistakes: errors names each.")];
const PROBED: &[(u16, &str)] = &[
    (400, "No such JSON."),
    (413, "More than 16 KiB."),
    (422, "No URL that can be used."),
    (503, "As many cameras are asked as may be at once."),
];
const WEB_SOCKET: &[(u16, &str)] = &[
    (403, "A page of another site asks, or what was shown is not enough."),
    (426, "The request is no WebSocket's."),
    (503, "limits.max_live_connections is reached."),
];
const GO2RTC_SOCKET: &[(u16, &str)] = &[
    (400, "It does not say which stream."),
    (404, "There is no such stream, or nothing of that name or number."),
    (426, "The request is no WebSocket's."),
];

/// For an address of the table and one of its methods.
pub(super) fn about(path: &str, method: &str) -> About {
    match path {
        "/streams/{name}" | "/{name}" | "/{name}.mjpg" | "/video_feed" => {
            gives(STREAMS, "A stream of pictures", stream()).with(QUERY, &[AS_ASKED, HOW_SENT])
        }
        "/streams/{name}/snapshot" | "/{name}.jpg" => {
            gives(STREAMS, "The newest picture", picture()).with(QUERY, &[AS_ASKED, WAIT])
        }
        "/streams/{name}/replay" => {
            gives(STREAMS, "The last seconds, played again", stream()).with(KEPT, &[SECONDS, PLAYED])
        }
        "/streams/{name}/clip" => gives(STREAMS, "The last seconds as a file", vec![of(200, bodies::CLIPS)])
            .with(KEPT, &[SECONDS, FORMAT]),
        "/streams/{name}/frame" => {
            gives(PUSHING, "Push one picture", done()).takes(Takes::Picture).with(PUSHED, &[])
        }
        "/streams/{name}/feed" => {
            gives(PUSHING, "Push a feed of pictures", json_of::<Fed>()).takes(Takes::Feed).with(PUSHED, &[])
        }
        "/streams/{name}/points" => {
            gives(PUSHING, "Send points to a graph", done()).takes(Takes::Points).with(POINTS, &[])
        }
        _ if path.starts_with("/api/") => api(path, method),
        _ => other(path, method),
    }
}

fn api(path: &str, method: &str) -> About {
    match (path, method) {
        ("/api/streams", "GET" | "HEAD") => {
            let report = vec![Answer { body: Body::Json(all_or_one), ..ok() }];
            let unknown: &[(u16, &str)] =
                &[(404, "There is no such stream, or nothing of that name or number.")];
            gives(STATE, "What all streams are doing", report).with(unknown, &[ONE])
        }
        ("/api/streams/{name}", "GET" | "HEAD") => {
            gives(STATE, "What a stream is doing", json_of::<api::StreamReport>())
        }
        ("/api/streams/{name}/viewers", _) => {
            gives(STATE, "Who watches a stream", json_of::<viewers::Report>())
        }
        ("/api/viewers", _) => gives(STATE, "Who watches", json_of::<viewers::Report>()),
        ("/api/streams/{name}/history", _) => {
            gives(STATE, "A stream's frame rates of the last minutes", json_of::<history::Report>())
        }
        ("/api/history", _) => {
            gives(STATE, "All frame rates of the last minutes", json_of::<history::Report>())
        }
        ("/api/events", _) => gives(STATE, "What has happened of late", json_of::<events::Report>())
            .with(&[SENSELESS], &[AFTER]),
        ("/api/live", _) => {
            let over = "A WebSocket with pictures of any number of streams, and what all are doing";
            gives(STATE, over, switched()).with(WEB_SOCKET, &[])
        }
        ("/api/streams" | "/api/streams/{name}", _) => edit(path, method),
        ("/api/streams/{name}/config", _) => {
            gives(CHANGING, "A stream's settings, without credentials", json_of::<editing::Shown<'_>>())
        }
        ("/api/streams/{name}/restart", _) => gives(CHANGING, "Start its source anew", done()),
        ("/api/streams/{name}/pause", _) => gives(CHANGING, "Let go of its source; viewers stay", done()),
        ("/api/streams/{name}/resume", _) => gives(CHANGING, "End a pause", done()),
        ("/api/reload", _) => {
            let done = json_of::<editing::Report<'_>>();
            gives(CHANGING, "Read the configuration file again", done).with(RELOADED, &[])
        }
        ("/api/probe", _) => {
            let asked = json_of::<probe::Report>();
            gives(CHANGING, "What a camera sends", asked).takes(Takes::Camera).with(PROBED, &[])
        }
        ("/api/session", _) => gives(ACCESS, "Who the caller is", json_of::<login::Session<'_>>())
            .with(&[(503, "Not now: as many as there may be, or nothing to show; detail says what.")], &[]),
        ("/api/openapi.json", _) => gives(
            PAGES,
            "This document",
            vec![Answer { body: Body::Json(|_| json!({"type": "object"})), ..ok() }],
        ),
        ("/api/docs", _) => gives(PAGES, "This document as a page", vec![of(200, bodies::HTML)]),
        _ => other(path, method),
    }
}

fn edit(path: &str, method: &str) -> About {
    let made = |summary| {
        let mut answers = json_of::<editing::Report<'_>>();
        let says = "It is there now; Location says where.";
        answers.push(Answer { status: 201, says, ..json_of::<editing::Report<'_>>().remove(0) });
        gives(CHANGING, summary, answers).with(EDITED, &[])
    };
    match (path, method) {
        ("/api/streams", _) => made("Add a stream").only(201).takes(Takes::NamedStream),
        (_, "POST") => made("Add this stream").only(201).takes(Takes::Stream),
        (_, "PUT") => made("Add this stream, or give it these settings").takes(Takes::Stream),
        (_, "PATCH") => made("Change some of its settings (RFC 7396)").only(200).takes(Takes::Patch),
        _ => gives(CHANGING, "Remove a stream that was added", done()).with(REMOVED, &[]),
    }
}

fn other(path: &str, method: &str) -> About {
    match (path, method) {
        ("/", _) => {
            let page = "The page of all streams; with ?action= what mjpg-streamer's clients ask for";
            let answers = vec![of(200, bodies::ROOT), of(304, &[]), led()];
            const ROOT: &[(u16, &str)] = &[
                SENSELESS,
                (404, "There is no such stream, or nothing of that name or number."),
                (501, "What only mjpg-streamer does."),
                (503, "No picture, no room for another viewer, or all CPU workers are busy."),
            ];
            gives(PAGES, page, answers).with(ROOT, &[ACTION, AS_ASKED])
        }
        ("/metrics", _) => gives(STATE, "All that is counted, for Prometheus", vec![of(200, bodies::TEXT)]),
        ("/view/{name}", _) => gives(
            PAGES,
            "One stream at full size, as a page",
            vec![of(200, bodies::HTML), of(304, &[]), led()],
        ),
        ("/page/{asset}", _) => {
            gives(PAGES, "What the pages need", vec![of(200, bodies::ASSETS), of(304, &[])])
        }
        ("/healthz", _) => gives(PAGES, "Does the process answer?", json_of::<health::Alive>()),
        ("/readyz", _) => gives(PAGES, "Does it take viewers?", json_of::<health::Ready>())
            .with(&[(503, "It shuts down.")], &[]),
        ("/login", "POST") => {
            let again = |status, says| Answer { says, ..of(status, bodies::HTML) };
            let answers = vec![
                led(),
                again(401, "That is not known here; the form again."),
                again(429, "Too many were wrong; the form again."),
                again(503, "Too many are being checked; the form again."),
            ];
            const TOO_LARGE: &[(u16, &str)] = &[(400, "The body broke off."), (413, "More than 8 KiB.")];
            gives(ACCESS, "Log in", answers).takes(Takes::Login).with(TOO_LARGE, &[])
        }
        ("/login", _) => {
            gives(ACCESS, "A form to log in with", vec![of(200, bodies::HTML)]).with(&[], &[NEXT])
        }
        ("/logout", _) => gives(ACCESS, "Log out", vec![led()]),
        ("/snapshot", _) => gives(OTHERS, "The newest picture of the default stream", picture())
            .with(QUERY, &[AS_ASKED, WAIT]),
        ("/state", _) => gives(OTHERS, "ustreamer's state", json_of::<answers::State>()),
        ("/program.json", _) => gives(OTHERS, "mjpg-streamer's plugins", json_of::<answers::Program>()),
        ("/input_{n:[0-9]+}.json", _) => {
            gives(OTHERS, "mjpg-streamer's controls and formats", json_of::<answers::Input>())
        }
        ("/output_{n:[0-9]+}.json", _) => {
            gives(OTHERS, "The same for its outputs", json_of::<answers::Output>())
        }
        ("/go2rtc/api/streams", _) => {
            let by_name = |schemas: &mut SchemaGenerator| {
                let entry = schemas.subschema_for::<go2rtc::Entry>();
                json!({"type": "object", "additionalProperties": entry})
            };
            gives(OTHERS, "go2rtc's list of streams", vec![Answer { body: Body::Json(by_name), ..ok() }])
        }
        ("/api/ws" | "/go2rtc/api/ws", _) => {
            gives(OTHERS, "go2rtc's WebSocket", switched()).with(GO2RTC_SOCKET, &[SRC])
        }
        ("/api/stream.mjpeg" | "/go2rtc/api/stream.mjpeg", "POST" | "PUT") => {
            gives(OTHERS, "go2rtc's push", json_of::<Fed>()).takes(Takes::Feed).with(PUSHED, &[DST])
        }
        ("/api/stream.mjpeg" | "/go2rtc/api/stream.mjpeg", _) => {
            gives(OTHERS, "go2rtc's stream", stream()).with(QUERY, &[SRC, AS_ASKED, HOW_SENT])
        }
        ("/api/frame.jpeg" | "/go2rtc/api/frame.jpeg", _) => {
            gives(OTHERS, "go2rtc's snapshot", picture()).with(QUERY, &[SRC, GO2RTC, WAIT])
        }
        ("/api/{name}/latest.jpg", _) => {
            gives(OTHERS, "frigate's snapshot; of a camera that is away too", picture())
                .with(QUERY, &[FRIGATE, WAIT])
        }
        ("/stream", _) => {
            gives(OTHERS, "ustreamer's stream", stream()).with(QUERY, &[AS_ASKED, HOW_SENT, KEY])
        }
        _ if path.ends_with(".jpg") || path.ends_with("/current") || path.ends_with("/static/stream") => {
            gives(OTHERS, "A snapshot, counted from 1", picture()).with(QUERY, &[AS_ASKED, WAIT])
        }
        _ if path.ends_with(".mjpg") || path.ends_with("/stream") || path.ends_with("/substream") => {
            gives(OTHERS, "A stream, counted from 1", stream()).with(QUERY, &[AS_ASKED, HOW_SENT])
        }
        // A test finds what is not told.
        _ => gives(OTHERS, "", Vec::new()),
    }
}

impl About {
    fn takes(self, takes: Takes) -> Self {
        Self { takes, ..self }
    }

    fn with(self, refuses: &'static [(u16, &'static str)], query: &'static [&'static [Query]]) -> Self {
        Self { refuses, query, ..self }
    }

    /// One of its answers.
    fn only(mut self, status: u16) -> Self {
        self.answers.retain(|answer| answer.status == status);
        self
    }
}

fn gives(tag: &'static str, summary: &'static str, answers: Vec<Answer>) -> About {
    About { tag, summary, takes: Takes::Nothing, answers, refuses: &[], query: &[] }
}

fn ok() -> Answer {
    Answer { status: 200, says: "As asked.", body: Body::Nothing }
}

fn json_of<T: JsonSchema>() -> Vec<Answer> {
    let schema = |schemas: &mut SchemaGenerator| schemas.subschema_for::<T>().to_value();
    vec![Answer { body: Body::Json(schema), ..ok() }]
}

/// Without types it has no body.
fn of(status: u16, kinds: &'static [&'static str]) -> Answer {
    let says = if status == 304 { "If-None-Match had its ETag." } else { "As asked." };
    Answer { status, says, body: if kinds.is_empty() { Body::Nothing } else { Body::Of(kinds) } }
}

fn stream() -> Vec<Answer> {
    vec![of(200, bodies::STREAM)]
}

fn picture() -> Vec<Answer> {
    vec![of(200, bodies::JPEG), of(304, &[])]
}

fn done() -> Vec<Answer> {
    vec![Answer { status: 204, says: "Done.", ..ok() }]
}

fn led() -> Answer {
    Answer { status: 303, says: "Location says where to go on; a cookie may come along.", ..ok() }
}

fn switched() -> Vec<Answer> {
    vec![Answer { status: 101, says: "From here on it is a WebSocket.", ..ok() }]
}

fn all_or_one(schemas: &mut SchemaGenerator) -> Value {
    json!({"anyOf": [schemas.subschema_for::<api::Report>(), schemas.subschema_for::<go2rtc::Entry>()]})
}
