//! Decodes and encodes JPEG, behind one small trait.
//!
//! The default build uses libjpeg-turbo (`turbo`), which also decodes at a fraction of the size; without the
//! feature `turbo` it is zune-jpeg and jpeg-encoder (`pure`), which are written in Rust. No code outside this
//! folder names a JPEG crate. With the feature `h264` it also decodes H.264 to planes ([`h264`]).

mod error;
#[cfg(feature = "h264")]
pub mod h264;
mod jpeg_codec;
mod pixels;
mod pure;
#[cfg(test)]
mod tests;
#[cfg(feature = "turbo")]
mod turbo;

pub use error::CodecError;
pub use jpeg_codec::{DecodeOptions, JpegCodec, Quality};
pub(crate) use pixels::planes_from_rgb;
pub use pixels::{PixelFormat, Pixels};
pub use pure::PureRust;
#[cfg(feature = "turbo")]
pub use turbo::Turbo;

/// Returns the codec of this build.
#[cfg(feature = "turbo")]
pub fn codec() -> &'static dyn JpegCodec {
    &Turbo
}

/// Returns the codec of this build.
#[cfg(not(feature = "turbo"))]
pub fn codec() -> &'static dyn JpegCodec {
    &PureRust
}
