//! `${VAR}` and `${VAR:-default}` in values; `$${` is a literal `${`.

use std::{borrow::Cow, collections::BTreeMap};

/// The variables that values may name: those of the process, or a test's.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// A copy of this process's variables. Those that are not Unicode count as not set.
    pub fn process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// One variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// A stretch of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Text of the file.
    Literal(&'a str),
    /// `${name}` or `${name:-default}`.
    Variable {
        /// Its name, checked to be one.
        name: &'a str,
        /// The value when it is not set or empty.
        default: Option<&'a str>,
    },
}

/// Takes a value apart.
///
/// # Errors
/// A description of what is wrong with a `${…}`.
pub(crate) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            pieces.push(Piece::Literal(&rest[..at - 1]));
            pieces.push(Piece::Literal("${"));
            rest = &rest[at + 2..];
            continue;
        }
        pieces.push(Piece::Literal(&rest[..at]));
        let inner = &rest[at + 2..];
        let end = inner.find('}').ok_or("`${` has no closing `}`; a literal `${` is written `$${`")?;
        pieces.push(variable(&inner[..end])?);
        rest = &inner[end + 1..];
    }
    pieces.push(Piece::Literal(rest));
    Ok(pieces)
}

fn variable(inner: &str) -> Result<Piece<'_>, String> {
    let (name, default) = match inner.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(word) {
        return Err(
            "a variable is written `${NAME}` or `${NAME:-default}`, with A-Z, 0-9 and _ in its name".into()
        );
    }
    if default.is_some_and(|default| default.contains("${")) {
        return Err("a default of a variable cannot name another variable".into());
    }
    Ok(Piece::Variable { name, default })
}

/// Puts the variables into a value. `inserted` may change what a variable brings, by the number of its piece.
///
/// # Errors
/// Names each variable that is not set.
pub(crate) fn expand<'a>(
    pieces: &[Piece<'a>],
    environment: &'a Environment,
    inserted: impl Fn(usize, &'a str) -> Cow<'a, str>,
) -> Result<String, Vec<String>> {
    let mut text = String::new();
    let mut missing = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        match *piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Variable { name, default } => {
                let value = environment.get(name).filter(|value| default.is_none() || !value.is_empty());
                match value.or(default) {
                    Some(value) => text.push_str(&inserted(number, value)),
                    None => missing.push(name.to_owned()),
                }
            }
        }
    }
    if missing.is_empty() { Ok(text) } else { Err(missing) }
}

/// Returns whether a value as in the file is nothing but a variable without a default.
pub(crate) fn is_variable(raw: &str) -> bool {
    let pieces = pieces(raw);
    matches!(
        pieces.as_deref(),
        Ok([Piece::Literal(""), Piece::Variable { default: None, .. }, Piece::Literal("")])
    )
}
