//! The JSON Schema of the configuration, derived from its types by schemars, and what else is known from it:
//! the tables of docs/configuration.md, what a missing key needs, which keys hold credentials.
//!
//! Types add what JSON Schema has no word for: `x-unit` (type or unit in words), `x-default` (a default in
//! words), `x-need` (what a missing key needs), `x-secret`, `x-url` and `x-local` (a file or program of this
//! machine; its value is what may stand there all the same). These leave the published schema.

use std::{collections::HashSet, sync::OnceLock};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    AuthConfig, Limits, LogConfig, ServerConfig, WebhookConfig,
    reader::alternatives,
    stream::{OWN_KEYS, StreamYaml},
    values::Named,
};

/// The sections of a file.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "each section is read by itself")]
struct File {
    /// Where and how to listen.
    #[schemars(extend("x-default" = "all defaults"))]
    server: Option<ServerConfig>,
    /// Who may watch, push and change things.
    #[schemars(extend("x-default" = "everybody may watch"))]
    auth: Option<AuthConfig>,
    /// Who is told what happens to streams, by a name for the log.
    #[schemars(with = "Option<Named<WebhookConfig>>", extend("x-default" = "nothing"))]
    webhooks: Vec<WebhookConfig>,
    /// How the log is written.
    #[schemars(extend("x-default" = "all defaults"))]
    log: Option<LogConfig>,
    /// Bounds that hold for all streams.
    #[schemars(extend("x-default" = "all defaults"))]
    limits: Option<Limits>,
    /// Settings for every stream that does not say otherwise: any key of a stream but `source` and `title`.
    #[schemars(extend("x-default" = "nothing"), transform = without_own_keys)]
    defaults: Option<StreamYaml>,
    /// The streams, by name (`a-z 0-9 _ -`, up to 64 characters). Their order counts for mjpg-streamer's
    /// `stream_N`.
    #[schemars(extend(
        "x-need" = "name at least one stream",
        "minProperties" = 1,
        "propertyNames" = {"pattern": "^[a-z0-9_-]{1,64}$"}
    ))]
    streams: std::collections::BTreeMap<String, StreamYaml>,
}

/// The keys of [`File`].
pub(super) const SECTIONS: [&str; 7] = ["server", "auth", "webhooks", "log", "limits", "defaults", "streams"];

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

/// The schema as the types give it.
fn raw() -> &'static Value {
    static RAW: OnceLock<Value> = OnceLock::new();
    RAW.get_or_init(|| {
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        settings.into_generator().into_root_schema_for::<File>().to_value()
    })
}

/// The JSON Schema of the whole file.
pub fn json_schema() -> Value {
    let mut schema = published(raw(), false);
    schema["title"] = json!("framecast's configuration");
    // A place for anchors.
    schema["patternProperties"] = json!({"^x-": {}});
    schema
}

/// The JSON Schema of one entry of `streams:`, as it may come over HTTP: without the keys that name files and
/// programs of this machine.
pub fn stream_schema() -> Value {
    published(&raw()["properties"]["streams"]["additionalProperties"], true)
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

/// A property with its unit in its description; none where it must not stand. Wherever a single value stands,
/// a text with a variable (`${NAME}`) may stand too.
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

/// Whether a value may be a map.
fn has_keys(schema: &Value) -> bool {
    let ways = ["anyOf", "oneOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    schema.get("properties").is_some()
        || schema.get("additionalProperties").is_some()
        || ways.chain(schema.get("items")).any(has_keys)
}

/// A key in the tables of docs/configuration.md.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The map that it is in, such as `streams.NAME.save`; empty at the top.
    pub section: String,
    /// The `type` of the source that it belongs to.
    pub source: Option<String>,
    /// As in the file.
    pub key: String,
    /// Its type or unit, in words.
    pub unit: String,
    /// What holds without it, as in the file; none if it is required, or if `default_in_words` says it.
    pub default: Option<String>,
    /// The same in words.
    pub default_in_words: String,
    /// What it does.
    pub meaning: String,
    /// What a mistake says when it is missing.
    pub need: Option<String>,
    /// Whether it names a file or program of this machine: not for streams that are added over HTTP.
    pub is_local: bool,
}

/// Every key of the configuration, section after section.
pub fn reference() -> Vec<Row> {
    let mut rows = Vec::new();
    add_rows(raw(), "", None, &mut rows);
    rows
}

fn add_rows(schema: &Value, section: &str, source: Option<&str>, rows: &mut Vec<Row>) {
    let is_required =
        |key: &str| schema["required"].as_array().is_some_and(|keys| keys.contains(&json!(key)));
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let is_optional =
            property["anyOf"].as_array().is_some_and(|ways| ways.contains(&json!({"const": "none"})));
        let default = match &property["default"] {
            Value::Null => is_optional.then(|| "none".to_owned()),
            Value::String(text) => Some(written(text)),
            other => Some(other.to_string()),
        };
        let default = default.filter(|_| property.get("x-default").is_none() && !is_required(key));
        let words = property["x-default"].as_str().unwrap_or("nothing");
        let is_type = source.is_some() && key == "type";
        let meaning = if is_type {
            "What kind of source it is."
        } else {
            property["description"].as_str().unwrap_or("")
        };
        rows.push(Row {
            section: section.to_owned(),
            source: source.map(str::to_owned),
            key: key.clone(),
            unit: if is_type { "word".to_owned() } else { unit(property) },
            default,
            default_in_words: if is_required(key) { "required" } else { words }.to_owned(),
            meaning: meaning.replace('\n', " "),
            need: property["x-need"].as_str().map(str::to_owned),
            is_local: property.get("x-local").is_some(),
        });
    }
    if section == "defaults" {
        return;
    }
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = super::error::join(section, key);
        add_sections(property, &path, rows);
    }
}

