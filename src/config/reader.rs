//! Deserialises the values of a document, and collects every mistake in them.
//!
//! serde stops at the first mistake. [`Reader::read`] notes it with its position, leaves out the value that
//! it is about, and deserialises again, until nothing is wrong any more. `${VARIABLES}` are put in on the
//! way, and values that are known to hold no credential are noted, so that excerpts of the file can show them
//! (docs/adr/0025).

use std::{borrow::Cow, cell::RefCell, fmt, ops::Range, slice};

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
    value::{MapAccessDeserializer, StrDeserializer},
};

use super::{
    document::{Entry, Kind, NOWHERE, Node},
    environment::{Environment, Piece, expand, is_variable, pieces},
    error::{Mistakes, Position, join, printable_key},
    schema, url,
};

/// Longest stretch of a value that a message quotes, in characters.
const MAX_QUOTED: usize = 40;

/// Most mistakes found in one section or stream: each costs a pass over it.
const MAX_MISTAKES: usize = 50;

/// Enums whose variant is named by the key `type` of the same map, as serde's internal tags are.
const TAGGED: [&str; 1] = ["SourceYaml"];

/// Enums whose variant is the only key of a map; the others are words.
const KEYED: [&str; 1] = ["Step"];

/// What is shared by everything that is read of a file.
pub(super) struct Context<'a> {
    text: &'a str,
    environment: &'a Environment,
    pub(super) mistakes: &'a Mistakes,
    /// Bytes of the text that excerpts may show.
    shown: RefCell<Vec<Range<usize>>>,
    /// Values with a mistake that was noted.
    left_out: RefCell<Vec<*const Node>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(text: &'a str, environment: &'a Environment, mistakes: &'a Mistakes) -> Self {
        Self { text, environment, mistakes, shown: RefCell::default(), left_out: RefCell::default() }
    }

    pub(super) fn into_shown(self) -> Vec<Range<usize>> {
        self.shown.into_inner()
    }

    fn is_left_out(&self, node: &Node) -> bool {
        self.left_out.borrow().contains(&std::ptr::from_ref(node))
    }
}

/// How a value may be used and shown. Types name it by the name of a newtype struct.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// Never shown by an excerpt.
    Secret,
    /// Shown without its credentials; variables before its `@` are percent-encoded.
    Url,
    Open,
}

/// The names of newtype structs that say how a value is read: see [`Reader::deserialize_newtype_struct`].
pub(super) const SECRET: &str = "$secret";
pub(super) const URL: &str = "$url";
/// The name of a file or program of this machine: refused in streams that were added over HTTP.
pub(super) const LOCAL: &str = "$local";
/// The pictures of `type: images` that are part of the program, and so no file.
const BUILT_IN: &str = "builtin:demo";
/// Both of these.
pub(super) const LOCAL_SECRET: &str = "$local-secret";
/// A list, or a single value as a list of one.
pub(super) const ONE_OR_MANY: &str = "$one-or-many";

