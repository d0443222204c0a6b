//! Takes the keys of a map one by one; what is wrong with them, and what is not a key, it notes.

use std::{borrow::Cow, cell::RefCell, ops::Range, rc::Rc};

use super::{
    added::NOWHERE,
    environment::{Environment, Piece, expand, pieces},
    error::{Collector, Position},
    node::{Entry, Kind, Node, join, printable_key},
    schema::{Default, Key, Section, Value, harmless_value, is_local},
    suggest,
    units::Wrong,
    url,
};

/// Longest stretch of a value that a message quotes, in characters.
const MAX_QUOTED: usize = 40;

/// What all readers of a file share.
pub(super) struct Context<'a> {
    environment: &'a Environment,
    pub(super) mistakes: &'a Collector,
    shown: RefCell<Vec<Range<usize>>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(environment: &'a Environment, mistakes: &'a Collector) -> Self {
        Self { environment, mistakes, shown: RefCell::default() }
    }

    /// Bytes of the file that hold no secret: values of keys that are known to hold none.
    pub(super) fn into_shown(self) -> Vec<Range<usize>> {
        self.shown.into_inner()
    }
}

/// A map being read.
pub(super) struct Reader<'a> {
    context: &'a Context<'a>,
    section: &'static Section,
    /// As in messages.
    pub(super) path: String,
    /// Where the key stands whose value it is.
    pub(super) at: Position,
    entries: &'a [Entry],
    /// Read when a key is not in the map itself.
    fallback: Option<&'a Reader<'a>>,
}

/// A value that was found, and its path (which may be that of the fallback).
pub(super) struct Found<'a> {
    pub(super) entry: &'a Entry,
    pub(super) path: String,
}

impl<'a> Reader<'a> {
    /// Begins to read a map, noting keys that are not of `section`. None, noted, if it is no map.
    pub(super) fn new(
        context: &'a Context<'a>,
        section: &'static Section,
        path: String,
        at: Position,
        node: &'a Node,
    ) -> Option<Self> {
        let entries = entries(context, &path, node, || keys_in_words(section))?;
        let reader = Self { context, section, path, at, entries, fallback: None };
        reader.refuse_unknown_keys();
        Some(reader)
    }

    /// An empty map, as if its key were there without a value.
    pub(super) fn empty(context: &'a Context<'a>, section: &'static Section, at: Position) -> Self {
        Self { context, section, path: section.path.to_owned(), at, entries: &[], fallback: None }
    }

    /// Takes keys that are not given from there.
    pub(super) fn or(self, fallback: &'a Reader<'a>) -> Self {
        Self { fallback: Some(fallback), ..self }
    }

    fn refuse_unknown_keys(&self) {
        let known = || self.section.keys.iter().map(|key| key.name);
        for entry in self.entries {
            let custom = self.section.path.is_empty() && entry.key.starts_with("x-");
            if custom || known().any(|name| name == entry.key) {
                self.refuse_local(entry);
                continue;
            }
            let message = match suggest::nearest(&entry.key, known()) {
                Some(meant) => format!("unknown key, did you mean `{meant}`?"),
                None => format!("unknown key: {}", keys_in_words(self.section)),
            };
            self.wrong_at(entry.key_at, &printable_key(&entry.key), message);
        }
    }

    /// Streams that came over HTTP may not name files and programs of this machine.
    fn refuse_local(&self, entry: &Entry) {
        if self.is_refused(entry) {
            let message = "names a file or program of this machine: only the configuration file may";
            self.wrong_at(entry.key_at, &entry.key, message);
        }
    }

    /// Returns whether an entry came over HTTP and names a file or program of this machine.
    fn is_refused(&self, entry: &Entry) -> bool {
        let key = self.section.keys.iter().find(|key| key.name == entry.key && is_local(key));
        let Some(key) = key.filter(|_| entry.key_at == NOWHERE) else { return false };
        let harmless = |text: &str| harmless_value(key) == Some(text);
        !matches!(&entry.value.kind, Kind::Scalar { text, .. } if harmless(text))
    }

