//! Selects the one of several sources of a stream whose frames are shown: the next source takes over with its
//! first frame, so that no frame is missing in between.

use std::sync::PoisonError;

use crate::platform::sync::{Arc, Mutex, MutexGuard};

/// The gates of a stream's ingest. Each run of a source has a number.
#[derive(Debug, Default)]
pub struct SourceSwitch(Mutex<Selection>);

#[derive(Debug, Default)]
struct Selection {
    active: u64,
    next: u64,
}

/// The gate of one run of a source.
#[derive(Debug, Clone)]
pub(super) struct SourceGate {
    pub(super) switch: Arc<SourceSwitch>,
    pub(super) number: u64,
}

impl SourceSwitch {
    /// Shows the run `number` from its next frame on, in place of the run before.
    pub fn switch_to(&self, number: u64) {
        self.selection().next = number;
    }

    fn selection(&self) -> MutexGuard<'_, Selection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SourceGate {
    /// Returns whether a frame that comes now is shown. If this gate was selected as the next one, it becomes
    /// the active one with this frame.
    pub(super) fn is_open(&self) -> bool {
        let mut selection = self.switch.selection();
        if selection.next == self.number {
            selection.active = self.number;
        }
        selection.active == self.number
    }
}
