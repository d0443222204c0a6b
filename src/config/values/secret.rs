//! Texts that are never shown.

use std::fmt;

use super::scalar::{Scalar, Wrong};
use crate::config::reader::SECRET;

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

/// A secret of at least `MIN` bytes.
pub(crate) struct LongSecret<const MIN: usize>;

impl<const MIN: usize> Scalar for LongSecret<MIN> {
    type Value = Secret;
    const KIND: &'static str = SECRET;

    fn unit() -> String {
        format!("text of {MIN} letters and more")
    }

    fn read(text: &str) -> Result<Secret, Wrong> {
        let want = || Wrong::hidden(format!("must be none, or a secret of {MIN} letters and more"));
        (text.len() >= MIN).then(|| Secret::new(text)).ok_or_else(want)
    }
}
