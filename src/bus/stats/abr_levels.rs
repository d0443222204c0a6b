//! Viewers whose link is measured, and what step of the ladder each is at. Counted at their stream.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use crate::bus::current::Bus;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_is_counted_at_one_step_and_its_moves_by_direction() {
        let bus = Arc::new(Bus::default());
        let counts = || {
            let adaptive = bus.stats().adaptive();
            (adaptive.viewers(), adaptive.moved_down(), adaptive.moved_up())
        };
        let mut viewer = AdaptiveViewer::new(bus.clone());
        let _other = AdaptiveViewer::new(bus.clone());
        assert_eq!(counts(), ([2, 0, 0, 0, 0, 0], 0, 0));
        for step in [2, 3, 5] {
            viewer.move_to(step);
        }
        assert_eq!(counts(), ([1, 0, 0, 0, 0, 1], 3, 0));
        viewer.move_to(4);
        viewer.move_to(0);
        assert_eq!(counts(), ([2, 0, 0, 0, 0, 0], 3, 2));
        viewer.move_to(1);
        drop(viewer);
        assert_eq!(counts(), ([1, 0, 0, 0, 0, 0], 4, 2));
    }
}
