//! A stream's transforms between its source and its bus.
//!
//! One frame of a stream waits at a time: while a worker is busy with the stream's previous frame, or with
//! those of other streams, or until there is memory for it, the newest frame replaces the waiting one. A
//! stream is in the pool's queue at most once, so that all have their share. Removing metadata alone takes
//! microseconds and is done on the source's thread.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use tracing::{info, warn};

use super::pipeline::{Pipeline, TransformError, TransformedFrame};
use crate::{
    bus::{Bus, DropReason, FrameProcessor, OutcomeSender, Processing, tell},
    imaging::cpu_pool::{CpuPool, LatestQueue, WorkItem, panic_message},
    limits::BudgetError,
    media::{
        frame::{Frame, FrameEncoding},
        stream_name::StreamName,
    },
};

/// The transforms of a stream, which the pool's workers do.
#[derive(Debug)]
pub struct TransformStage {
    inner: Arc<Inner>,
    latest: LatestQueue,
}

#[derive(Debug)]
struct Inner {
    name: StreamName,
    pipeline: Pipeline,
    /// Incremented by each [`FrameProcessor::discard_pending`]. Frames of an earlier value are not shown.
    generation: Mutex<u64>,
    failing: AtomicBool,
}

impl TransformStage {
    /// Returns a stage for the transforms of `pipeline`; `name` is for the log.
    pub fn new(name: StreamName, pipeline: Pipeline, pool: &CpuPool) -> Self {
        let inner = Inner { name, pipeline, generation: Mutex::default(), failing: AtomicBool::new(false) };
        Self { inner: Arc::new(inner), latest: pool.latest_queue() }
    }
}

impl FrameProcessor for TransformStage {
    fn process(&self, frame: Frame, bus: &Arc<Bus>, outcome: Option<OutcomeSender>) {
        let generation = *self.inner.generation();
        if self.inner.pipeline.is_light() {
            return self.inner.transform(&frame, bus, generation, outcome);
        }
        let item = self.inner.item(frame, bus.clone(), generation, outcome);
        // Held until the frame is queued, so that `discard_pending` runs before or after, never between.
        let now = self.inner.generation();
        if *now != generation {
            return;
        }
        let replaced = self.latest.put(item);
        drop(now);
        if replaced.is_some() {
            bus.stats().count_drop(DropReason::Busy);
        }
    }

    fn discard_pending(&self) {
        let mut generation = self.inner.generation();
        *generation += 1;
        self.latest.clear();
    }
}

impl Inner {
    fn generation(&self) -> MutexGuard<'_, u64> {
        self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the bytes of memory that a frame takes. Zero for steps that do not fit it, or panic: that is
    /// reported when they are done.
    fn bytes_for(&self, frame: &Frame) -> usize {
        catch_unwind(AssertUnwindSafe(|| self.pipeline.bytes_for(frame)))
            .map_or(0, |bytes| bytes.unwrap_or(0))
    }

    /// Returns a frame as a piece of work.
    fn item(
        self: &Arc<Self>,
        frame: Frame,
        bus: Arc<Bus>,
        generation: u64,
        outcome: Option<OutcomeSender>,
    ) -> WorkItem {
        let inner = self.clone();
        WorkItem::new(self.bytes_for(&frame), move |memory| match memory {
            Ok(_memory) => inner.transform(&frame, &bus, generation, outcome),
            Err(error) => {
                inner.refuse(&bus, error);
                tell(outcome, Err(DropReason::TooLarge));
            }
        })
    }

    /// Drops a frame that takes more memory than all pictures at work may have.
    fn refuse(&self, bus: &Bus, error: BudgetError) {
        bus.stats().count_drop(DropReason::TooLarge);
        if !self.failing.swap(true, Ordering::Relaxed) {
            warn!(
                stream = %self.name,
                "a picture cannot be transformed: decoding it takes too much memory: {error}, which are \
                 three quarters of limits.max_decode_bytes"
            );
        }
    }

    /// Transforms a frame and publishes the result, unless pending frames were discarded since `generation`.
    fn transform(&self, frame: &Frame, bus: &Bus, generation: u64, outcome: Option<OutcomeSender>) {
        let begun = Instant::now();
        let result = guarded(|| self.pipeline.transform(frame));
        let is_done = frame.encoding() == FrameEncoding::Final;
        if !is_done && result.as_ref().is_ok_and(|done| done.processing == Processing::Encoded) {
            bus.stats().encode_times().record(begun.elapsed());
        }
        // Held while the frame is published, so that `discard_pending` runs before or after, never between.
        let now = self.generation();
        if *now != generation {
            return;
        }
        match result {
            Ok(TransformedFrame { frame, processing }) => {
                bus.publish_from_source(frame, processing);
                tell(outcome, Ok(()));
                if self.failing.swap(false, Ordering::Relaxed) {
                    info!(stream = %self.name, "frames can be transformed again");
                }
            }
            Err(error) => {
                bus.stats().count_drop(DropReason::Invalid);
                tell(outcome, Err(DropReason::Invalid));
                if !self.failing.swap(true, Ordering::Relaxed) {
                    warn!(stream = %self.name, "a picture cannot be transformed: {error}");
                }
            }
        }
    }
}

