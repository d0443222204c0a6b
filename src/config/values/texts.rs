//! Texts, names and paths.

use std::path::PathBuf;

use super::scalar::{Scalar, Wrong, scalar};
use crate::{config::reader::LOCAL, media::stream_name::StreamName};

/// One line of 1 to `MAX` characters.
pub(crate) struct Line<const MAX: usize>;

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

/// A text of 1 to `MAX` characters, with line breaks.
pub(crate) struct Words<const MAX: usize>;

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

scalar!(
    /// The name of another stream.
    struct StreamRef => StreamName, "name of a stream", "", |text| {
        text.parse().map_err(|_| Wrong::shown("must be the name of a stream"))
    }
);

scalar!(
    /// A file of this machine.
    struct File => PathBuf, "path of a file", LOCAL, |text| Ok(text.into())
);
