//! The error of the deserialiser.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::suggestions::{alternatives, nearest};
use crate::config::{error::Position, yaml::Node};

/// The reason why a value cannot be deserialised.
#[derive(Debug)]
pub(crate) struct Error {
    /// A description of what would be right; empty if it was noted already.
    pub(super) message: String,
    /// The text that does not fit.
    pub(super) found: Option<String>,
    /// The key that is missing.
    pub(super) missing: Option<&'static str>,
    pub(super) place: Option<Place>,
}

/// The value that an error is about; the reader leaves it out.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) at: Position,
    pub(super) path: String,
    pub(super) node: *const Node,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), found: None, missing: None, place: None }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = if let Unexpected::Str(found) = found { Some(found.to_owned()) } else { None };
        Self { found, ..Self::custom(expected) }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { missing: Some(field), ..Self::custom("") }
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::custom(unknown_key(field, known))
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        let meant = nearest(variant, known).map(|meant| format!(" (did you mean {meant}?)"));
        let message = match known.len() {
            ..=3 => format!("must be {}", alternatives(known)),
            _ => format!("must be one of {}{}", known.join(", "), meant.unwrap_or_default()),
        };
        Self { found: Some(variant.to_owned()), ..Self::custom(message) }
    }
}

/// The message for a key that is none of those known.
pub(crate) fn unknown_key(key: &str, known: &[&str]) -> String {
    match nearest(key, known) {
        Some(meant) => format!("unknown key, did you mean `{meant}`?"),
        None => format!("unknown key: the keys here are {}", known.join(", ")),
    }
}
