//! What each address is for, what it takes and what it answers with when all is well.

/// What the table does not say.
pub(super) struct About {
    pub(super) summary: &'static str,
    /// The type of what is sent.
    pub(super) sent: Option<&'static str>,
    /// Status and type of what is answered; no type where there is no body.
    pub(super) answers: &'static [(u16, &'static str)],
    /// Name and meaning.
    pub(super) query: &'static [(&'static str, &'static str)],
}

const JSON: &str = "application/json";
const HTML: &str = "text/html";
const JPEG: &str = "image/jpeg";
const STREAM: &str = "multipart/x-mixed-replace";

const OK_JSON: &[(u16, &str)] = &[(200, JSON)];
const OK_HTML: &[(u16, &str)] = &[(200, HTML), (304, "")];
const OK_JPEG: &[(u16, &str)] = &[(200, JPEG)];
const OK_STREAM: &[(u16, &str)] = &[(200, STREAM)];
const DONE: &[(u16, &str)] = &[(204, "")];
const MADE: &[(u16, &str)] = &[(200, JSON), (201, JSON)];

const AS_ASKED: &[(&str, &str)] = &[
    ("width", "pixels"),
    ("height", "pixels"),
    ("quality", "JPEG quality, 1 to 100"),
    ("fps", "pictures per second at most"),
];

/// For an address of the table and one of its methods. One that is not named here is for viewing in another's way.
pub(super) fn about(path: &str, method: &str) -> About {
    let get = |summary, answers| About { summary, sent: None, answers, query: &[] };
    let take = |summary, sent, answers| About { summary, sent: Some(sent), answers, query: &[] };
    match (path, method) {
        ("/api/streams", "POST") => take("Add a stream", JSON, MADE),
        ("/api/streams", _) => get("What all streams are doing", OK_JSON),
        ("/api/streams/{name}", "POST") => take("Add this stream", JSON, MADE),
        ("/api/streams/{name}", "PUT") => take("Add this stream, or give it these settings", JSON, MADE),
        ("/api/streams/{name}", "PATCH") => take("Change some of its settings (RFC 7396)", JSON, OK_JSON),
        ("/api/streams/{name}", "DELETE") => get("Remove a stream that was added", DONE),
        ("/api/streams/{name}", _) => get("What a stream is doing", OK_JSON),
        ("/api/streams/{name}/config", _) => get("A stream's settings, without credentials", OK_JSON),
        ("/api/streams/{name}/restart", _) => get("Start its source anew", DONE),
        ("/api/streams/{name}/pause", _) => get("Let go of its source; viewers stay", DONE),
        ("/api/streams/{name}/resume", _) => get("End a pause", DONE),
        ("/api/reload", _) => get("Read the configuration file again", OK_JSON),
        ("/api/events", _) => About {
            query: &[("after", "the number of an event: those behind it")],
            ..get("What has happened of late", OK_JSON)
        },
        ("/api/openapi.json", _) => get("This document", OK_JSON),
        ("/api/docs", _) => get("This document as a page", OK_HTML),
        ("/api/probe", _) => take("What a camera sends", JSON, OK_JSON),
        ("/api/live", _) => get("A WebSocket with pictures of any number of streams", &[(101, "")]),
        ("/api/ws", _) => get("go2rtc's WebSocket", &[(101, "")]),
        ("/metrics", _) => get("What is counted, for Prometheus", &[(200, "text/plain")]),
        ("/healthz", _) => get("Does the process answer?", OK_JSON),
        ("/readyz", _) => get("Does it take viewers?", OK_JSON),
        ("/", _) => get("The page of all streams", OK_HTML),
        ("/view/{name}", _) => get("One stream at full size, as a page", OK_HTML),
        ("/page/{asset}", _) => get("What the pages need", &[(200, "text/plain"), (304, "")]),
        ("/streams/{name}/snapshot" | "/{name}.jpg", _) => {
            About { query: AS_ASKED, ..get("The newest picture", OK_JPEG) }
        }
        ("/streams/{name}/replay", _) => get("The last seconds, played again", OK_STREAM),
        ("/streams/{name}/clip", _) => {
            get("The last seconds as a file", &[(200, "application/octet-stream")])
        }
        ("/streams/{name}/frame", _) => take("Push one picture", JPEG, DONE),
        ("/streams/{name}/feed", _) => take("Push a feed of pictures", STREAM, OK_JSON),
        ("/streams/{name}/points", _) => take("Send points to a graph", JSON, &[(200, JSON), (204, "")]),
        ("/snapshot", _) => get("The newest picture of the default stream", OK_JPEG),
        ("/state" | "/program.json", _) => get("What is served, for clients of another program", OK_JSON),
        _ if path.ends_with(".json") => get("What is served, for clients of another program", OK_JSON),
        _ if path.starts_with("/api/") => get("Of the API", OK_JSON),
        _ => About { query: AS_ASKED, ..get("A stream of pictures", OK_STREAM) },
    }
}
