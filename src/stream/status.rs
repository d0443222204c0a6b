//! The status of a stream: its state, and the connection that its frames come from.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime},
};

use super::state::State;

/// The state of a stream, and since when.
#[derive(Debug, Clone)]
pub struct StreamStatus {
    /// State of the stream.
    pub state: State,
    /// Time at which the state began.
    pub since: SystemTime,
    /// Time since which a source that is wanted has given no picture.
    pub gap_since: Option<Instant>,
    /// Whether that is longer than `placeholder.after`.
    pub is_offline: bool,
    /// Failures of the source in use since its last picture.
    pub failures_in_a_row: u32,
}

impl Default for StreamStatus {
    fn default() -> Self {
        let since = SystemTime::now();
        Self { state: State::Idle, since, gap_since: None, is_offline: false, failures_in_a_row: 0 }
    }
}

/// The number in the log of the connection that a stream's frames come from.
#[derive(Debug, Clone, Default)]
pub(super) struct SourceId(Arc<AtomicU64>);

impl SourceId {
    pub(super) fn set(&self, id: Option<u64>) {
        self.0.store(id.unwrap_or_default(), Ordering::Relaxed);
    }

    pub(super) fn now(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|id| *id != 0)
    }

    /// Sets the number until the guard is dropped.
    pub(super) fn feed(&self, id: u64) -> FrameOriginGuard {
        self.set(Some(id));
        FrameOriginGuard(self.clone(), id)
    }

    /// Clears the number if it is still this one.
    fn end(&self, id: u64) {
        // Otherwise another has taken its place.
        let _ = self.0.compare_exchange(id, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Marks a publisher's connection as the one that frames come from, until it is dropped or another takes
/// over.
#[derive(Debug)]
pub struct FrameOriginGuard(SourceId, u64);

impl Drop for FrameOriginGuard {
    fn drop(&mut self) {
        self.0.end(self.1);
    }
}
