//! Decodes, transforms, draws and encodes pictures, in a bounded pool of CPU workers.
//!
//! - [`codec`]: JPEG to [`Pixels`] and back; the only module that uses the JPEG crates
//! - [`lossless`]: turns, crops and greys a JPEG without decoding it to pixels
//! - [`ycbcr`]: a picture as brightness and colour planes, which transforms work on
//! - [`transform`]: the steps of a stream: planned once, run for each frame, between its source and its bus
//! - [`overlay`]: texts and logos on a picture
//! - [`raster`]: a picture to draw on, glyphs, and times in texts
//! - [`convert`]: any picture file to a [`Frame`](crate::media::frame::Frame)
//! - [`cpu_pool`]: the workers, and the memory that all pictures together may use; a busy pool drops the
//!   frame and counts it, it never queues it
//!
//! Nothing here runs on the pass-through path of a frame.

pub mod codec;
pub mod lossless;
pub mod overlay;
pub mod convert;
pub mod ycbcr;
pub mod cpu_pool;
pub mod raster;
pub mod transform;

pub use codec::{Pixels, Quality};
pub use cpu_pool::{CpuPool, PoolError, memory::PictureMemory};
