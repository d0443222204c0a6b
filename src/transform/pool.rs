//! A fixed number of CPU workers with a short queue.
//!
//! Decoding, drawing and encoding take milliseconds; they must not stand in the way of sockets. The workers are threads
//! of their own (each actix runtime has a blocking pool of its own, of hundreds of threads and without a bound on
//! waiting jobs). A full queue is refused at once: the caller drops that frame and counts it.

use std::{
    any::Any,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use tokio::sync::oneshot;

/// Jobs that may wait for each worker: with drawing and encoding at about 10 ms a job, whoever waits at the end of the
/// queue still gets its frame within a frame's time at 25 frames a second.
const WAITING_JOBS_PER_WORKER: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

/// The workers. They end when the pool is dropped, after the job in hand.
#[derive(Debug)]
pub struct Pool {
    jobs: SyncSender<Job>,
    workers: usize,
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
        let (jobs, waiting) = sync_channel::<Job>(queue.max(1));
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..workers.get() {
            let waiting = waiting.clone();
            thread::Builder::new().name(format!("framecast-cpu-{number}")).spawn(move || work(&waiting))?;
        }
        Ok(Self { jobs, workers: workers.get() })
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
        match self.jobs.try_send(Box::new(job)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return Err(PoolError::Busy),
        }
        answered.await.unwrap_or(Err(PoolError::Busy))
    }

    /// How many threads work.
    pub fn workers(&self) -> usize {
        self.workers
    }
}

/// One worker's life.
fn work(waiting: &Mutex<Receiver<Job>>) {
    loop {
        // The lock is held while waiting: the others wait for it instead, and one of them takes the next job.
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}

/// A panic's own words.
fn reason(panic: &(dyn Any + Send)) -> String {
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
}
