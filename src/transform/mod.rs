//! Pixels: decode, encode, convert, in a bounded pool of CPU workers.
//!
//! - [`codec`]: JPEG to [`Pixels`] and back; the only place that knows the JPEG crates
//! - [`lossless`]: turning, cropping and greying a JPEG without decoding it to pixels
//! - [`pool`]: the workers; busy means the frame is dropped and counted, never queued
//! - [`picture`]: any picture file to a [`Frame`](crate::frame::Frame)
//!
//! Nothing here draws, and nothing here runs on the pass-through path of a frame.

pub mod codec;
pub mod lossless;
pub mod picture;
pub mod pool;

pub use codec::{Pixels, Quality};
pub use pool::{Pool, PoolError};
