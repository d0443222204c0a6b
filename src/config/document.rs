//! The tree of a document, from YAML or from the API's JSON: values with their positions.
//!
//! serde-saphyr reads the YAML: anchors, aliases, merge keys and limits. Scalars stay text as written, since
//! what a number or a time is depends on the key.

use std::{cell::RefCell, fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use serde_saphyr::{Error, Spanned, options::DuplicateKeyPolicy};

use super::error::{Mistakes, Position, join, printable_key};

/// Deepest nesting; a configuration has seven levels. Also bounds the recursion of all that follows.
const MAX_DEPTH: usize = 32;

/// Most values, each alias counted with all it stands for: refuses "billion laughs".
const MAX_VALUES: usize = 100_000;

/// The position of what is not in the file but was added over HTTP.
pub(super) const NOWHERE: Position = Position { line: 0, column: 0 };

/// A value with its position.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: Position,
    /// The bytes of a scalar in the text, quotes included.
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
}

/// The content of a value.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// A scalar. `typed` is a number or a boolean, as JSON tells them from a text.
    Text {
        text: String,
        typed: bool,
    },
    Seq(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_at: Position,
    pub(super) key_span: Range<usize>,
    /// The section that a key was inherited from, which is where a mistake in it is.
    pub(super) inherited_from: Option<&'static str>,
    pub(super) value: Node,
}

