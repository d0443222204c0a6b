//! Takes the body of a camera's answer apart into JPEGs.

use bytes::Bytes;

/// What a source does differently from RFC 2046; counted, shown by `framecast probe`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Quirk {
    /// No Huffman tables (USB cameras, AVI1).
    NoHuffmanTables,
}

impl Quirk {
    /// Every quirk, in the order of [`Quirk::index`].
    pub const ALL: &'static [Quirk] = &[Quirk::NoHuffmanTables];

    /// Position in [`Quirk::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// A short name in kebab-case, for JSON and metrics.
    pub fn as_str(self) -> &'static str {
        "no-huffman-tables"
    }
}

/// One picture cut from the body: SOI to EOI, not copied from the parser's buffer.
#[derive(Debug, Clone)]
pub struct Part {
    /// The JPEG.
    pub jpeg: Bytes,
}
