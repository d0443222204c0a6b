//! Values that are written as one text: numbers in a range, times, sizes, colours, paths, secrets.
//!
//! A [`Scalar`] knows how to read a text and what is wrong with it, how its default is written, and its JSON
//! Schema. A field of a section names it: `#[serde(with = "Text::<Time<0, DAY>>")]`.

use std::{borrow::Cow, fmt, marker::PhantomData, num::NonZeroU32, path::PathBuf, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer, Serializer,
    de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Unexpected, Visitor},
};
use serde_json::{Value, json};

use super::reader::{LOCAL, ONE_OR_MANY, SECRET, alternatives};

/// Largest picture that is drawn, in pixels a side: the limit of most JPEG decoders in hardware.
pub(super) const MAX_SIDE: u64 = 8192;

/// Times in milliseconds.
pub(super) const SECOND: u64 = 1000;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

/// Sizes in bytes.
pub(super) const KIB: u64 = 1024;
pub(super) const MIB: u64 = 1024 * KIB;
pub(super) const GIB: u64 = 1024 * MIB;

/// Fewest frames per second, somewhat less than one a day: the time between two must be one that a clock can
/// add.
const MIN_FPS: f64 = 0.00001;
const MAX_FPS: f64 = 240.0;

/// A text that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// What would be right.
    pub(super) want: String,
    /// Whether a message may show the text.
    pub(super) is_shown: bool,
}

impl Wrong {
    /// Shows the text.
    pub(super) fn shown(want: impl Into<String>) -> Self {
        Self { want: want.into(), is_shown: true }
    }

    /// Does not show the text, which may be a secret.
    pub(super) fn hidden(want: impl Into<String>) -> Self {
        Self { want: want.into(), is_shown: false }
    }
}

/// A value that is written as one text.
pub(super) trait Scalar {
    /// The type that the rest of the program uses.
    type Value;

    /// One of the reader's names for how a text is read and shown; empty for an ordinary value.
    const SORT: &'static str = "";

    /// Its type or unit, in words.
    fn unit() -> String;

    /// Reads a text.
    fn read(text: &str) -> Result<Self::Value, Wrong>;

    /// The text of a value; none where its absence is a value. Only defaults are written.
    fn write(_: &Self::Value) -> Option<String> {
        None
    }

    /// Its JSON Schema.
    fn schema() -> Value {
        json!({"type": ["string", "number", "boolean"]})
    }
}

/// Implements [`Scalar`] for a value without parameters.
macro_rules! scalar {
    ($(#[$doc:meta])* $name:ident => $value:ty, $unit:expr, $sort:expr, $read:expr) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl $crate::config::values::Scalar for $name {
            type Value = $value;
            const SORT: &'static str = $sort;

            fn unit() -> String {
                $unit.to_string()
            }

            fn read(text: &str) -> Result<$value, $crate::config::values::Wrong> {
                let read: fn(&str) -> Result<$value, $crate::config::values::Wrong> = $read;
                read(text)
            }
        }
    };
}
pub(super) use scalar;

/// The serde module of a field that holds a [`Scalar`].
pub(super) struct Text<S>(PhantomData<S>);

impl<S: Scalar> Text<S> {
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<S::Value, D::Error> {
        deserializer.deserialize_newtype_struct(S::SORT, TextVisitor::<S>(PhantomData))
    }

    pub(super) fn serialize<T: Serializer>(value: &S::Value, serializer: T) -> Result<T::Ok, T::Error> {
        match S::write(value) {
            Some(text) => serializer.serialize_str(&text),
            None => serializer.serialize_none(),
        }
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
        S::read(text).map_err(|wrong| match wrong.is_shown {
            true => E::invalid_value(Unexpected::Str(text), &&*wrong.want),
            false => E::custom(wrong.want),
        })
    }
}

impl<S: Scalar> JsonSchema for Text<S> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        S::unit().into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        described::<S>(S::schema())
    }
}