/// Turns a panic into an error of that frame.
fn guarded(
    transform: impl FnOnce() -> Result<TransformedFrame, TransformError>,
) -> Result<TransformedFrame, TransformError> {
    catch_unwind(AssertUnwindSafe(transform))
        .unwrap_or_else(|panic| Err(TransformError::Panicked { reason: panic_message(&*panic) }))
}

#[cfg(test)]
mod tests {
    use std::{
        num::{NonZeroU64, NonZeroUsize},
        sync::mpsc,
    };

    use futures_util::FutureExt;

    use super::*;
    use crate::{
        bus::{Ingest, tests::tiny_frame},
        config::{Encode, Transform as Steps},
        imaging::{convert::PictureLimits, cpu_pool::memory::PictureMemory},
        limits::Budgets,
    };

    fn stage(pool: &CpuPool) -> TransformStage {
        stage_for(pool, Steps { encode: Some(Encode::default()), ..Steps::default() })
    }

    fn stage_for(pool: &CpuPool, steps: Steps) -> TransformStage {
        let limits = PictureLimits { max_frame_bytes: 100_000, max_frame_pixels: 100_000 };
        TransformStage::new(
            "door".parse().unwrap(),
            Pipeline::new("Door".into(), steps, limits, pool.memory().clone()),
            pool,
        )
    }

    fn busy(bus: &Bus) -> u64 {
        bus.stats().dropped().find(|(reason, _)| *reason == DropReason::Busy).unwrap().1
    }

    /// Calls `work` while the pool's only worker is blocked, and returns when the worker has done everything.
    async fn while_held(pool: &CpuPool, work: impl FnOnce()) {
        let (release, released) = mpsc::sync_channel::<()>(0);
        let mut held = Box::pin(pool.run(move || released.recv()));
        assert!((&mut held).now_or_never().is_none());
        work();
        release.send(()).unwrap();
        assert!(held.await.unwrap().is_ok());
        pool.run(|| ()).await.unwrap();
    }

    #[tokio::test]
    async fn of_frames_that_come_while_the_workers_are_busy_the_newest_is_shown_and_the_others_are_counted() {
        let pool = CpuPool::new(NonZeroUsize::MIN, 4).unwrap();
        let (one, other) = (stage(&pool), stage(&pool));
        let (bus, bus_of_other) = (Arc::new(Bus::default()), Arc::new(Bus::default()));
        let newest = tiny_frame();
        while_held(&pool, || {
            (0..3).for_each(|_| one.process(tiny_frame(), &bus, None));
            one.process(newest.clone(), &bus, None);
            other.process(tiny_frame(), &bus_of_other, None);
        })
        .await;
        let shown = bus.newest().unwrap();
        assert_eq!((shown.seq, busy(&bus)), (1, 3));
        assert_eq!(shown.frame.arrived_at(), newest.arrived_at(), "the newest");
        assert_eq!(bus.stats().frames_in(), 1);
        assert_eq!(
            (bus_of_other.newest().unwrap().seq, busy(&bus_of_other)),
            (1, 0),
            "the greedy one cost it nothing"
        );
    }

    /// A pool with memory for one of the stage's frames at a time, which are large there, while other work
    /// holds that memory.
    struct Scarce {
        pool: Arc<CpuPool>,
        stage: TransformStage,
        bus: Arc<Bus>,
        held: tokio::task::JoinHandle<()>,
        release: mpsc::SyncSender<()>,
    }

    impl Scarce {
        async fn new() -> Self {
            let roomy = CpuPool::new(NonZeroUsize::MIN, 1).unwrap();
            let bytes = stage(&roomy).inner.bytes_for(&tiny_frame());
            let limits = crate::config::Limits { max_decode_bytes: Some(2 * bytes), ..Default::default() };
            let memory = Arc::new(PictureMemory::new(&Budgets::new(&limits, None)));
            assert!((memory.small_bytes() + 1..memory.large_bytes()).contains(&bytes));
            assert!(2 * bytes > memory.large_bytes());
            let pool = Arc::new(CpuPool::new_in(NonZeroUsize::new(2).unwrap(), 4, memory).unwrap());
            let (release, released) = mpsc::sync_channel(0);
            let (started, has_started) = tokio::sync::oneshot::channel();
            let queue = pool.queue(&"other".parse().unwrap());
            let held = tokio::spawn(async move {
                let hold = move || {
                    started.send(()).unwrap();
                    released.recv().unwrap();
                };
                queue.run(bytes, hold).await.unwrap();
            });
            has_started.await.unwrap();
            Self { stage: stage(&pool), pool, bus: Arc::default(), held, release }
        }

