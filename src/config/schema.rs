//! The JSON Schema of the configuration, derived from its types by schemars, and what else is known from it:
//! the tables of docs/configuration.md, what a missing key needs, which keys hold credentials.
//!
//! Types add what JSON Schema has no word for: `x-unit` (type or unit in words), `x-default` (a default in
//! words), `x-need` (what a missing key needs), `x-secret`, `x-url`, `x-host` and `x-local` (a file or program of this
//! machine; its value is what is allowed there nevertheless). These leave the published schema.

use std::{collections::HashSet, sync::OnceLock};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    reader::alternatives,
    sections::{
        auth::AuthConfig,
        limits::Limits,
        log::LogConfig,
        server::ServerConfig,
        stream::{OWN_KEYS, StreamConfig, WrittenStream},
        webhooks::WebhookConfig,
    },
    values::Named,
};

/// The sections of a file.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "each section is read by itself")]
struct File {
    /// Addresses to listen on, and the HTTP server.
    #[schemars(extend("x-default" = "all defaults"))]
    server: Option<ServerConfig>,
    /// Permissions to watch, push and administer.
    #[schemars(extend("x-default" = "everybody may watch"))]
    auth: Option<AuthConfig>,
    /// Receivers of events, by a name for the log.
    #[schemars(with = "Option<Named<WebhookConfig>>", extend("x-default" = "nothing"))]
    webhooks: Vec<WebhookConfig>,
    /// The log.
    #[schemars(extend("x-default" = "all defaults"))]
    log: Option<LogConfig>,
    /// Limits of the server and of all streams.
    #[schemars(extend("x-default" = "all defaults"))]
    limits: Option<Limits>,
    /// Settings of every stream that does not set its own: any key of a stream except `source` and `title`.
    #[schemars(extend("x-default" = "nothing"), transform = without_own_keys)]
    defaults: Option<StreamConfig>,
    /// The streams, by name (`a-z 0-9 _ -`, up to 64 characters): each a map, or only its source, a URL or
    /// `push`. Their order determines mjpg-streamer's `stream_N`.
    #[schemars(extend(
        "x-need" = "name at least one stream",
        "minProperties" = 1,
        "propertyNames" = {"pattern": "^[a-z0-9_-]{1,64}$"}
    ))]
    streams: std::collections::BTreeMap<String, WrittenStream>,
}

/// The keys of [`File`].
pub(crate) const SECTIONS: [&str; 7] = ["server", "auth", "webhooks", "log", "limits", "defaults", "streams"];

fn without_own_keys(schema: &mut schemars::Schema) {
    fn remove(value: &mut Value) {
        if let Some(ways) = value.get_mut("anyOf").and_then(Value::as_array_mut) {
            ways.iter_mut().for_each(remove);
        }
        if let Some(properties) = value.get_mut("properties").and_then(Value::as_object_mut) {
            properties.retain(|key, _| !OWN_KEYS.contains(&key.as_str()));
        }
        if let Some(object) = value.as_object_mut() {
            object.remove("required");
        }
    }
    let mut value = schema.clone().to_value();
    remove(&mut value);
    *schema = value.try_into().unwrap_or_default();
}

/// The schema as the types give it, with the extensions.
pub fn annotated_schema() -> &'static Value {
    static RAW: OnceLock<Value> = OnceLock::new();
    RAW.get_or_init(|| {
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        settings.into_generator().into_root_schema_for::<File>().to_value()
    })
}

/// The JSON Schema of the whole file.
pub fn json_schema() -> Value {
    let mut schema = published(annotated_schema(), false);
    schema["title"] = json!("framecast's configuration");
    // A place for anchors.
    schema["patternProperties"] = json!({"^x-": {}});
    schema
}

/// The JSON Schemas of one entry of `streams:` that is a map, and of one that is a single line, as they may
/// come over HTTP: without the keys that name files and programs of this machine.
pub fn stream_schemas() -> [Value; 2] {
    let ways = &annotated_schema()["properties"]["streams"]["additionalProperties"]["anyOf"];
    [published(&ways[0], true), published(&ways[1], true)]
}

fn published(schema: &Value, over_http: bool) -> Value {
    let Value::Object(object) = schema else {
        return match schema {
            Value::Array(items) => items.iter().map(|item| published(item, over_http)).collect(),
            other => other.clone(),
        };
    };
    let mut result = Map::new();
    for (key, value) in object {
        let value = match (key.as_str(), value) {
            (key, _) if key.starts_with("x-") || (key == "default" && value.is_null()) => continue,
            ("default", Value::String(text)) => typed(text),
            ("description", Value::String(text)) => json!(text.replace('\n', " ")),
            ("properties", Value::Object(properties)) => {
                let kept = properties.iter().filter_map(|(key, property)| {
                    Some((key.clone(), published_property(property, over_http)?))
                });
                Value::Object(kept.collect())
            }
            // A source that cannot be without a file or program has no place over HTTP.
            ("oneOf", Value::Array(ways)) if over_http => {
                let ways = ways.iter().filter(|way| !needs_local(way));
                ways.map(|way| published(way, over_http)).collect()
            }
            ("const", Value::String(text)) => typed(text),
            // `true` and `90` are no texts in YAML.
            ("type", _)
                if object
                    .get("const")
                    .and_then(Value::as_str)
                    .is_some_and(|text| !typed(text).is_string()) =>
            {
                continue;
            }
            _ => published(value, over_http),
        };
        result.insert(key.clone(), value);
    }
    Value::Object(result)
}

