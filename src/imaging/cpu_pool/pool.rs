//! The pool and the ways to give it work: jobs of a stream, and latest queues.

use std::{
    num::NonZeroUsize,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
};

use super::{
    error::PoolError,
    memory::PictureMemory,
    queue::{JobKind, JobOrigin, LatestQueueId, QueueBounds},
    work_item::WorkItem,
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
pub struct CpuPool {
    shared: Arc<Shared>,
    workers: usize,
}

/// Current load of the workers, and counters of the past.
#[derive(Debug, Clone)]
pub struct PoolLoad {
    /// Busy workers.
    pub at_work: usize,
    /// Queued jobs.
    pub jobs: usize,
    /// Queued latest queues.
    pub latest_queues: usize,
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
    pool: Arc<CpuPool>,
    stream: StreamName,
}

/// A place in the queue for work that comes again and again, of which only the newest waits. At most one
/// worker does it at a time.
#[derive(Debug)]
pub struct LatestQueue {
    shared: Arc<Shared>,
    id: LatestQueueId,
}

impl CpuPool {
    /// Starts `workers` threads; at most `queue` jobs (at least 1), and one of each stream, are queued. They
    /// have the memory of a process without configured limits.
    ///
    /// # Errors
    /// The system's, when it starts no thread.
    pub fn new(workers: NonZeroUsize, queue: usize) -> std::io::Result<Self> {
        Self::new_in(workers, queue, Arc::default())
    }

    /// Starts `workers` threads that share `memory`; see [`CpuPool::new`].
    ///
    /// # Errors
    /// The system's, when it starts no thread.
    pub fn new_in(workers: NonZeroUsize, queue: usize, memory: Arc<PictureMemory>) -> std::io::Result<Self> {
        let workers = workers.get();
        let bounds = QueueBounds { workers, max_jobs: queue.max(1), max_conversions: (workers / 2).max(1) };
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

    async fn run_for<T, F>(&self, origin: JobOrigin, bytes: usize, job: F) -> Result<T, PoolError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (item, answered) = WorkItem::with_answer(bytes, job);
        self.shared.add_job(origin, item)?;
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
        self.run_for(JobOrigin { stream, kind: JobKind::Drawing }, 0, job).await
    }

    /// Returns a latest queue without work.
    pub(crate) fn latest_queue(&self) -> LatestQueue {
        LatestQueue { shared: self.shared.clone(), id: self.shared.state().queue.new_latest_queue() }
    }

    /// Returns the workers' load.
    pub fn load(&self) -> PoolLoad {
        let shared = &self.shared;
        let state = shared.state();
        PoolLoad {
            at_work: shared.at_work.load(Relaxed),
            jobs: state.queue.jobs(),
            latest_queues: state.queue.latest_queues(),
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
    pub(crate) fn pool(&self) -> &Arc<CpuPool> {
        &self.pool
    }

    fn origin(&self, kind: JobKind) -> JobOrigin {
        JobOrigin { stream: self.stream.clone(), kind }
    }
}

impl Drop for CpuPool {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl LatestQueue {
    /// Gives the latest queue a piece of work, which has the latest queue's next turn unless a later call
    /// replaces it before that begins. Returns the piece that this one replaces, which is not done.
    #[must_use = "it may have to be counted"]
    pub(crate) fn put(&self, item: WorkItem) -> Option<WorkItem> {
        self.shared.put(self.id, item)
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
        let (item, answered) = WorkItem::with_answer(bytes, job);
        // One that was cancelled may still wait.
        drop(self.put(item));
        answered.await.unwrap_or(Err(PoolError::Busy))
    }
}