fn described<S: Scalar>(mut schema: Value) -> Schema {
    schema["x-unit"] = json!(S::unit());
    match S::SORT {
        SECRET => schema["x-secret"] = json!(true),
        super::reader::URL => schema["x-url"] = json!(true),
        super::reader::LOCAL_SECRET => {
            schema["x-secret"] = json!(true);
            schema["x-local"] = json!(true);
        }
        LOCAL => schema["x-local"] = json!(true),
        _ => {}
    }
    schema.try_into().unwrap_or_default()
}

/// A value or the word `none`.
pub(super) struct OrNone<S>(PhantomData<S>);

impl<S: Scalar> Scalar for OrNone<S> {
    type Value = Option<S::Value>;
    const SORT: &'static str = S::SORT;

    fn unit() -> String {
        format!("{}, or `none`", S::unit())
    }

    fn read(text: &str) -> Result<Self::Value, Wrong> {
        if text == "none" { Ok(None) } else { S::read(text).map(Some) }
    }

    fn write(value: &Self::Value) -> Option<String> {
        value.as_ref().map_or_else(|| Some("none".to_owned()), S::write)
    }

    fn schema() -> Value {
        json!({"anyOf": [S::schema(), {"const": "none"}]})
    }
}

/// A value or the word `auto`.
pub(super) struct OrAuto<S>(PhantomData<S>);

impl<S: Scalar> Scalar for OrAuto<S> {
    type Value = Option<S::Value>;

    fn unit() -> String {
        format!("{}, or `auto`", S::unit())
    }

    fn read(text: &str) -> Result<Self::Value, Wrong> {
        let wanted =
            |wrong: Wrong| Wrong { want: wrong.want.replacen("must be ", "must be auto, or ", 1), ..wrong };
        if text == "auto" { Ok(None) } else { S::read(text).map(Some).map_err(wanted) }
    }

    fn write(value: &Self::Value) -> Option<String> {
        value.as_ref().map_or_else(|| Some("auto".to_owned()), S::write)
    }

    fn schema() -> Value {
        json!({"anyOf": [S::schema(), {"const": "auto"}]})
    }
}

/// A value that need not be given.
pub(super) struct Given<S>(PhantomData<S>);

impl<S: Scalar> Scalar for Given<S> {
    type Value = Option<S::Value>;
    const SORT: &'static str = S::SORT;

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

/// The schema of a map or list in whose place `none` may stand.
pub(super) struct NoneOr<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for NoneOr<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("none or {}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        schemars::json_schema!({"anyOf": [value, {"const": "none"}]})
    }
}

/// Deserialises a value whose absence is told from its default.
pub(super) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads a list of no more than so many; `want` says of what.
pub(super) fn list_of<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    most: usize,
    want: &'static str,
) -> Result<Vec<T>, D::Error> {
    let list: Vec<T> = deserializer.deserialize_seq(SeqVisitor(want, PhantomData))?;
    match list.len() <= most {
        true => Ok(list),
        false => Err(D::Error::custom(format!("has too many: at most {most}"))),
    }
}

struct SeqVisitor<T>(&'static str, PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SeqVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(list)
    }
}

/// A list of values, or one of them.
pub(super) struct OneOrMany<S, C>(PhantomData<(S, C)>);

/// What a list becomes.
pub(super) trait Collect<S: Scalar>: Sized {
    /// # Errors
    /// What is wrong with the values together.
    fn collect(values: Vec<S::Value>) -> Result<Self, String>;

    /// The texts of its default.
    fn written(&self) -> Vec<String> {
        Vec::new()
    }
}

impl<S: Scalar> Collect<S> for Vec<S::Value> {
    fn collect(values: Self) -> Result<Self, String> {
        Ok(values)
    }

    fn written(&self) -> Vec<String> {
        self.iter().filter_map(S::write).collect()
    }
}

