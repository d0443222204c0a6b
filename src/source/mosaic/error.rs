//! The errors of mosaics.

use crate::{
    imaging::{PoolError, codec::CodecError},
    limits::BudgetError,
};

/// An error in drawing a mosaic.
#[derive(Debug, thiserror::Error)]
pub enum MosaicError {
    /// The picture cannot be decoded or encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Drawing panicked, or needs too much memory.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// There is no memory for its planes.
    #[error("no memory to keep its picture, for which a quarter of limits.max_decode_bytes is reserved: {0}")]
    Memory(#[from] BudgetError),
}
