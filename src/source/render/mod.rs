//! Pictures that framecast draws itself.
//!
//! - [`text`]: a line of text with the time in it
//! - [`pattern`]: moving colour bars, on which a person sees a freeze
//! - [`chart`]: live graphs
//! - [`placeholder`]: what viewers see while a source is away
//!
//! Everything is drawn into a canvas, with letters from the [`fonts`] built into the program: no font of the system
//! is ever used, so a picture looks the same on every machine. Drawing runs in the CPU pool, on slots of the wall clock.

mod canvas;
pub mod chart;
pub mod fonts;
pub mod pattern;
pub mod placeholder;
pub mod text;
pub(super) mod tick;

use crate::transform::{PoolError, codec::CodecError};

/// Why a renderer ended.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A side longer than a JPEG can have.
    #[error("cannot draw {width}x{height} pixels: a JPEG has at most 65535 on a side")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The text's `%` conversions.
    #[error("{0}")]
    Format(String),
    /// The encoder failed.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Drawing panicked.
    #[error(transparent)]
    Pool(#[from] PoolError),
}
