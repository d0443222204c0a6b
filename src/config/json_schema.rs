//! The keys of [`schema`](super::schema) as a JSON Schema (draft 2020-12), for editors that complete and check YAML.
//!
//! Made from the keys' own words: what a unit such as `time, 1s to 1h` allows is read out of it here. It is somewhat wider than
//! the reader: combinations of keys, names of streams and files are left to `framecast check`. Wherever a single value stands, a
//! text with a variable (`${NAME}`) may stand too.

use serde_json::{Map, Value, json};

use super::schema::{
    Default, INNER_SECTIONS, Key, ROOT, SECTIONS, SOURCE, SOURCES, STREAM_KEYS, STREAMS, Section,
    harmless_value, is_local,
};

/// A time such as `1.5s`.
const TIME: &str = r"^[0-9]+(\.[0-9]+)? *(ms|s|m|h)$";

/// A size such as `8MiB`.
const BYTES: &str = "^[0-9]+ *(B|kB|KB|MB|GB|KiB|kiB|MiB|GiB)?$";

/// As names of streams are.
const NAME: &str = "^[a-z0-9_-]{1,64}$";

/// The whole file.
pub fn json_schema() -> Value {
    let mut schema = By::File.object(&ROOT);
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!("framecast's configuration"));
    // A place for anchors.
    schema.insert("patternProperties".to_owned(), json!({"^x-": {}}));
    Value::Object(schema)
}

/// One entry of `streams:`, as it may come over HTTP: without the keys that name files and programs of this machine.
pub fn stream_schema() -> Value {
    Value::Object(By::Http.object(&STREAM_KEYS))
}

/// How settings come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    File,
    Http,
}

impl By {
    fn takes(self, key: &Key) -> bool {
        self == Self::File || !is_local(key) || harmless_value(key).is_some()
    }

    /// A map with these keys and no others.
    fn object(self, section: &Section) -> Map<String, Value> {
        let keys = || section.keys.iter().filter(|key| self.takes(key));
        let properties: Map<_, _> =
            keys().map(|key| (key.name.to_owned(), described(key, self.value(section, key)))).collect();
        let required = keys().filter(|key| matches!(key.default, Default::Required(_)));
        let required: Vec<_> = required.map(|key| key.name).collect();
        let mut object = Map::new();
        object.insert("type".to_owned(), json!("object"));
        object.insert("additionalProperties".to_owned(), json!(false));
        object.insert("properties".to_owned(), Value::Object(properties));
        if !required.is_empty() {
            object.insert("required".to_owned(), json!(required));
        }
        object
    }

    fn value(self, section: &Section, key: &Key) -> Value {
        if self == Self::Http
            && let Some(only) = harmless_value(key)
        {
            return json!({"const": only});
        }
        if std::ptr::eq(key, &STREAMS) {
            return json!({
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"pattern": NAME},
                "additionalProperties": self.object(&STREAM_KEYS),
            });
        }
        if std::ptr::eq(key, &SOURCE) {
            let list = key.unit.contains("list");
            return if list { any_of([self.source(), list_of(self.source())]) } else { self.source() };
        }
        if let Some(each) = named(section, key) {
            let map = json!({"type": "object", "additionalProperties": self.object(each)});
            return any_of([map, json!({"type": "null"})]);
        }
        let mut ways = match below(section, key) {
            Some((inside, false)) => vec![Value::Object(self.object(inside)), json!({"type": "null"})],
            // Of a list each entry may be a name alone, where its words say so.
            Some((inside, true)) if key.unit.contains("names") => {
                vec![list_of(any_of([json!({"type": "string"}), Value::Object(self.object(inside))]))]
            }
            Some((inside, true)) => vec![list_of(Value::Object(self.object(inside)))],
            None => single_or_many(key.unit),
        };
        ways.extend(words_beside(key.unit).filter(|word| !ways.contains(word)).collect::<Vec<_>>());
        any_of(ways)
    }

    /// Which keys a source has depends on its type.
    fn source(self) -> Value {
        // One that cannot be without a file or program has no place over HTTP.
        let needs = |key: &&Key| matches!(key.default, Default::Required(_)) && !self.takes(key);
        let sources = || SOURCES.iter().filter(|(_, section)| !section.keys.iter().any(&needs));
        let types: Vec<_> = sources().map(|(name, _)| *name).collect();
        let each = sources().map(|(name, section)| {
            let mut keys = self.object(section);
            // Said once, by the list of all types.
            if let Some(Value::Object(properties)) = keys.get_mut("properties") {
                properties.insert("type".to_owned(), json!({"const": name}));
            }
            json!({"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": keys})
        });
        json!({
            "type": "object",
            "required": ["type"],
            "properties": {"type": {"enum": types, "description": "What kind of source it is."}},
            "allOf": each.collect::<Vec<_>>(),
        })
    }
}