    /// Whether an unknown key was reported that may be this one: then it is not reported as missing too.
    fn is_misspelt(&self, key: &Key) -> bool {
        let known = || self.section.keys.iter().map(|key| key.name);
        let unknown = self.entries.iter().filter(|entry| !known().any(|name| name == entry.key));
        unknown.into_iter().any(|entry| suggest::nearest(&entry.key, known()) == Some(key.name))
    }

    /// Notes what is wrong with a key of this map.
    pub(super) fn wrong_at(&self, at: Position, key: &str, message: impl Into<String>) {
        self.context.mistakes.add(at, join(&self.path, key), message);
    }

    /// Notes what is wrong with a key that is in the map, else with the map.
    pub(super) fn wrong(&self, key: &Key, message: impl Into<String>) {
        let at = self.own(key).map_or(self.at, |entry| entry.value.at);
        self.wrong_at(at, key.name, message);
    }

    /// The entry of a key in the map itself.
    pub(super) fn own(&self, key: &Key) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| entry.key == key.name)
    }

    /// The entry of a key, here or in the fallback. A required key that is not there is noted. One that is refused is not
    /// given to anybody: what is noted of it must not tell which files there are.
    pub(super) fn find(&self, key: &Key) -> Option<Found<'a>> {
        debug_assert!(
            self.section.keys.iter().any(|known| known.name == key.name),
            "{} is not in the schema",
            key.name
        );
        if self.own(key).is_some_and(|entry| self.is_refused(entry)) {
            return None;
        }
        let here = self.own(key).map(|entry| Found { entry, path: join(&self.path, key.name) });
        let found = here.or_else(|| {
            let fallback = self.fallback?;
            Some(Found { entry: fallback.own(key)?, path: join(&fallback.path, key.name) })
        });
        if let (None, Default::Required(need)) = (&found, key.default)
            && !self.is_misspelt(key)
        {
            self.wrong_at(self.at, key.name, format!("is missing: {need}"));
        }
        found
    }

    /// A section below this map; none if it is not there or empty.
    pub(super) fn map(&self, key: &Key) -> Option<&'a Entry> {
        self.find(key).map(|found| found.entry).filter(|entry| !entry.value.is_null())
    }

    /// Reads a key. None if what is there was wrong, which was noted, or if nothing is there and it has no default.
    pub(super) fn get<T>(&self, key: &Key, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        match (self.find(key), key.default) {
            (Some(found), _) => {
                self.show(key, &found.entry.value, &found.entry.region);
                self.scalar(key, &found.path, &found.entry.value, parse)
            }
            (None, Default::Is(text)) => {
                let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
                Some(parse(text).expect("a test reads every default"))
            }
            (None, _) => None,
        }
    }

    /// Lets excerpts show a value, if it is known to hold no secret.
    pub(super) fn show(&self, key: &Key, node: &Node, region: &Range<usize>) {
        let Kind::Scalar { text: raw, one_line: true, .. } = &node.kind else { return };
        let harmless = match key.value {
            Value::Open => true,
            Value::Secret => is_variable(raw),
            Value::Url => url::harmless(raw),
        };
        if harmless {
            self.context.shown.borrow_mut().extend([region.clone(), node.span.clone()]);
        }
    }

    /// Reads one value: expands its variables and parses it. What is wrong is noted under `path`.
    pub(super) fn scalar<T>(
        &self,
        key: &Key,
        path: &str,
        node: &Node,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let wrong = |message: String| self.context.mistakes.add(node.at, path, message);
        let Kind::Scalar { text: raw, one_line, .. } = &node.kind else {
            wrong(format!("must be a single value ({}), not {}", key.unit, node.kind_name()));
            return None;
        };
        if node.is_null() {
            wrong(empty_message(key));
            return None;
        }
        let pieces = pieces(raw).map_err(&wrong).ok()?;
        let environment = self.context.environment;
        let expanded = match key.value {
            Value::Url => url::expanded(&pieces, environment),
            Value::Open | Value::Secret => expand(&pieces, environment, |_, value| Cow::Borrowed(value)),
        };
        match expanded {
            Ok(text) => {
                let from_variable = pieces.iter().any(|piece| matches!(piece, Piece::Variable { .. }));
                parse(&text).map_err(|found| wrong(explain(found, from_variable, *one_line))).ok()
            }
            Err(missing) => {
                for name in missing {
                    wrong(format!(
                        "the environment variable {name} is not set: set it, or give a default: ${{{name}:-default}}"
                    ));
                }
                None
            }
        }
    }

    /// Reads a list of values, or a single one as a list of one.
    pub(super) fn list<T>(&self, key: &Key, parse: impl Fn(&str) -> Result<T, Wrong>) -> Vec<(T, Position)> {
        let Some(found) = self.find(key) else {
            return self.get(key, parse).map(|value| (value, self.at)).into_iter().collect();
        };
        let node = &found.entry.value;
        let items = match &node.kind {
            Kind::Seq(items) => items.as_slice(),
            Kind::Scalar { .. } | Kind::Map(_) => std::slice::from_ref(node),
        };
        if items.is_empty() {
            self.wrong(key, format!("is an empty list: it needs at least one ({})", key.unit));
        }
        let read = |(number, item): (usize, &Rc<Node>)| {
            let path = if items.len() > 1 { format!("{}[{number}]", found.path) } else { found.path.clone() };
            self.show(key, item, &item.span);
            self.scalar(key, &path, item, &parse).map(|value| (value, item.at))
        };
        items.iter().enumerate().filter_map(read).collect()
    }
}

