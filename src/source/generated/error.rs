//! The errors of sources that draw their frames.

use crate::imaging::{PoolError, codec::CodecError};

/// Why a renderer ended.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The text's `%` conversions.
    #[error("{0}")]
    Format(String),
    /// A side longer than a JPEG can have, or the encoder failed.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Drawing panicked.
    #[error(transparent)]
    Pool(#[from] PoolError),
}
