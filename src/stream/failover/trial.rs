//! A run of a source, and a run that is on trial beside the one in use.

use crate::{
    bus::Ingest,
    stream::pump::{Generation, Pump},
};

/// A run of a source.
#[derive(Debug)]
pub(in crate::stream) struct Run {
    pub(in crate::stream) pump: Pump,
    pub(in crate::stream) generation: Generation,
    pub(in crate::stream) ingest: Ingest,
}

/// A run beside the one in use.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) run: Run,
    /// Its first frame has come.
    pub(super) has_frames: bool,
    /// It has been well for long enough: its next frame is shown.
    pub(super) replaces_current: bool,
}

impl Trial {
    pub(super) fn new(run: Run) -> Self {
        Self { run, has_frames: false, replaces_current: false }
    }
}
