//! A fixed number of CPU workers with a short queue.
//!
//! Decoding, drawing and encoding take milliseconds; they must not stand in the way of sockets. The workers are threads
//! of their own (each actix runtime has a blocking pool of its own, of hundreds of threads and without a bound on
//! waiting jobs). A full queue is refused at once: the caller drops that frame and counts it.
//!
//! Who has work again and again, a stream with transforms, has a [`Lane`]: it stands in the queue once or not at all, and
//! goes to its end after each turn. So lanes need no bound but their number, and none waits for more than one turn of
//! each other.

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Instant,
};

use tokio::sync::oneshot;

use crate::bus::{Timed, Timing};

/// Jobs that may wait for each worker: with drawing and encoding at about 10 ms a job, whoever waits at the end of the
/// queue still gets its frame within a frame's time at 25 frames a second.
const WAITING_JOBS_PER_WORKER: usize = 4;

/// How much the workers stand back (Linux): on a machine whose cores are all busy, frames that pass as they are go first.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

type Job = Box<dyn FnOnce() + Send>;

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
    at_work: AtomicUsize,
    refused: AtomicU64,
    timing: Timing,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    /// How many of the items are jobs.
    jobs: usize,
    closed: bool,
}

enum Item {
    Job(Job),
    Turn(Arc<LaneState>),
}

struct LaneState {
    work: Box<dyn Fn() + Send + Sync>,
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
    /// Jobs that were refused so far because the queue was full.
    pub refused: u64,
    /// How long jobs and turns took.
    pub timing: Timed,
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
    /// The job panicked; the worker lives on.
    #[error("a CPU job panicked: {reason}")]
    Panicked {
        /// What the panic said.
        reason: String,
    },
}

impl Pool {
    /// Starts `workers` threads; at most `queue` jobs wait (at least 1).
    ///
    /// # Errors
    /// The system's, when it starts no thread.
    pub fn new(workers: NonZeroUsize, queue: usize) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            more: Condvar::new(),
            max_jobs: queue.max(1),
            at_work: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            timing: Timing::default(),
        });
        let pool = Self { shared, workers: workers.get() };
        for number in 0..workers.get() {
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

    /// One worker a core.
    ///
    /// # Errors
    /// The system's, when it starts no thread.
    pub fn for_this_machine() -> std::io::Result<Self> {
        let workers = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self::new(workers, workers.get() * WAITING_JOBS_PER_WORKER)
    }

    /// Runs `job` on a worker and waits for its result. Never waits for a place in the queue. Dropping the future
    /// before a worker took the job cancels it.
    ///
    /// # Errors
    /// [`PoolError::Busy`] when the queue is full, [`PoolError::Panicked`] when the job panicked.
    pub async fn run<T, F>(&self, job: F) -> Result<T, PoolError>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = move || {
            if !answer.is_closed() {
                // Nobody sees a half-changed value after a panic: what the job owned is dropped with it.
                let result = catch_unwind(AssertUnwindSafe(job));
                // The caller may have gone meanwhile.
                let _ = answer.send(result.map_err(|panic| PoolError::Panicked { reason: reason(&*panic) }));
            }
        };
        {
            let mut queue = self.shared.queue();
            if queue.jobs >= self.shared.max_jobs {
                self.shared.refused.fetch_add(1, Relaxed);
                return Err(PoolError::Busy);
            }
            queue.jobs += 1;
            queue.items.push_back(Item::Job(Box::new(job)));
        }
        self.shared.more.notify_one();
        answered.await.unwrap_or(Err(PoolError::Busy))
    }

    /// A lane for `work`, which is called once for each time that [`Lane::enter`] was, or less often: never twice at the
    /// same time, and at least once after the last.
    pub fn lane(&self, work: impl Fn() + Send + Sync + 'static) -> Lane {
        let state = LaneState { work: Box::new(work), stands: Mutex::new(Stands::Outside) };
        Lane { shared: self.shared.clone(), state: Arc::new(state) }
    }

    /// How busy they are.
    pub fn load(&self) -> Load {
        let shared = &self.shared;
        let (jobs, items) = {
            let queue = shared.queue();
            (queue.jobs, queue.items.len())
        };
        Load {
            at_work: shared.at_work.load(Relaxed),
            jobs,
            lanes: items - jobs,
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

impl Drop for Pool {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        queue.closed = true;
        let items = std::mem::take(&mut queue.items);
        drop(queue);
        self.shared.more.notify_all();
        // Outside of the lock: it may be the last that holds what the jobs hold.
        drop(items);
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

impl LaneState {
    fn stands(&self) -> MutexGuard<'_, Stands> {
        self.stands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line_up(&self, lane: Arc<LaneState>) {
        let mut queue = self.queue();
        if !queue.closed {
            queue.items.push_back(Item::Turn(lane));
            drop(queue);
            self.more.notify_one();
        }
    }

    /// One worker's life.
    fn work(&self) {
        while let Some(item) = self.next() {
            self.at_work.fetch_add(1, Relaxed);
            let begun = Instant::now();
            match item {
                Item::Job(job) => job(),
                Item::Turn(lane) => self.turn(lane),
            }
            self.timing.count(begun.elapsed());
            self.at_work.fetch_sub(1, Relaxed);
        }
    }

    fn next(&self) -> Option<Item> {
        let mut queue = self.queue();
        loop {
            if queue.closed {
                return None;
            }
            if let Some(item) = queue.items.pop_front() {
                queue.jobs -= usize::from(matches!(item, Item::Job(_)));
                return Some(item);
            }
            queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn turn(&self, lane: Arc<LaneState>) {
        *lane.stands() = Stands::AtWork;
        // Who has a lane minds its panics; the worker must live on all the same.
        let _ = catch_unwind(AssertUnwindSafe(|| (lane.work)()));
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
                pool.lane(move || tell.send(n).unwrap())
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
        let lane = |n: usize| {
            let (tell, lanes, done) = (tell.clone(), lanes.clone(), Mutex::new(0));
            pool.lane(move || {
                tell.send(n).unwrap();
                let mut done = done.lock().unwrap();
                *done += 1;
                if *done < TURNS {
                    // More came meanwhile: of the first it is always several frames.
                    (0..=(n == 0).into()).for_each(|_| lanes.get().unwrap()[n].enter());
                }
            })
        };
        lanes.set((0..3).map(lane).collect()).unwrap();
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
        let lane = pool.lane(move || {
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
        let lane = pool.lane(move || {
            tell.send(()).unwrap();
            panic!("no pixels");
        });
        for _ in 0..2 {
            lane.enter();
            told.recv().unwrap();
        }
        assert_eq!(pool.run(|| 7).await, Ok(7));
    }
}
