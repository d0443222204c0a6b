//! An adaptive viewer (ABR) of a stream, as the stream's counters have it.

use std::sync::Arc;

use super::channel::Bus;

/// Counts an adaptive viewer of a stream at its step, until it is dropped.
#[derive(Debug)]
pub struct AbrLevelGuard {
    bus: Arc<Bus>,
    step: usize,
}

impl AbrLevelGuard {
    /// Counts a viewer of the unchanged stream.
    pub fn new(bus: Arc<Bus>) -> Self {
        bus.stats().abr_levels().joined();
        Self { bus, step: 0 }
    }

    /// Moves the viewer to this step, one below [`STEPS`](super::STEPS).
    pub fn move_to(&mut self, step: usize) {
        self.bus.stats().abr_levels().moved(self.step, step);
        self.step = step;
    }
}

impl Drop for AbrLevelGuard {
    fn drop(&mut self) {
        self.bus.stats().abr_levels().left(self.step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_is_counted_at_one_step_and_its_moves_by_direction() {
        let bus = Arc::new(Bus::default());
        let counts = || {
            let adaptive = bus.stats().abr_levels();
            (adaptive.viewers(), adaptive.moved_down(), adaptive.moved_up())
        };
        let mut viewer = AbrLevelGuard::new(bus.clone());
        let _other = AbrLevelGuard::new(bus.clone());
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