fn described(key: &Key, value: Value) -> Value {
    let Value::Object(mut value) = value else { return value };
    value.insert("description".to_owned(), json!(format!("{} ({})", key.meaning, key.unit)));
    if let Default::Is(text) = key.default {
        let plain = text.trim_matches('"');
        let typed = serde_json::from_str(plain).ok().filter(|value: &Value| !value.is_null());
        value.insert("default".to_owned(), typed.unwrap_or_else(|| json!(plain)));
    }
    Value::Object(value)
}

/// The section of a key, and whether there is a list of such.
fn below(section: &Section, key: &Key) -> Option<(&'static Section, bool)> {
    // `defaults` has no sections of its own.
    let parent = if section.path == "defaults" { STREAM_KEYS.path } else { section.path };
    let path = if parent.is_empty() { key.name.to_owned() } else { format!("{parent}.{}", key.name) };
    let list = format!("{path}[N]");
    let known = || SECTIONS.iter().chain(&INNER_SECTIONS).copied();
    // Those within a source begin with `source`.
    let is = |section: &Section, path: &str| {
        section.path == path
            || (section.path.starts_with("source.") && path.ends_with(&format!(".{}", section.path)))
    };
    let one = known().find(|section| is(section, &path)).map(|section| (section, false));
    one.or_else(|| known().find(|section| is(section, &list)).map(|section| (section, true)))
}

/// The section of each entry of a map whose keys are names of the user's.
fn named(section: &Section, key: &Key) -> Option<&'static Section> {
    let parent = if section.path.is_empty() { String::new() } else { format!("{}.", section.path) };
    let path = format!("{parent}{}.NAME", key.name);
    SECTIONS.iter().chain(&INNER_SECTIONS).copied().find(|section| section.path == path)
}

/// Words in a unit that may stand in the place of something longer: `none`, `card`; and true and false.
fn words_beside(unit: &str) -> impl Iterator<Item = Value> {
    let quoted =
        unit.split('`').skip(1).step_by(2).filter(|word| word.bytes().all(|c| c.is_ascii_lowercase()));
    let whether = unit.contains("true").then(|| json!({"type": "boolean"}));
    quoted.map(|word| json!({"const": word})).chain(whether)
}

/// What a unit allows, in its own words.
fn single_or_many(unit: &str) -> Vec<Value> {
    if unit.starts_with("map of") {
        return vec![json!({"type": "object", "additionalProperties": scalar()})];
    }
    if unit.starts_with("map") || unit.contains("list of maps") {
        return vec![json!({"type": ["object", "array"]})];
    }
    if unit.contains("list") {
        return vec![scalar(), list_of(scalar())];
    }
    let mut ways = single(unit);
    let wide = ways.iter().any(|way| *way == scalar());
    if !wide {
        ways.push(json!({"type": "string", "pattern": r"\$\{"}));
    }
    ways
}