fn add_sections(value: &Value, path: &str, rows: &mut Vec<Row>) {
    if let Some(kind) = value["properties"]["type"]["const"].as_str() {
        return add_rows(value, "source", Some(kind), rows);
    }
    if value.get("properties").is_some() {
        add_rows(value, path, None, rows);
    }
    if let Some(items) = value.get("items") {
        // Each step of `transform` is a map with one key: its keys are one section.
        let described = |step: &Value, (key, value): (&String, &Value)| {
            let mut value = value.clone();
            value["description"] = step["description"].clone();
            (key.clone(), value)
        };
        let steps = items["oneOf"].as_array().map(|steps| {
            let keys = steps.iter().map(|step| (step, step["properties"].as_object().into_iter().flatten()));
            keys.flat_map(|(step, keys)| keys.map(move |key| described(step, key))).collect::<Map<_, _>>()
        });
        match steps.filter(|steps| steps.contains_key("crop")) {
            Some(steps) => add_rows(&json!({"properties": steps}), &format!("{path}[N]"), None, rows),
            None if path.ends_with("source") => {}
            None => add_sections(items, &format!("{path}[N]"), rows),
        }
    }
    if let Some(each) = value.get("additionalProperties").filter(|each| has_keys(each)) {
        add_sections(each, &format!("{path}.NAME"), rows);
    }
    for way in ["anyOf", "oneOf"].iter().filter_map(|key| value[*key].as_array()).flatten() {
        add_sections(way, path, rows);
    }
}

/// A default as in a file: in quotes where YAML needs them.
fn written(text: &str) -> String {
    if text.is_empty() || text.starts_with(['#', '*', '"']) { format!("{text:?}") } else { text.to_owned() }
}

/// The type of a value in words.
fn unit(schema: &Value) -> String {
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

/// What a key needs that is missing in a map with these keys, of a source of type `kind`.
pub(super) fn need(keys: &[&str], kind: Option<&str>, missing: &str) -> Option<&'static str> {
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
    find(raw(), (keys, kind), missing)
}

/// The names of all keys.
pub(super) fn is_key(name: &str) -> bool {
    static KEYS: OnceLock<HashSet<String>> = OnceLock::new();
    KEYS.get_or_init(|| reference().into_iter().map(|row| row.key).collect()).contains(name)
}

/// The names of the keys with a mark such as `x-secret`.
pub(super) fn marked(mark: &str) -> HashSet<&'static str> {
    fn find(schema: &'static Value, mark: &str, keys: &mut HashSet<&'static str>) {
        let properties = schema["properties"].as_object().into_iter().flatten();
        keys.extend(properties.filter(|(_, value)| value[mark] == true).map(|(key, _)| key.as_str()));
        match schema {
            Value::Object(object) => object.values().for_each(|value| find(value, mark, keys)),
            Value::Array(items) => items.iter().for_each(|item| find(item, mark, keys)),
            _ => {}
        }
    }
    let mut keys = HashSet::new();
    find(raw(), mark, &mut keys);
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_over_http_has_no_files_and_programs() {
        let schema = stream_schema();
        let text = schema.to_string();
        for kind in ["mjpeg", "images", "push", "rtsp"] {
            assert!(text.contains(&format!("\"const\":\"{kind}\"")), "{kind}: {text}");
        }
        for absent in ["\"const\":\"exec\"", "\"const\":\"v4l2\"", "\"device\"", "\"command\"", "\"latest\""]
        {
            assert!(!text.contains(absent), "{absent}");
        }
        assert_eq!(schema["properties"]["save"]["const"], "none");
        assert!(text.contains("builtin:demo"));
    }
}
