//! A value with its position.

use std::ops::Range;

use serde_json::{Map, Value};

use crate::config::error::{NOWHERE, Position};

/// A value with its position.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: Position,
    /// The bytes of a scalar in the text, quotes included.
    pub(crate) span: Range<usize>,
    pub(crate) kind: Kind,
}

/// The content of a value.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// A scalar. `typed` is a number or a boolean, which JSON distinguishes from a text.
    Text {
        text: String,
        typed: bool,
    },
    Seq(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_at: Position,
    pub(crate) key_span: Range<usize>,
    /// The section that a key was inherited from, which is where a mistake in it is.
    pub(crate) inherited_from: Option<&'static str>,
    pub(crate) value: Node,
}

impl Node {
    /// Puts the text of numbers and booleans back, which serde gave as values.
    pub(super) fn restore(&mut self, source: &str) {
        match &mut self.kind {
            Kind::Text { text, typed: true } => {
                source.get(self.span.clone()).unwrap_or_default().clone_into(text);
            }
            Kind::Seq(items) => items.iter_mut().for_each(|item| item.restore(source)),
            Kind::Map(entries) => {
                for Entry { key, key_span, value, .. } in entries {
                    if key.is_empty() {
                        source.get(key_span.clone()).unwrap_or_default().clone_into(key);
                    }
                    value.restore(source);
                }
            }
            Kind::Null | Kind::Text { .. } => {}
        }
    }

    /// The keys of a map.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The keys of the map that is the value of a key.
    pub(crate) fn keys_mut(&mut self, key: &str) -> Option<&mut Vec<Entry>> {
        let Kind::Map(entries) = &mut self.kind else { return None };
        let Kind::Map(keys) = &mut entries.iter_mut().find(|entry| entry.key == key)?.value.kind else {
            return None;
        };
        Some(keys)
    }

    /// The entry of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The kind of value, in words.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "empty",
            Kind::Text { .. } => "a single value",
            Kind::Seq(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// Converts the value into JSON.
    pub(crate) fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Text { text, typed: true } => {
                serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()))
            }
            Kind::Text { text, .. } => Value::from(text.as_str()),
            Kind::Seq(items) => items.iter().map(Self::to_json).collect(),
            Kind::Map(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }
}

impl Node {
    /// A text that is not in the file, and in which no variable is looked for.
    pub(crate) fn text(text: &str) -> Self {
        Self { at: NOWHERE, span: 0..0, kind: Kind::Text { text: text.to_owned(), typed: false } }
    }
}

impl From<&Value> for Node {
    fn from(value: &Value) -> Self {
        let kind = match value {
            Value::Null => Kind::Null,
            Value::Bool(_) | Value::Number(_) => Kind::Text { text: value.to_string(), typed: true },
            Value::String(text) => Kind::Text { text: text.clone(), typed: false },
            Value::Array(items) => Kind::Seq(items.iter().map(Self::from).collect()),
            Value::Object(map) => Kind::Map(map.iter().map(|(key, value)| Entry::new(key, value)).collect()),
        };
        Self { at: NOWHERE, span: 0..0, kind }
    }
}

impl Entry {
    /// A key that is not in the file, for which the text at the place of `node` stands.
    pub(crate) fn within(node: &Node, key: &str, value: Node) -> Self {
        Self { key: key.to_owned(), key_at: node.at, key_span: 0..0, inherited_from: None, value }
    }

    /// A key that is not in the file.
    pub(crate) fn new(key: &str, value: &Value) -> Self {
        let (key, value) = (key.to_owned(), Node::from(value));
        Self { key, key_at: NOWHERE, key_span: 0..0, inherited_from: None, value }
    }
}
