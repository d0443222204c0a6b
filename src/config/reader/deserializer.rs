//! The [`Deserializer`] over a document.

use std::slice;

use serde::{
    de::{
        DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, IntoDeserializer, MapAccess,
        SeqAccess, Unexpected, VariantAccess, Visitor, value::StrDeserializer,
    },
    forward_to_deserialize_any,
};

use super::{
    error::{Error, unknown_key},
    newtype_markers::{
        HOST, KEYED, LOCAL, LOCAL_SECRET, ONE_OR_MANY, SECRET, SECRET_URL, SHORT, TAGGED, URL,
    },
    one_line::wrong_source,
    suggestions::{alternatives, nearest},
    value::{Reader, Sort},
};
use crate::config::{
    error::NOWHERE,
    yaml::{Entry, Kind, Node},
};

/// The pictures of `type: images` that are part of the program, and so no file.
const BUILT_IN: &str = "builtin:demo";

impl<'a> Reader<'a> {
    fn map(self) -> Entries<'a> {
        let rest = self.node.entries().iter();
        Entries { reader: self, rest, current: None }
    }

    fn list(self) -> Items<'a> {
        let (items, is_indexed) = match &self.node.kind {
            Kind::Seq(items) => (items.as_slice(), !self.one_or_many || items.len() > 1),
            _ => (slice::from_ref(self.node), false),
        };
        Items { reader: self, rest: items.iter().enumerate(), is_indexed }
    }

    fn must_be_map(&self, want: &dyn std::fmt::Display) -> Result<(), Error> {
        match self.node.kind {
            Kind::Map(_) | Kind::Null => Ok(()),
            _ => {
                let not = self.node.kind_name();
                Err(self.error(self.node.at, format!("must be a map, not {not}: {want}")))
            }
        }
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Error;

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char string bytes byte_buf unit unit_struct tuple
        tuple_struct identifier ignored_any
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let (text, has_variable) = self.text(&(&visitor as &dyn Expected))?;
        visitor.visit_str(&text).map_err(|error| self.explained(error, has_variable))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let (text, has_variable) = self.text(&"true or false")?;
        match &*text {
            "true" | "True" | "TRUE" => visitor.visit_bool(true),
            "false" | "False" | "FALSE" => visitor.visit_bool(false),
            _ => {
                let error = Error::invalid_value(Unexpected::Str(&text), &"must be true or false");
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
            // A URL with a password, in the wrong place.
            HOST if self.raw().is_some_and(|raw| raw.contains('@')) => self.sort = Sort::Secret,
            URL => self.sort = Sort::Url,
            SECRET_URL => self.sort = Sort::SecretUrl,
            ONE_OR_MANY => self.one_or_many = true,
            SHORT if !matches!(self.node.kind, Kind::Map(_)) => {
                return self.deserialize_str(visitor);
            }
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

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.must_be_map(&(&visitor as &dyn Expected))?;
        visitor.visit_map(self.map())
    }

    /// A section without a value has all defaults.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.must_be_map(&format!("the keys here are {}", fields.join(", ")))?;
        let kind = self.child("type").filter(|_| self.is_tagged);
        let need = self.context.need;
        visitor.visit_map(self.map()).map_err(|mut error| {
            if let (Some(field), None) = (error.missing, &error.place) {
                let need = need(fields, kind.as_ref().and_then(Reader::raw), field);
                error.message =
                    need.map_or_else(|| "is missing".to_owned(), |need| format!("is missing: {need}"));
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
        let (is_tagged, is_keyed) = (TAGGED.contains(&name), KEYED.contains(&name));
        if !is_tagged && !is_keyed {
            let (text, has_variable) = self.text(&alternatives(variants))?;
            let word: StrDeserializer<'_, Error> = text.as_str().into_deserializer();
            return visitor.visit_enum(word).map_err(|error| self.explained(error, has_variable));
        }
        let all = variants.join(", ");
        let Kind::Map(entries) = &self.node.kind else {
            if is_tagged && self.raw().is_some() {
                let is_type = self.raw().is_some_and(|word| variants.contains(&word));
                self.sort = if is_type { Sort::Open } else { Sort::Url };
                let message = wrong_source(&self.text(&"URL, or `push`")?.0, variants);
                return Err(self.error(self.node.at, message));
            }
            let want = match is_tagged {
                true => "such as {type: mjpeg, url: \"http://…\"}".to_owned(),
                false => format!("one of {all}"),
            };
            let message = format!("must be a map, not {}: {want}", self.node.kind_name());
            return Err(self.error(self.node.at, message));
        };
        if is_keyed {
            let [entry] = entries.as_slice() else {
                let message = format!("must have one key of {}", alternatives(variants));
                return Err(self.error(self.node.at, message));
            };
            let content = self.entry(entry);
            if !variants.contains(&entry.key.as_str()) {
                return Err(content.error(entry.key_at, unknown_key(&entry.key, variants)));
            }
            return visitor.visit_enum(Variant { tag: None, key: &entry.key, content });
        }
        let Some(entry) = self.node.get("type").filter(|entry| !self.context.is_left_out(&entry.value))
        else {
            let is_misspelt =
                |entry: &&Entry| entry.key != "type" && nearest(&entry.key, &["type"]).is_some();
            if let (Some(entry), None) = (entries.iter().find(is_misspelt), self.node.get("type")) {
                let mut error = self.entry(entry).error(entry.key_at, "unknown key, did you mean `type`?");
                error.place.iter_mut().for_each(|place| place.node = self.node);
                return Err(error);
            }
            let error = Error { missing: Some("type"), ..Error::custom(format!("is missing: one of {all}")) };
            return Err(self.placed(error));
        };
        self.is_tagged = true;
        visitor.visit_enum(Variant { tag: Some(self.entry(entry)), key: "", content: self })
    }
}

/// The variant of an enum: of a map's only key, or of its key `type`, the tag.
struct Variant<'a> {
    tag: Option<Reader<'a>>,
    key: &'a str,
    content: Reader<'a>,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Error;
    type Variant = Reader<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Reader<'a>), Error> {
        let (text, has_variable) = match &self.tag {
            Some(tag) => tag.text(&"word")?,
            None => (self.key.to_owned(), false),
        };
        let word: StrDeserializer<'_, Error> = text.as_str().into_deserializer();
        let place = self.tag.as_ref().unwrap_or(&self.content);
        let variant = seed.deserialize(word).map_err(|error| place.explained(error, has_variable))?;
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
        seed.deserialize(self.clone()).map_err(|error| self.placed(error))
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
        let key = seed.deserialize(key).map_err(|error| {
            let message = match is_tagged {
                true => error.message.replacen("the keys here are ", "the keys here are type, ", 1),
                false => error.message,
            };
            self.reader.entry(entry).error(entry.key_at, message)
        });
        key.map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let entry = self.current.ok_or_else(|| Error::custom("a value without a key"))?;
        let reader = self.reader.entry(entry);
        seed.deserialize(reader.clone()).map_err(|error| reader.placed(error))
    }
}

/// The items of a list, those left out that have a mistake.
struct Items<'a> {
    reader: Reader<'a>,
    rest: std::iter::Enumerate<slice::Iter<'a, Node>>,
    is_indexed: bool,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let context = self.reader.context;
        let Some((number, item)) = self.rest.find(|(_, item)| !context.is_left_out(item)) else {
            return Ok(None);
        };
        let path = &self.reader.path;
        let (path, at) = match self.is_indexed {
            true => (format!("{path}[{number}]"), item.at),
            false if std::ptr::eq(item, self.reader.node) => (path.clone(), self.reader.at),
            false => (path.clone(), item.at),
        };
        let reader = Reader::new(context, item, at, path);
        seed.deserialize(reader.clone()).map_err(|error| reader.placed(error)).map(Some)
    }
}
