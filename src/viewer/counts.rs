//! Counts the frames and bytes that one viewer was given.

use std::sync::atomic::Ordering::Relaxed;

use crate::platform::sync::AtomicU64;

/// Counted by whoever gives, one at a time, and read by anybody.
#[derive(Debug, Default)]
pub struct Counts {
    frames: AtomicU64,
    bytes: AtomicU64,
    skipped: AtomicU64,
}

impl Counts {
    /// A frame of `bytes`, having skipped `skipped` since the one before.
    pub fn frame(&self, bytes: usize, skipped: u64) {
        add(&self.frames, 1);
        add(&self.bytes, bytes as u64);
        if skipped > 0 {
            add(&self.skipped, skipped);
        }
    }

    /// Bytes that are no frame by themselves.
    pub fn bytes_only(&self, bytes: usize) {
        add(&self.bytes, bytes as u64);
    }

    /// Frames given, repeats included.
    pub fn frames(&self) -> u64 {
        self.frames.load(Relaxed)
    }

    /// Bytes of these.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Frames that it missed because its link was busy.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Relaxed)
    }
}

/// There is one writer at a time, so that this needs no locked instruction: it happens for each viewer and
/// frame.
fn add(count: &AtomicU64, more: u64) {
    count.store(count.load(Relaxed) + more, Relaxed);
}
