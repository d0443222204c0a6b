//! The worker threads: each takes the next entry from the queue as soon as there is memory for it.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::{
    error::PoolError,
    memory::PictureMemory,
    queue::{
        Full, JobKind, JobOrigin, LatestQueueId, MemoryShares, PendingEntry, Queue, QueueBounds, Running,
    },
    work_item::{Work, WorkItem},
};
use crate::{
    bus::Histogram,
    limits::{BudgetError, BytePermit, Waiter},
};

/// Interval at which a piece that waits for memory is compared with the limit, which may have changed.
const LIMIT_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// State shared by the workers.
pub(super) struct Shared {
    state: Mutex<State>,
    more: Condvar,
    pub(super) at_work: AtomicUsize,
    pub(super) refused: AtomicU64,
    pub(super) timing: Histogram,
    pub(super) memory: Arc<PictureMemory>,
}

/// The waiting work.
pub(super) struct State {
    pub(super) queue: Queue,
    /// Set while the next piece waits for memory.
    waiter: Option<Waiter>,
    closed: bool,
}

/// An entry that has begun: its work, and its memory or the refusal of that.
struct StartedEntry {
    work: Work,
    memory: Result<BytePermit, BudgetError>,
    running: Running,
}

impl Shared {
    pub(super) fn new(bounds: QueueBounds, memory: Arc<PictureMemory>) -> Self {
        Self {
            state: Mutex::new(State { queue: Queue::new(bounds), waiter: None, closed: false }),
            more: Condvar::new(),
            at_work: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            timing: Histogram::default(),
            memory,
        }
    }

    /// Returns the waiting work, locked.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job.
    ///
    /// # Errors
    /// [`PoolError::Busy`] if too many are queued or the pool has ended, [`PoolError::Memory`] if it never
    /// fits.
    pub(super) fn add_job(&self, origin: JobOrigin, item: WorkItem) -> Result<(), PoolError> {
        self.memory.check(item.bytes, origin.kind == JobKind::Conversion)?;
        let mut state = self.state();
        if state.closed {
            return Err(PoolError::Busy);
        }
        state.queue.add_job(origin, item, Instant::now()).map_err(|Full| {
            self.refused.fetch_add(1, Relaxed);
            PoolError::Busy
        })?;
        drop(state);
        self.more.notify_one();
        Ok(())
    }

    /// Gives a latest queue a piece of work. Returns the piece that this one replaces.
    pub(super) fn put(&self, latest: LatestQueueId, item: WorkItem) -> Option<WorkItem> {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        let (replaced, enters) = state.queue.put(latest, item, Instant::now());
        // One that replaces another may fit the memory that the other waits for.
        let can_begin = enters || state.waiter.is_some();
        drop(state);
        if can_begin {
            self.more.notify_one();
        }
        replaced
    }

    /// Ends the workers, and removes all waiting work, which is not done.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let waiting = (state.queue.take_all(), state.waiter.take());
        drop(state);
        self.more.notify_all();
        // Outside of the lock: it may be the last that holds what the jobs hold.
        drop(waiting);
    }

    /// Runs one worker until the pool is closed.
    pub(super) fn work(&self) {
        while let Some(StartedEntry { work, memory, running }) = self.next() {
            self.at_work.fetch_add(1, Relaxed);
            let begun = Instant::now();
            // Jobs and latest queues handle their panics; the worker must continue in any case.
            let _ = catch_unwind(AssertUnwindSafe(|| work(memory)));
            self.timing.record(begun.elapsed());
            self.at_work.fetch_sub(1, Relaxed);
            self.state().queue.done(running, Instant::now());
            // One that could not be begun for this one may wait.
            self.more.notify_one();
        }
    }

    /// Waits for an entry, and for its memory.
    fn next(&self) -> Option<StartedEntry> {
        let mut state = self.state();
        while !state.closed {
            let now = Instant::now();
            let timeout = match state.queue.next(now, self.shares()) {
                Some(next) => match self.memory.take(next.bytes, next.share.is_conversion).transpose() {
                    Some(memory) => return Some(self.begin(&mut state, next, memory)),
                    None => {
                        state.waiter.get_or_insert_with(|| self.memory.working().count_waiter());
                        Some(LIMIT_CHECK_INTERVAL)
                    }
                },
                None => {
                    state.waiter = None;
                    // Conversions wait only until there has been no other work for long enough.
                    state.queue.reserved_for(now).filter(|_| !state.queue.is_empty())
                }
            };
            // Memory is returned before its work is done, and then this is notified.
            state = match timeout {
                Some(left) => self.more.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.more.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        None
    }

    fn begin(
        &self,
        state: &mut State,
        next: PendingEntry,
        memory: Result<BytePermit, BudgetError>,
    ) -> StartedEntry {
        state.waiter = None;
        let (work, running) = state.queue.begin(next);
        if !state.queue.is_empty() {
            // Another worker may have been woken for the piece that is taken now.
            self.more.notify_one();
        }
        StartedEntry { work, memory, running }
    }

    fn shares(&self) -> MemoryShares {
        let memory = &self.memory;
        MemoryShares { most: memory.max_bytes(), large: memory.large_bytes(), small: memory.small_bytes() }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("at_work", &self.at_work).finish_non_exhaustive()
    }
}
