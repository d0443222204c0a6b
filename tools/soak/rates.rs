//! Do healthy viewers get the full rate? What each was offered, and what it got.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::{liveness::Liveness, report::Report};

/// Share of the frames of its camera that a healthy viewer must get. The rest is for moments in which a frame
/// is overtaken by the next one on a busy machine.
const SHARE: f64 = 0.99;

/// A viewer that takes all that comes, of a camera that never leaves.
#[derive(Debug)]
pub(crate) struct ViewerTally {
    name: String,
    camera: Arc<Liveness>,
    first: AtomicU64,
    got: AtomicU64,
}

/// The shares of all viewers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rates {
    pub(crate) viewers: usize,
    pub(crate) offered: u64,
    pub(crate) got: u64,
    /// Of the one that got least.
    pub(crate) least: f64,
}

impl ViewerTally {
    pub(crate) fn new(name: String, camera: Arc<Liveness>) -> Self {
        Self { name, camera, first: AtomicU64::new(0), got: AtomicU64::new(0) }
    }

    /// A frame that it had not seen before.
    pub(crate) fn got(&self, sequence: u64) {
        // Fails for all but the first: numbers begin at 1.
        let _ = self.first.compare_exchange(0, sequence, Relaxed, Relaxed);
        self.got.fetch_add(1, Relaxed);
    }

    /// Frames since its first one, and how many of them it got.
    fn balance(&self) -> (u64, u64) {
        let last = self.camera.last_sent();
        let first = match self.first.load(Relaxed) {
            0 => 1,
            first => first,
        };
        ((last + 1).saturating_sub(first), self.got.load(Relaxed))
    }
}

impl Rates {
    /// Adds up, and complains of each who got too little.
    pub(crate) fn of(tallies: &[Arc<ViewerTally>], report: &Report) -> Self {
        let mut rates = Self { viewers: tallies.len(), least: 1.0, ..Self::default() };
        for tally in tallies {
            let (offered, got) = tally.balance();
            // One that is just on its way was sent, and is not here yet.
            let share = (got + 1) as f64 / offered.max(1) as f64;
            if share < SHARE {
                report.violation(format!("viewer of {}: got {got} of {offered} frames", tally.name));
            }
            rates.offered += offered;
            rates.got += got;
            rates.least = rates.least.min(got as f64 / offered.max(1) as f64);
        }
        rates
    }
}
