//! Streams that did not come from the file but over HTTP: the same keys, as JSON.
//!
//! They are read together with those of the file, so that what they show, and what shows them, is checked at once. What they
//! may not do is read files of this machine or run programs on it, and no variable is put into their values: whoever may add
//! a stream is not to learn what framecast's environment holds.

use std::{collections::BTreeMap, fmt, ops::Range, rc::Rc};

use serde_json::{Map, Value};

use super::{
    error::{Collector, Position},
    node::{Entry, Kind, Node},
};
use crate::media::stream_name::StreamName;

/// The place of what does not stand in the file.
pub(super) const NOWHERE: Position = Position { line: 0, column: 0 };

const NO_BYTES: Range<usize> = 0..0;

/// A stream that was added.
#[derive(Clone, PartialEq)]
pub struct Added {
    /// Its name, not checked yet.
    pub name: String,
    /// Its keys, as beneath `streams.NAME`.
    pub settings: Value,
}

/// Settings may hold credentials.
impl fmt::Debug for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Added").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What stands in the file, or was added, for each stream: without defaults, variables not put in.
#[derive(Clone, Default, PartialEq)]
pub struct Written(BTreeMap<StreamName, Value>);

/// Settings may hold credentials.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Written {
    /// What stands beneath a stream's name.
    pub fn of(&self, name: &StreamName) -> Option<&Value> {
        self.0.get(name)
    }

    /// Of the map of all streams.
    pub(super) fn read(streams: &[Entry]) -> Self {
        let written = streams.iter().filter_map(|entry| Some((entry.key.parse().ok()?, json(&entry.value))));
        Self(written.collect())
    }
}

/// The file's tree with `added` behind its streams. One that the file has too is left out: the file counts.
pub(super) fn graft(root: &Rc<Node>, added: &[Added], mistakes: &Collector) -> Rc<Node> {
    let Kind::Map(top) = &root.kind else { return root.clone() };
    let mut top = top.clone();
    let Some(streams) = top.iter_mut().find(|entry| entry.key == "streams") else { return root.clone() };
    let Kind::Map(written) = &streams.value.kind else { return root.clone() };
    let mut all = written.clone();
    for one in added {
        if written.iter().any(|entry| entry.key == one.name) {
            continue;
        }
        if all.len() > written.len() + MAX_ADDED {
            mistakes.add(NOWHERE, "streams", format!("at most {MAX_ADDED} streams can be added"));
            break;
        }
        all.push(entry(&one.name, &one.settings));
    }
    streams.value = Rc::new(Node::new(streams.value.at, streams.value.span.clone(), Kind::Map(all)));
    Rc::new(Node::new(root.at, root.span.clone(), Kind::Map(top)))
}

/// Most streams that can be added: more than a machine has cameras, and little enough to be written at each change.
pub const MAX_ADDED: usize = 500;

fn entry(key: &str, value: &Value) -> Entry {
    Entry { key: key.to_owned(), key_at: NOWHERE, region: NO_BYTES, value: node(value) }
}

fn node(value: &Value) -> Rc<Node> {
    let scalar = |text: String, plain| Kind::Scalar { text, plain, one_line: true };
    let kind = match value {
        Value::Null => scalar(String::new(), true),
        Value::Bool(yes) => scalar(yes.to_string(), true),
        Value::Number(number) => scalar(number.to_string(), true),
        // What would be a variable in the file is a text here.
        Value::String(text) => scalar(text.replace("${", "$${"), false),
        Value::Array(items) => Kind::Seq(items.iter().map(node).collect()),
        Value::Object(map) => Kind::Map(map.iter().map(|(key, value)| entry(key, value)).collect()),
    };
    Rc::new(Node::new(NOWHERE, NO_BYTES, kind))
}

fn json(node: &Node) -> Value {
    match &node.kind {
        Kind::Seq(items) => Value::Array(items.iter().map(|item| json(item)).collect()),
        Kind::Map(entries) => {
            let pairs = entries.iter().map(|entry| (entry.key.clone(), json(&entry.value)));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
        Kind::Scalar { .. } if node.is_null() => Value::Null,
        Kind::Scalar { text, plain: false, .. } if node.at == NOWHERE => {
            Value::String(text.replace("$${", "${"))
        }
        Kind::Scalar { text, plain: true, .. } => {
            let typed = serde_json::from_str(text).ok();
            typed
                .filter(|value: &Value| value.is_number() || value.is_boolean())
                .unwrap_or_else(|| Value::String(text.clone()))
        }
        Kind::Scalar { text, .. } => Value::String(text.clone()),
    }
}
