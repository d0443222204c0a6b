//! `placeholder:` of a stream.

use std::path::PathBuf;

/// What viewers see while the source is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placeholder {
    /// Nothing: the last picture stays as it was.
    None,
    /// A card with the stream's title, since when, and why.
    Card,
    /// The last picture, dimmed, with the same words; a card where there is none.
    Last,
    /// A picture of the user's own.
    Image {
        /// PNG, JPEG, WebP, GIF or BMP.
        path: PathBuf,
        /// Whether title, since when and why are written on it.
        label: bool,
    },
}