impl<S: Scalar, C: Collect<S>> OneOrMany<S, C> {
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<C, D::Error> {
        let values = deserializer.deserialize_newtype_struct(ONE_OR_MANY, ListVisitor::<S>(PhantomData))?;
        C::collect(values).map_err(D::Error::custom)
    }

    pub(super) fn serialize<T: Serializer>(list: &C, serializer: T) -> Result<T::Ok, T::Error> {
        match list.written().as_slice() {
            [] => serializer.serialize_none(),
            [one] => serializer.serialize_str(one),
            many => serializer.collect_seq(many),
        }
    }
}

struct ListVisitor<S>(PhantomData<S>);

impl<'de, S: Scalar> Visitor<'de> for ListVisitor<S> {
    type Value = Vec<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&list_unit::<S>())
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(TextSeed::<S>(PhantomData))? {
            values.push(value);
        }
        Ok(values)
    }
}

/// `address, or a list`; `address, or a list; or none`.
fn list_unit<S: Scalar>() -> String {
    match S::unit().strip_suffix(", or `none`") {
        Some(unit) => format!("{unit}, or a list; or `none`"),
        None => format!("{}, or a list", S::unit()),
    }
}

struct TextSeed<S>(PhantomData<S>);

impl<'de, S: Scalar> serde::de::DeserializeSeed<'de> for TextSeed<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        Text::<S>::deserialize(deserializer)
    }
}

impl<S: Scalar, C> JsonSchema for OneOrMany<S, C> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        list_unit::<S>().into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = S::schema();
        let mut schema = described::<S>(json!({"anyOf": [one, {"type": "array", "items": one}]}));
        schema.insert("x-unit".to_owned(), json!(list_unit::<S>()));
        schema
    }
}

/// The pairs that a map of texts becomes.
type KeysAndValues<K, V> = Vec<(<K as Scalar>::Value, <V as Scalar>::Value)>;

/// A map of texts to texts, in the order of the file.
pub(super) struct Pairs<K, V>(PhantomData<(K, V)>);

impl<K: Scalar, V: Scalar> Pairs<K, V> {
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<KeysAndValues<K, V>, D::Error> {
        deserializer.deserialize_map(PairsVisitor::<K, V>(PhantomData))
    }
}

struct PairsVisitor<K, V>(PhantomData<(K, V)>);

impl<'de, K: Scalar, V: Scalar> Visitor<'de> for PairsVisitor<K, V> {
    type Value = KeysAndValues<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s with texts", K::unit())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(key) = map.next_key_seed(TextSeed::<K>(PhantomData))? {
            pairs.push((key, map.next_value_seed(TextSeed::<V>(PhantomData))?));
        }
        Ok(pairs)
    }
}

impl<K: Scalar, V: Scalar> JsonSchema for Pairs<K, V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("map of {}", K::unit()).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = described::<V>(json!({"type": "object", "additionalProperties": V::schema()}));
        schema.insert("x-unit".to_owned(), json!(format!("map of {} to {}", K::unit(), V::unit())));
        schema
    }
}

/// A map of names to entries, as a list of entries that know their names.
pub(super) struct Named<T>(PhantomData<T>);

/// An entry of a map that knows its name.
pub(super) trait Entry: DeserializeOwned {
    fn complete(&mut self, name: String);
}

impl<T: Entry> Named<T> {
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_map(NamedVisitor::<T>(PhantomData))
    }
}

struct NamedVisitor<T>(PhantomData<T>);

impl<'de, T: Entry> Visitor<'de> for NamedVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("each one's name, with its own keys beneath")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<T>, A::Error> {
        let mut entries = Vec::new();
        while let Some(name) = map.next_key_seed(TextSeed::<EntryName>(PhantomData))? {
            let mut entry: T = map.next_value()?;
            entry.complete(name);
            entries.push(entry);
        }
        if entries.len() > MAX_ENTRIES {
            return Err(A::Error::custom(format!("has more than {MAX_ENTRIES} entries")));
        }
        Ok(entries)
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "map".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": ["object", "null"],
            "additionalProperties": generator.subschema_for::<T>(),
            "x-unit": "map",
            "x-default": "nothing",
        })
    }
}

