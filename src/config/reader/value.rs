//! A value of the document with its path.

use std::{borrow::Cow, cell::RefCell, fmt, ops::Range};

use serde::de::DeserializeOwned;

use super::{
    error::{Error, Place},
    suggestions::{nearest, quoted},
};
use crate::config::{
    environment::{Environment, Piece, expand, is_variable, pieces},
    error::{Mistakes, NOWHERE, Position, join, printable_key},
    url,
    yaml::{Entry, Kind, Node},
};

/// Most mistakes found in one section or stream: each costs a pass over it.
const MAX_MISTAKES: usize = 50;

/// Finds a description of what a missing key needs, in a map with these keys, of a source of this type.
type Need = fn(keys: &[&str], kind: Option<&str>, missing: &str) -> Option<&'static str>;

/// The data that all readers of a file share.
pub(crate) struct Context<'a> {
    text: &'a str,
    pub(super) environment: &'a Environment,
    pub(crate) mistakes: &'a Mistakes,
    pub(super) need: Need,
    /// Bytes of the text that excerpts may show.
    pub(super) shown: RefCell<Vec<Range<usize>>>,
    /// Remarks about values that are valid, and perhaps not intended.
    warnings: RefCell<Vec<String>>,
    /// Values with a mistake that was noted.
    left_out: RefCell<Vec<*const Node>>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        text: &'a str,
        environment: &'a Environment,
        mistakes: &'a Mistakes,
        need: Need,
    ) -> Self {
        let (shown, warnings, left_out) = Default::default();
        Self { text, environment, mistakes, need, shown, warnings, left_out }
    }

    /// Returns the bytes that excerpts may show, and the warnings.
    pub(crate) fn into_findings(self) -> (Vec<Range<usize>>, Vec<String>) {
        (self.shown.into_inner(), self.warnings.into_inner())
    }

    pub(super) fn is_left_out(&self, node: &Node) -> bool {
        self.left_out.borrow().contains(&std::ptr::from_ref(node))
    }
}

/// The rule by which a value is used and shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Never shown by an excerpt.
    Secret,
    /// Shown without its credentials.
    Url,
    /// A URL that is never shown.
    SecretUrl,
    Open,
}