/// A value of the document with its path.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    context: &'a Context<'a>,
    node: &'a Node,
    /// The position of its key, where a mistake about a map as a whole is shown.
    at: Position,
    pub(super) path: String,
    sort: Sort,
    one_or_many: bool,
    is_tagged: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        context: &'a Context<'a>,
        node: &'a Node,
        at: Position,
        path: impl Into<String>,
    ) -> Self {
        let path = path.into();
        Self { context, node, at, path, sort: Sort::Open, one_or_many: false, is_tagged: false }
    }

    /// Deserialises the value and notes all mistakes. None if nothing is left of it.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Option<T> {
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

    /// Whether no mistake was noted in this value; checks of several keys together need all of them.
    pub(super) fn is_right(&self) -> bool {
        fn any(context: &Context<'_>, node: &Node) -> bool {
            let inside = match &node.kind {
                Kind::Seq(items) => items.iter().any(|item| any(context, item)),
                Kind::Map(entries) => entries.iter().any(|entry| any(context, &entry.value)),
                Kind::Null | Kind::Text { .. } => false,
            };
            inside || context.is_left_out(node)
        }
        !any(self.context, self.node)
    }

    /// The value of a key.
    pub(super) fn child(&self, key: &str) -> Option<Self> {
        self.node.get(key).map(|entry| self.entry(entry))
    }

    /// The keys of a map and their values.
    pub(super) fn keys(&self) -> Vec<(&'a str, Self)> {
        self.node.entries().iter().map(|entry| (entry.key.as_str(), self.entry(entry))).collect()
    }

    /// The items of a list, or a single value as the only one.
    pub(super) fn items(&self) -> Vec<Self> {
        let Kind::Seq(items) = &self.node.kind else { return vec![self.clone()] };
        let path = |number| format!("{}[{number}]", self.path);
        let item = |(number, item): (usize, &'a Node)| Self::new(self.context, item, item.at, path(number));
        items.iter().enumerate().map(item).collect()
    }

    fn entry(&self, entry: &'a Entry) -> Self {
        let key = printable_key(&entry.key);
        let path = join(entry.inherited_from.unwrap_or(&self.path), &key);
        Self::new(self.context, &entry.value, entry.key_at, path)
    }

    /// Whether there is no value.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.node.kind, Kind::Null)
    }

    /// The text of a scalar as written.
    pub(super) fn raw(&self) -> Option<&str> {
        match &self.node.kind {
            Kind::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether a key is in the map itself, not inherited.
    pub(super) fn has_own(&self, key: &str) -> bool {
        self.node.get(key).is_some_and(|entry| entry.inherited_from.is_none())
    }

    /// Notes a mistake in the whole value, at its key.
    pub(super) fn wrong(&self, message: impl Into<String>) {
        self.context.mistakes.add(self.at, &*self.path, message);
    }

    /// Notes a mistake in the value of a key, or in the map where the key is inherited or missing.
    pub(super) fn wrong_key(&self, key: &str, message: impl Into<String>) {
        let own = self.node.get(key).filter(|entry| entry.inherited_from.is_none());
        let at = own.map_or(self.at, |entry| entry.value.at);
        self.context.mistakes.add(at, join(&self.path, key), message);
    }

    /// Notes a key that is missing.
    pub(super) fn wrong_missing(&self, key: &str, need: &str) {
        self.context.mistakes.add(self.at, join(&self.path, key), format!("is missing: {need}"));
    }

    /// Whether a key that was refused may be this one.
    pub(super) fn has_misspelt(&self, key: &str) -> bool {
        self.node.entries().iter().any(|entry| {
            let same = entry.key == key || nearest(&entry.key, &[key]).is_some();
            same && self.context.is_left_out(&entry.value)
        })
    }

    /// Notes a mistake at the value itself, under the path of another.
    pub(super) fn wrong_value(&self, path: &str, message: impl Into<String>) {
        self.context.mistakes.add(self.node.at, path, message);
    }

    fn error(&self, at: Position, message: impl Into<String>) -> Error {
        let place = Place { at, path: self.path.clone(), node: self.node };
        Error { message: message.into(), what: What::Placed, place: Some(place) }
    }

    /// Gives an error that has no place yet the place of this value.
    fn placed(&self, error: Error) -> Error {
        match error.what {
            _ if error.place.is_some() => error,
            What::Missing(field) => {
                let need = || is_missing(schema::need(&self.right_keys(), None, field));
                let message = Some(error.message).filter(|message| !message.is_empty()).unwrap_or_else(need);
                let mut placed = self.error(self.at, message);
                if let Some(place) = &mut placed.place {
                    place.path = join(&self.path, field);
                }
                // What was misspelt or wrong was noted already.
                if self.has_misspelt(field) {
                    placed.message.clear();
                }
                placed
            }
            // What is wrong with several values together may be due to those that were left out.
            _ if self.has_left_out() => self.error(self.at, ""),
            _ if matches!(self.node.kind, Kind::Map(_) | Kind::Null) => self.error(self.at, error.message),
            _ => self.error(self.node.at, error.message),
        }
    }

    /// Whether values of this map or list had mistakes.
    fn has_left_out(&self) -> bool {
        match &self.node.kind {
            Kind::Seq(items) => items.iter().any(|item| self.context.is_left_out(item)),
            _ => self.right_keys().len() < self.node.entries().len(),
        }
    }

    /// The keys without a mistake.
    fn right_keys(&self) -> Vec<&'a str> {
        let entries = self.node.entries().iter().filter(|entry| !self.context.is_left_out(&entry.value));
        entries.map(|entry| entry.key.as_str()).collect()
    }

    /// An error about the text of a scalar: `must be …, not …`. What came out of a variable is not quoted.
    fn explained(&self, error: Error, has_variable: bool) -> Error {
        if error.place.is_some() {
            return error;
        }
        let want = error.message;
        let found = match error.what {
            What::Found(found) => Some(found),
            What::Unknown(found, _) if !has_variable => Some(found),
            _ => None,
        };
        let is_one_line =
            || !self.context.text.get(self.node.span.clone()).is_some_and(|raw| raw.contains('\n'));
        let message = match found {
            _ if has_variable => format!("{want} (after its variables were put in)"),
            Some(found) if self.sort == Sort::Open && is_one_line() && !found.contains('@') => {
                format!("{want}, not {}", quoted(&found))
            }
            _ => want,
        };
        self.error(self.node.at, message)
    }

    /// The text of a scalar with its variables put in, and whether there were any. `unit` is what is wanted.
    fn text(&self, unit: &dyn fmt::Display) -> Result<(String, bool), Error> {
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
        let harmless = match self.sort {
            Sort::Open => true,
            Sort::Secret => is_variable(raw),
            Sort::Url => url::harmless(raw),
        };
        if harmless {
            self.context.shown.borrow_mut().push(self.node.span.clone());
        }
        let pieces = pieces(raw).map_err(|message| self.error(at, message))?;
        let has_variable = pieces.iter().any(|piece| matches!(piece, Piece::Variable { .. }));
        let environment = self.context.environment;
        let expanded = match self.sort {
            Sort::Url => url::expanded(&pieces, environment),
            Sort::Open | Sort::Secret => expand(&pieces, environment, |_, value| Cow::Borrowed(value)),
        };
        let missing = match expanded {
            Ok(text) => return Ok((text, has_variable)),
            Err(missing) => missing,
        };
        let message = |name: &String| {
            format!(
                "the environment variable {name} is not set: set it, or give a default: ${{{name}:-default}}"
            )
        };
        for name in &missing[1..] {
            self.context.mistakes.add(at, &*self.path, message(name));
        }
        Err(self.error(at, message(&missing[0])))
    }

    fn visit_text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let (text, has_variable) = self.text(&(&visitor as &dyn Expected))?;
        visitor.visit_str(&text).map_err(|error| self.explained(error, has_variable))
    }

    fn map(self) -> Entries<'a> {
        let rest = self.node.entries().iter();
        Entries { reader: self, rest, current: None }
    }

    fn list(self) -> Items<'a> {
        let (items, indexed) = match &self.node.kind {
            Kind::Seq(items) => (items.as_slice(), !self.one_or_many || items.len() > 1),
            _ => (slice::from_ref(self.node), false),
        };
        Items { reader: self, rest: items.iter().enumerate(), indexed }
    }
}