/// Longest name of a token, user or webhook.
const MAX_NAME: usize = 64;

/// Most tokens, users and webhooks: all are compared with each that is shown, or asked at each event.
const MAX_ENTRIES: usize = 1000;

scalar!(EntryName => String, "name", "", |text| {
    let known = |c: char| c.is_ascii_alphanumeric() || "_-.@".contains(c);
    if (1..=MAX_NAME).contains(&text.len()) && text.chars().all(known) {
        return Ok(text.to_owned());
    }
    Err(Wrong::hidden(format!("is not a name: 1 to {MAX_NAME} letters, digits, _, -, . or @")))
});

/// A whole number in a range.
pub(super) struct Count<T, const MIN: u64, const MAX: u64>(PhantomData<T>);

/// A type that holds whole numbers, and the word for its unit.
pub(super) trait Whole: Sized + Copy {
    fn from_u64(number: u64) -> Option<Self>;
    fn to_u64(self) -> u64;
}

macro_rules! whole {
    ($($type:ty)*) => {$(
        impl Whole for $type {
            fn from_u64(number: u64) -> Option<Self> {
                number.try_into().ok()
            }

            fn to_u64(self) -> u64 {
                self as u64
            }
        }
    )*};
}
whole! { u8 u32 u64 usize }

impl Whole for NonZeroU32 {
    fn from_u64(number: u64) -> Option<Self> {
        u32::try_from(number).ok().and_then(Self::new)
    }

    fn to_u64(self) -> u64 {
        self.get().into()
    }
}

impl<T: Whole, const MIN: u64, const MAX: u64> Scalar for Count<T, MIN, MAX> {
    type Value = T;

    fn unit() -> String {
        format!("number, {MIN} to {MAX}")
    }

    fn read(text: &str) -> Result<T, Wrong> {
        let number = text.parse().ok().filter(|number| (MIN..=MAX).contains(number)).and_then(T::from_u64);
        number.ok_or_else(|| Wrong::shown(format!("must be a whole number from {MIN} to {MAX}")))
    }

    fn write(value: &T) -> Option<String> {
        Some(value.to_u64().to_string())
    }

    fn schema() -> Value {
        json!({"type": "integer", "minimum": MIN, "maximum": MAX})
    }
}

/// A number in a range, such as a height in pixels.
pub(super) struct Number<const MIN: u32, const MAX: u32>;

impl<const MIN: u32, const MAX: u32> Scalar for Number<MIN, MAX> {
    type Value = f32;

    fn unit() -> String {
        format!("pixels, {MIN} to {MAX}")
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range is checked, and a letter needs no 16 digits"
    )]
    fn read(text: &str) -> Result<f32, Wrong> {
        let number = number(text).filter(|number| (f64::from(MIN)..=f64::from(MAX)).contains(number));
        number
            .map(|number| number as f32)
            .ok_or_else(|| Wrong::shown(format!("must be a number of pixels from {MIN} to {MAX}")))
    }

    fn write(value: &f32) -> Option<String> {
        Some(value.to_string())
    }

    fn schema() -> Value {
        json!({"type": "number", "minimum": MIN, "maximum": MAX})
    }
}

/// Frames per second.
pub(super) struct Fps;

impl Scalar for Fps {
    type Value = f64;

    fn unit() -> String {
        format!("number from {MIN_FPS} to {MAX_FPS}")
    }

    fn read(text: &str) -> Result<f64, Wrong> {
        number(text)
            .filter(|fps| (MIN_FPS..=MAX_FPS).contains(fps))
            .ok_or_else(|| Wrong::shown(format!("must be a number from {MIN_FPS} to {MAX_FPS}")))
    }

    fn write(value: &f64) -> Option<String> {
        Some(value.to_string())
    }

