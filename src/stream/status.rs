//! What can be read about a stream at any time: its state, and the connection that its frames come from.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use super::state::State;

/// A stream's state and since when it has been so.
#[derive(Debug, Clone)]
pub struct Status {
    /// State of the stream.
    pub state: State,
    /// When it began to.
    pub since: SystemTime,
}

/// The number of the connection that a stream's frames come from now, as the log has it.
#[derive(Debug, Clone, Default)]
pub(super) struct SourceId(Arc<AtomicU64>);

impl SourceId {
    pub(super) fn set(&self, id: Option<u64>) {
        self.0.store(id.unwrap_or_default(), Ordering::Relaxed);
    }

    pub(super) fn now(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|id| *id != 0)
    }

    /// Sets the number for as long as the guard lives.
    pub(super) fn feed(&self, id: u64) -> Feeding {
        self.set(Some(id));
        Feeding(self.clone(), id)
    }

    /// Clears the number if it is still this one.
    fn end(&self, id: u64) {
        // Otherwise another has taken its place.
        let _ = self.0.compare_exchange(id, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Marks a publisher's connection as the one that frames come from, until it is dropped or another takes over.
#[derive(Debug)]
pub struct Feeding(SourceId, u64);

impl Drop for Feeding {
    fn drop(&mut self) {
        self.0.end(self.1);
    }
}
