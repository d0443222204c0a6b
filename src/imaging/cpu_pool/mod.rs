//! A fixed number of CPU workers that all streams share fairly, in bounded memory.
//!
//! Decoding, drawing and encoding take milliseconds and must not delay sockets. The workers are separate
//! threads: each actix runtime has a blocking pool of its own, with hundreds of threads and no bound on
//! queued jobs. There are two kinds of work:
//!
//! - Jobs, through a stream's [`StreamQueue`]. Too many queued jobs are refused immediately: the caller drops
//!   that frame and counts it.
//! - Lanes, for work that comes again and again, such as a stream's transforms. A [`Lane`] is in the queue
//!   once or not at all, and goes to its end after each turn. So lanes need no bound but their number. A lane
//!   holds one piece of work, the newest, until its turn begins, and a turn begins when there is memory.
//!
//! All streams and lanes with work take turns, one piece each, so that none waits for more than one piece of
//! each other, however many jobs one of them has. Conversions of pushed pictures can take seconds, as the
//! publisher chooses; they have at most half of the workers while there is other work or was a moment ago,
//! and every second turn of a single worker.
//!
//! Each piece of work states the bytes that it takes. Large pieces, and conversions of any size, share three
//! quarters of the memory and wait for it in the queue, where other pieces pass them (`queue`). A worker
//! removes a turn from the queue before [`PictureMemory`] has its bytes for one turn at a time, which is
//! not passed and never waits for a conversion. Workers are not blocked meanwhile.

pub(crate) mod footprint;
pub mod memory;
pub(crate) mod scratch;
mod queue;
#[cfg(test)]
mod tests;

use std::{
    any::Any,
    fmt,
    future::Future,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use memory::PictureMemory;
pub(crate) use queue::Piece;
use queue::{Bounds, Full, JobKind, LaneState, Origin, Queue, Share, Shares, Taken, TakenWork, Work};
use tokio::sync::oneshot;

use crate::{
    bus::{Timed, Timing},
    limits::{BudgetError, BytePermit},
    media::stream_name::StreamName,
};

/// Maximum number of queued jobs for each worker, of all streams together: at about 10 ms for drawing and
/// encoding, the last in the queue still has its frame within a frame's time at 25 frames a second. One job
/// of each stream is always accepted: a stream that draws its own pictures has no more, and must not lose
/// them to other streams.
const WAITING_JOBS_PER_WORKER: usize = 4;

/// Interval at which a piece that waits for memory is compared with the limit, which may have been lowered.
const LIMIT_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Nice value of the workers (Linux): while all cores are busy, frames that pass unchanged have precedence.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// The workers. They end when the pool is dropped, after their current job.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    workers: usize,
}

/// State shared by the workers.
struct Shared {
    line: Mutex<Line>,
    more: Condvar,
    max_jobs: usize,
    at_work: AtomicUsize,
    refused: AtomicU64,
    timing: Timing,
    memory: Arc<PictureMemory>,
}

/// The waiting work.
struct Line {
    queue: Queue,
    next: Option<Next>,
    closed: bool,
}

/// A turn that waits for memory.
struct Next {
    taken: Taken,
    memory: Pin<Box<dyn Future<Output = Result<BytePermit, BudgetError>> + Send>>,
}

/// A turn that has begun: its work, and its memory or the refusal of that.
struct Begun {
    work: Work,
    memory: Result<BytePermit, BudgetError>,
    lane: Option<Arc<LaneState>>,
    share: Share,
}

/// The result of an attempt to begin a turn.
enum Attempt {
    Begun(Begun),
    /// The turn waits for memory.
    Waits(Next),
    /// The size of the lane's piece is not the one that memory was requested for.
    Changed(Arc<LaneState>, Share),
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
    pub timing: Timed,
}

/// The jobs of one stream.
#[derive(Debug, Clone)]
pub struct StreamQueue {
    pool: Arc<Pool>,
    stream: StreamName,
}

/// A place in the queue for work that comes again and again, of which only the newest waits. At most one
/// worker does it at a time.
pub struct Lane {
    shared: Arc<Shared>,
    state: Arc<LaneState>,
}

/// An error of a job that gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// All workers are busy and the queue is full.
    #[error("all CPU workers are busy; try again later")]
    Busy,
    /// The job takes more memory than all pictures at work may have.
    #[error(
        "the picture takes {needed} bytes of memory to be decoded, drawn and encoded, but all pictures at \
         work may have {most}, three quarters of limits.max_decode_bytes"
    )]
    Memory {
        /// Bytes that the job takes.
        needed: usize,
        /// Bytes that all pictures at work may have.
        most: usize,
    },
    /// The job panicked; the worker continues.
    #[error("a CPU job panicked: {reason}")]
    Panicked {
        /// The panic's message.
        reason: String,
    },
}

