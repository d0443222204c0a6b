//! A stream's transforms between its source and its bus.
//!
//! One place for one frame: while a worker is busy with a stream's frame, or with those of others, the newest that comes
//! takes the place of the one that waits. A stream stands in the pool's line at most once, so that all get their share.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing::{info, warn};

use super::{
    pipeline::{Pipeline, ReworkError},
    pool::{Lane, Pool, reason},
};
use crate::{
    bus::{Bus, DropReason, Rework},
    frame::{Frame, StreamName},
};

/// Reworks a stream's frames in the pool.
#[derive(Debug)]
pub struct Stage {
    inner: Arc<Inner>,
    lane: Lane,
}

#[derive(Debug)]
struct Inner {
    name: StreamName,
    pipeline: Pipeline,
    place: Mutex<Place>,
    failing: AtomicBool,
}

#[derive(Debug, Default)]
struct Place {
    waiting: Option<(Frame, Arc<Bus>)>,
    /// Counts up with each [`Rework::forget`]: what was taken before it is not shown.
    life: u64,
}

impl Stage {
    /// A stage that does what `pipeline` says; `name` is for the log.
    pub fn new(name: StreamName, pipeline: Pipeline, pool: &Pool) -> Self {
        let inner =
            Arc::new(Inner { name, pipeline, place: Mutex::default(), failing: AtomicBool::new(false) });
        let working = inner.clone();
        Self { lane: pool.lane(move || working.work()), inner }
    }
}

impl Rework for Stage {
    fn take(&self, frame: Frame, bus: &Arc<Bus>) {
        let mut place = self.inner.place();
        if place.waiting.replace((frame, bus.clone())).is_some() {
            bus.stats().count_drop(DropReason::Busy);
        }
        drop(place);
        self.lane.enter();
    }

    fn forget(&self) {
        let mut place = self.inner.place();
        place.waiting = None;
        place.life += 1;
    }
}

impl Inner {
    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One frame, in a worker.
    fn work(&self) {
        let mut place = self.place();
        let Some((frame, bus)) = place.waiting.take() else { return };
        let life = place.life;
        drop(place);
        let result = catch_unwind(AssertUnwindSafe(|| self.pipeline.rework(&frame)))
            .unwrap_or_else(|panic| Err(ReworkError::Panicked { reason: reason(&*panic) }));
        // Held while it is shown: `forget` then is before or after, never between.
        let place = self.place();
        if place.life != life {
            return;
        }
        match result {
            Ok(reworked) => {
                bus.show(reworked);
                if self.failing.swap(false, Ordering::Relaxed) {
                    info!(stream = %self.name, "its pictures can be transformed again");
                }
            }
            Err(error) => {
                bus.stats().count_drop(DropReason::Invalid);
                if !self.failing.swap(true, Ordering::Relaxed) {
                    warn!(stream = %self.name, "a picture cannot be transformed: {error}");
                }
            }
        }
    }
}
