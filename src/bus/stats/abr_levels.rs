//! The adaptive viewers of a stream (ABR), counted by the step of the ladder that they are at.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Number of steps of the ladder, including the unchanged stream.
pub const STEPS: usize = 6;

/// The adaptive viewers of one stream.
#[derive(Debug, Default)]
pub struct AbrLevels {
    viewers: [AtomicUsize; STEPS],
    moved_down: AtomicU64,
    moved_up: AtomicU64,
}

impl AbrLevels {
    /// Returns the number of viewers at each step now; the first step is the unchanged stream.
    pub fn viewers(&self) -> [usize; STEPS] {
        std::array::from_fn(|step| self.viewers[step].load(Relaxed))
    }

    /// Returns the number of times that a viewer was moved to smaller pictures.
    pub fn moved_down(&self) -> u64 {
        self.moved_down.load(Relaxed)
    }

    /// Returns the number of times that a viewer was moved to larger pictures.
    pub fn moved_up(&self) -> u64 {
        self.moved_up.load(Relaxed)
    }

    /// Counts a viewer that begins at the first step.
    pub(in crate::bus) fn joined(&self) {
        self.viewers[0].fetch_add(1, Relaxed);
    }

    /// Counts a viewer that moves from one step to another, both below [`STEPS`].
    pub(in crate::bus) fn moved(&self, from: usize, to: usize) {
        let moved = if to > from { &self.moved_down } else { &self.moved_up };
        moved.fetch_add(1, Relaxed);
        self.viewers[to].fetch_add(1, Relaxed);
        self.viewers[from].fetch_sub(1, Relaxed);
    }

    /// Counts a viewer that leaves from this step.
    pub(in crate::bus) fn left(&self, from: usize) {
        self.viewers[from].fetch_sub(1, Relaxed);
    }
}
