//! A stream's name: `[a-z0-9_-]{1,64}`, so that URLs, file names and metrics can contain it unescaped.

use std::{fmt, str::FromStr, sync::Arc};

/// Longest stream name, in characters: fits a label in every metrics store and a file name with a suffix.
const MAX_NAME_LENGTH: usize = 64;

/// A checked stream name. Cloning shares the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName(Arc<str>);

/// The error of a text that is not a stream name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a stream name has 1 to {MAX_NAME_LENGTH} of the characters a-z, 0-9, _ and -")]
pub struct NameError;

impl StreamName {
    /// Longest name, in characters.
    pub const MAX_LENGTH: usize = MAX_NAME_LENGTH;

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StreamName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = (1..=MAX_NAME_LENGTH).contains(&text.len());
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        if fits && text.bytes().all(allowed) { Ok(Self(text.into())) } else { Err(NameError) }
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for StreamName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_lowercase_and_url_safe() {
        let longest = "a".repeat(MAX_NAME_LENGTH);
        for good in ["a", "front-door", "cam_1", "0", &longest] {
            assert_eq!(good.parse::<StreamName>().unwrap().as_str(), good);
        }
        let too_long = "a".repeat(MAX_NAME_LENGTH + 1);
        for bad in ["", "Door", "a b", "a/b", "../x", "ä", "a.jpg", &too_long] {
            assert_eq!(bad.parse::<StreamName>(), Err(NameError), "{bad:?}");
        }
    }
}
