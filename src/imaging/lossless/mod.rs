//! Turns, mirrors, crops and greys a JPEG without decoding it to pixels, as `jpegtran` does: nothing is lost.
//!
//! The coefficients of the 8×8 blocks are read out of the Huffman code (`decode`), moved and given new signs
//! (`plan`, `dct_transpose`), and written as Huffman code again (`encode`). Any number of steps is one pass.
//!
//! Guarantees: any bytes give a result or an error, memory is bounded by the length of the input and by
//! [`LosslessOptions::max_pixels`], and no pixel that remains changes by more than the rounding of a
//! decoder's inverse DCT. What cannot be done that way is [`LosslessError::NotLossless`]: the caller decodes
//! and encodes instead.
//!
//! Metadata: JFIF, Adobe and ICC segments are copied, EXIF and all others are left out, since a turned
//! picture must not say that it has to be turned. So if the camera's EXIF orientation is to be applied, the
//! step that does it comes first.
//!
//! Kept out: progressive and arithmetic coding, inputs and outputs other than byte slices, configuration.

mod bits;
mod dct_transpose;
mod decode;
mod encode;
mod error;
mod exif;
mod header;
mod huffman;
mod plan;
mod segments;
mod strip;
mod write;
#[cfg(test)]
mod tests;

pub use decode::Workspace;
pub use error::LosslessError;
pub use exif::{Orientation, orientation};
use header::Header;
pub use plan::LosslessOp;
use plan::LosslessPlan;
pub(super) use segments::Segments;
pub use strip::strip_metadata;

/// Limits of a lossless step, and whether it may cut off incomplete blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LosslessOptions {
    /// Maximum number of pixels; checked before anything is allocated.
    pub max_pixels: u64,
    /// Cuts off incomplete blocks that would have to move to the left or upper edge, up to 15 pixels (up to
    /// 31 with rare sampling), as `jpegtran -trim` does. Otherwise such a picture is
    /// [`LosslessError::NotLossless`].
    pub trim: bool,
}

/// Applies `ops` in their order, in one pass. [`Workspace::apply`] reuses its memory for many pictures.
///
/// # Errors
/// [`LosslessError`]: what is damaged, too large, or not possible without loss.
pub fn apply(jpeg: &[u8], ops: &[LosslessOp], options: LosslessOptions) -> Result<Vec<u8>, LosslessError> {
    Workspace::default().apply(jpeg, ops, options)
}

/// Returns whether [`apply`] can do `ops` on a picture with this header. Only the header is read, so the
/// picture data may still be damaged.
///
/// A crop is aligned when its first row and column (after mirroring: its last) lie on the grid of blocks: 8
/// pixels for grey and 4:4:4, 16 across for 4:2:2, 16 both ways for 4:2:0.
#[must_use]
pub fn is_aligned(jpeg: &[u8], ops: &[LosslessOp], options: LosslessOptions) -> bool {
    let mut segments = Segments::new(jpeg);
    Header::read(&mut segments, options.max_pixels)
        .and_then(|(header, _)| LosslessPlan::new(&header, ops, options.trim))
        .is_ok()
}

impl Workspace {
    /// Applies `ops` like [`apply`], with the memory of the previous picture. It keeps as much as the largest
    /// picture took: about four bytes for each coefficient that is not zero, 2 MB for a usual picture of
    /// 1920×1080.
    ///
    /// # Errors
    /// As [`apply`].
    pub fn apply(
        &mut self,
        jpeg: &[u8],
        ops: &[LosslessOp],
        options: LosslessOptions,
    ) -> Result<Vec<u8>, LosslessError> {
        let mut segments = Segments::new(jpeg);
        let (mut header, first_scan) = Header::read(&mut segments, options.max_pixels)?;
        let plan = LosslessPlan::new(&header, ops, options.trim)?;
        let picture = self.decode(jpeg, &mut header, &mut segments, first_scan, plan.components)?;
        write::write(&header, &plan, &picture, jpeg.len())
    }
}
