//! The keys of the configuration, from the schema.

use framecast::config;
use serde_json::{Map, Value, json};

/// A key in the tables of docs/configuration.md.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The map that it is in, such as `streams.NAME.save`; empty at the top.
    pub(crate) section: String,
    /// The `type` of the source that it belongs to.
    pub(crate) source: Option<String>,
    /// As in the file.
    pub(crate) key: String,
    /// Its type or unit, in words.
    pub(crate) unit: String,
    /// The default value, as in the file; none if the key is required, or if `default_in_words` describes it.
    pub(crate) default: Option<String>,
    /// The default in words.
    pub(crate) default_in_words: String,
    /// The meaning of the key.
    pub(crate) meaning: String,
    /// The text of the mistake when it is missing.
    pub(crate) need: Option<String>,
    /// Whether it names a file or program of this machine: not for streams that are added over HTTP.
    pub(crate) is_local: bool,
}

/// Every key of the configuration, section after section.
pub(crate) fn reference() -> Vec<Row> {
    let mut rows = Vec::new();
    add_rows(config::annotated_schema(), "", None, &mut rows);
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
        let meaning =
            if is_type { "Type of the source." } else { property["description"].as_str().unwrap_or("") };
        rows.push(Row {
            section: section.to_owned(),
            source: source.map(str::to_owned),
            key: key.clone(),
            unit: if is_type { "word".to_owned() } else { config::unit(property) },
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
        let path = if section.is_empty() { key.clone() } else { format!("{section}.{key}") };
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

/// Returns whether a value may be a map.
fn has_keys(schema: &Value) -> bool {
    let ways = ["anyOf", "oneOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    schema.get("properties").is_some()
        || schema.get("additionalProperties").is_some()
        || ways.chain(schema.get("items")).any(has_keys)
}