/// A property with its unit in its description; none where it is not allowed. Wherever a single value is
/// allowed, so is a text with a variable (`${NAME}`).
fn published_property(property: &Value, over_http: bool) -> Option<Value> {
    let mut result = match &property["x-local"] {
        Value::String(only) if over_http => json!({"const": only}),
        Value::Bool(true) if over_http => return None,
        _ => published(property, over_http),
    };
    let is_narrow = ["boolean", "integer", "number"].iter().any(|kind| result["type"] == **kind)
        || ["enum", "pattern", "oneOf"].iter().any(|key| result.get(key).is_some() && !has_keys(property));
    let variable = json!({"type": "string", "pattern": r"\$\{"});
    if is_narrow {
        let object = result.as_object_mut()?;
        let apart: Map<_, _> =
            ["description", "default"].iter().filter_map(|key| object.remove_entry(*key)).collect();
        result = json!({"anyOf": [result, variable]});
        result.as_object_mut()?.extend(apart);
    } else if let Some(ways) = result.get_mut("anyOf").and_then(Value::as_array_mut)
        && !has_keys(property)
    {
        ways.push(variable);
    }
    let meaning = property["description"].as_str().unwrap_or_default().replace('\n', " ");
    if !meaning.is_empty() {
        result["description"] = json!(format!("{meaning} ({})", unit(property)));
    }
    Some(result)
}

fn needs_local(source: &Value) -> bool {
    let required = source["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    required.into_iter().any(|key| source["properties"][key]["x-local"] == true)
}

/// A default as JSON has it: a number, a boolean or a text.
fn typed(text: &str) -> Value {
    let value = serde_json::from_str(text).ok();
    value.filter(|value: &Value| value.is_number() || value.is_boolean()).unwrap_or_else(|| json!(text))
}

/// Returns whether a value may be a map.
fn has_keys(schema: &Value) -> bool {
    let ways = ["anyOf", "oneOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    schema.get("properties").is_some()
        || schema.get("additionalProperties").is_some()
        || ways.chain(schema.get("items")).any(has_keys)
}

/// The type of a value in words.
pub fn unit(schema: &Value) -> String {
    if let Some(unit) = schema["x-unit"].as_str() {
        return unit.to_owned();
    }
    let words = |values: &[Value]| {
        let words: Vec<_> =
            values.iter().map(|value| format!("`{}`", value.as_str().unwrap_or_default())).collect();
        alternatives(&words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    if let Some(values) = schema["enum"].as_array() {
        return words(values);
    }
    let ways: Vec<&Value> =
        ["anyOf", "oneOf"].iter().filter_map(|key| schema[*key].as_array()).flatten().collect();
    if !ways.is_empty() && ways.iter().all(|way| way.get("const").is_some()) {
        return words(&ways.iter().map(|way| way["const"].clone()).collect::<Vec<_>>());
    }
    if let [one, none] = ways[..]
        && none["const"] == "none"
    {
        return format!("{}, or `none`", unit(one));
    }
    match schema["type"].as_str() {
        Some("boolean") => "true or false".to_owned(),
        Some("array") => "list of maps".to_owned(),
        _ => "map".to_owned(),
    }
}

/// Finds a description of what a missing key needs, in a map with these keys, of a source of type `kind`.
pub(crate) fn need(keys: &[&str], kind: Option<&str>, missing: &str) -> Option<&'static str> {
    fn find(schema: &'static Value, map: (&[&str], Option<&str>), missing: &str) -> Option<&'static str> {
        if let Some(need) = schema["properties"][missing]["x-need"].as_str()
            && map.0.iter().all(|key| schema["properties"].get(key).is_some())
            && schema["properties"]["type"]["const"].as_str() == map.1
        {
            return Some(need);
        }
        match schema {
            Value::Object(object) => object.values().find_map(|value| find(value, map, missing)),
            Value::Array(items) => items.iter().find_map(|item| find(item, map, missing)),
            _ => None,
        }
    }
    find(annotated_schema(), (keys, kind), missing)
}

/// Returns whether some map has this key.
pub(crate) fn is_key(name: &str) -> bool {
    keys(|key, _| key == name).next().is_some()
}

/// The names of the keys with a mark such as `x-secret`.
pub(crate) fn marked(mark: &str) -> HashSet<&'static str> {
    keys(|_, property| property[mark] == true).collect()
}

/// The keys of all maps that fit.
fn keys(fits: impl Fn(&str, &Value) -> bool) -> impl Iterator<Item = &'static str> {
    let mut keys = Vec::new();
    let mut next = vec![annotated_schema()];
    while let Some(schema) = next.pop() {
        let properties = schema["properties"].as_object().into_iter().flatten();
        keys.extend(properties.filter(|(key, value)| fits(key, value)).map(|(key, _)| key.as_str()));
        next.extend(schema.as_object().into_iter().flat_map(|object| object.values()));
        next.extend(schema.as_array().into_iter().flatten());
    }
    keys.into_iter()
}
