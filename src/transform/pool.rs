//! A fixed number of CPU workers that all streams share fairly, in bounded memory.
//!
//! Decoding, drawing and encoding take milliseconds; they must not stand in the way of sockets. The workers
//! are threads of their own (each actix runtime has a blocking pool of its own, of hundreds of threads and
//! without a bound on waiting jobs). Two kinds of work wait for them:
//!
//! - Jobs, through a stream's [`StreamQueue`]. Too many waiting jobs are refused at once: the caller drops
//!   that frame and counts it.
//! - Lanes. Who has work again and again, a stream with transforms, has a [`Lane`]: it stands in line once or
//!   not at all, and goes to its end after each turn. So lanes need no bound but their number.
//!
//! All streams and lanes that have work take turns, one piece each, so that none waits for more than one
//! piece of each other, however many jobs one of them has. Conversions of pushed pictures, which take seconds
//! if a publisher wants, have at most half of the workers while there is other work, or has been a moment
//! ago; with one worker every second turn.
//!
//! Each piece of work says how many bytes it takes. A worker takes it out of the line only to wait, if need
//! be, until
//! [`PictureMemory`] has so many: one piece waits so at a time, and nobody overtakes it. The workers
//! themselves do not wait for it but in the line, like for work.

use std::{
    any::Any,
    collections::{HashMap, VecDeque},
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

use tokio::sync::oneshot;

use super::memory::PictureMemory;
use crate::{
    bus::{Timed, Timing},
    frame::StreamName,
    limits::{BudgetError, BytePermit},
};

/// Jobs that may wait for each worker, of all streams together: with drawing and encoding at about 10 ms a
/// job, whoever waits at the end of the queue still gets its frame within a frame's time at 25 frames a
/// second. One job of each stream may always wait: a stream that draws its own pictures has no more, and must
/// not lose them to others.
const WAITING_JOBS_PER_WORKER: usize = 4;

/// Jobs of one kind that may wait of one stream: pictures that come later are newer.
const WAITING_JOBS_PER_STREAM: usize = 4;

/// For so long after other work conversions leave half of the workers alone: nearly all streams have a
/// picture more often, and one that has not can wait for a conversion.
const RESERVED_FOR: Duration = Duration::from_secs(1);

/// A piece that waits for memory looks so often whether the limit has become smaller than what it needs.
const LIMIT_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How much the workers stand back (Linux): on a machine whose cores are all busy, frames that pass as they
/// are go first.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Does a piece of work in the memory that was taken for it, or is told that there never will be so much.
type Work = Box<dyn FnOnce(Result<BytePermit, BudgetError>) + Send>;

/// The workers. They end when the pool is dropped, after the job in hand.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    workers: usize,
}

/// What all workers see.
struct Shared {
    queue: Mutex<Queue>,
    more: Condvar,
    max_jobs: usize,
    /// Conversions at the same time while there is other work.
    max_conversions: usize,
    workers: usize,
    at_work: AtomicUsize,
    refused: AtomicU64,
    timing: Timing,
    memory: Arc<PictureMemory>,
}

#[derive(Default)]
struct Queue {
    /// Who has work, each once; the first is next.
    turns: VecDeque<Turn>,
    jobs: HashMap<Origin, VecDeque<Piece>>,
    waiting_jobs: usize,
    waiting_conversions: usize,
    converting: usize,
    /// The piece that was taken last was a conversion.
    converted_last: bool,
    /// When other work than conversions was last there.
    other_work: Option<Instant>,
    next: Option<Next>,
    closed: bool,
}

/// Whose jobs they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Origin {
    stream: StreamName,
    kind: JobKind,
}

/// What a job is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum JobKind {
    /// A picture that framecast draws, or makes of one that it has.
    Drawing,
    /// A pushed file that is to become a JPEG.
    Conversion,
}

enum Turn {
    Jobs(Origin),
    Lane(Arc<LaneState>),
}

/// A piece of work, and the bytes that it takes.
pub(crate) struct Piece {
    bytes: usize,
    work: Work,
}

/// A piece that is taken out of the line.
struct Taken {
    piece: Piece,
    lane: Option<Arc<LaneState>>,
    is_conversion: bool,
}

/// The piece that waits for memory.
struct Next {
    taken: Taken,
    memory: Pin<Box<dyn Future<Output = Result<BytePermit, BudgetError>> + Send>>,
}