    fn schema() -> Value {
        json!({"type": "number", "minimum": MIN_FPS, "maximum": MAX_FPS})
    }
}

scalar!(
    /// A number that may be below zero.
    Signed => f64, "number", "", |text| {
        let (sign, digits) = text.strip_prefix('-').map_or((1.0, text), |digits| (-1.0, digits));
        let number = number(digits).filter(|number| number.is_finite());
        number.map(|number| number * sign).ok_or_else(|| Wrong::shown("must be a number such as -12.5"))
    }
);

/// A share, 0 to 1, as 0 to 255.
pub(super) struct Share;

impl Scalar for Share {
    type Value = u8;

    fn unit() -> String {
        "number, 0 to 1".to_owned()
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
    fn read(text: &str) -> Result<u8, Wrong> {
        let share = number(text).filter(|share| (0.0..=1.0).contains(share));
        share
            .map(|share| (share * 255.0).round() as u8)
            .ok_or_else(|| Wrong::shown("must be a number from 0 to 1"))
    }

    fn write(value: &u8) -> Option<String> {
        Some((f64::from(*value) / 255.0).to_string())
    }

    fn schema() -> Value {
        json!({"type": "number", "minimum": 0, "maximum": 1})
    }
}

/// Digits with at most one point: `inf`, `nan` and `1e9` are no settings.
fn number(text: &str) -> Option<f64> {
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    text.chars().all(digits).then(|| text.parse().ok()).flatten()
}

/// Bytes: `8MiB`, `500kB`, `65536`.
pub(super) struct Bytes<T, const MIN: u64, const MAX: u64>(PhantomData<T>);

impl<T: Whole, const MIN: u64, const MAX: u64> Scalar for Bytes<T, MIN, MAX> {
    type Value = T;

    fn unit() -> String {
        format!("size, {} to {}", written_bytes(MIN), written_bytes(MAX))
    }

    fn read(text: &str) -> Result<T, Wrong> {
        let want = || Wrong::shown("must be a size such as 8MiB, 500kB or a number of bytes");
        let (digits, unit) = split_unit(text);
        let factor = match unit {
            "" | "B" => 1_u64,
            "kB" | "KB" => 1000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "KiB" | "kiB" => KIB,
            "MiB" => MIB,
            "GiB" => GIB,
            _ => return Err(want()),
        };
        let bytes =
            digits.parse::<u64>().ok().and_then(|count| count.checked_mul(factor)).ok_or_else(want)?;
        let bytes = Some(bytes).filter(|bytes| (MIN..=MAX).contains(bytes)).and_then(T::from_u64);
        let (min, max) = (written_bytes(MIN), written_bytes(MAX));
        bytes.ok_or_else(|| Wrong::shown(format!("must be a size from {min} to {max}")))
    }

    fn write(value: &T) -> Option<String> {
        Some(written_bytes(value.to_u64()))
    }

