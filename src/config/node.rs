//! The tree of a YAML text: values with their places.

use std::{ops::Range, rc::Rc};

use super::error::Position;

/// A value with its place.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: Position,
    /// Bytes of the text it was read from.
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
    depth: usize,
    values: usize,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Kind {
    Scalar {
        text: String,
        plain: bool,
        /// In the file; one that spans lines may have swallowed others by a forgotten quote.
        one_line: bool,
    },
    Seq(Vec<Rc<Node>>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_at: Position,
    /// Bytes from behind the colon to the end of the value: what an excerpt leaves out unless it is known harmless.
    pub(super) region: Range<usize>,
    pub(super) value: Rc<Node>,
}

impl Node {
    /// A value and what is in it.
    pub(super) fn new(at: Position, span: Range<usize>, kind: Kind) -> Self {
        let (depth, values) = match &kind {
            Kind::Seq(items) => measure(items.iter()),
            Kind::Map(entries) => measure(entries.iter().map(|entry| &entry.value)),
            Kind::Scalar { .. } => (1, 1),
        };
        Self { at, span, kind, depth, values }
    }

    /// Levels, itself included.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Values in it, itself included, each alias counted with all it stands for: saturates.
    pub(super) fn values(&self) -> usize {
        self.values
    }

    /// Nothing, `~` or `null`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true, .. } if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }

    /// In words, for "must be …, not …".
    pub(super) fn kind_name(&self) -> &'static str {
        match self.kind {
            _ if self.is_null() => "empty",
            Kind::Scalar { .. } => "a single value",
            Kind::Seq(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }
}

fn measure<'a>(children: impl Iterator<Item = &'a Rc<Node>>) -> (usize, usize) {
    children.fold((1, 1), |(depth, values), child| {
        (depth.max(child.depth + 1), values.saturating_add(child.values))
    })
}

/// `parent.key`.
pub(super) fn join(parent: &str, key: &str) -> String {
    if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") }
}

/// A key as a message may show it: a URL with a password that slipped into a key's place is not shown.
pub(super) fn printable_key(key: &str) -> String {
    /// No key is longer; a pasted file would be.
    const MAX_SHOWN: usize = 80;
    let harmless = |c: char| !c.is_control() && c != '@' && c != '?' && c != '=';
    if key.len() <= MAX_SHOWN && key.chars().all(harmless) { key.to_owned() } else { "***".to_owned() }
}
