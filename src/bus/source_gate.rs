//! Selects the one of several sources of a stream whose frames are shown: the next source takes over with its
//! first frame, so that no frame is missing in between.

use std::sync::PoisonError;

use crate::platform::sync::{Arc, Mutex, MutexGuard};

/// The lanes of a stream's sink. Each run of a source has a number.
#[derive(Debug, Default)]
pub struct Lanes(Mutex<Turn>);

#[derive(Debug, Default)]
struct Turn {
    shown: u64,
    next: u64,
}

/// The lane of one run of a source.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    pub(super) lanes: Arc<Lanes>,
    pub(super) number: u64,
}

impl Lanes {
    /// Shows the run `number` from its next frame on, in place of the run before.
    pub fn show(&self, number: u64) {
        self.turn().next = number;
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    /// Returns whether a frame that comes now is shown. If it is this lane's turn, it begins with this frame.
    pub(super) fn is_open(&self) -> bool {
        let mut turn = self.lanes.turn();
        if turn.next == self.number {
            turn.shown = self.number;
        }
        turn.shown == self.number
    }
}