    fn schema() -> Value {
        let size = json!({"type": "string", "pattern": "^[0-9]+ *(B|kB|KB|MB|GB|KiB|kiB|MiB|GiB)?$"});
        json!({"anyOf": [size, {"type": "integer", "minimum": 0}]})
    }
}

fn written_bytes(bytes: u64) -> String {
    [(GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")]
        .into_iter()
        .find(|(factor, _)| bytes >= *factor && bytes.is_multiple_of(*factor))
        .map_or_else(|| format!("{bytes} bytes"), |(factor, unit)| format!("{}{unit}", bytes / factor))
}

/// A time in milliseconds: `500ms`, `10s`, `1.5s`, `2m`, `1h`.
pub(super) struct Time<const MIN: u64, const MAX: u64>;

impl<const MIN: u64, const MAX: u64> Scalar for Time<MIN, MAX> {
    type Value = Duration;

    fn unit() -> String {
        format!("time, {} to {}", written_time(MIN.into()), written_time(MAX.into()))
    }

    fn read(text: &str) -> Result<Duration, Wrong> {
        let want = || Wrong::shown("must be a time with its unit (ms, s, m or h), such as 10s");
        let (digits, unit) = split_unit(text);
        let millis = match unit {
            "ms" => 1.0,
            "s" => 1000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            _ => return Err(want()),
        };
        let seconds = number(digits).ok_or_else(want)? * millis / 1000.0;
        let time = Duration::try_from_secs_f64(seconds).map_err(|_| want())?;
        if (Duration::from_millis(MIN)..=Duration::from_millis(MAX)).contains(&time) {
            return Ok(time);
        }
        let (min, max) = (written_time(MIN.into()), written_time(MAX.into()));
        Err(Wrong::shown(format!("must be a time from {min} to {max}")))
    }

    fn write(value: &Duration) -> Option<String> {
        Some(written_time(value.as_millis()))
    }

    fn schema() -> Value {
        json!({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? *(ms|s|m|h)$"})
    }
}

fn written_time(millis: u128) -> String {
    match millis {
        0 => "0s".to_owned(),
        ms if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        ms if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        ms if ms.is_multiple_of(1000) => format!("{}s", ms / 1000),
        ms => format!("{ms}ms"),
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..at], text[at..].trim_start())
}

/// One line of 1 to so many characters.
pub(super) struct Line<const MAX: usize>;

impl<const MAX: usize> Scalar for Line<MAX> {
    type Value = String;

    fn unit() -> String {
        "text".to_owned()
    }

    fn read(text: &str) -> Result<String, Wrong> {
        let fits = !text.trim().is_empty() && text.chars().count() <= MAX && !text.contains(char::is_control);
        let want = || Wrong::hidden(format!("must be one line of 1 to {MAX} characters"));
        fits.then(|| text.to_owned()).ok_or_else(want)
    }
}

/// A text of 1 to so many characters, with line breaks.
pub(super) struct Words<const MAX: usize>;

impl<const MAX: usize> Scalar for Words<MAX> {
    type Value = String;

    fn unit() -> String {
        "text".to_owned()
    }

    fn read(text: &str) -> Result<String, Wrong> {
        let fits = !text.trim().is_empty() && text.chars().count() <= MAX;
        fits.then(|| text.to_owned()).ok_or_else(|| Wrong::hidden(format!("must have 1 to {MAX} characters")))
    }
}

/// A secret of so many bytes and more.
pub(super) struct LongSecret<const MIN: usize>;

impl<const MIN: usize> Scalar for LongSecret<MIN> {
    type Value = Secret;
    const SORT: &'static str = SECRET;

    fn unit() -> String {
        format!("text of {MIN} letters and more")
    }

    fn read(text: &str) -> Result<Secret, Wrong> {
        let fits = text.len() >= MIN;
        let want = || Wrong::hidden(format!("must be none, or a secret of {MIN} letters and more"));
        fits.then(|| Secret::new(text)).ok_or_else(want)
    }
}

scalar!(
    /// A file of this machine.
    File => PathBuf, "path of a file", LOCAL, |text| Ok(text.into())
);

scalar!(
    /// A folder of this machine that is there.
    Folder => PathBuf, "path of a folder", LOCAL, |text| {
        let folder = PathBuf::from(text);
        folder.is_dir().then_some(folder).ok_or_else(|| Wrong::shown("must be a folder that exists"))
    }
);

/// A value of one of a few words that are no type of their own.
pub(super) fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Wrong> {
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        Wrong::shown(format!("must be {}", alternatives(&words)))
    })
}

/// Width and height in pixels, written `640x480`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels across.
    pub width: NonZeroU32,
    /// Pixels down.
    pub height: NonZeroU32,
}

impl Size {
    /// A size that is known to have two sides.
    pub(super) const fn new(width: u32, height: u32) -> Self {
        match (NonZeroU32::new(width), NonZeroU32::new(height)) {
            (Some(width), Some(height)) => Self { width, height },
            _ => panic!("a picture has two sides"),
        }
    }

