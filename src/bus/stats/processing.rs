//! The processing of a frame between its source and its viewers.

/// The processing of a frame between its source and its viewers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processing {
    /// Unchanged bytes of the source (with Huffman tables, if it left them out).
    Passed,
    /// Changed without being decoded: metadata taken out, blocks moved.
    Lossless,
    /// Decoded and encoded anew.
    Encoded,
}

impl Processing {
    /// Every way, in the order of the counters.
    pub const ALL: [Self; 3] = [Self::Passed, Self::Lossless, Self::Encoded];

    /// Returns the name in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Lossless => "lossless",
            Self::Encoded => "encoded",
        }
    }
}
