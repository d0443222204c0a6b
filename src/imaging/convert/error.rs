//! Errors of picture files.

/// An error of a picture file.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The first bytes are not those of a picture.
    #[error("not a picture but {looks_like}; JPEG, PNG, WebP, GIF and BMP are accepted")]
    NotAPicture {
        /// The format that the first bytes look like.
        looks_like: String,
    },
    /// The file ends in the middle of the picture.
    #[error("the {format} is cut off after {len} bytes; send the whole file")]
    Truncated {
        /// The file format.
        format: &'static str,
        /// Length of the file in bytes.
        len: usize,
    },
    /// The file has more bytes than allowed.
    #[error("the picture has {len} bytes, at most {max} are accepted (limits.max_frame_bytes)")]
    TooLarge {
        /// Bytes of the file, or of the JPEG made from it.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The picture has more pixels than allowed.
    #[error(
        "the picture is {width}x{height} pixels, at most {max} pixels are accepted \
         (limits.max_frame_pixels)"
    )]
    TooManyPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The limit in pixels.
        max: u64,
    },
    /// A side is longer than a JPEG can have.
    #[error("the picture is {width}x{height} pixels, but a JPEG has at most 65535 on a side")]
    TooLong {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The picture takes more memory than conversions of pushed files may have.
    #[error(
        "the picture is {width}x{height} pixels and takes {needed} bytes of memory to be decoded and \
         encoded, but pushed files may have {most}, nine sixteenths of limits.max_decode_bytes"
    )]
    TooMuchMemory {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Bytes that it needs.
        needed: usize,
        /// Bytes that conversions may have.
        most: usize,
    },
    /// The file is damaged, or of a kind that the decoder does not support.
    #[error("the {format} is damaged or unsupported: {reason}")]
    Undecodable {
        /// The file format.
        format: &'static str,
        /// The decoder's message.
        reason: String,
    },
}
