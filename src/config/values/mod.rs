//! Values that are written as one text, and lists and maps of them.
//!
//! A [`Scalar`] reads a text, names its unit, writes its default and gives its JSON Schema. A field of a
//! section names it: `#[serde(with = "Text::<Time<0, DAY>>")]`.

mod defaults;
mod lists;
mod picture;
mod scalar;
mod secret;
mod texts;
mod units;

pub(crate) use defaults::*;
pub(crate) use lists::{Collect, Entry, Named, OneOrMany, Pairs, list_of, one_or_many};
pub(crate) use picture::MAX_SIDE;
pub use picture::{Color, Ink, Size};
pub(crate) use scalar::{
    NoneOr, OrAuto, OrNone, Scalar, Short, Text, Wrong, given, json_schema, scalar, short, word,
};
pub(crate) use secret::LongSecret;
pub use secret::Secret;
pub(crate) use texts::{File, Line, StreamRef, Words};
pub(crate) use units::{
    Bytes, Count, DAY, Fps, GIB, HOUR, KIB, LetterHeight, MIB, MINUTE, SECOND, Share, Signed, Time,
};
