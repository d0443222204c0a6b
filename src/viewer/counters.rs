//! Counts the frames and bytes that one viewer was given.

use std::sync::atomic::Ordering::Relaxed;

use crate::platform::sync::AtomicU64;

/// The counters of a viewer: written by one writer at a time, read by anybody.
#[derive(Debug, Default)]
pub struct ViewerCounters {
    frames: AtomicU64,
    bytes: AtomicU64,
    skipped: AtomicU64,
}

impl ViewerCounters {
    /// Counts a frame of `bytes`, and the `skipped` frames since the one before.
    pub fn count_frame(&self, bytes: usize, skipped: u64) {
        add(&self.frames, 1);
        add(&self.bytes, bytes as u64);
        if skipped > 0 {
            add(&self.skipped, skipped);
        }
    }

    /// Counts bytes that are not a frame by themselves.
    pub fn count_bytes(&self, bytes: usize) {
        add(&self.bytes, bytes as u64);
    }

    /// Returns the number of frames given, including repeats.
    pub fn frames(&self) -> u64 {
        self.frames.load(Relaxed)
    }

    /// Returns the number of bytes given.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Returns the number of frames that it missed because its link was busy.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Relaxed)
    }
}

/// Adds without a locked instruction, since there is one writer at a time: it happens for each viewer and
/// frame.
fn add(count: &AtomicU64, more: u64) {
    count.store(count.load(Relaxed) + more, Relaxed);
}
