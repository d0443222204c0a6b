//! Viewers whose link is measured, and what step of the ladder each is at. Counted at their stream.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use super::Bus;

/// Steps of the ladder, the stream as it is among them.
pub const STEPS: usize = 6;

/// The adaptive viewers of one stream.
#[derive(Debug, Default)]
pub struct Adaptive {
    viewers: [AtomicUsize; STEPS],
    moved_down: AtomicU64,
    moved_up: AtomicU64,
}

impl Adaptive {
    /// How many are at each step now; the first one is the stream as it is.
    pub fn viewers(&self) -> [usize; STEPS] {
        std::array::from_fn(|step| self.viewers[step].load(Relaxed))
    }

    /// How often one was moved to smaller pictures.
    pub fn moved_down(&self) -> u64 {
        self.moved_down.load(Relaxed)
    }

    /// How often one was moved to larger pictures.
    pub fn moved_up(&self) -> u64 {
        self.moved_up.load(Relaxed)
    }
}

/// While it lives, an adaptive viewer of a stream is counted at its step.
#[derive(Debug)]
pub struct AdaptiveViewer {
    bus: Arc<Bus>,
    step: usize,
}

impl AdaptiveViewer {
    /// A viewer of the stream of this bus, as it is.
    pub fn new(bus: Arc<Bus>) -> Self {
        bus.stats().adaptive().viewers[0].fetch_add(1, Relaxed);
        Self { bus, step: 0 }
    }

    /// It is at this step now, one below [`STEPS`].
    pub fn move_to(&mut self, step: usize) {
        let adaptive = self.bus.stats().adaptive();
        let moved = if step > self.step { &adaptive.moved_down } else { &adaptive.moved_up };
        moved.fetch_add(1, Relaxed);
        adaptive.viewers[step].fetch_add(1, Relaxed);
        adaptive.viewers[self.step].fetch_sub(1, Relaxed);
        self.step = step;
    }
}

impl Drop for AdaptiveViewer {
    fn drop(&mut self) {
        self.bus.stats().adaptive().viewers[self.step].fetch_sub(1, Relaxed);
    }
}
