//! Errors of lossless steps.

/// An error of [`apply`](crate::imaging::lossless::apply).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LosslessError {
    /// The steps cannot be done without decoding the picture, which may be valid.
    #[error("not possible without decoding the picture: {why}")]
    NotLossless {
        /// The feature of the JPEG that prevents a lossless step.
        why: &'static str,
    },
    /// The picture has more pixels than allowed; nothing was allocated.
    #[error("the picture is {width}x{height} pixels, at most {max_pixels} pixels are accepted")]
    TooManyPixels {
        /// Width in pixels.
        width: u16,
        /// Height in pixels.
        height: u16,
        /// The limit in pixels.
        max_pixels: u64,
    },
    /// The crop is empty or leaves the picture.
    #[error(
        "a crop of {crop_width}x{crop_height} pixels at {x},{y} must lie inside the picture of \
         {width}x{height} pixels"
    )]
    OutsidePicture {
        /// The first column of the crop.
        x: u16,
        /// The first row of the crop.
        y: u16,
        /// The width of the crop.
        crop_width: u16,
        /// The height of the crop.
        crop_height: u16,
        /// Width of the picture at that step.
        width: u16,
        /// Height of the picture at that step.
        height: u16,
    },
    /// The bytes are no JPEG, or a broken one.
    #[error("broken JPEG: {what} at offset {offset}")]
    Damaged {
        /// The offset of the damage from SOI.
        offset: usize,
        /// The part of the JPEG that is broken.
        what: &'static str,
    },
}

impl LosslessError {
    pub(super) fn damaged(offset: usize, what: &'static str) -> Self {
        Self::Damaged { offset, what }
    }

    pub(super) fn not_lossless(why: &'static str) -> Self {
        Self::NotLossless { why }
    }
}
