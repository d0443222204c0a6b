//! The pool and the ways to give it work: jobs of a stream, and lanes.

use std::{
    num::NonZeroUsize,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
};

use super::{
    error::PoolError,
    memory::PictureMemory,
    piece::Piece,
    queue::{Bounds, JobKind, LaneId, Origin},
    workers::Shared,
};
use crate::{bus::HistogramSnapshot, media::stream_name::StreamName};

/// Maximum number of queued jobs for each worker, of all streams together: at about 10 ms for drawing and
/// encoding, the last in the queue still has its frame within a frame's time at 25 frames a second. One job
/// of each stream is always accepted: a stream that draws its own pictures has no more, and must not lose
/// them to other streams.
const WAITING_JOBS_PER_WORKER: usize = 4;

/// Nice value of the workers (Linux): while all cores are busy, frames that pass unchanged have precedence.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// The workers. They end when the pool is dropped, after their current job.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    workers: usize,
}

/// Current load of the workers, and counters of the past.
#[derive(Debug, Clone)]
pub struct Load {
    /// Busy workers.
    pub at_work: usize,
    /// Queued jobs.
    pub jobs: usize,
    /// Queued lanes.
    pub lanes: usize,
    /// Maximum number of queued jobs.
    pub max_jobs: usize,
    /// Jobs refused so far because the queue was full.
    pub refused: u64,
    /// Duration of jobs and turns.
    pub timing: HistogramSnapshot,
}

/// The jobs of one stream.
#[derive(Debug, Clone)]
pub struct StreamQueue {
    pool: Arc<Pool>,
    stream: StreamName,
}

/// A place in the queue for work that comes again and again, of which only the newest waits. At most one
/// worker does it at a time.
#[derive(Debug)]
pub struct Lane {
    shared: Arc<Shared>,
    id: LaneId,
}

impl Pool {
    /// Starts `workers` threads; at most `queue` jobs (at least 1), and one of each stream, are queued. They
    /// have the memory of a process without configured limits.
    ///
    /// # Errors
    /// The system's, when it starts no thread.
    pub fn new(workers: NonZeroUsize, queue: usize) -> std::io::Result<Self> {
        Self::new_in(workers, queue, Arc::default())
    }

    /// Starts `workers` threads that share `memory`; see [`Pool::new`].
    ///
    /// # Errors
    /// The system's, when it starts no thread.
    pub fn new_in(workers: NonZeroUsize, queue: usize, memory: Arc<PictureMemory>) -> std::io::Result<Self> {
        let workers = workers.get();
        let bounds = Bounds { workers, max_jobs: queue.max(1), max_conversions: (workers / 2).max(1) };
        let shared = Arc::new(Shared::new(bounds, memory));
        let pool = Self { shared, workers };
        for number in 0..workers {
            let shared = pool.shared.clone();
            thread::Builder::new().name(format!("framecast-cpu-{number}")).spawn(move || {
                // A system that refuses leaves the worker as it is.
                #[cfg(target_os = "linux")]
                let _ = rustix::process::nice(NICENESS);
                shared.work();
            })?;
        }
        Ok(pool)
    }

    /// Starts one worker for each core, with the memory of a process without configured limits.
    ///
    /// # Errors
    /// The system's, when it starts no thread.
    pub fn for_this_machine() -> std::io::Result<Self> {
        Self::for_this_machine_in(Arc::default())
    }

    /// Starts one worker for each core. They share `memory`.
    ///
    /// # Errors
    /// The system's, when it starts no thread.
    pub fn for_this_machine_in(memory: Arc<PictureMemory>) -> std::io::Result<Self> {
        let workers = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self::new_in(workers, workers.get() * WAITING_JOBS_PER_WORKER, memory)
    }

    /// Returns the queue of a stream's jobs.
    pub fn queue(self: &Arc<Self>, stream: &StreamName) -> StreamQueue {
        StreamQueue { pool: self.clone(), stream: stream.clone() }
    }

