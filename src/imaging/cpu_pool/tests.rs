//! Tests of the pool with threads and with memory.

use std::{
    num::NonZeroUsize,
    pin::Pin,
    sync::{Arc, Mutex, mpsc},
    thread,
};

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::{memory::PictureMemory, queue::WAITING_JOBS_PER_STREAM, *};
use crate::media::stream_name::StreamName;

fn pool(workers: usize, queue: usize) -> CpuPool {
    CpuPool::new(NonZeroUsize::new(workers).unwrap(), queue).unwrap()
}

/// A latest queue that does the same work each time, without memory.
struct Repeating {
    latest: LatestQueue,
    work: Arc<dyn Fn() + Send + Sync>,
}

impl Repeating {
    fn enter(&self) {
        let work = self.work.clone();
        drop(self.latest.put(WorkItem::new(0, move |_| work())));
    }
}

fn latest(pool: &CpuPool, work: impl Fn() + Send + Sync + 'static) -> Repeating {
    Repeating { latest: pool.latest_queue(), work: Arc::new(work) }
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
    assert_eq!((load.at_work, load.jobs, load.latest_queues, load.refused), (1, 1, 0, 1));
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
async fn latest_queues_take_turns_and_none_is_at_two_workers() {
    let pool = pool(1, 1);
    let (release, released) = mpsc::sync_channel::<()>(0);
    let held = pool.run(move || released.recv());
    let mut held = Box::pin(held);
    assert!((&mut held).now_or_never().is_none());
    let (sender, receiver) = mpsc::sync_channel(16);
    let latest_queues: Vec<_> = (0..3)
        .map(|n| {
            let sender = sender.clone();
            latest(&pool, move || sender.send(n).unwrap())
        })
        .collect();
    // A greedy one enters again and again.
    (0..5).for_each(|_| latest_queues[0].enter());
    latest_queues[1].enter();
    latest_queues[2].enter();
    release.send(()).unwrap();
    assert!(held.await.unwrap().is_ok());
    let turns: Vec<i32> = (0..3).map(|_| receiver.recv().unwrap()).collect();
    assert_eq!(turns, [0, 1, 2], "each has one turn, in the order in which they came");
}

#[tokio::test]
async fn latest_queues_that_always_have_more_to_do_share_the_workers_evenly_and_leave_jobs_their_turn() {
    const TURNS: usize = 20;
    let pool = Arc::new(pool(1, 2));
    let (release, released) = mpsc::sync_channel::<()>(0);
    let mut held = Box::pin(pool.run(move || released.recv()));
    assert!((&mut held).now_or_never().is_none());
    let (sender, receiver) = mpsc::sync_channel(4 * TURNS);
    let latest_queues: Arc<std::sync::OnceLock<Vec<Repeating>>> = Arc::default();
    let new_latest_queue = |n: usize| {
        let (sender, latest_queues, done) = (sender.clone(), latest_queues.clone(), Mutex::new(0));
        latest(&pool, move || {
            sender.send(n).unwrap();
            let mut done = done.lock().unwrap();
            *done += 1;
            if *done < TURNS {
                // More came meanwhile: of the first it is always several frames.
                (0..=(n == 0).into()).for_each(|_| latest_queues.get().unwrap()[n].enter());
            }
        })
    };
    assert!(latest_queues.set((0..3).map(new_latest_queue).collect()).is_ok());
    latest_queues.get().unwrap().iter().for_each(Repeating::enter);
    let mut job = Box::pin(pool.run(move || sender.send(3).unwrap()));
    assert!((&mut job).now_or_never().is_none());
    release.send(()).unwrap();
    assert!(held.await.unwrap().is_ok());
    job.await.unwrap();
    let turns: Vec<usize> = (0..3 * TURNS + 1).map(|_| receiver.recv().unwrap()).collect();
    assert_eq!(turns[..7], [0, 1, 2, 3, 0, 1, 2], "the job had the turn in which it came");
    assert!(turns[4..].chunks(3).all(|round| round == [0, 1, 2]), "{turns:?}");
}

#[tokio::test]
async fn work_that_comes_while_a_latest_queue_is_at_work_is_done_after_it() {
    let pool = pool(2, 2);
    let (sender, receiver) = mpsc::sync_channel(4);
    let (release, released) = mpsc::sync_channel::<()>(0);
    let released = Mutex::new(released);
    let latest = latest(&pool, move || {
        sender.send(()).unwrap();
        released.lock().unwrap().recv().unwrap();
    });
    latest.enter();
    receiver.recv().unwrap();
    latest.enter();
    latest.enter();
    release.send(()).unwrap();
    receiver.recv().unwrap();
    release.send(()).unwrap();
    pool.run(|| ()).await.unwrap();
    assert!(receiver.try_recv().is_err(), "twice entered while at work is once more");
}

#[tokio::test]
async fn a_latest_queue_that_panics_may_enter_again() {
    let pool = pool(1, 1);
    let (sender, receiver) = mpsc::sync_channel(4);
    let latest = latest(&pool, move || {
        sender.send(()).unwrap();
        panic!("no pixels");
    });
    for _ in 0..2 {
        latest.enter();
        receiver.recv().unwrap();
    }
    assert_eq!(pool.run(|| 7).await, Ok(7));
}

#[tokio::test]
async fn a_job_of_a_latest_queue_that_panics_is_told_and_the_next_is_done() {
    let pool = pool(1, 1);
    let mut latest = pool.latest_queue();
    let panicked = latest.run(0, || -> u8 { panic!("no pixels") }).await.unwrap_err();
    assert_eq!(panicked, PoolError::Panicked { reason: "no pixels".into() });
    assert_eq!(latest.run(0, || 7).await, Ok(7));
}

type Queued<'a, T> = Pin<Box<dyn Future<Output = Result<T, PoolError>> + 'a>>;

/// Starts a job: it is queued, and done when its result is received.
fn queued<'a, T: 'a>(job: impl Future<Output = Result<T, PoolError>> + 'a) -> Queued<'a, T> {
    let mut job: Queued<'a, T> = Box::pin(job);
    assert!((&mut job).now_or_never().is_none());
    job
}

/// A pool with 4 MiB for pieces of work, 3 MiB of which large pieces may hold.
fn small_pool(workers: usize) -> Arc<CpuPool> {
    let limits = crate::config::Limits { max_decode_bytes: Some(4 * MIB * 4 / 3), ..Default::default() };
    let budgets = crate::limits::Budgets::new(&limits, None);
    let memory = Arc::new(PictureMemory::new(&budgets));
    Arc::new(CpuPool::new_in(NonZeroUsize::new(workers).unwrap(), 100, memory).unwrap())
}

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn streams_take_turns_however_many_jobs_one_has_and_none_has_more_than_its_places() {
    let pool = Arc::new(pool(1, 100));
    let (release, released) = mpsc::sync_channel::<()>(0);
    let held = queued(pool.run(move || released.recv()));
    let (sender, receiver) = mpsc::sync_channel(100);
    let job = |stream: &str, n: u32| {
        let (sender, queue, stream) = (sender.clone(), pool.queue(&name(stream)), stream.to_owned());
        async move { queue.run(0, move || sender.send(format!("{stream} {n}")).unwrap()).await }
    };
    let mut jobs: Vec<_> = (0..WAITING_JOBS_PER_STREAM as u32).map(|n| queued(job("greedy", n))).collect();
    assert_eq!(job("greedy", 99).await, Err(PoolError::Busy), "it has no more places");
    jobs.extend((0..2).map(|n| queued(job("other", n))));
    release.send(()).unwrap();
    assert!(held.await.unwrap().is_ok());
    for job in jobs {
        job.await.unwrap();
    }
    let order: Vec<String> = receiver.try_iter().collect();
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
    let (sender, receiver) = mpsc::sync_channel(100);
    let queues: Vec<_> = (0..4).map(|n| pool.queue(&name(&format!("stream-{n}")))).collect();
    let say = |what: &'static str| {
        let sender = sender.clone();
        move || sender.send(what).unwrap()
    };
    let conversions: Vec<_> = queues.iter().map(|queue| queued(queue.convert(0, say("convert")))).collect();
    let drawings: Vec<_> = queues.iter().map(|queue| queued(queue.run(0, say("draw")))).collect();
    release.send(()).unwrap();
    assert!(held.await.unwrap().is_ok());
    for job in conversions.into_iter().chain(drawings) {
        job.await.unwrap();
    }
    let order: Vec<_> = receiver.try_iter().collect();
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
    let smaller = queued(queues[2].run(MIB + 1, say("smaller")));
    // A small piece has memory of its own, and the other worker.
    assert_eq!(pool.queue(&name("d")).run(MIB, || 7).await, Ok(7));
    assert!(has_started.try_recv().is_err());
    assert_eq!(pool.load().jobs, 2, "both wait");
    // The small one's worker is free again a moment after its answer.
    while pool.load().at_work != 1 {
        thread::yield_now();
    }
    release.send(()).unwrap();
    held.await.unwrap();
    large.await.unwrap();
    smaller.await.unwrap();
    assert_eq!(has_started.try_iter().collect::<Vec<_>>(), ["large", "smaller"]);
    assert_eq!(pool.memory().working().in_use(), 0);
}

#[tokio::test]
async fn what_never_fits_is_refused_at_once_and_told_when_the_memory_shrinks_while_it_waits() {
    let pool = small_pool(1);
    let queue = pool.queue(&name("a"));
    let refused = PoolError::Memory { needed: 4 * MIB + 1, most: 4 * MIB };
    assert_eq!(queue.run(4 * MIB + 1, || ()).await, Err(refused.clone()));
    assert!(refused.to_string().contains("limits.max_decode_bytes"));
    let (release, released) = mpsc::sync_channel::<()>(0);
    let held = queued(queue.run(0, move || released.recv()));
    let waits = queued(queue.run(3 * MIB, || ()));
    pool.memory().working().resize(2 * MIB);
    release.send(()).unwrap();
    assert!(held.await.unwrap().is_ok());
    assert_eq!(waits.await, Err(PoolError::Memory { needed: 3 * MIB, most: 2 * MIB }));
    assert_eq!(queue.run(MIB, || 7).await, Ok(7));
    assert_eq!(pool.memory().working().refused(), 2);
}

#[tokio::test]
async fn a_piece_that_waits_when_the_limit_becomes_too_small_for_it_is_refused_and_the_others_go_on() {
    let pool = small_pool(2);
    let queue = pool.queue(&name("a"));
    let held = pool.memory().working().try_acquire(2 * MIB).unwrap();
    // It waits for the bytes that are held.
    let waits = queued(queue.run(4 * MIB, || ()));
    while pool.memory().working().waiting() == 0 {
        thread::yield_now();
    }
    pool.memory().working().resize(3 * MIB);
    assert_eq!(waits.await, Err(PoolError::Memory { needed: 4 * MIB, most: 3 * MIB }));
    assert_eq!(queue.run(MIB, || 7).await, Ok(7), "beside what is still held");
    drop(held);
    assert_eq!(queue.run(2 * MIB, || 8).await, Ok(8));
    assert_eq!(pool.memory().working().in_use(), 0);
}

/// Returns a piece that sends its bytes, and whether it has memory for them.
fn saying(sender: &mpsc::SyncSender<(usize, bool)>, bytes: usize) -> WorkItem {
    let sender = sender.clone();
    WorkItem::new(bytes, move |memory| {
        let has_memory = memory.is_ok_and(|memory| memory.bytes() >= bytes);
        sender.send((bytes, has_memory)).unwrap();
    })
}

/// Waits until the next turn waits for memory.
fn until_one_waits(pool: &CpuPool) {
    while pool.memory().working().waiting() == 0 {
        thread::yield_now();
    }
}

#[tokio::test]
async fn a_latest_queue_that_waits_for_memory_does_its_newest_piece_whether_that_takes_more_or_less() {
    for newest in [MIB, 2 * MIB, 3 * MIB, 4 * MIB, 4 * MIB + 1] {
        let pool = small_pool(2);
        let (sender, receiver) = mpsc::sync_channel(10);
        let held = pool.memory().working().try_acquire(4 * MIB).unwrap();
        let latest = pool.latest_queue();
        assert!(latest.put(saying(&sender, 2 * MIB)).is_none());
        until_one_waits(&pool);
        assert!(latest.put(saying(&sender, 3 * MIB)).is_some(), "the older one is not done");
        assert!(latest.put(saying(&sender, newest)).is_some());
        // What never fits may be refused already.
        assert!(newest > 4 * MIB || pool.load().latest_queues == 1);
        drop(held);
        assert_eq!(receiver.recv(), Ok((newest, newest <= 4 * MIB)));
        assert_eq!(pool.run(|| 7).await, Ok(7));
        drop(pool);
        assert!(receiver.try_recv().is_err(), "nothing else was done");
    }
}

#[tokio::test]
async fn a_latest_queue_that_is_cleared_while_it_waits_for_memory_delays_nothing() {
    let pool = small_pool(1);
    let (sender, receiver) = mpsc::sync_channel(10);
    let held = pool.memory().working().try_acquire(3 * MIB).unwrap();
    let latest = pool.latest_queue();
    assert!(latest.put(saying(&sender, 2 * MIB)).is_none());
    until_one_waits(&pool);
    latest.clear();
    assert_eq!(pool.queue(&name("a")).run(MIB, || 7).await, Ok(7), "beside what is still held");
    assert_eq!(pool.load().latest_queues, 0);
    assert!(latest.put(saying(&sender, MIB)).is_none());
    assert_eq!(receiver.recv(), Ok((MIB, true)), "it may have work again");
    drop(held);
}

#[tokio::test]
async fn a_piece_of_a_latest_queue_is_dropped_with_the_pool_and_after_it() {
    let pool = small_pool(1);
    let held = pool.memory().working().try_acquire(3 * MIB).unwrap();
    let (sender, receiver) = mpsc::sync_channel(10);
    let latest_queues = [(); 2].map(|()| pool.latest_queue());
    assert!(latest_queues[0].put(saying(&sender, 2 * MIB)).is_none());
    until_one_waits(&pool);
    // Behind it, in the queue.
    assert!(latest_queues[1].put(saying(&sender, 2 * MIB)).is_none());
    drop(pool);
    for latest in &latest_queues {
        assert!(latest.put(saying(&sender, 1)).is_none(), "it did not stay");
    }
    drop(sender);
    assert_eq!(receiver.recv(), Err(mpsc::RecvError), "nobody has a piece, and none was done");
    drop(held);
}

#[tokio::test]
async fn a_job_that_panics_gives_its_memory_back() {
    let pool = small_pool(1);
    let queue = pool.queue(&name("a"));
    for _ in 0..3 {
        assert!(
            queue.run(3 * MIB, || panic!("no pixels")).await.is_err_and(|e: PoolError| e != PoolError::Busy)
        );
    }
    assert_eq!(pool.memory().working().in_use(), 0);
}

#[tokio::test]
async fn conversions_that_take_all_that_they_may_leave_the_others_their_memory_and_are_refused_above_it() {
    let pool = small_pool(4);
    let (release, released) = mpsc::sync_channel::<()>(0);
    let (started, has_started) = mpsc::sync_channel(10);
    let inbox = pool.queue(&name("inbox"));
    let begun = started.clone();
    let huge = queued(inbox.convert(3 * MIB, move || {
        begun.send("huge").unwrap();
        released.recv().unwrap();
    }));
    assert_eq!(has_started.recv(), Ok("huge"));
    let next = queued(inbox.convert(3 * MIB, move || started.send("next").unwrap()));
    // Latest queues and jobs, for as long as the conversion takes.
    let (sender, receiver) = mpsc::sync_channel(1);
    let rendition = pool.latest_queue();
    for _ in 0..100 {
        let sender = sender.clone();
        drop(rendition.put(WorkItem::new(MIB, move |memory| sender.send(memory.is_ok()).unwrap())));
        assert_eq!(receiver.recv(), Ok(true));
        assert_eq!(pool.queue(&name("bars")).run(MIB, || 7).await, Ok(7));
    }
    assert!(has_started.try_recv().is_err(), "the second conversion waits for the first");
    let refused = PoolError::Memory { needed: 3 * MIB + 1, most: 3 * MIB };
    assert_eq!(inbox.convert(3 * MIB + 1, || ()).await, Err(refused));
    release.send(()).unwrap();
    huge.await.unwrap();
    next.await.unwrap();
}
