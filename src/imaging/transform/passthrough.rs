//! The steps that need no decoding: no change, removal of metadata, moving of blocks.

use bytes::Bytes;

use super::plan::LosslessSteps;
use crate::{
    bus::Processing,
    imaging::lossless::{LosslessOptions, Workspace, strip_metadata},
    media::frame::Frame,
};

/// Applies the lossless steps, if this JPEG allows it. A progressive one does not, nor one that is damaged,
/// nor one whose blocks extend across the edge of the kept part: those have to be decoded. No pixel at such
/// an edge is left out.
pub(in crate::imaging) fn apply(
    frame: &Frame,
    wanted: &LosslessSteps,
    (strip, max_pixels): (bool, u64),
    workspace: &mut Workspace,
) -> Option<(Bytes, Processing)> {
    if wanted.ops.is_empty() && !wanted.misaligned {
        return Some(unchanged(frame, strip));
    }
    let options = LosslessOptions { max_pixels, trim: false };
    let moved = workspace.apply(frame.jpeg(), &wanted.ops, options).ok()?;
    Some((moved.into(), Processing::Lossless))
}

/// Returns the picture's own bytes, without its metadata if these are to be removed.
pub(in crate::imaging) fn unchanged(frame: &Frame, strip: bool) -> (Bytes, Processing) {
    let jpeg = frame.jpeg().clone();
    if !strip {
        return (jpeg, Processing::Passed);
    }
    let stripped = strip_metadata(jpeg);
    let processing =
        if stripped.len() == frame.jpeg().len() { Processing::Passed } else { Processing::Lossless };
    (stripped, processing)
}
