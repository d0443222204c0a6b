//! A value that is written as one text.

use std::{fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema};
use serde::{
    Deserialize, Deserializer, Serializer,
    de::{Unexpected, Visitor},
};
use serde_json::{Value, json};

use crate::config::reader::{HOST, LOCAL, LOCAL_SECRET, SECRET, SECRET_URL, SHORT, URL, alternatives};

/// A text that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// A description of what would be right.
    pub(crate) want: String,
    /// True if a message may show the text.
    pub(crate) is_shown: bool,
}

impl Wrong {
    /// Shows the text.
    pub(crate) fn shown(want: impl Into<String>) -> Self {
        Self { want: want.into(), is_shown: true }
    }

    /// Does not show the text, which may be a secret.
    pub(crate) fn hidden(want: impl Into<String>) -> Self {
        Self { want: want.into(), is_shown: false }
    }
}

/// A value that is written as one text.
pub(crate) trait Scalar {
    /// The type that the rest of the program uses.
    type Value;

    /// The reader's name for how a text is read and shown; empty for an ordinary value.
    const KIND: &'static str = "";

    /// Its type or unit, in words.
    fn unit() -> String;

    /// Reads a text.
    fn read(text: &str) -> Result<Self::Value, Wrong>;

    /// The text of a default; none where its absence is a value.
    fn write(_: &Self::Value) -> Option<String> {
        None
    }

    /// Its JSON Schema.
    fn schema() -> Value {
        json!({"type": ["string", "number", "boolean"]})
    }
}

/// Implements [`Scalar`] for a new or an existing type without parameters.
macro_rules! scalar {
    ($(#[$doc:meta])* struct $name:ident => $($rest:tt)*) => {
        $(#[$doc])*
        pub(crate) struct $name;
        $crate::config::values::scalar!(impl $name => $($rest)*);
    };
    (
        impl $name:ident => $value:ty, $unit:expr, $kind:expr, $read:expr
        $(, write $write:expr)? $(, schema $schema:expr)?
    ) => {
        impl $crate::config::values::Scalar for $name {
            type Value = $value;
            const KIND: &'static str = $kind;

            fn unit() -> String {
                $unit.to_string()
            }

            fn read(text: &str) -> Result<$value, $crate::config::values::Wrong> {
                let read: fn(&str) -> Result<$value, $crate::config::values::Wrong> = $read;
                read(text)
            }

            $(fn write(value: &$value) -> Option<String> {
                let write: fn(&$value) -> String = $write;
                Some(write(value))
            })?

            $(fn schema() -> serde_json::Value {
                $schema
            })?
        }
    };
}
pub(crate) use scalar;

/// Implements [`JsonSchema`] by a function of the generator.
macro_rules! json_schema {
    (impl $([$($generics:tt)*])? for $name:ty, |$generator:pat_param| $schema:expr) => {
        impl$(<$($generics)*>)? schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                std::any::type_name::<Self>().into()
            }

            fn json_schema($generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $schema
            }
        }
    };
}
pub(crate) use json_schema;

/// A text that is deserialised as a [`Scalar`], and the serde module of a field that holds one.
pub(crate) struct Text<S: Scalar>(pub(crate) S::Value);

impl<S: Scalar> Text<S> {
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<S::Value, D::Error> {
        deserializer.deserialize_newtype_struct(S::KIND, TextVisitor::<S>(PhantomData))
    }

    pub(crate) fn serialize<T: Serializer>(value: &S::Value, serializer: T) -> Result<T::Ok, T::Error> {
        match S::write(value) {
            Some(text) => serializer.serialize_str(&text),
            None => serializer.serialize_none(),
        }
    }
}

impl<'de, S: Scalar> Deserialize<'de> for Text<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer).map(Self)
    }
}

struct TextVisitor<S>(PhantomData<S>);

impl<'de, S: Scalar> Visitor<'de> for TextVisitor<S> {
    type Value = S::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&S::unit())
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        deserializer.deserialize_str(self)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<S::Value, E> {
        S::read(text).map_err(|wrong| error(text, &wrong))
    }
}