impl From<BudgetError> for PoolError {
    fn from(error: BudgetError) -> Self {
        match error {
            BudgetError::TooLarge { bytes, capacity } => Self::Memory { needed: bytes, most: capacity },
            BudgetError::Full { .. } => Self::Busy,
        }
    }
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
        let shared = Arc::new(Shared {
            line: Mutex::new(Line { queue: Queue::new(bounds), next: None, closed: false }),
            more: Condvar::new(),
            max_jobs: bounds.max_jobs,
            at_work: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            timing: Timing::default(),
            memory,
        });
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
        let (answer, answered) = oneshot::channel();
        let work = move |memory: Result<BytePermit, BudgetError>| {
            if answer.is_closed() {
                return;
            }
            let result = match memory {
                Ok(permit) => {
                    // Nobody sees a half-changed value after a panic: what the job owned is dropped with it.
                    let result = catch_unwind(AssertUnwindSafe(job));
                    drop(permit);
                    result.map_err(|panic| PoolError::Panicked { reason: reason(&*panic) })
                }
                Err(error) => Err(error.into()),
            };
            // The caller may have gone meanwhile.
            let _ = answer.send(result);
        };
        self.shared.add_job(origin, Piece { bytes, work: Box::new(work) })?;
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
        Lane { shared: self.shared.clone(), state: Arc::new(LaneState::new()) }
    }

    /// Returns the workers' load.
    pub fn load(&self) -> Load {
        let shared = &self.shared;
        let (jobs, lanes) = {
            let line = shared.line();
            let next = line.next.as_ref().map(|next| matches!(next.taken.work, TakenWork::Lane(_)));
            let (jobs, lanes) = (line.queue.jobs(), line.queue.lanes());
            (jobs + usize::from(next == Some(false)), lanes + usize::from(next == Some(true)))
        };
        Load {
            at_work: shared.at_work.load(Relaxed),
            jobs,
            lanes,
            max_jobs: shared.max_jobs,
            refused: shared.refused.load(Relaxed),
            timing: shared.timing.read(),
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
        let mut line = self.shared.line();
        line.closed = true;
        let next = line.next.take();
        let of_lane = next.as_ref().and_then(|next| next.lane()).and_then(|lane| lane.leave());
        let waiting = (line.queue.take_all(), next, of_lane);
        drop(line);
        self.shared.more.notify_all();
        // Outside of the lock: it may be the last that holds what the jobs hold.
        drop(waiting);
    }
}

impl Lane {
    /// Gives the lane a piece of work, which has the lane's next turn unless a later call replaces it before
    /// that begins. Returns the piece that this one replaces, which is not done.
    #[must_use = "it may have to be counted"]
    pub(crate) fn put(&self, piece: Piece) -> Option<Piece> {
        let (replaced, enters) = self.state.put(piece);
        if enters {
            self.shared.line_up(self.state.clone());
        }
        replaced
    }

    /// Removes the waiting piece, which is not done.
    pub(crate) fn clear(&self) {
        // Dropped without the lock.
        let removed = self.state.clear();
        drop(removed);
    }
}

impl Next {
    /// Returns the lane whose turn it is; `None` for a job.
    fn lane(&self) -> Option<&Arc<LaneState>> {
        match &self.taken.work {
            TakenWork::Lane(lane) => Some(lane),
            TakenWork::Job(_) => None,
        }
    }

    /// Begins the turn, if the lane's newest piece still has the bytes that `memory` was granted or refused
    /// for.
    fn begin(self, memory: Result<BytePermit, BudgetError>) -> Attempt {
        let Taken { work, bytes, share } = self.taken;
        match work {
            TakenWork::Job(work) => Attempt::Begun(Begun { work, memory, lane: None, share }),
            TakenWork::Lane(lane) => {
                let is_granted = memory.is_ok();
                match lane.begin(|newest| if is_granted { newest <= bytes } else { newest >= bytes }) {
                    Some(work) => Attempt::Begun(Begun { work, memory, lane: Some(lane), share }),
                    None => Attempt::Changed(lane, share),
                }
            }
        }
    }
}

/// Wakes the workers when there is memory.
struct Bell(std::sync::Weak<Shared>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if let Some(shared) = self.0.upgrade() {
            // Locked, so that no worker is just between having looked and waiting.
            let _line = shared.line();
            shared.more.notify_all();
        }
    }
}