        /// Takes a frame, and returns after the other worker has looked for work: it passes the frame, which
        /// came before the work that it does.
        async fn take(&self, frame: Frame) {
            self.stage.process(frame, &self.bus, None);
            self.pool.run(|| ()).await.unwrap();
        }

        /// Releases the memory and returns when all work is done.
        async fn finish(self) -> Arc<Bus> {
            self.release.send(()).unwrap();
            self.held.await.unwrap();
            // Two jobs at once, one on each worker, which come behind all other work.
            let barrier = Arc::new(std::sync::Barrier::new(2));
            let meet = || {
                let barrier = barrier.clone();
                self.pool.run(move || barrier.wait().is_leader())
            };
            let (one, other) = tokio::join!(meet(), meet());
            assert!(one.is_ok() && other.is_ok());
            self.bus
        }
    }

    #[tokio::test]
    async fn of_large_frames_that_wait_for_memory_the_newest_is_shown_and_the_others_are_counted() {
        let scarce = Scarce::new().await;
        let frames = [tiny_frame(), tiny_frame(), tiny_frame()];
        for frame in &frames {
            scarce.take(frame.clone()).await;
        }
        assert_eq!((busy(&scarce.bus), scarce.pool.load().latest_queues), (2, 1));
        let bus = scarce.finish().await;
        let shown = bus.newest().unwrap();
        assert_eq!(shown.frame.arrived_at(), frames[2].arrived_at(), "the newest");
        assert_eq!((shown.seq, busy(&bus), bus.stats().encode_times().snapshot().count()), (1, 2, 1));
    }

    #[tokio::test]
    async fn a_large_frame_that_is_forgotten_while_it_waits_for_memory_is_not_decoded() {
        let scarce = Scarce::new().await;
        scarce.take(tiny_frame()).await;
        scarce.stage.discard_pending();
        let bus = scarce.finish().await;
        assert!(bus.newest().is_none());
        assert_eq!((bus.stats().encode_times().snapshot().count(), busy(&bus)), (0, 0));
    }

    /// Steps, decoders and encoders are all called from here; those of renditions too, which are streams.
    #[test]
    fn a_panic_of_a_step_is_an_error_that_says_what_it_said() {
        let error = guarded(|| panic!("injected by the test")).unwrap_err();
        assert!(
            matches!(&error, TransformError::Panicked { reason } if reason == "injected by the test"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn who_waits_for_a_frame_is_told_when_it_is_shown_or_that_a_newer_one_replaced_it() {
        let pool = CpuPool::new(NonZeroUsize::MIN, 4).unwrap();
        let bus = Arc::new(Bus::default());
        let ingest = Ingest::new(bus.clone(), None).with_transform(Arc::new(stage(&pool)));
        let (mut first, mut second) = (None, None);
        while_held(&pool, || {
            first = Some(Box::pin(ingest.push_and_wait(tiny_frame())));
            assert!(first.as_mut().unwrap().now_or_never().is_none());
            second = Some(Box::pin(ingest.push_and_wait(tiny_frame())));
            assert!(second.as_mut().unwrap().now_or_never().is_none());
            assert!(bus.newest().is_none());
        })
        .await;
        assert_eq!(first.unwrap().now_or_never(), Some(Err(DropReason::Busy)));
        assert_eq!(second.unwrap().now_or_never(), Some(Ok(NonZeroU64::new(2))));
        assert_eq!(bus.newest().unwrap().seq, 1);
    }

    #[tokio::test]
    async fn taking_metadata_out_waits_for_no_worker() {
        let pool = CpuPool::new(NonZeroUsize::MIN, 4).unwrap();
        let stage = stage_for(&pool, Steps { strip_metadata: true, ..Steps::default() });
        let bus = Arc::new(Bus::default());
        while_held(&pool, || {
            stage.process(tiny_frame(), &bus, None);
            assert!(bus.newest().is_some(), "while the only worker is busy");
        })
        .await;
        assert_eq!(busy(&bus), 0);
    }

    #[tokio::test]
    async fn what_was_taken_before_it_is_forgotten_is_not_shown_after() {
        let pool = CpuPool::new(NonZeroUsize::MIN, 4).unwrap();
        let stage = stage(&pool);
        let bus = Arc::new(Bus::default());
        while_held(&pool, || {
            stage.process(tiny_frame(), &bus, None);
            stage.discard_pending();
        })
        .await;
        assert!(bus.newest().is_none());
        stage.process(tiny_frame(), &bus, None);
        pool.run(|| ()).await.unwrap();
        assert!(bus.newest().is_some(), "the next life's are");
    }
}