    /// Returns the memory that the workers share.
    pub fn memory(&self) -> &Arc<PictureMemory> {
        &self.shared.memory
    }

    async fn run_for<T, F>(&self, origin: Origin, bytes: usize, job: F) -> Result<T, PoolError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (piece, answered) = Piece::with_answer(bytes, job);
        self.shared.add_job(origin, piece)?;
        answered.await.unwrap_or(Err(PoolError::Busy))
    }

    /// Runs a job of no stream in particular, which takes no memory.
    ///
    /// # Errors
    /// Those of [`StreamQueue::run`].
    #[cfg(test)]
    pub(crate) async fn run<T, F>(&self, job: F) -> Result<T, PoolError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let stream = "of-no-stream".parse().expect("a name");
        self.run_for(Origin { stream, kind: JobKind::Drawing }, 0, job).await
    }

    /// Returns a lane without work.
    pub(crate) fn lane(&self) -> Lane {
        Lane { shared: self.shared.clone(), id: self.shared.state().queue.new_lane() }
    }

    /// Returns the workers' load.
    pub fn load(&self) -> Load {
        let shared = &self.shared;
        let state = shared.state();
        Load {
            at_work: shared.at_work.load(Relaxed),
            jobs: state.queue.jobs(),
            lanes: state.queue.lanes(),
            max_jobs: state.queue.max_jobs(),
            refused: shared.refused.load(Relaxed),
            timing: shared.timing.snapshot(),
        }
    }

    /// Returns the number of workers.
    pub fn workers(&self) -> usize {
        self.workers
    }
}

impl StreamQueue {
    /// Runs `job`, which takes `bytes` of memory, on a worker and waits for its result. Never waits for a
    /// place in the queue. Dropping the future before a worker took the job cancels it.
    ///
    /// # Errors
    /// [`PoolError::Busy`] when too many jobs wait, [`PoolError::Memory`] when there never are so many bytes,
    /// [`PoolError::Panicked`] when the job panicked.
    pub async fn run<T, F>(&self, bytes: usize, job: F) -> Result<T, PoolError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.pool.run_for(self.origin(JobKind::Drawing), bytes, job).await
    }

    /// Runs `job` like [`StreamQueue::run`], for a pushed file: publishers choose how many come, and how long
    /// one takes, so these have a share of the workers and of the memory.
    ///
    /// # Errors
    /// Those of [`StreamQueue::run`].
    pub async fn convert<T, F>(&self, bytes: usize, job: F) -> Result<T, PoolError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.pool.run_for(self.origin(JobKind::Conversion), bytes, job).await
    }

    /// Returns the pool.
    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    fn origin(&self, kind: JobKind) -> Origin {
        Origin { stream: self.stream.clone(), kind }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Lane {
    /// Gives the lane a piece of work, which has the lane's next turn unless a later call replaces it before
    /// that begins. Returns the piece that this one replaces, which is not done.
    #[must_use = "it may have to be counted"]
    pub(crate) fn put(&self, piece: Piece) -> Option<Piece> {
        self.shared.put(self.id, piece)
    }

    /// Removes the waiting piece, which is not done.
    pub(crate) fn clear(&self) {
        let removed = self.shared.state().queue.clear(self.id);
        // Dropped without the lock.
        drop(removed);
    }

    /// Runs `job`, which takes `bytes` of memory, in the next turn and waits for its result. It is never
    /// refused while the pool runs. Dropping the future before the turn cancels it.
    ///
    /// # Errors
    /// Those of [`StreamQueue::run`]; [`PoolError::Busy`] only when the pool has ended.
    pub(crate) async fn run<T: Send + 'static>(
        &mut self,
        bytes: usize,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let (piece, answered) = Piece::with_answer(bytes, job);
        // One that was cancelled may still wait.
        drop(self.put(piece));
        answered.await.unwrap_or(Err(PoolError::Busy))
    }
}