impl Shared {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_job(&self, origin: Origin, piece: Piece) -> Result<(), PoolError> {
        self.memory.check(piece.bytes, origin.kind == JobKind::Conversion)?;
        let mut line = self.line();
        if line.closed {
            return Err(PoolError::Busy);
        }
        line.queue.add_job(origin, piece, Instant::now()).map_err(|Full| {
            self.refused.fetch_add(1, Relaxed);
            PoolError::Busy
        })?;
        drop(line);
        self.more.notify_one();
        Ok(())
    }

    fn line_up(&self, lane: Arc<LaneState>) {
        let mut line = self.line();
        if !line.closed {
            line.queue.add_lane(lane, Instant::now());
            drop(line);
            self.more.notify_one();
        } else {
            drop(line);
            drop(lane.leave());
        }
    }

    /// Runs one worker until the pool is dropped.
    fn work(self: &Arc<Self>) {
        let bell = Waker::from(Arc::new(Bell(Arc::downgrade(self))));
        while let Some(Begun { work, memory, lane, share }) = self.next(&bell) {
            self.at_work.fetch_add(1, Relaxed);
            let begun = Instant::now();
            // Jobs and lanes mind their panics; the worker must live on all the same.
            let _ = catch_unwind(AssertUnwindSafe(|| work(memory)));
            self.timing.count(begun.elapsed());
            self.at_work.fetch_sub(1, Relaxed);
            self.done(lane, share);
        }
    }

    /// Waits for a turn, and for its memory.
    fn next(&self, bell: &Waker) -> Option<Begun> {
        let mut line = self.line();
        loop {
            if line.closed {
                return None;
            }
            let next = match line.next.take() {
                Some(next) => Some(next),
                None => line.queue.take(Instant::now(), self.shares()).map(|taken| self.next_for(taken)),
            };
            match next.map(|next| self.try_begin(next, bell)) {
                Some(Attempt::Begun(begun)) => {
                    if !line.queue.is_empty() {
                        // Another worker may have been woken for the piece that is taken now.
                        self.more.notify_one();
                    }
                    return Some(begun);
                }
                Some(Attempt::Waits(next)) => line.next = Some(next),
                Some(Attempt::Changed(lane, share)) => {
                    line.queue.put_back(lane, share);
                    continue;
                }
                None => {}
            }
            let reserved = line
                .queue
                .reserved_for(Instant::now())
                .filter(|_| line.next.is_none() && !line.queue.is_empty());
            let look_again = line.next.is_some().then_some(LIMIT_CHECK_INTERVAL);
            line = match reserved.or(look_again) {
                // Conversions wait only until others have been quiet for long enough.
                Some(left) => self.more.wait_timeout(line, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.more.wait(line).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Begins a turn if there is memory for it. Memory that is granted for a piece which has been replaced by
    /// a larger one is given back under the queue's lock: no other turn waits for it, whose [`Bell`] would
    /// lock.
    fn try_begin(&self, mut next: Next, bell: &Waker) -> Attempt {
        if let Some(lane) = next.lane()
            && lane.bytes() != next.taken.bytes
        {
            return Attempt::Changed(lane.clone(), next.taken.share);
        }
        // A limit that has become smaller since it began to wait: it would wait for ever.
        if let Err(refused) = self.memory.check(next.taken.bytes, next.taken.share.is_conversion) {
            return next.begin(Err(refused));
        }
        match next.memory.as_mut().poll(&mut Context::from_waker(bell)) {
            Poll::Ready(memory) => next.begin(memory),
            Poll::Pending => Attempt::Waits(next),
        }
    }

    fn shares(&self) -> Shares {
        let memory = &self.memory;
        Shares { most: memory.most_bytes(), large: memory.large_bytes(), small: memory.small_bytes() }
    }

    fn next_for(&self, taken: Taken) -> Next {
        let (budget, bytes) = (self.memory.working().clone(), taken.bytes);
        Next { taken, memory: Box::pin(async move { budget.acquire(bytes).await }) }
    }

    /// Ends a piece of work.
    fn done(&self, lane: Option<Arc<LaneState>>, share: Share) {
        self.line().queue.done(share, Instant::now());
        // One that could not be begun for this one may wait.
        self.more.notify_one();
        if let Some(lane) = lane.filter(|lane| lane.done()) {
            self.line_up(lane);
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("max_jobs", &self.max_jobs).finish_non_exhaustive()
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("stands", &self.state.stands()).finish_non_exhaustive()
    }
}

/// Returns the message of a panic.
pub(crate) fn reason(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no reason given").to_owned()
}