fn error<E: serde::de::Error>(text: &str, wrong: &Wrong) -> E {
    match wrong.is_shown {
        true => E::invalid_value(Unexpected::Str(text), &&*wrong.want),
        false => E::custom(&wrong.want),
    }
}

json_schema!(impl [S: Scalar] for Text<S>, |_| described(S::schema(), S::unit(), S::KIND));

/// A schema with its unit and marks.
pub(super) fn described(mut schema: Value, unit: String, kind: &str) -> Schema {
    schema["x-unit"] = json!(unit);
    for (mark, kinds) in [
        ("x-secret", &[SECRET, LOCAL_SECRET, SECRET_URL][..]),
        ("x-local", &[LOCAL, LOCAL_SECRET]),
        ("x-url", &[URL]),
        ("x-host", &[HOST]),
    ] {
        if kinds.contains(&kind) {
            schema[mark] = json!(true);
        }
    }
    schema.try_into().unwrap_or_default()
}

/// A value that need not be given.
impl<S: Scalar> Scalar for Option<S> {
    type Value = Option<S::Value>;
    const KIND: &'static str = S::KIND;

    fn unit() -> String {
        S::unit()
    }

    fn read(text: &str) -> Result<Self::Value, Wrong> {
        S::read(text).map(Some)
    }

    fn schema() -> Value {
        S::schema()
    }
}

/// Defines a value that may be replaced by a word; `$wanted` changes the message of a wrong value.
macro_rules! or_word {
    ($(#[$doc:meta])* $name:ident, $word:literal, $wanted:expr) => {
        $(#[$doc])*
        pub(crate) struct $name<S>(PhantomData<S>);

        impl<S: Scalar> Scalar for $name<S> {
            type Value = Option<S::Value>;
            const KIND: &'static str = S::KIND;

            fn unit() -> String {
                format!("{}, or `{}`", S::unit(), $word)
            }

            fn read(text: &str) -> Result<Self::Value, Wrong> {
                let wanted: fn(String) -> String = $wanted;
                if text == $word {
                    return Ok(None);
                }
                S::read(text).map(Some).map_err(|wrong| Wrong { want: wanted(wrong.want), ..wrong })
            }

            fn write(value: &Self::Value) -> Option<String> {
                value.as_ref().map_or_else(|| Some($word.to_owned()), S::write)
            }

            fn schema() -> Value {
                json!({"anyOf": [S::schema(), {"const": $word}]})
            }
        }
    };
}

or_word!(
    /// A value or the word `none`.
    OrNone, "none", |want| want
);
or_word!(
    /// A value or the word `auto`.
    OrAuto, "auto", |want| want.replacen("must be ", "must be auto, or ", 1)
);

/// The schema of a map or list that may be replaced by `none`.
pub(crate) struct NoneOr<T>(PhantomData<T>);

json_schema!(impl [T: JsonSchema] for NoneOr<T>, |generator| {
    schemars::json_schema!({"anyOf": [generator.subschema_for::<T>(), {"const": "none"}]})
});

/// Deserialises a value whose absence is distinguished from its default.
pub(crate) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A value that may be a word, or a map with keys.
pub(crate) trait Short: Sized {
    /// The map.
    type Map: for<'de> Deserialize<'de> + Into<Self>;
    /// The types of both, in words.
    const UNIT: &'static str;

    /// Reads the word.
    fn from_word(word: &str) -> Result<Self, Wrong>;
}

/// Deserialises a [`Short`].
pub(crate) fn short<'de, D: Deserializer<'de>, T: Short>(deserializer: D) -> Result<T, D::Error> {
    struct ShortVisitor<T>(PhantomData<T>);

    impl<'de, T: Short> Visitor<'de> for ShortVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(T::UNIT)
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            T::from_word(text).map_err(|wrong| error(text, &wrong))
        }

        fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
            T::Map::deserialize(deserializer).map(Into::into)
        }
    }

    deserializer.deserialize_newtype_struct(SHORT, ShortVisitor(PhantomData))
}

/// A value of one of a few words that are no type of their own.
pub(crate) fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Wrong> {
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        Wrong::shown(format!("must be {}", alternatives(&words)))
    })
}
