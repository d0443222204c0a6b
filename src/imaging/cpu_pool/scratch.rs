//! Buffers that are reused for the next picture.

use crate::imaging::{
    codec::CodecError,
    lossless::Workspace,
    transform::{orientation::Turn, plan::Part, resample::Mover},
    ycbcr::{Planes, Sampling},
};

/// The buffers of one piece of work.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) planes: Planes,
    pub(crate) other: Planes,
    pub(crate) mover: Mover,
    pub(crate) workspace: Workspace,
}

impl Scratch {
    /// Moves the picture in `planes`, unless that changes nothing.
    pub(crate) fn go(
        &mut self,
        moves: (Part, (usize, usize), Turn),
        sampling: Sampling,
    ) -> Result<(), CodecError> {
        let (take, size, turn) = moves;
        let same = take == Part::whole(&self.planes)
            && size == (self.planes.width(), self.planes.height())
            && turn == Turn::NONE;
        if same && (self.planes.sampling() == Sampling::Gray || self.planes.sampling() == sampling) {
            return Ok(());
        }
        self.mover.go(&self.planes, moves, sampling, &mut self.other)?;
        std::mem::swap(&mut self.planes, &mut self.other);
        Ok(())
    }

    /// Returns the number of bytes that the buffers can hold.
    pub(crate) fn kept(&self) -> usize {
        self.planes.capacity() + self.other.capacity() + self.mover.kept() + self.workspace.kept()
    }
}
