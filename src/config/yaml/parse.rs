//! Reads YAML into a tree.
//!
//! serde-saphyr reads the YAML: anchors, aliases, merge keys and limits. Scalars stay text as written, since
//! what a number or a time is depends on the key.

use std::{cell::RefCell, fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Error, Spanned, options::DuplicateKeyPolicy};

use super::node::{Entry, Kind, Node};
use crate::config::error::{Mistakes, Position, join, printable_key};

/// Deepest nesting; a configuration has seven levels. Also bounds the recursion of all that follows.
const MAX_DEPTH: usize = 32;

/// Maximum number of values, each alias counted with all values of its anchor: refuses "billion laughs".
const MAX_VALUES: usize = 100_000;

impl Node {
    /// Reads a text. None if it is not YAML, which was reported.
    pub(crate) fn from_yaml(text: &str, mistakes: &Mistakes) -> Option<Self> {
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
                let message = explain(&error);
                let hint = comment_hint(text, at.line).or_else(|| variable_hint(text, at.line, &message));
                mistakes.add(at, path, message + &hint.unwrap_or_default());
                None
            }
        }
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

/// The error of a map with a list or a map as its key.
const COMPLEX_KEY: &str = "a key must be a single word";

struct KindVisitor;

/// Numbers and booleans, whose text is restored from the source: `1.50` is not `1.5`.
macro_rules! typed {
    ($($method:ident: $type:ty,)*) => {$(
        fn $method<E>(self, _: $type) -> Result<Kind, E> {
            Ok(Kind::Text { text: String::new(), typed: true })
        }
    )*};
}

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    typed! {
        visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_i128: i128, visit_u128: u128, visit_f64: f64,
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

/// Returns a hint if a variable without quotes stands in a flow mapping or list, where `{` begins another.
fn variable_hint(text: &str, line: usize, message: &str) -> Option<String> {
    let (before, _) = text.lines().nth(line.checked_sub(1)?)?.split_once("${")?;
    let is_plain = before.matches(['"', '\'']).count().is_multiple_of(2);
    let hint = "; within {…} and […], write a value with ${…} in quotes";
    (message.contains("flow") && is_plain).then(|| hint.to_owned())
}

/// Returns a hint if a colour without quotes began a comment, after which the parser fails: searches the line
/// of a syntax error and the two before it.
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