/// The entries of a map whose keys are names of the user's choice. None, noted, if it is no map.
pub(super) fn entries<'a>(
    context: &Context<'_>,
    path: &str,
    node: &'a Node,
    want: impl FnOnce() -> String,
) -> Option<&'a [Entry]> {
    match &node.kind {
        Kind::Map(entries) => Some(entries),
        _ => {
            let not = node.kind_name();
            context.mistakes.add(node.at, path, format!("must be a map, not {not}: {}", want()));
            None
        }
    }
}

fn keys_in_words(section: &Section) -> String {
    let names: Vec<&str> = section.keys.iter().map(|key| key.name).collect();
    format!("the keys here are {}", names.join(", "))
}

/// Whether a value as in the file is nothing but a variable without a default.
pub(super) fn is_variable(raw: &str) -> bool {
    let pieces = pieces(raw);
    matches!(
        pieces.as_deref(),
        Ok([Piece::Literal(""), Piece::Variable { default: None, .. }, Piece::Literal("")])
    )
}

fn empty_message(key: &Key) -> String {
    if key.unit.starts_with("colour") {
        return "is empty: put the colour in quotes, such as \"#000000\", since a bare # begins a comment"
            .to_owned();
    }
    format!("is empty: give a value ({}) or remove the key", key.unit)
}

/// `must be …, not …`; what came out of a variable, or spans lines, is not quoted.
fn explain(wrong: Wrong, from_variable: bool, one_line: bool) -> String {
    match wrong.found {
        _ if from_variable => format!("{} (after its variables were put in)", wrong.want),
        Some(found) if !one_line || found.contains('@') => wrong.want,
        Some(found) => {
            let plain = |c: char| c.is_ascii_alphanumeric() || ".:/-_#%".contains(c);
            let short: String = found.chars().take(MAX_QUOTED).collect();
            let dots = if short.len() < found.len() { "…" } else { "" };
            if !short.is_empty() && short.chars().all(plain) {
                format!("{}, not {short}{dots}", wrong.want)
            } else {
                format!("{}, not {short:?}{dots}", wrong.want)
            }
        }
        None => wrong.want,
    }
}