impl Node {
    /// Reads a text. None if it is not YAML, which was reported.
    pub(super) fn from_yaml(text: &str, mistakes: &Mistakes) -> Option<Self> {
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_depth: MAX_DEPTH,
                max_nodes: MAX_VALUES,
                flow_nesting_limit: MAX_DEPTH,
            },
            alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_VALUES },
            duplicate_keys: DuplicateKeyPolicy::PassThrough,
            strict_booleans: true,
            reject_unsupported_tags: true,
            with_snippet: false,
        };
        let top = Position { line: 1, column: 1 };
        PLACE.take();
        match serde_saphyr::from_str_with_options::<Self>(text, options) {
            Ok(Self { kind: Kind::Null, .. }) | Err(Error::Eof { .. }) => {
                mistakes.add(top, "", "the file is empty: it needs `streams:` with at least one stream");
                None
            }
            Ok(mut root) => {
                root.restore(text);
                Some(root)
            }
            Err(error) => {
                let Place { mut path, at } = PLACE.take();
                let mut at = at.or_else(|| error.location().map(position)).unwrap_or(top);
                match error.without_snippet() {
                    Error::MergeValueNotMapOrSeqOfMaps { .. } => path = join(&path, "<<"),
                    // The library names the first value of the second document.
                    Error::MultipleDocuments { .. } => {
                        let before = text.lines().take(at.line);
                        let marks = before.enumerate().filter(|(_, line)| line.starts_with("---"));
                        at = marks.last().map_or(at, |(index, _)| Position { line: index + 1, column: 1 });
                    }
                    Error::ExternalMessage { .. } => path.clear(),
                    _ => {}
                }
                let hint = comment_hint(text, at.line).unwrap_or_default();
                mistakes.add(at, path, explain(&error) + &hint);
                None
            }
        }
    }

    /// Puts the text of numbers and booleans back, which serde gave as values.
    fn restore(&mut self, source: &str) {
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
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The entry of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The kind of value, in words.
    pub(super) fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Null => "empty",
            Kind::Text { .. } => "a single value",
            Kind::Seq(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// The same as JSON.
    pub(super) fn to_json(&self) -> Value {
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
    /// A key that is not in the file.
    pub(super) fn new(key: &str, value: &Value) -> Self {
        let (key, value) = (key.to_owned(), Node::from(value));
        Self { key, key_at: NOWHERE, key_span: 0..0, inherited_from: None, value }
    }
}

fn position(at: serde_saphyr::Location) -> Position {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Position { line: number(at.line()), column: number(at.column()) }
}

fn bytes(at: serde_saphyr::Location) -> Range<usize> {
    let number = |number: Option<u64>| number.and_then(|number| usize::try_from(number).ok());
    let start = number(at.span().byte_offset()).unwrap_or_default();
    start..start + number(at.span().byte_len()).unwrap_or_default()
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, defined, .. } = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self { at: position(defined), span: bytes(defined), kind: value })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

thread_local! {
    /// The value that is being read, since a `Deserialize` takes no argument and an error of the library has
    /// no path.
    static PLACE: RefCell<Place> = RefCell::default();
}

#[derive(Default)]
struct Place {
    path: String,
    /// The position, where an error's own is not that of the mistake.
    at: Option<Position>,
}

/// Reads a value below the present one. After an error the place stays.
fn below<T, E>(path: impl FnOnce(&str) -> String, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let before = PLACE.with_borrow_mut(|place| {
        let path = path(&place.path);
        std::mem::replace(&mut place.path, path)
    });
    let value = read()?;
    PLACE.with_borrow_mut(|place| place.path = before);
    Ok(value)
}

/// Why a map with a list or a map as its key is refused.
const COMPLEX_KEY: &str = "a key must be a single word";

struct KindVisitor;

impl KindVisitor {
    /// Its text is restored from the source: `1.50` is not `1.5`.
    const TYPED: Kind = Kind::Text { text: String::new(), typed: true };
}

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Kind, E> {
        Ok(Self::TYPED)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Kind, E> {
        Ok(Self::TYPED)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Kind, E> {
        Ok(Self::TYPED)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Kind, E> {
        Ok(Self::TYPED)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Kind, E> {
        Ok(Self::TYPED)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Kind, E> {
        Ok(Self::TYPED)
    }

    fn visit_str<E>(self, text: &str) -> Result<Kind, E> {
        Ok(Kind::Text { text: text.to_owned(), typed: false })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) =
            below(|path| format!("{path}[{}]", nodes.len()), || items.next_element::<Node>())?
        {
            nodes.push(node);
        }
        Ok(Kind::Seq(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Node>()? {
            let text = match key.kind {
                Kind::Text { text, .. } => text,
                Kind::Null => String::new(),
                Kind::Seq(_) | Kind::Map(_) => {
                    PLACE.with_borrow_mut(|place| place.at = Some(key.at));
                    return Err(A::Error::custom(COMPLEX_KEY));
                }
            };
            let value = below(|path| join(path, &printable_key(&text)), || map.next_value())?;
            entries.push(Entry {
                key: text,
                key_at: key.at,
                key_span: key.span,
                inherited_from: None,
                value,
            });
        }
        Ok(Kind::Map(entries))
    }
}

/// The message of an error of the YAML. Only those whose texts hold no part of the file are passed on.
fn explain(error: &Error) -> String {
    match error.without_snippet() {
        Error::AliasError { error, .. } => explain(error),
        Error::MultipleDocuments { .. } => {
            "a second document begins: remove the `---`, one file is one document".to_owned()
        }
        Error::UnknownAnchor { .. } => {
            "no such anchor before this alias; a text that begins with * must be quoted".to_owned()
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "an alias inside the value it stands for".to_owned()
        }
        Error::MergeValueNotMapOrSeqOfMaps { .. } => "must be an alias of a map, such as *base".to_owned(),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. } => {
            format!("its aliases stand for more than {MAX_VALUES} values")
        }
        Error::Budget { .. } => {
            format!("has more than {MAX_VALUES} values, or is nested deeper than {MAX_DEPTH} levels")
        }
        Error::UnsupportedTag { .. } => {
            "tags have no meaning here; a text that begins with ! must be quoted".to_owned()
        }
        // Of the parser, about the form of the file.
        Error::ExternalMessage { msg, .. } => format!("not YAML: {msg}"),
        Error::Message { msg, .. } if msg == COMPLEX_KEY => COMPLEX_KEY.to_owned(),
        _ => "not YAML that can be read here".to_owned(),
    }
}

/// A colour without quotes begins a comment, and the parser fails only after it: looks at the line of a
/// syntax error and the two before.
fn comment_hint(text: &str, line: usize) -> Option<String> {
    let before = text.lines().enumerate().take(line).skip(line.saturating_sub(3));
    let colour = |line: &str| {
        let (_, rest) = line.split_once(": #")?;
        let digits: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
        [3, 6].contains(&digits.len()).then_some(digits)
    };
    let (index, digits) = before.filter_map(|(index, line)| Some((index, colour(line)?))).last()?;
    Some(format!("; in line {}, # begins a comment: write the colour in quotes, \"#{digits}\"", index + 1))
}
