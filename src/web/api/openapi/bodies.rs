//! Request bodies, and the types of content that is not JSON.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::parameters::STREAM_NAME;
use crate::{config::stream_schemas, web::api::probe};

pub(super) const JPEG: &[&str] = &["image/jpeg"];
pub(super) const STREAM: &[&str] = &["multipart/x-mixed-replace", "application/octet-stream"];
pub(super) const HTML: &[&str] = &["text/html"];
pub(super) const EVENTS: &[&str] = &["text/event-stream"];
pub(super) const TEXT: &[&str] = &["text/plain"];
/// The page; or, for mjpg-streamer's clients, pictures.
pub(super) const ROOT: &[&str] = &["text/html", "image/jpeg", "multipart/x-mixed-replace"];
pub(super) const ASSETS: &[&str] = &["text/css", "text/javascript", "image/svg+xml"];
pub(super) const CLIPS: &[&str] =
    &["video/x-motion-jpeg", "video/x-msvideo", "application/zip", "application/x-ndjson"];

/// The body that an operation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum RequestBody {
    Empty,
    Picture,
    Feed,
    Points,
    Meta,
    Stream,
    NamedStream,
    Patch,
    Camera,
    Login,
}

/// The body of a request; none if it has none.
pub(super) fn request(takes: RequestBody) -> Option<Value> {
    let content = match takes {
        RequestBody::Empty => return None,
        RequestBody::Picture => {
            let form = json!({"schema": {
                "type": "object", "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }});
            let mut kinds = raw(&["image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp"]);
            kinds.insert("multipart/form-data".to_owned(), form);
            kinds
        }
        RequestBody::Feed => raw(&["multipart/x-mixed-replace", "image/jpeg", "application/octet-stream"]),
        RequestBody::Points => {
            let mut kinds =
                as_json(points(), &[json!({"cpu": 0.7}), json!([{"time": 1795381378, "cpu": 0.65}])]);
            kinds.extend(raw(&["text/plain"]));
            kinds
        }
        RequestBody::Meta => as_json(
            json!({}),
            &[json!({"boxes": [{"x": 120, "y": 40, "w": 64, "h": 128, "label": "person"}]})],
        ),
        RequestBody::Stream => {
            let [_, one_line] = stream_schemas();
            let schema = json!({"anyOf": [{"$ref": "#/components/schemas/Stream"}, one_line]});
            as_json(schema, &[camera_stream(), pattern_stream(), json!(CAMERA_URL)])
        }
        RequestBody::NamedStream => {
            let mut door = camera_stream();
            door["name"] = json!("door");
            as_json(named(), &[door])
        }
        RequestBody::Patch => {
            let mut kinds = as_json(patch(), &[json!({"max_fps": 5, "title": null})]);
            kinds.insert("application/merge-patch+json".to_owned(), json!({"schema": patch()}));
            kinds
        }
        RequestBody::Camera => {
            as_json(camera(), &[json!({"url": "http://192.168.1.20/video.mjpg", "insecure": false})])
        }
        RequestBody::Login => {
            Map::from_iter([("application/x-www-form-urlencoded".to_owned(), json!({"schema": form()}))])
        }
    };
    Some(json!({"required": true, "content": content}))
}

fn as_json(schema: Value, examples: &[Value]) -> Map<String, Value> {
    let examples = examples.iter().enumerate();
    let examples = examples.map(|(number, value)| ((number + 1).to_string(), json!({"value": value})));
    let body = json!({"schema": schema, "examples": examples.collect::<Map<_, _>>()});
    Map::from_iter([("application/json".to_owned(), body)])
}

const CAMERA_URL: &str = "http://user:pass@192.168.1.20/video.mjpg";

fn camera_stream() -> Value {
    json!({"title": "Front door", "source": {"type": "mjpeg", "url": CAMERA_URL}})
}

fn pattern_stream() -> Value {
    json!({"source": {"type": "pattern", "size": "640x360"}, "max_fps": 5})
}

fn raw(kinds: &[&str]) -> Map<String, Value> {
    kinds.iter().map(|kind| ((*kind).to_owned(), json!({"schema": binary()}))).collect()
}

/// The schema for requests, not answers: a key with a default may be left out.
fn camera() -> Value {
    let settings =
        SchemaSettings::draft2020_12().for_deserialize().with(|settings| settings.meta_schema = None);
    settings.into_generator().into_root_schema_for::<probe::Asked>().to_value()
}

/// Returns the schema of a response that is not JSON; of an event stream, that of one event.
pub(super) fn schema_of(media_type: &str) -> Value {
    if EVENTS.contains(&media_type) {
        let data = json!({"type": "string", "contentMediaType": "application/json"});
        return json!({"type": "object", "properties": {"data": data}, "required": ["data"]});
    }
    binary()
}

/// Bytes.
pub(super) fn binary() -> Value {
    json!({"type": "string", "format": "binary"})
}

/// A stream's settings with its name beside them.
fn named() -> Value {
    let [mut named, _] = stream_schemas();
    named["properties"]["name"] = json!({"type": "string", "pattern": STREAM_NAME});
    named["required"] = json!(["name", "source"]);
    named
}

/// Returns the schema of a patch: any of a stream's keys, or null to remove one.
fn patch() -> Value {
    let [stream, _] = stream_schemas();
    let keys = stream["properties"].as_object().into_iter().flatten();
    let keys = keys.map(|(name, key)| (name.clone(), json!({"description": key["description"]})));
    json!({"type": "object", "properties": keys.collect::<Map<_, _>>()})
}

/// Returns the schema of points: one for each series of the chart, and a time; or a list of such.
fn points() -> Value {
    let one = json!({
        "type": "object",
        "properties": {"time": {
            "type": ["number", "string"],
            "description": "Unix seconds, or RFC 3339; the default is now.",
        }},
        "additionalProperties": {"type": "number"},
    });
    json!({"anyOf": [one, {"type": "array", "items": one}]})
}

fn form() -> Value {
    let field = |meaning: &str| json!({"type": "string", "description": meaning});
    json!({"type": "object", "properties": {
        "name": field("The user name."),
        "password": field("Or a token."),
        "next": field("The page to open afterwards."),
        "stream": field("The stream of a link, which replaces name and password."),
        "expires": field("The link's `expires`."),
        "signature": field("The link's `signature`."),
    }})
}