/// The words that are recommended: `True` is read too, as YAML 1.1 has it.
fn lowercase(words: &[&'static str]) -> Vec<&'static str> {
    words.iter().copied().filter(|word| !word.contains(char::is_uppercase)).collect()
}

fn is_missing(need: Option<&str>) -> String {
    need.map_or_else(|| "is missing".to_owned(), |need| format!("is missing: {need}"))
}

/// A text as a message quotes it.
fn quoted(found: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".:/-_#%".contains(c);
    let short: String = found.chars().take(MAX_QUOTED).collect();
    let dots = if short.len() < found.len() { "…" } else { "" };
    if !short.is_empty() && short.chars().all(plain) {
        format!("{short}{dots}")
    } else {
        format!("{short:?}{dots}")
    }
}

/// The known word nearest to `word`, when it is near enough to be meant.
pub(super) fn nearest<'n>(word: &str, known: &[&'n str]) -> Option<&'n str> {
    let word = word.to_lowercase();
    let known = known.iter().map(|candidate| (strsim::osa_distance(&word, candidate), *candidate));
    let near = known.filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4);
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// `a`, `a or b`, `a, b or c`.
pub(super) fn alternatives(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// Why a value cannot be deserialised.
#[derive(Debug)]
pub(super) struct Error {
    /// What would be right; empty if that was noted already.
    message: String,
    what: What,
    place: Option<Place>,
}

#[derive(Debug)]
enum What {
    Placed,
    Other,
    /// The text that does not fit, where it cannot be a secret.
    Found(String),
    Missing(&'static str),
    /// Not one of these.
    Unknown(String, &'static [&'static str]),
}

#[derive(Debug)]
struct Place {
    at: Position,
    path: String,
    node: *const Node,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), what: What::Other, place: None }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let what = match found {
            Unexpected::Str(found) => What::Found(found.to_owned()),
            _ => What::Other,
        };
        Self { message: expected.to_string(), what, place: None }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { message: String::new(), what: What::Missing(field), place: None }
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        let message = match nearest(field, known) {
            Some(meant) => format!("unknown key, did you mean `{meant}`?"),
            None => format!("unknown key: the keys here are {}", known.join(", ")),
        };
        Self { message, what: What::Unknown(field.to_owned(), known), place: None }
    }

    fn unknown_variant(variant: &str, all: &'static [&'static str]) -> Self {
        let known = &*lowercase(all);
        let meant = nearest(variant, known).filter(|_| known.len() > 3);
        let meant = meant.map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
        let message = match known.len() {
            ..=3 => format!("must be {}", alternatives(known)),
            _ => format!("must be one of {}{meant}", known.join(", ")),
        };
        Self { message, what: What::Unknown(variant.to_owned(), all), place: None }
    }
}

