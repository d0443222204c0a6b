//! Lists and maps of values.

use std::{fmt, marker::PhantomData};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serializer,
    de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::json;

use super::scalar::{Scalar, Text, Wrong, described, json_schema, scalar};
use crate::config::reader::ONE_OR_MANY;

/// Maximum number of tokens, users and webhooks: tokens and users are compared with each credential of a
/// client, webhooks are checked at each event.
const MAX_ENTRIES: usize = 1000;

/// Longest name of a token, user or webhook.
const MAX_NAME: usize = 64;

/// Reads a list of no more than `most`; `want` describes its items.
pub(crate) fn list_of<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    most: usize,
    want: &str,
) -> Result<Vec<T>, D::Error> {
    let list = deserializer.deserialize_seq(ListVisitor(want.to_owned(), PhantomData))?;
    match list.len() <= most {
        true => Ok(list),
        false => Err(D::Error::custom(format!("has too many: at most {most}"))),
    }
}

/// Reads a list, or a single value as a list of one.
pub(crate) fn one_or_many<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    want: &str,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_newtype_struct(ONE_OR_MANY, ListVisitor(want.to_owned(), PhantomData))
}

/// A visitor of lists with a description of their items.
struct ListVisitor<T>(String, PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(list)
    }
}

/// A visitor of maps with a description of their entries.
struct MapVisitor<K, V>(String, PhantomData<(K, V)>);

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for MapVisitor<K, V> {
    type Value = Vec<(K, V)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

/// The serde module of a field that holds a list of values, or one of them.
pub(crate) struct OneOrMany<S, C>(PhantomData<(S, C)>);

/// A collection that is made of a list of values.
pub(crate) trait Collect<S: Scalar>: Sized {
    /// # Errors
    /// A description of what is wrong with the values together.
    fn collect(values: Vec<S::Value>) -> Result<Self, String>;

    /// The text of its default.
    fn written(&self) -> String {
        "none".to_owned()
    }
}

impl<S: Scalar> Collect<S> for Vec<S::Value> {
    fn collect(values: Self) -> Result<Self, String> {
        Ok(values)
    }

    fn written(&self) -> String {
        self.first().and_then(S::write).unwrap_or_default()
    }
}

impl<S: Scalar, C: Collect<S>> OneOrMany<S, C> {
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<C, D::Error> {
        let values: Vec<Text<S>> = one_or_many(deserializer, &list_unit::<S>())?;
        C::collect(values.into_iter().map(|text| text.0).collect()).map_err(D::Error::custom)
    }

    pub(crate) fn serialize<T: Serializer>(list: &C, serializer: T) -> Result<T::Ok, T::Error> {
        serializer.serialize_str(&list.written())
    }
}

/// `address, or a list`; `address, or a list; or none`.
fn list_unit<S: Scalar>() -> String {
    match S::unit().strip_suffix(", or `none`") {
        Some(unit) => format!("{unit}, or a list; or `none`"),
        None => format!("{}, or a list", S::unit()),
    }
}

json_schema!(impl [S: Scalar, C] for OneOrMany<S, C>, |_| {
    let one = S::schema();
    described(json!({"anyOf": [one, {"type": "array", "items": one}]}), list_unit::<S>(), S::KIND)
});

/// A map of texts to texts, in the order of the file.
pub(crate) struct Pairs<K, V>(PhantomData<(K, V)>);

impl<K: Scalar, V: Scalar> Pairs<K, V> {
    #[expect(clippy::type_complexity, reason = "the types are those of the two scalars")]
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(K::Value, V::Value)>, D::Error> {
        let want = format!("{}s with texts", K::unit());
        let pairs = deserializer.deserialize_map(MapVisitor::<Text<K>, Text<V>>(want, PhantomData))?;
        Ok(pairs.into_iter().map(|(key, value)| (key.0, value.0)).collect())
    }
}

json_schema!(impl [K: Scalar, V: Scalar] for Pairs<K, V>, |_| {
    let unit = format!("map of {} to {}", K::unit(), V::unit());
    described(json!({"type": "object", "additionalProperties": V::schema()}), unit, V::KIND)
});

/// A map of names to entries, as a list of entries that contain their names.
pub(crate) struct Named<T>(pub(crate) Vec<T>);

/// An entry of a map that contains its name.
pub(crate) trait Entry: DeserializeOwned {
    fn complete(&mut self, name: String);
}

impl<T: Entry> Named<T> {
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        let want = "each one's name, with its own keys beneath".to_owned();
        let pairs = deserializer.deserialize_map(MapVisitor::<Text<EntryName>, T>(want, PhantomData))?;
        if pairs.len() > MAX_ENTRIES {
            return Err(D::Error::custom(format!("has more than {MAX_ENTRIES} entries")));
        }
        let complete = |(name, mut entry): (Text<EntryName>, T)| {
            entry.complete(name.0);
            entry
        };
        Ok(pairs.into_iter().map(complete).collect())
    }
}

impl<'de, T: Entry> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer).map(Self)
    }
}

json_schema!(impl [T: JsonSchema] for Named<T>, |generator| schemars::json_schema!({
    "type": ["object", "null"],
    "additionalProperties": generator.subschema_for::<T>(),
    "x-unit": "map",
    "x-default": "nothing",
}));

scalar!(struct EntryName => String, "name", "", |text| {
    let known = |c: char| c.is_ascii_alphanumeric() || "_-.@".contains(c);
    let is_name = (1..=MAX_NAME).contains(&text.len()) && text.chars().all(known);
    let want = || Wrong::hidden(format!("is not a name: 1 to {MAX_NAME} letters, digits, _, -, . or @"));
    is_name.then(|| text.to_owned()).ok_or_else(want)
});
