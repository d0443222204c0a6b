//! Pixels: decode, encode, convert, in a bounded pool of CPU workers.
//!
//! - [`codec`]: JPEG to [`Pixels`] and back; the only place that knows the JPEG crates
//! - [`lossless`]: turning, cropping and greying a JPEG without decoding it to pixels
//! - [`pool`]: the workers; busy means the frame is dropped and counted, never queued
//! - [`memory`]: the memory that all pictures together may use; `footprint` computes it from a picture's
//!   header
//! - `canvas`, [`fonts`], [`strftime`]: a picture to draw on, letters, and the time in them
//! - [`planes`]: a picture as brightness and colour planes, which transforms work on
//! - [`plan`]: what has to be done to a picture, found out before; [`turn`]: which way it is laid down
//! - [`pipeline`]: does it, frame by frame, where it can without decoding (`shortcut`); [`stage`]: between a stream's source
//!   and its bus
//! - [`overlay`]: letters and logos
//! - [`picture`]: any picture file to a [`Frame`](crate::frame::Frame)
//!
//! Nothing here runs on the pass-through path of a frame.

pub(crate) mod canvas;
pub mod codec;
pub(crate) mod footprint;
pub mod lossless;
pub mod fonts;
mod mask;
pub mod memory;
pub(crate) mod moves;
pub mod overlay;
pub mod picture;
pub mod pipeline;
pub mod plan;
pub mod planes;
pub mod pool;
mod scratch;
mod shortcut;
pub mod stage;
pub mod strftime;
pub mod turn;

pub use codec::{Pixels, Quality};
pub use memory::PictureMemory;
pub use pool::{Pool, PoolError};
