//! Pixels: decode, encode, convert, in a bounded pool of CPU workers.
//!
//! - [`codec`]: JPEG to [`Pixels`] and back; the only place that knows the JPEG crates
//! - [`pool`]: the workers; busy means the frame is dropped and counted, never queued
//! - [`canvas`], [`fonts`], [`strftime`]: a picture to draw on, letters, and the time in them
//! - [`picture`]: any picture file to a [`Frame`](crate::frame::Frame)
//!
//! Nothing here runs on the pass-through path of a frame.

pub(crate) mod canvas;
pub mod codec;
pub mod fonts;
pub mod picture;
pub mod pool;
pub mod strftime;

pub use codec::{Pixels, Quality};
pub use pool::{Pool, PoolError};