fn single(unit: &str) -> Vec<Value> {
    let first = unit.split([',', ' ']).next().unwrap_or_default();
    match first {
        "true" => vec![json!({"type": "boolean"})],
        "auto" if unit.contains("true or false") => {
            vec![json!({"type": "boolean"}), json!({"const": "auto"})]
        }
        "number" | "pixels" => {
            let mut ways = vec![number(unit)];
            ways.extend(unit.contains("`auto`").then(|| json!({"const": "auto"})));
            ways
        }
        "time" => vec![json!({"type": "string", "pattern": TIME})],
        "size" => vec![json!({"type": "string", "pattern": BYTES}), json!({"type": "integer", "minimum": 0})],
        "width" => vec![json!({"type": "string", "pattern": "^[0-9]+x[0-9]+$"})],
        _ => words(unit).map_or_else(|| vec![scalar()], |words| vec![json!({"enum": words})]),
    }
}

/// `number, 1 to 100` and `number from 0.00001 to 240`.
fn number(unit: &str) -> Value {
    let numbers: Vec<f64> = unit.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
    match (&numbers[..], unit.contains(" to ")) {
        (&[least, most], true) => json!({"type": "number", "minimum": least, "maximum": most}),
        _ => json!({"type": "number"}),
    }
}

/// `90, 180 or 270`, if a unit is nothing but such words.
fn words(unit: &str) -> Option<Vec<Value>> {
    const KINDS: [&str; 9] = ["text", "map", "path", "word", "name", "none", "file", "folder", "pattern"];
    let words: Vec<_> =
        unit.split(", ").flat_map(|part| part.split(" or ")).map(|word| word.trim_matches('`')).collect();
    let plain = |word: &&str| {
        word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'+')
    };
    let are_words = words.len() > 1 && words.iter().all(|word| plain(word) && !KINDS.contains(word));
    let value = |word: &str| serde_json::from_str(word).unwrap_or_else(|_| json!(word));
    are_words.then(|| words.into_iter().map(value).collect())
}

fn scalar() -> Value {
    json!({"type": ["string", "number", "boolean"]})
}

fn list_of(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

fn any_of(ways: impl IntoIterator<Item = Value>) -> Value {
    let mut ways: Vec<_> = ways.into_iter().collect();
    if ways.len() == 1 { ways.remove(0) } else { json!({"anyOf": ways}) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_as_people_read_them() {
        let of = |unit| any_of(single_or_many(unit))["anyOf"][0].clone();
        assert_eq!(of("number, 1 to 100"), json!({"type": "number", "minimum": 1.0, "maximum": 100.0}));
        assert_eq!(of("number from 0.00001 to 240, or `none`")["maximum"], 240.0);
        assert_eq!(of("90, 180 or 270"), json!({"enum": [90, 180, 270]}));
        assert_eq!(of("`line`, `area` or `bar`"), json!({"enum": ["line", "area", "bar"]}));
        assert_eq!(of("true or false"), json!({"type": "boolean"}));
        assert_eq!(single_or_many("text, or `none`"), [scalar()]);
        assert_eq!(single_or_many("path of a file"), [scalar()]);
    }

    #[test]
    fn what_comes_over_http_has_no_files_and_programs() {
        let schema = stream_schema();
        let source = &schema["properties"]["source"]["anyOf"][0];
        let types = source["properties"]["type"]["enum"].as_array().unwrap();
        assert!(types.contains(&json!("mjpeg")) && types.contains(&json!("images")), "{types:?}");
        assert!(!types.contains(&json!("exec")) && !types.contains(&json!("v4l2")), "{types:?}");
        assert_eq!(schema["properties"]["save"]["const"], "none");
        let text = schema.to_string();
        assert!(text.contains("builtin:demo") && !text.contains("\"device\""));
    }

    #[test]
    fn every_section_stands_where_its_key_does() {
        let text = json_schema().to_string();
        for section in SECTIONS.iter().chain(&INNER_SECTIONS) {
            for key in section.keys {
                let meaning = json!(key.meaning).to_string();
                let meaning = meaning.trim_matches('"');
                assert!(text.contains(meaning), "{}.{} is not in the schema", section.path, key.name);
            }
        }
    }
}