/// A value of the document with its path.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) node: &'a Node,
    /// The position of its key, where a mistake about a map as a whole is shown.
    pub(super) at: Position,
    pub(crate) path: String,
    pub(super) sort: Sort,
    pub(super) one_or_many: bool,
    pub(super) is_tagged: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(
        context: &'a Context<'a>,
        node: &'a Node,
        at: Position,
        path: impl Into<String>,
    ) -> Self {
        let path = path.into();
        Self { context, node, at, path, sort: Sort::Open, one_or_many: false, is_tagged: false }
    }

    /// Deserialises the value and notes all mistakes. None if nothing is left of it.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Option<T> {
        for _ in 0..MAX_MISTAKES {
            let error = match T::deserialize(self.clone()) {
                Ok(value) => return Some(value),
                Err(error) => self.placed(error),
            };
            let place = error.place.as_ref()?;
            if !error.message.is_empty() {
                self.context.mistakes.add(place.at, &*place.path, error.message);
            }
            self.context.left_out.borrow_mut().push(place.node);
            if std::ptr::eq(place.node, self.node) {
                return None;
            }
        }
        None
    }

    /// Returns whether no mistake was noted in this value; checks of several keys together need all of them.
    pub(crate) fn is_right(&self) -> bool {
        fn any(context: &Context<'_>, node: &Node) -> bool {
            let inside = match &node.kind {
                Kind::Seq(items) => items.iter().any(|item| any(context, item)),
                _ => node.entries().iter().any(|entry| any(context, &entry.value)),
            };
            inside || context.is_left_out(node)
        }
        !any(self.context, self.node)
    }

    /// The value of a key.
    pub(crate) fn child(&self, key: &str) -> Option<Self> {
        self.node.get(key).map(|entry| self.entry(entry))
    }

    /// The keys of a map and their values.
    pub(crate) fn keys(&self) -> Vec<(&'a str, Self)> {
        self.node.entries().iter().map(|entry| (entry.key.as_str(), self.entry(entry))).collect()
    }

    /// The items of a list, or a single value as the only one.
    pub(crate) fn items(&self) -> Vec<Self> {
        let Kind::Seq(items) = &self.node.kind else { return vec![self.clone()] };
        let path = |number| format!("{}[{number}]", self.path);
        let item = |(number, item): (usize, &'a Node)| Self::new(self.context, item, item.at, path(number));
        items.iter().enumerate().map(item).collect()
    }

    pub(crate) fn entries(&self) -> &'a [Entry] {
        self.node.entries()
    }

    pub(crate) fn entry(&self, entry: &'a Entry) -> Self {
        let path = join(entry.inherited_from.unwrap_or(&self.path), &printable_key(&entry.key));
        Self::new(self.context, &entry.value, entry.key_at, path)
    }

    /// Returns whether there is no value.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.node.kind, Kind::Null)
    }

    /// The text of a scalar as written.
    pub(crate) fn raw(&self) -> Option<&str> {
        if let Kind::Text { text, .. } = &self.node.kind { Some(text) } else { None }
    }

    /// Returns whether a key is in the map itself, not inherited.
    pub(crate) fn has_own(&self, key: &str) -> bool {
        self.node.get(key).is_some_and(|entry| entry.inherited_from.is_none())
    }

    /// Notes a mistake in the whole value, at its key.
    pub(crate) fn wrong(&self, message: impl Into<String>) {
        self.context.mistakes.add(self.at, &*self.path, message);
    }

    /// Notes a mistake in the value of a key, or in the map where the key is inherited or missing.
    pub(crate) fn wrong_key(&self, key: &str, message: impl Into<String>) {
        let own = self.node.get(key).filter(|entry| entry.inherited_from.is_none());
        let at = own.map_or(self.at, |entry| entry.value.at);
        self.context.mistakes.add(at, join(&self.path, key), message);
    }

    /// Notes a key that is missing.
    pub(crate) fn wrong_missing(&self, key: &str, need: &str) {
        self.context.mistakes.add(self.at, join(&self.path, key), format!("is missing: {need}"));
    }

    /// Notes a mistake at the value itself, under the path of another.
    pub(crate) fn wrong_value(&self, path: &str, message: impl Into<String>) {
        self.context.mistakes.add(self.node.at, path, message);
    }

    /// Returns whether a key that was refused may be this one.
    pub(crate) fn has_misspelt(&self, key: &str) -> bool {
        self.node.entries().iter().any(|entry| {
            let same = entry.key == key || nearest(&entry.key, &[key]).is_some();
            same && self.context.is_left_out(&entry.value)
        })
    }

    pub(super) fn error(&self, at: Position, message: impl Into<String>) -> Error {
        let place = Some(Place { at, path: self.path.clone(), node: self.node });
        Error { message: message.into(), found: None, missing: None, place }
    }

    /// Gives an error that has no place yet the place of this value.
    pub(super) fn placed(&self, error: Error) -> Error {
        if error.place.is_some() {
            return error;
        }
        let is_map = matches!(self.node.kind, Kind::Map(_) | Kind::Null);
        if let Some(missing) = error.missing {
            // What was misspelt or wrong was noted already.
            let message = if self.has_misspelt(missing) { String::new() } else { error.message };
            let place = Some(Place { at: self.at, path: join(&self.path, missing), node: self.node });
            return Error { message, found: None, missing: None, place };
        }
        // What is wrong with several values together may be due to those that were left out.
        let has_left_out = match &self.node.kind {
            Kind::Seq(items) => items.iter().any(|item| self.context.is_left_out(item)),
            _ => self.node.entries().iter().any(|entry| self.context.is_left_out(&entry.value)),
        };
        match has_left_out {
            true => self.error(self.at, ""),
            false => self.error(if is_map { self.at } else { self.node.at }, error.message),
        }
    }

    /// An error about the text of a scalar: `must be …, not …`. What came out of a variable is not quoted.
    pub(super) fn explained(&self, error: Error, has_variable: bool) -> Error {
        if error.place.is_some() {
            return error;
        }
        let want = error.message;
        let is_one_line =
            || !self.context.text.get(self.node.span.clone()).is_some_and(|raw| raw.contains('\n'));
        let message = match error.found {
            _ if has_variable => format!("{want} (after its variables were put in)"),
            Some(found) if self.sort == Sort::Open && is_one_line() && !found.contains('@') => {
                format!("{want}, not {}", quoted(&found))
            }
            _ => want,
        };
        self.error(self.node.at, message)
    }

    /// Notes that the value of a variable looks encoded already.
    fn warn_encoded(&self, name: &str) {
        let Position { line, column } = self.node.at;
        let warning = format!(
            "{line}:{column}: {}: the value of ${{{name}}} contains % and two digits, such as %20, and is sent \
             exactly so: a variable here needs no escapes; put the plain value into it if it was escaped",
            self.path
        );
        let mut warnings = self.context.warnings.borrow_mut();
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    /// The text of a scalar with its variables put in, and whether there were any. `unit` is what is wanted.
    pub(super) fn text(&self, unit: &dyn fmt::Display) -> Result<(String, bool), Error> {
        let at = self.node.at;
        let Kind::Text { text: raw, .. } = &self.node.kind else {
            let unit = unit.to_string();
            let message = match self.node.kind {
                Kind::Null if unit.starts_with("colour") => {
                    "is empty: put the colour in quotes, such as \"#000000\", since a bare # begins a comment"
                        .to_owned()
                }
                Kind::Null => format!("is empty: give a value ({unit}) or remove the key"),
                _ => format!("must be a single value ({unit}), not {}", self.node.kind_name()),
            };
            return Err(self.error(at, message));
        };
        if at == NOWHERE {
            return Ok((raw.clone(), false));
        }
        let is_harmless = match self.sort {
            Sort::Open => true,
            Sort::Secret | Sort::SecretUrl => is_variable(raw),
            Sort::Url => url::is_harmless(raw),
        };
        if is_harmless {
            self.context.shown.borrow_mut().push(self.node.span.clone());
        }
        let pieces = pieces(raw).map_err(|message| self.error(at, message))?;
        let has_variable = pieces.iter().any(|piece| matches!(piece, Piece::Variable { .. }));
        let expanded = match self.sort {
            Sort::Url | Sort::SecretUrl => {
                url::expanded(&pieces, self.context.environment, |name| self.warn_encoded(name))
            }
            _ => expand(&pieces, self.context.environment, |_, value| Cow::Borrowed(value)),
        };
        let missing = match expanded {
            Ok(text) => return Ok((text, has_variable)),
            Err(missing) => missing,
        };
        let message = |name: &String| {
            let default = format!("${{{name}:-default}}");
            format!("the environment variable {name} is not set: set it, or give a default: {default}")
        };
        let (last, noted) = missing.split_last().expect("a text that cannot be expanded lacks a variable");
        for name in noted {
            self.context.mistakes.add(at, &*self.path, message(name));
        }
        Err(self.error(at, message(last)))
    }
}