macro_rules! texts {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.visit_text(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Error;

    texts! { deserialize_str deserialize_string deserialize_identifier deserialize_char
    deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
    deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 deserialize_bytes deserialize_byte_buf }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node.kind {
            Kind::Map(_) => visitor.visit_map(self.map()),
            Kind::Seq(_) => visitor.visit_seq(self.list()),
            Kind::Text { .. } | Kind::Null => self.visit_text(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let (text, has_variable) = self.text(&"true or false")?;
        match &*text {
            "true" | "True" | "TRUE" => visitor.visit_bool(true),
            "false" | "False" | "FALSE" => visitor.visit_bool(false),
            _ => {
                let error =
                    <Error as de::Error>::invalid_value(Unexpected::Str(&text), &"must be true or false");
                Err(self.explained(error, has_variable))
            }
        }
    }

    /// `none` is none.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.raw() == Some("none") {
            self.context.shown.borrow_mut().push(self.node.span.clone());
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match name {
            LOCAL | LOCAL_SECRET if self.node.at == NOWHERE && self.raw() != Some(BUILT_IN) => {
                let message = "names a file or program of this machine: only the configuration file may";
                return Err(self.error(self.at, message));
            }
            SECRET | LOCAL_SECRET => self.sort = Sort::Secret,
            URL => self.sort = Sort::Url,
            ONE_OR_MANY => self.one_or_many = true,
            _ => {}
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let expected = (&visitor as &dyn Expected).to_string();
        match &self.node.kind {
            Kind::Seq(items) if self.one_or_many && items.is_empty() => {
                let message = format!("is an empty list: it needs at least one ({expected})");
                Err(self.error(self.node.at, message))
            }
            Kind::Seq(_) => visitor.visit_seq(self.list()),
            _ if self.one_or_many => visitor.visit_seq(self.list()),
            _ => {
                let not = self.node.kind_name();
                Err(self.error(self.node.at, format!("must be a list of {expected}, not {not}")))
            }
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if !matches!(self.node.kind, Kind::Map(_) | Kind::Null) {
            let (not, want) = (self.node.kind_name(), &visitor as &dyn Expected);
            return Err(self.error(self.node.at, format!("must be a map, not {not}: {want}")));
        }
        visitor.visit_map(self.map())
    }

    /// A section without a value has all defaults.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if !matches!(self.node.kind, Kind::Map(_) | Kind::Null) {
            let (not, keys) = (self.node.kind_name(), fields.join(", "));
            let message = format!("must be a map, not {not}: the keys here are {keys}");
            return Err(self.error(self.node.at, message));
        }
        let kind = self.child("type").filter(|_| self.is_tagged);
        visitor.visit_map(self.map()).map_err(|mut error| {
            if let (What::Missing(field), None) = (&error.what, &error.place) {
                let kind = kind.as_ref().and_then(Reader::raw);
                error.message = is_missing(schema::need(fields, kind, field));
            }
            error
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let entries = match &self.node.kind {
            _ if !TAGGED.contains(&name) && !KEYED.contains(&name) => {
                let (text, has_variable) = self.text(&alternatives(&lowercase(variants)))?;
                let word: StrDeserializer<'_, Error> = text.as_str().into_deserializer();
                return visitor.visit_enum(word).map_err(|error| self.explained(error, has_variable));
            }
            Kind::Map(entries) => entries,
            _ => {
                let (not, at) = (self.node.kind_name(), self.node.at);
                let want = match TAGGED.contains(&name) {
                    true => "such as {type: mjpeg, url: \"http://…\"}".to_owned(),
                    false => format!("one of {}", variants.join(", ")),
                };
                return Err(self.error(at, format!("must be a map, not {not}: {want}")));
            }
        };
        if !TAGGED.contains(&name) {
            let [entry] = entries.as_slice() else {
                return Err(
                    self.error(self.node.at, format!("must have one key of {}", alternatives(variants)))
                );
            };
            return visitor.visit_enum(Variant { content: self.entry(entry), whole: self, entry });
        }
        let Some(entry) = self.node.get("type").filter(|entry| !self.context.is_left_out(&entry.value))
        else {
            let is_misspelt = |key: &str| key != "type" && nearest(key, &["type"]).is_some();
            let misspelt = entries.iter().find(|entry| is_misspelt(&entry.key));
            if let Some(entry) = misspelt.filter(|_| self.node.get("type").is_none()) {
                let reader = self.entry(entry);
                let mut error = reader.error(entry.key_at, "unknown key, did you mean `type`?");
                if let Some(place) = &mut error.place {
                    place.node = self.node;
                }
                return Err(error);
            }
            let message = format!("is missing: one of {}", variants.join(", "));
            return Err(self.placed(Error { message, what: What::Missing("type"), place: None }));
        };
        self.is_tagged = true;
        visitor.visit_enum(Variant { content: self.clone(), whole: self, entry })
    }
}

/// The variant of an enum: of a map's only key, or of its key `type`.
struct Variant<'a> {
    whole: Reader<'a>,
    content: Reader<'a>,
    entry: &'a Entry,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Error;
    type Variant = Reader<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Reader<'a>), Error> {
        if self.whole.is_tagged {
            let tag = self.whole.entry(self.entry);
            let (text, has_variable) = tag.text(&"word")?;
            let word: StrDeserializer<'_, Error> = text.as_str().into_deserializer();
            let variant = seed.deserialize(word).map_err(|error| tag.explained(error, has_variable))?;
            return Ok((variant, self.content));
        }
        let word: StrDeserializer<'_, Error> = self.entry.key.as_str().into_deserializer();
        let variant = seed.deserialize(word).map_err(|error| match error.what {
            What::Unknown(key, known) => {
                let message = <Error as de::Error>::unknown_field(&key, known).message;
                self.content.error(self.entry.key_at, message)
            }
            _ => error,
        })?;
        Ok((variant, self.content))
    }
}

impl<'de> VariantAccess<'de> for Reader<'_> {
    type Error = Error;

    /// `grayscale: true`.
    fn unit_variant(self) -> Result<(), Error> {
        match self.text(&"true")?.0.as_str() {
            "true" => Ok(()),
            _ => Err(self.error(self.node.at, "must be true: leave it out otherwise")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        let reader = self.clone();
        seed.deserialize(self).map_err(|error| reader.placed(error))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let reader = self.clone();
        self.deserialize_struct("", fields, visitor).map_err(|error| reader.placed(error))
    }
}

/// The keys of a map, those left out that have a mistake.
struct Entries<'a> {
    reader: Reader<'a>,
    rest: slice::Iter<'a, Entry>,
    current: Option<&'a Entry>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Reader { context, node, is_tagged, .. } = self.reader;
        let entry = self.rest.find(|&entry| {
            let first = node.get(&entry.key).unwrap_or(entry);
            if !std::ptr::eq(first, entry) {
                let message = format!("is given twice, first on line {}: remove one", first.key_at.line);
                context.mistakes.add(entry.key_at, self.reader.entry(entry).path, message);
                return false;
            }
            !(is_tagged && entry.key == "type" || context.is_left_out(&entry.value))
        });
        let Some(entry) = entry else { return Ok(None) };
        self.current = Some(entry);
        let key: StrDeserializer<'_, Error> = entry.key.as_str().into_deserializer();
        let key = seed.deserialize(key).map_err(|mut error| {
            if let (What::Unknown(_, known), true) = (&error.what, is_tagged)
                && !error.message.contains("did you mean")
            {
                error.message = format!("unknown key: the keys here are type, {}", known.join(", "));
            }
            self.reader.entry(entry).error(entry.key_at, error.message)
        });
        key.map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let entry = self.current.ok_or_else(|| <Error as de::Error>::custom("a value without a key"))?;
        let reader = self.reader.entry(entry);
        seed.deserialize(reader.clone()).map_err(|error| reader.placed(error))
    }
}

