//! The errors of sequences of picture files.

/// Why a sequence ended.
#[derive(Debug, thiserror::Error)]
pub enum ImagesError {
    /// No file matches.
    #[error("no picture files match {pattern}; put JPEG, PNG, WebP, GIF or BMP files there")]
    Nothing {
        /// The glob pattern.
        pattern: String,
    },
    /// Files, but none of them is a readable picture.
    #[error("none of the {files} files that match {pattern} can be shown; the last one: {reason}")]
    NothingReadable {
        /// The glob pattern.
        pattern: String,
        /// Files that match.
        files: usize,
        /// The error of the last file.
        reason: String,
    },
    /// The pattern itself is wrong.
    #[error("{pattern} is not a file pattern: {reason}")]
    Pattern {
        /// The glob pattern.
        pattern: String,
        /// The error.
        reason: String,
    },
}

impl ImagesError {
    /// Returns a text for everybody, without paths of this machine.
    pub fn public(&self) -> &'static str {
        match self {
            Self::Nothing { .. } => "there are no picture files",
            Self::NothingReadable { .. } => "none of the picture files can be shown",
            Self::Pattern { .. } => "the search for its picture files failed",
        }
    }
}
