//! Errors of decoding and encoding.

/// An error of decoding or encoding a picture.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The buffer does not fit the size.
    #[error("{width}x{height} pixels take {wanted} bytes and at least one pixel, but the buffer has {got}")]
    Size {
        /// Width in pixels.
        width: u16,
        /// Height in pixels.
        height: u16,
        /// Bytes that fit the size.
        wanted: usize,
        /// Bytes given.
        got: usize,
    },
    /// The picture has more pixels than allowed; nothing was decoded.
    #[error("the picture is {width}x{height} pixels, at most {max_pixels} pixels are accepted")]
    TooManyPixels {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// The limit in pixels.
        max_pixels: u64,
    },
    /// A side is longer than a JPEG can have.
    #[error("cannot draw {width}x{height} pixels: a JPEG has at most 65535 on a side")]
    Side {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The JPEG is damaged, or of a kind that the decoder does not support.
    #[error("the JPEG cannot be decoded: {0}")]
    Decode(String),
    /// The encoder failed.
    #[error("the picture cannot be encoded as JPEG: {0}")]
    Encode(String),
}
