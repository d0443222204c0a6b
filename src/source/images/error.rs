//! The errors of sequences of picture files.

/// An error that ended a sequence.
#[derive(Debug, thiserror::Error)]
pub enum ImagesError {
    /// No file matches.
    #[error("no picture files match {pattern}; put JPEG, PNG, WebP, GIF or BMP files there")]
    Nothing {
        /// The glob pattern.
        pattern: String,
    },
    /// Files match, but none of them is a readable picture.
    #[error("none of the {files} files that match {pattern} can be shown; the last one: {reason}")]
    NothingReadable {
        /// The glob pattern.
        pattern: String,
        /// Number of files that match.
        files: usize,
        /// The error of the last file.
        reason: String,
    },
    /// The pattern is malformed.
    #[error("{pattern} is not a file pattern: {reason}")]
    Pattern {
        /// The glob pattern.
        pattern: String,
        /// The syntax error of the pattern.
        reason: String,
    },
}

impl ImagesError {
    /// Returns the text for everybody, without paths of this machine.
    pub fn public(&self) -> &'static str {
        match self {
            Self::Nothing { .. } => "there are no picture files",
            Self::NothingReadable { .. } => "none of the picture files can be shown",
            Self::Pattern { .. } => "the search for its picture files failed",
        }
    }
}
