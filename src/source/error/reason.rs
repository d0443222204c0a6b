//! The reason why a stream has no picture, in two texts: one for all viewers, one for administrators and the
//! log.
//!
//! Camera responses, program output and configured names must not be shown to everybody: a stream's URL may
//! lead to a service whose responses viewers must not read. So the detailed text is returned only by
//! [`Reason::detailed`]; `Display` prints the public one.

use std::{borrow::Cow, fmt};

use crate::media::multipart::sniff::is_invisible;

/// Maximum length of the detailed text, in bytes: a few sentences.
const MAX_DETAIL: usize = 1000;

/// The reason why a stream has no picture. `Display` prints its public text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reason {
    public: Cow<'static, str>,
    /// The complete text, in place of the public one.
    detail: Option<String>,
}

impl Reason {
    /// Creates a reason that everybody may read: framecast's own words, and numbers.
    pub fn public_only(text: impl Into<Cow<'static, str>>) -> Self {
        Self { public: text.into(), detail: None }
    }

    /// Creates a reason with a text for administrators, which may quote others. The text is truncated, and
    /// reduced to one line of visible characters.
    pub fn with_detail(public: impl Into<Cow<'static, str>>, detail: &str) -> Self {
        let detail = &detail[..detail.floor_char_boundary(MAX_DETAIL)];
        let detail = detail.chars().map(|c| if is_invisible(c) { ' ' } else { c }).collect();
        Self { public: public.into(), detail: Some(detail) }
    }

    /// Returns the text for everybody.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// Returns the text for administrators and the log.
    pub fn detailed(&self) -> &str {
        self.detail.as_deref().unwrap_or(&self.public)
    }

    /// Joins several reasons into one, each after its number.
    pub fn numbered<'a>(reasons: impl Iterator<Item = (usize, &'a Self)>) -> Self {
        let (mut public, mut detail) = (Vec::new(), Vec::new());
        for (number, reason) in reasons {
            public.push(format!("{number}: {}", reason.public()));
            detail.push(format!("{number}: {}", reason.detailed()));
        }
        Self { public: public.join("; ").into(), detail: Some(detail.join("; ")) }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public)
    }
}

impl From<&'static str> for Reason {
    fn from(text: &'static str) -> Self {
        Self::public_only(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_the_public_text() {
        let reason = Reason::with_detail("the camera sent text/html", "cam:80 sent \u{1b}[31ms3cret\n");
        assert_eq!(reason.to_string(), "the camera sent text/html");
        assert_eq!(reason.detailed(), "cam:80 sent  [31ms3cret ");
        let long = Reason::with_detail("p", &"ä".repeat(MAX_DETAIL));
        assert_eq!(long.detailed().len(), MAX_DETAIL);
        let both = Reason::numbered([(1, &reason), (2, &"it is off".into())].into_iter());
        assert_eq!(both.public(), "1: the camera sent text/html; 2: it is off");
        assert_eq!(both.detailed(), "1: cam:80 sent  [31ms3cret ; 2: it is off");
    }
}
