//! Buffers that are reused for the next picture.

use crate::imaging::{
    codec::CodecError,
    lossless::Workspace,
    transform::{orientation::Orientation, plan::SourceRect, resample::Resampler},
    ycbcr::{Planes, Sampling},
};

/// The buffers of one piece of work.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) planes: Planes,
    pub(crate) other: Planes,
    pub(crate) resampler: Resampler,
    pub(crate) workspace: Workspace,
}

impl Scratch {
    /// Moves the picture in `planes`, unless that changes nothing.
    pub(crate) fn move_picture(
        &mut self,
        moves: (SourceRect, (usize, usize), Orientation),
        sampling: Sampling,
    ) -> Result<(), CodecError> {
        let (take, size, orientation) = moves;
        let same = take == SourceRect::whole(&self.planes)
            && size == (self.planes.width(), self.planes.height())
            && orientation == Orientation::NONE;
        if same && (self.planes.sampling() == Sampling::Gray || self.planes.sampling() == sampling) {
            return Ok(());
        }
        self.resampler.resample_planes(&self.planes, moves, sampling, &mut self.other)?;
        std::mem::swap(&mut self.planes, &mut self.other);
        Ok(())
    }

    /// Returns the number of bytes that the buffers can hold.
    pub(crate) fn capacity_bytes(&self) -> usize {
        self.planes.capacity()
            + self.other.capacity()
            + self.resampler.capacity_bytes()
            + self.workspace.capacity_bytes()
    }
}
