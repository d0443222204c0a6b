//! The errors of sources that draw their frames.

use crate::imaging::{PoolError, codec::CodecError};

/// An error that ended a renderer.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The text has an invalid `%` conversion.
    #[error("{0}")]
    Format(String),
    /// A side is longer than a JPEG allows, or the encoder failed.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Drawing panicked, or needs too much memory.
    #[error(transparent)]
    Pool(#[from] PoolError),
}