/// The items of a list, those left out that have a mistake.
struct Items<'a> {
    reader: Reader<'a>,
    rest: std::iter::Enumerate<slice::Iter<'a, Node>>,
    indexed: bool,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let context = self.reader.context;
        let Some((number, item)) = self.rest.find(|(_, item)| !context.is_left_out(item)) else {
            return Ok(None);
        };
        let path = &self.reader.path;
        let (path, at) = match self.indexed {
            true => (format!("{path}[{number}]"), item.at),
            false if std::ptr::eq(item, self.reader.node) => (path.clone(), self.reader.at),
            false => (path.clone(), item.at),
        };
        let reader = Reader::new(context, item, at, path);
        seed.deserialize(reader.clone()).map_err(|error| reader.placed(error)).map(Some)
    }
}

/// Deserialises a struct from a map, in a visitor that takes other forms too.
pub(super) fn from_map<'de, T: de::Deserialize<'de>, A: MapAccess<'de>>(map: A) -> Result<T, A::Error> {
    T::deserialize(MapAccessDeserializer::new(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        let known = ["source", "title", "linger", "max_fps", "on_demand", "url"];
        for (word, expected) in [
            ("sorce", Some("source")),
            ("Title", Some("title")),
            ("lingre", Some("linger")),
            ("maxfps", Some("max_fps")),
            ("on-demand", Some("on_demand")),
            ("ulr", Some("url")),
            ("colour_of_the_sky", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
    }
}