struct LaneState {
    work: Box<dyn Fn() -> Option<Piece> + Send + Sync>,
    stands: Mutex<Stands>,
}

/// Where a lane is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Outside,
    InQueue,
    AtWork,
    /// At work, and there is more.
    AtWorkAndMore,
}

/// How busy the workers are, and were.
#[derive(Debug, Clone)]
pub struct Load {
    /// Workers that are at work.
    pub at_work: usize,
    /// Jobs that wait for a worker.
    pub jobs: usize,
    /// Lanes that wait for a worker.
    pub lanes: usize,
    /// Most jobs that may wait.
    pub max_jobs: usize,
    /// Jobs that were refused so far because too many waited.
    pub refused: u64,
    /// How long jobs and turns took.
    pub timing: Timed,
}

/// The jobs of one stream.
#[derive(Debug, Clone)]
pub struct StreamQueue {
    pool: Arc<Pool>,
    stream: StreamName,
}

/// A place in the queue for one who has work again and again. One worker at most does it.
pub struct Lane {
    shared: Arc<Shared>,
    state: Arc<LaneState>,
}

/// Why a job gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// All workers are busy and the queue is full.
    #[error("all CPU workers are busy; try again later")]
    Busy,
    /// There never is as much memory as it takes.
    #[error(
        "the picture takes {needed} bytes of memory to be decoded, drawn and encoded, but all pictures at work may have \
         {most}, three quarters of limits.max_decode_bytes"
    )]
    Memory {
        /// Bytes that it takes.
        needed: usize,
        /// Bytes that there are.
        most: usize,
    },
    /// The job panicked; the worker lives on.
    #[error("a CPU job panicked: {reason}")]
    Panicked {
        /// What the panic said.
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
    /// Starts `workers` threads; at most `queue` jobs wait (at least 1), and one of each stream. They have as
    /// much memory as the process has where nothing is configured.
    ///
    /// # Errors
    /// The system's, when it starts no thread.
    pub fn new(workers: NonZeroUsize, queue: usize) -> std::io::Result<Self> {
        Self::new_in(workers, queue, Arc::default())
    }

    /// The same in `memory`.
    ///
    /// # Errors
    /// The system's, when it starts no thread.
    pub fn new_in(workers: NonZeroUsize, queue: usize, memory: Arc<PictureMemory>) -> std::io::Result<Self> {
        let workers = workers.get();
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            more: Condvar::new(),
            max_jobs: queue.max(1),
            max_conversions: (workers / 2).max(1),
            workers,
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

    /// One worker a core, in as much memory as the process has where nothing is configured.
    ///
    /// # Errors
    /// The system's, when it starts no thread.
    pub fn for_this_machine() -> std::io::Result<Self> {
        Self::for_this_machine_in(Arc::default())
    }

    /// One worker a core.
    ///
    /// # Errors
    /// The system's, when it starts no thread.
    pub fn for_this_machine_in(memory: Arc<PictureMemory>) -> std::io::Result<Self> {
        let workers = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self::new_in(workers, workers.get() * WAITING_JOBS_PER_WORKER, memory)
    }

    /// The jobs of a stream.
    pub fn queue(self: &Arc<Self>, stream: &StreamName) -> StreamQueue {
        StreamQueue { pool: self.clone(), stream: stream.clone() }
    }

    /// The memory that the workers have.
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
    /// As [`StreamQueue::run`].
    #[cfg(test)]
    pub(crate) async fn run<T, F>(&self, job: F) -> Result<T, PoolError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let stream = "of-no-stream".parse().expect("a name");
        self.run_for(Origin { stream, kind: JobKind::Drawing }, 0, job).await
    }

    /// A lane for `work`, which is called once for each time that [`Lane::enter`] was, or less often: never
    /// twice at the same time, and at least once after the last. What it gives is done in that turn.
    pub(crate) fn lane(&self, work: impl Fn() -> Option<Piece> + Send + Sync + 'static) -> Lane {
        let state = LaneState { work: Box::new(work), stands: Mutex::new(Stands::Outside) };
        Lane { shared: self.shared.clone(), state: Arc::new(state) }
    }

    /// How busy they are.
    pub fn load(&self) -> Load {
        let shared = &self.shared;
        let (jobs, lanes) = {
            let queue = shared.queue();
            let lanes = queue.turns.iter().filter(|turn| matches!(turn, Turn::Lane(_))).count();
            let next = queue.next.as_ref().map(|next| next.taken.lane.is_some());
            (queue.waiting_jobs + usize::from(next == Some(false)), lanes + usize::from(next == Some(true)))
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

    /// How many threads work.
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

    /// Does the same for a file that was pushed: publishers decide how many come, and how long one takes.
    ///
    /// # Errors
    /// As [`StreamQueue::run`].
    pub async fn convert<T, F>(&self, bytes: usize, job: F) -> Result<T, PoolError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.pool.run_for(self.origin(JobKind::Conversion), bytes, job).await
    }

    /// The pool.
    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    fn origin(&self, kind: JobKind) -> Origin {
        Origin { stream: self.stream.clone(), kind }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        queue.closed = true;
        let waiting = (std::mem::take(&mut queue.turns), std::mem::take(&mut queue.jobs), queue.next.take());
        drop(queue);
        self.shared.more.notify_all();
        // Outside of the lock: it may be the last that holds what the jobs hold.
        drop(waiting);
    }
}

impl Lane {
    /// There is work.
    pub fn enter(&self) {
        let mut stands = self.state.stands();
        match *stands {
            Stands::Outside => *stands = Stands::InQueue,
            Stands::AtWork => {
                *stands = Stands::AtWorkAndMore;
                return;
            }
            Stands::InQueue | Stands::AtWorkAndMore => return,
        }
        drop(stands);
        self.shared.line_up(self.state.clone());
    }
}

impl Piece {
    /// A piece of work that takes `bytes` of memory.
    pub(crate) fn new(
        bytes: usize,
        work: impl FnOnce(Result<BytePermit, BudgetError>) + Send + 'static,
    ) -> Self {
        Self { bytes, work: Box::new(work) }
    }
}

impl LaneState {
    fn stands(&self) -> MutexGuard<'_, Stands> {
        self.stands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Takes the next piece out of the line, if there is one that may be done now.
    fn take(&mut self, shared: &Shared) -> Option<Taken> {
        let at = self.turns.iter().position(|turn| !turn.is_conversion() || self.may_convert(shared))?;
        match self.turns.remove(at)? {
            Turn::Lane(lane) => {
                *lane.stands() = Stands::AtWork;
                self.converted_last = false;
                // Who has a lane minds its panics; the worker must live on all the same.
                let piece = catch_unwind(AssertUnwindSafe(|| (lane.work)())).ok().flatten();
                let piece = piece.unwrap_or_else(|| Piece::new(0, drop));
                Some(Taken { piece, lane: Some(lane), is_conversion: false })
            }
            Turn::Jobs(origin) => {
                let is_conversion = origin.kind == JobKind::Conversion;
                let jobs = self.jobs.get_mut(&origin)?;
                let piece = jobs.pop_front()?;
                self.waiting_jobs -= 1;
                self.waiting_conversions -= usize::from(is_conversion);
                if jobs.is_empty() {
                    self.jobs.remove(&origin);
                } else {
                    self.turns.push_back(Turn::Jobs(origin));
                }
                self.converting += usize::from(is_conversion);
                self.converted_last = is_conversion;
                Some(Taken { piece, lane: None, is_conversion })
            }
        }
    }

    /// Whether one more conversion may begin.
    fn may_convert(&self, shared: &Shared) -> bool {
        let others_wait = self.turns.iter().any(|turn| !turn.is_conversion());
        if others_wait && shared.workers == 1 && self.converted_last {
            return false;
        }
        self.converting < shared.max_conversions || !others_wait && self.reserved_for().is_none()
    }

    /// For how long half of the workers are still left to others.
    fn reserved_for(&self) -> Option<Duration> {
        RESERVED_FOR.checked_sub(self.other_work?.elapsed()).filter(|left| !left.is_zero())
    }
}

impl Turn {
    fn is_conversion(&self) -> bool {
        matches!(self, Self::Jobs(Origin { kind: JobKind::Conversion, .. }))
    }
}

/// Wakes the workers when there is memory.
struct Bell(std::sync::Weak<Shared>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if let Some(shared) = self.0.upgrade() {
            // Locked, so that no worker is just between having looked and waiting.
            let _queue = shared.queue();
            shared.more.notify_all();
        }
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_job(&self, origin: Origin, piece: Piece) -> Result<(), PoolError> {
        let most = self.memory.working().capacity();
        if piece.bytes > most {
            // It counts the refusal.
            let refused = self.memory.working().try_acquire(piece.bytes).err();
            return Err(refused.map_or(PoolError::Busy, PoolError::from));
        }
        let mut queue = self.queue();
        let is_conversion = origin.kind == JobKind::Conversion;
        let of_stream = queue.jobs.get(&origin).map_or(0, VecDeque::len);
        let is_full = of_stream >= WAITING_JOBS_PER_STREAM
            || queue.waiting_jobs >= self.max_jobs && of_stream > 0
            || queue.waiting_conversions >= self.max_jobs && is_conversion;
        if is_full {
            self.refused.fetch_add(1, Relaxed);
            return Err(PoolError::Busy);
        }
        if queue.closed {
            return Err(PoolError::Busy);
        }
        queue.waiting_jobs += 1;
        queue.waiting_conversions += usize::from(is_conversion);
        if !is_conversion {
            queue.other_work = Some(Instant::now());
        }
        queue.jobs.entry(origin.clone()).or_default().push_back(piece);
        if of_stream == 0 {
            queue.turns.push_back(Turn::Jobs(origin));
        }
        drop(queue);
        self.more.notify_one();
        Ok(())
    }

    fn line_up(&self, lane: Arc<LaneState>) {
        let mut queue = self.queue();
        if !queue.closed {
            queue.other_work = Some(Instant::now());
            queue.turns.push_back(Turn::Lane(lane));
            drop(queue);
            self.more.notify_one();
        }
    }

    /// One worker's life.
    fn work(self: &Arc<Self>) {
        let bell = Waker::from(Arc::new(Bell(Arc::downgrade(self))));
        while let Some((taken, memory)) = self.next(&bell) {
            let Taken { piece, lane, is_conversion } = taken;
            self.at_work.fetch_add(1, Relaxed);
            let begun = Instant::now();
            // Jobs and lanes mind their panics; the worker must live on all the same.
            let _ = catch_unwind(AssertUnwindSafe(|| (piece.work)(memory)));
            self.timing.count(begun.elapsed());
            self.at_work.fetch_sub(1, Relaxed);
            self.done(lane, is_conversion);
        }
    }

    /// Waits for a piece of work, and for its memory.
    fn next(&self, bell: &Waker) -> Option<(Taken, Result<BytePermit, BudgetError>)> {
        let mut queue = self.queue();
        loop {
            if queue.closed {
                return None;
            }
            if queue.next.is_none() {
                let taken = queue.take(self);
                queue.next = taken.map(|taken| self.next_for(taken));
            }
            // A limit that has become smaller since it began to wait: it would wait for ever.
            if let Some(bytes) = queue.next.as_ref().map(|next| next.taken.piece.bytes)
                && bytes > self.memory.working().capacity()
                && let Some(next) = queue.next.take()
            {
                drop(next.memory);
                let refused = self.memory.working().try_acquire(bytes);
                return Some((next.taken, refused));
            }
            if let Some(next) = &mut queue.next
                && let Poll::Ready(memory) = next.memory.as_mut().poll(&mut Context::from_waker(bell))
            {
                let next = queue.next.take()?;
                if !queue.turns.is_empty() {
                    // Another worker may have been woken for the piece that is taken now.
                    self.more.notify_one();
                }
                return Some((next.taken, memory));
            }
            let reserved = queue.reserved_for().filter(|_| queue.next.is_none() && !queue.turns.is_empty());
            let look_again = queue.next.is_some().then_some(LIMIT_CHECK_INTERVAL);
            queue = match reserved.or(look_again) {
                // Conversions wait only until others have been quiet for long enough.
                Some(left) => self.more.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.more.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn next_for(&self, taken: Taken) -> Next {
        let (budget, bytes) = (self.memory.working().clone(), taken.piece.bytes);
        Next { taken, memory: Box::pin(async move { budget.acquire(bytes).await }) }
    }

    /// What comes after a piece of work.
    fn done(&self, lane: Option<Arc<LaneState>>, is_conversion: bool) {
        {
            let mut queue = self.queue();
            queue.converting -= usize::from(is_conversion);
            if !is_conversion {
                queue.other_work = Some(Instant::now());
            }
        }
        // One that could not be begun for this one may wait.
        self.more.notify_one();
        let Some(lane) = lane else { return };
        let mut stands = lane.stands();
        let more = *stands == Stands::AtWorkAndMore;
        *stands = if more { Stands::InQueue } else { Stands::Outside };
        drop(stands);
        if more {
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
        f.debug_struct("Lane").field("stands", &*self.state.stands()).finish_non_exhaustive()
    }
}

/// A panic's own words.
pub(crate) fn reason(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no reason given").to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;

    use super::*;

    fn pool(workers: usize, queue: usize) -> Pool {
        Pool::new(NonZeroUsize::new(workers).unwrap(), queue).unwrap()
    }

    /// A lane whose turns take no memory.
    fn lane(pool: &Pool, work: impl Fn() + Send + Sync + 'static) -> Lane {
        let work = Arc::new(work);
        pool.lane(move || {
            let work = work.clone();
            Some(Piece::new(0, move |_| work()))
        })
    }

    fn name(name: &str) -> StreamName {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn a_job_runs_on_a_named_worker_and_gives_its_result() {
        let name = pool(2, 2).run(|| thread::current().name().map(str::to_owned)).await.unwrap();
        assert!(name.unwrap().starts_with("framecast-cpu-"));
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_and_the_worker_lives_on() {
        let pool = pool(1, 1);
        for _ in 0..3 {
            let panicked = pool.run(|| panic!("no pixels")).await;
            assert_eq!(panicked, Err::<(), _>(PoolError::Panicked { reason: "no pixels".into() }));
        }
        assert_eq!(pool.run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn a_full_queue_is_refused_at_once() {
        let pool = Arc::new(pool(1, 1));
        let (started, has_started) = oneshot::channel();
        let (release, released) = mpsc::sync_channel::<()>(0);
        let first = tokio::spawn({
            let pool = pool.clone();
            async move {
                pool.run(move || {
                    let _ = started.send(());
                    released.recv()
                })
                .await
            }
        });
        has_started.await.unwrap();
        // The worker is held: one more job waits, the next is refused.
        let mut second = Box::pin(pool.run(|| 2));
        assert!((&mut second).now_or_never().is_none());
        assert_eq!(pool.run(|| 3).await, Err(PoolError::Busy));
        let load = pool.load();
        assert_eq!((load.at_work, load.jobs, load.lanes, load.refused), (1, 1, 0, 1));
        release.send(()).unwrap();
        assert!(first.await.unwrap().is_ok());
        assert_eq!(second.await, Ok(2), "what waited is done, nothing more");
    }

    #[tokio::test]
    async fn a_job_whose_caller_has_gone_is_not_run() {
        let pool = Arc::new(pool(1, 2));
        let (started, has_started) = oneshot::channel();
        let (release, released) = mpsc::sync_channel::<()>(0);
        let held = pool.run(move || {
            let _ = started.send(());
            released.recv()
        });
        let mut held = Box::pin(held);
        assert!((&mut held).now_or_never().is_none());
        has_started.await.unwrap();
        let (ran, has_run) = mpsc::sync_channel::<()>(1);
        let mut abandoned = Box::pin(pool.run(move || ran.send(())));
        assert!((&mut abandoned).now_or_never().is_none());
        drop(abandoned);
        release.send(()).unwrap();
        assert!(held.await.unwrap().is_ok());
        pool.run(|| ()).await.unwrap();
        assert!(has_run.try_recv().is_err());
    }

    #[tokio::test]
    async fn lanes_take_turns_and_none_is_at_two_workers() {
        let pool = pool(1, 1);
        let (release, released) = mpsc::sync_channel::<()>(0);
        let held = pool.run(move || released.recv());
        let mut held = Box::pin(held);
        assert!((&mut held).now_or_never().is_none());
        let (tell, told) = mpsc::sync_channel(16);
        let lanes: Vec<_> = (0..3)
            .map(|n| {
                let tell = tell.clone();
                lane(&pool, move || tell.send(n).unwrap())
            })
            .collect();
        // A greedy one enters again and again.
        (0..5).for_each(|_| lanes[0].enter());
        lanes[1].enter();
        lanes[2].enter();
        release.send(()).unwrap();
        assert!(held.await.unwrap().is_ok());
        let turns: Vec<i32> = (0..3).map(|_| told.recv().unwrap()).collect();
        assert_eq!(turns, [0, 1, 2], "each has one turn, in the order in which they came");
    }

    #[tokio::test]
    async fn lanes_that_always_have_more_to_do_share_the_workers_evenly_and_leave_jobs_their_turn() {
        const TURNS: usize = 20;
        let pool = Arc::new(pool(1, 2));
        let (release, released) = mpsc::sync_channel::<()>(0);
        let mut held = Box::pin(pool.run(move || released.recv()));
        assert!((&mut held).now_or_never().is_none());
        let (tell, told) = mpsc::sync_channel(4 * TURNS);
        let lanes: Arc<std::sync::OnceLock<Vec<Lane>>> = Arc::default();
        let new_lane = |n: usize| {
            let (tell, lanes, done) = (tell.clone(), lanes.clone(), Mutex::new(0));
            lane(&pool, move || {
                tell.send(n).unwrap();
                let mut done = done.lock().unwrap();
                *done += 1;
                if *done < TURNS {
                    // More came meanwhile: of the first it is always several frames.
                    (0..=(n == 0).into()).for_each(|_| lanes.get().unwrap()[n].enter());
                }
            })
        };
        lanes.set((0..3).map(new_lane).collect()).unwrap();
        lanes.get().unwrap().iter().for_each(Lane::enter);
        let mut job = Box::pin(pool.run(move || tell.send(3).unwrap()));
        assert!((&mut job).now_or_never().is_none());
        release.send(()).unwrap();
        assert!(held.await.unwrap().is_ok());
        job.await.unwrap();
        let turns: Vec<usize> = (0..3 * TURNS + 1).map(|_| told.recv().unwrap()).collect();
        assert_eq!(turns[..7], [0, 1, 2, 3, 0, 1, 2], "the job had the turn in which it came");
        assert!(turns[4..].chunks(3).all(|round| round == [0, 1, 2]), "{turns:?}");
    }

    #[tokio::test]
    async fn work_that_comes_while_a_lane_is_at_work_is_done_after_it() {
        let pool = pool(2, 2);
        let (tell, told) = mpsc::sync_channel(4);
        let (release, released) = mpsc::sync_channel::<()>(0);
        let released = Mutex::new(released);
        let lane = lane(&pool, move || {
            tell.send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
        });
        lane.enter();
        told.recv().unwrap();
        lane.enter();
        lane.enter();
        release.send(()).unwrap();
        told.recv().unwrap();
        release.send(()).unwrap();
        pool.run(|| ()).await.unwrap();
        assert!(told.try_recv().is_err(), "twice entered while at work is once more");
    }

    #[tokio::test]
    async fn a_lane_that_panics_may_enter_again() {
        let pool = pool(1, 1);
        let (tell, told) = mpsc::sync_channel(4);
        let lane = lane(&pool, move || {
            tell.send(()).unwrap();
            panic!("no pixels");
        });
        for _ in 0..2 {
            lane.enter();
            told.recv().unwrap();
        }
        assert_eq!(pool.run(|| 7).await, Ok(7));
    }

    type Queued<'a, T> = Pin<Box<dyn Future<Output = Result<T, PoolError>> + 'a>>;

    /// Starts a job; it is in line, and done when the answer comes.
    fn queued<'a, T: 'a>(job: impl Future<Output = Result<T, PoolError>> + 'a) -> Queued<'a, T> {
        let mut job: Queued<'a, T> = Box::pin(job);
        assert!((&mut job).now_or_never().is_none());
        job
    }

    /// A pool whose pieces of work have three MiB.
    fn small_pool(workers: usize) -> Arc<Pool> {
        let limits = crate::config::Limits { max_decode_bytes: Some(4 * MIB), ..Default::default() };
        let budgets = crate::limits::Budgets::new(&limits, None);
        let memory = Arc::new(PictureMemory::new(&budgets));
        Arc::new(Pool::new_in(NonZeroUsize::new(workers).unwrap(), 100, memory).unwrap())
    }

    const MIB: usize = 1024 * 1024;

    #[tokio::test]
    async fn streams_take_turns_however_many_jobs_one_has_and_none_has_more_than_its_places() {
        let pool = Arc::new(pool(1, 100));
        let (release, released) = mpsc::sync_channel::<()>(0);
        let held = queued(pool.run(move || released.recv()));
        let (tell, told) = mpsc::sync_channel(100);
        let job = |stream: &str, n: u32| {
            let (tell, queue, stream) = (tell.clone(), pool.queue(&name(stream)), stream.to_owned());
            async move { queue.run(0, move || tell.send(format!("{stream} {n}")).unwrap()).await }
        };
        let mut jobs: Vec<_> =
            (0..WAITING_JOBS_PER_STREAM as u32).map(|n| queued(job("greedy", n))).collect();
        assert_eq!(job("greedy", 99).await, Err(PoolError::Busy), "it has no more places");
        jobs.extend((0..2).map(|n| queued(job("other", n))));
        release.send(()).unwrap();
        assert!(held.await.unwrap().is_ok());
        for job in jobs {
            job.await.unwrap();
        }
        let order: Vec<String> = told.try_iter().collect();
        assert_eq!(order, ["greedy 0", "other 0", "greedy 1", "other 1", "greedy 2", "greedy 3"]);
    }

    #[tokio::test]
    async fn a_stream_that_has_no_job_yet_has_a_place_in_a_full_queue() {
        let pool = Arc::new(pool(1, 1));
        let (release, released) = mpsc::sync_channel::<()>(0);
        let held = queued(pool.run(move || released.recv()));
        let jobs = ["a", "b", "c"].map(|stream| pool.queue(&name(stream)));
        let jobs = jobs.each_ref().map(|queue| queued(queue.run(0, || 7)));
        assert_eq!(pool.queue(&name("a")).run(0, || 7).await, Err(PoolError::Busy));
        // Conversions hold files: of them no more wait than there are places.
        let conversions = ["a", "b"].map(|stream| pool.queue(&name(stream)));
        let first = queued(conversions[0].convert(0, || 7));
        assert_eq!(conversions[1].convert(0, || 7).await, Err(PoolError::Busy));
        release.send(()).unwrap();
        assert!(held.await.unwrap().is_ok());
        for job in jobs {
            assert_eq!(job.await, Ok(7));
        }
        assert_eq!(first.await, Ok(7));
    }

    #[tokio::test]
    async fn conversions_have_every_second_turn_of_one_worker_however_many_streams_they_are_for() {
        let pool = Arc::new(pool(1, 100));
        let (release, released) = mpsc::sync_channel::<()>(0);
        let held = queued(pool.run(move || released.recv()));
        let (tell, told) = mpsc::sync_channel(100);
        let queues: Vec<_> = (0..4).map(|n| pool.queue(&name(&format!("stream-{n}")))).collect();
        let say = |what: &'static str| {
            let tell = tell.clone();
            move || tell.send(what).unwrap()
        };
        let conversions: Vec<_> =
            queues.iter().map(|queue| queued(queue.convert(0, say("convert")))).collect();
        let drawings: Vec<_> = queues.iter().map(|queue| queued(queue.run(0, say("draw")))).collect();
        release.send(()).unwrap();
        assert!(held.await.unwrap().is_ok());
        for job in conversions.into_iter().chain(drawings) {
            job.await.unwrap();
        }
        let order: Vec<_> = told.try_iter().collect();
        assert_eq!(order.chunks(2).collect::<Vec<_>>(), [["convert", "draw"]; 4]);
    }

    #[tokio::test]
    async fn conversions_leave_half_of_the_workers_to_other_work() {
        let pool = Arc::new(pool(4, 100));
        let queue = pool.queue(&name("inbox"));
        // There is other work.
        queue.run(0, || ()).await.unwrap();
        let (started, has_started) = mpsc::sync_channel(10);
        let (release, released) = mpsc::sync_channel::<()>(0);
        let released = Arc::new(Mutex::new(released));
        let hold = || {
            let (started, released) = (started.clone(), released.clone());
            move || {
                started.send(()).unwrap();
                released.lock().unwrap().recv().unwrap();
            }
        };
        let conversions: Vec<_> = (0..4).map(|_| queued(queue.convert(0, hold()))).collect();
        (0..2).for_each(|_| has_started.recv().unwrap());
        for _ in 0..10 {
            queue.run(0, || ()).await.unwrap();
        }
        assert!(has_started.try_recv().is_err(), "the other two wait");
        assert_eq!(pool.load().jobs, 2);
        (0..4).for_each(|_| release.send(()).unwrap());
        for conversion in conversions {
            conversion.await.unwrap();
        }
    }

    #[tokio::test]
    async fn conversions_have_all_workers_once_there_is_no_other_work() {
        let pool = Arc::new(pool(2, 100));
        let queue = pool.queue(&name("inbox"));
        let barrier = Arc::new(std::sync::Barrier::new(2));
        let meet = || {
            let barrier = barrier.clone();
            move || {
                barrier.wait();
            }
        };
        // Neither returns unless both are at work.
        let (one, other) = tokio::join!(queue.convert(0, meet()), queue.convert(0, meet()));
        assert_eq!((one, other), (Ok(()), Ok(())));
        queue.run(0, || ()).await.unwrap();
        let (one, other) = tokio::join!(queue.convert(0, meet()), queue.convert(0, meet()));
        assert_eq!((one, other), (Ok(()), Ok(())), "a moment after other work, too");
    }

    #[tokio::test]
    async fn who_waits_for_memory_holds_no_worker_is_not_overtaken_and_begins_when_there_is_enough() {
        let pool = small_pool(2);
        let (release, released) = mpsc::sync_channel::<()>(0);
        let (started, has_started) = mpsc::sync_channel(10);
        let say = |what: &'static str| {
            let started = started.clone();
            move || started.send(what).unwrap()
        };
        let queues = ["a", "b", "c"].map(|stream| pool.queue(&name(stream)));
        let begun = say("held");
        let held = queued(queues[0].run(2 * MIB, move || {
            begun();
            released.recv().unwrap();
        }));
        assert_eq!(has_started.recv(), Ok("held"));
        let large = queued(queues[1].run(3 * MIB, say("large")));
        let small = queued(queues[2].run(MIB, say("small")));
        let waits = || pool.memory().working().waiting() == 1;
        while !waits() {
            thread::yield_now();
        }
        assert!(has_started.try_recv().is_err());
        assert_eq!(pool.load().at_work, 1, "nobody is at work but the first");
        release.send(()).unwrap();
        held.await.unwrap();
        large.await.unwrap();
        small.await.unwrap();
        assert_eq!(has_started.try_iter().collect::<Vec<_>>(), ["large", "small"]);
        assert_eq!(pool.memory().working().in_use(), 0);
    }

    #[tokio::test]
    async fn what_never_fits_is_refused_at_once_and_told_when_the_memory_shrinks_while_it_waits() {
        let pool = small_pool(1);
        let queue = pool.queue(&name("a"));
        let refused = PoolError::Memory { needed: 3 * MIB + 1, most: 3 * MIB };
        assert_eq!(queue.run(3 * MIB + 1, || ()).await, Err(refused.clone()));
        assert!(refused.to_string().contains("limits.max_decode_bytes"));
        let (release, released) = mpsc::sync_channel::<()>(0);
        let held = queued(queue.run(0, move || released.recv()));
        let waits = queued(queue.run(3 * MIB, || ()));
        pool.memory().working().resize(MIB);
        release.send(()).unwrap();
        assert!(held.await.unwrap().is_ok());
        assert_eq!(waits.await, Err(PoolError::Memory { needed: 3 * MIB, most: MIB }));
        assert_eq!(queue.run(MIB, || 7).await, Ok(7));
        assert_eq!(pool.memory().working().refused(), 2);
    }

    #[tokio::test]
    async fn a_piece_that_waits_when_the_limit_becomes_too_small_for_it_is_refused_and_the_others_go_on() {
        let pool = small_pool(2);
        let (release, released) = mpsc::sync_channel::<()>(0);
        let (started, has_started) = mpsc::sync_channel(1);
        let queues = ["a", "b"].map(|stream| pool.queue(&name(stream)));
        let held = queued(queues[0].run(MIB, move || {
            started.send(()).unwrap();
            released.recv().unwrap();
        }));
        has_started.recv().unwrap();
        // It is promised what is free, and lacks what the first holds.
        let waits = queued(queues[1].run(3 * MIB, || ()));
        while pool.memory().working().waiting() == 0 {
            thread::yield_now();
        }
        pool.memory().working().resize(2 * MIB);
        assert_eq!(waits.await, Err(PoolError::Memory { needed: 3 * MIB, most: 2 * MIB }));
        assert_eq!(queues[1].run(MIB, || 7).await, Ok(7), "beside the one that is still at work");
        release.send(()).unwrap();
        held.await.unwrap();
        assert_eq!(queues[1].run(2 * MIB, || 8).await, Ok(8));
        assert_eq!(pool.memory().working().in_use(), 0);
    }

    #[tokio::test]
    async fn a_job_that_panics_gives_its_memory_back() {
        let pool = small_pool(1);
        let queue = pool.queue(&name("a"));
        for _ in 0..3 {
            assert!(
                queue
                    .run(3 * MIB, || panic!("no pixels"))
                    .await
                    .is_err_and(|e: PoolError| e != PoolError::Busy)
            );
        }
        assert_eq!(pool.memory().working().in_use(), 0);
    }
}