    /// Width times height.
    pub(super) fn pixels(self) -> u64 {
        u64::from(self.width.get()) * u64::from(self.height.get())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl Scalar for Size {
    type Value = Self;

    fn unit() -> String {
        "width x height".to_owned()
    }

    fn read(text: &str) -> Result<Self, Wrong> {
        let side = |digits: &str| {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<NonZeroU32>().ok().filter(|side| plain && u64::from(side.get()) <= MAX_SIDE)
        };
        let sides = text.split_once('x').and_then(|(width, height)| Some((side(width)?, side(height)?)));
        let want = || format!("must be width x height in pixels, such as 640x480, up to {MAX_SIDE}");
        sides.map(|(width, height)| Self { width, height }).ok_or_else(|| Wrong::shown(want()))
    }

    fn write(value: &Self) -> Option<String> {
        Some(value.to_string())
    }

    fn schema() -> Value {
        json!({"type": "string", "pattern": "^[0-9]+x[0-9]+$"})
    }
}

/// Red, green and blue, written `#rrggbb` or `#rgb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color {
    /// Red.
    pub r: u8,
    /// Green.
    pub g: u8,
    /// Blue.
    pub b: u8,
}

impl Scalar for Color {
    type Value = Self;

    fn unit() -> String {
        "colour, in quotes".to_owned()
    }

    fn read(text: &str) -> Result<Self, Wrong> {
        let want = || Wrong::shown("must be a colour such as \"#ff8800\" or \"#f80\"");
        let digit = |c: char| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let digits: Option<Vec<u8>> =
            text.strip_prefix('#').and_then(|text| text.chars().map(digit).collect());
        match digits.as_deref() {
            Some(&[r, g, b]) => Ok(Self { r: r * 17, g: g * 17, b: b * 17 }),
            Some(&[r, rr, g, gg, b, bb]) => Ok(Self { r: r * 16 + rr, g: g * 16 + gg, b: b * 16 + bb }),
            _ => Err(want()),
        }
    }

    fn write(Self { r, g, b }: &Self) -> Option<String> {
        Some(format!("#{r:02x}{g:02x}{b:02x}"))
    }
}

/// A colour that may let through what is beneath: also `#rrggbbaa` or `#rgba`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ink {
    /// The colour.
    pub color: Color,
    /// 255 hides what is beneath.
    pub alpha: u8,
}

impl Scalar for Ink {
    type Value = Self;

    fn unit() -> String {
        Color::unit()
    }

    fn read(text: &str) -> Result<Self, Wrong> {
        let want = || Wrong::shown("must be a colour such as \"#ff8800\", \"#f80\" or \"#f808\"");
        let digit = |at: usize| text.as_bytes().get(at).and_then(|&byte| char::from(byte).to_digit(16));
        let (opaque, alpha) = match text.len() {
            5 if text.is_ascii() => (&text[..4], digit(4).map(|a| a * 17)),
            9 if text.is_ascii() => (&text[..7], digit(7).zip(digit(8)).map(|(a, aa)| a * 16 + aa)),
            _ => (text, Some(255)),
        };
        let color = Color::read(opaque).map_err(|_| want())?;
        let alpha = alpha.and_then(|alpha| u8::try_from(alpha).ok()).ok_or_else(want)?;
        Ok(Self { color, alpha })
    }

    fn write(Self { color, alpha }: &Self) -> Option<String> {
        let Color { r, g, b } = color;
        let is_short = [r, g, b, alpha].into_iter().all(|part| part % 17 == 0);
        Some(match alpha {
            255 => Color::write(color)?,
            _ if is_short => format!("#{:x}{:x}{:x}{:x}", r / 17, g / 17, b / 17, alpha / 17),
            _ => Color::write(color)? + &format!("{alpha:02x}"),
        })
    }
}

/// A text that no log line, error, page or answer may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for the wire and for comparing, never for showing.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
