//! The errors of mosaics.

use crate::{
    imaging::{PoolError, codec::CodecError},
    limits::BudgetError,
};

/// Why a mosaic cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum MosaicError {
    /// It cannot be encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Drawing panicked, or needs too much memory.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// There is no memory to keep its planes.
    #[error("no memory to keep its picture, for which a quarter of limits.max_decode_bytes is reserved: {0}")]
    Memory(#[from] BudgetError),
}
