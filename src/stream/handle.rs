//! The handle of a stream: its bus, its status, and the demand for it.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use actix::{Addr, Arbiter, ArbiterHandle};
use tokio::sync::watch;

use super::{
    actor::{
        StreamActor,
        messages::{Pause, Replace, Restart, Resume, Stop},
    },
    failover::priority::SourcesReport,
    fan_out::run_fan_out,
    heartbeat,
    publisher_slot::{AlreadyPublishing, PublisherGuard, PublisherSlot},
    status::{FrameOriginGuard, SourceId, StreamStatus},
    viewer_limit::{AtCapacity, ViewerLimit, ViewerPermit},
};
use crate::{
    bus::{Bus, Ingest, ReplayBuffer},
    config::{Limits, SecondPublisher, StreamConfig},
    imaging::{
        cpu_pool::CpuPool,
        transform::{pipeline::Pipeline, stage::TransformStage},
    },
    media::stream_name::StreamName,
    observability::task_counts,
    source::{SourceContext, StreamLookup, camera::detection::CameraKind},
};

/// Time that a program which served as a stream's source has to end; then it is killed.
const PROGRAM_STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// A running stream. Cloning it shares the stream.
#[derive(Debug, Clone)]
pub struct StreamHandle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Arc<StreamConfig>,
    ingest: Ingest,
    shared: Shared,
    context: SourceContext,
    actor: Addr<StreamActor>,
    thread: ArbiterHandle,
}

/// The parts of a stream that it keeps when it continues with other settings.
#[derive(Debug, Clone)]
struct Shared {
    bus: Arc<Bus>,
    demand: watch::Sender<usize>,
    status: watch::Sender<StreamStatus>,
    sources: watch::Sender<Option<Arc<SourcesReport>>>,
    publisher_slot: PublisherSlot,
    source: SourceId,
}

/// A weak handle, which does not keep the stream running.
#[derive(Debug, Clone)]
pub struct WeakStream(Weak<Inner>);

impl WeakStream {
    /// Returns the stream, if another handle still exists.
    pub fn upgrade(&self) -> Option<StreamHandle> {
        self.0.upgrade().map(StreamHandle)
    }
}

impl StreamHandle {
    /// Starts the stream's actor on the current arbiter.
    ///
    /// `lookup` are the streams whose pictures it may show.
    pub fn start(
        config: StreamConfig,
        limits: Limits,
        pool: Arc<CpuPool>,
        lookup: Arc<dyn StreamLookup>,
    ) -> Self {
        let bus = Bus::with_replay_buffer(replay_buffer(&config, &limits));
        Self::start_on(bus, config, limits, pool, lookup)
    }

    /// Starts a stream in the place of one that has ended. Its counters continue from those of the ended one.
    pub fn start_replacement(
        before: &Bus,
        config: StreamConfig,
        limits: Limits,
        pool: Arc<CpuPool>,
        lookup: Arc<dyn StreamLookup>,
    ) -> Self {
        let bus = Bus::with_counters_of(before, replay_buffer(&config, &limits));
        Self::start_on(bus, config, limits, pool, lookup)
    }

    fn start_on(
        bus: Bus,
        config: StreamConfig,
        limits: Limits,
        pool: Arc<CpuPool>,
        lookup: Arc<dyn StreamLookup>,
    ) -> Self {
        let bus = Arc::new(bus);
        task_counts::spawn(run_fan_out(bus.clone()));
        task_counts::spawn(heartbeat::run_heartbeat(bus.clone()));
        let shared = Shared {
            bus,
            demand: watch::Sender::new(0),
            status: watch::Sender::default(),
            sources: watch::Sender::new(None),
            publisher_slot: PublisherSlot::default(),
            source: SourceId::default(),
        };
        let context = SourceContext::new(&config, lookup);
        Self::run(config, limits, pool, shared, context)
    }

    /// Continues with other settings: viewers stay, and see what the new source gives; publishers have to
    /// reconnect. Returns when the old source is gone. Must be called on the stream's own
    /// [`thread`](Self::thread), and `config` may not have another `replay`, which belongs to the bus.
    pub async fn reconfigure(
        &self,
        config: StreamConfig,
        limits: Limits,
        pool: Arc<CpuPool>,
        lookup: Arc<dyn StreamLookup>,
    ) -> Self {
        // An actor that cannot answer has stopped already.
        let _ = self.0.actor.send(Replace).await;
        self.disconnect_publishers();
        // Points of a graph, and a program that is not gone yet, outlast a new title.
        let context = if config.sources().eq(self.0.config.sources()) {
            self.0.context.clone()
        } else {
            // Two programs cannot have one device.
            self.0.context.stop_within(PROGRAM_STOP_TIMEOUT).await;
            SourceContext::new(&config, lookup)
        };
        Self::run(config, limits, pool, self.0.shared.clone(), context)
    }

    fn run(
        config: StreamConfig,
        limits: Limits,
        pool: Arc<CpuPool>,
        shared: Shared,
        context: SourceContext,
    ) -> Self {
        let config = Arc::new(config);
        let bus = shared.bus.clone();
        let mut ingest = Ingest::new(bus.clone(), config.max_fps)
            .with_max_pixels(limits.max_frame_pixels)
            .with_timestamps(config.timestamps);
        let rework = config.rework();
        if !rework.is_nothing() {
            let memory = pool.memory().clone();
            let pipeline = Pipeline::new(config.title.clone(), rework, (&limits).into(), memory);
            ingest =
                ingest.with_transform(Arc::new(TransformStage::new(config.name.clone(), pipeline, &pool)));
        }
        let actor = StreamActor::start_with(
            config.clone(),
            limits,
            pool,
            ingest.clone(),
            shared.demand.subscribe(),
            (shared.status.clone(), shared.sources.clone(), shared.source.clone()),
            context.clone(),
        );
        Self(Arc::new(Inner { config, ingest, shared, context, actor, thread: Arbiter::current() }))
    }

    /// Returns a weak handle to this stream.
    pub fn downgrade(&self) -> WeakStream {
        WeakStream(Arc::downgrade(&self.0))
    }

    /// Returns the name of the stream.
    pub fn name(&self) -> &StreamName {
        &self.0.config.name
    }

    /// Returns the settings of the stream.
    pub fn config(&self) -> &StreamConfig {
        &self.0.config
    }

    /// Returns the bus of the stream.
    pub fn bus(&self) -> &Arc<Bus> {
        &self.0.shared.bus
    }

    /// Returns the current status.
    pub fn status(&self) -> StreamStatus {
        self.0.shared.status.borrow().clone()
    }

    /// Returns the state of its sources; none while there is no choice.
    pub fn sources(&self) -> Option<Arc<SourcesReport>> {
        self.0.shared.sources.borrow().clone()
    }

    /// Returns what the camera of the source at `position` was found to be, if it is of `type: auto`.
    pub fn detected(&self, position: usize) -> Option<CameraKind> {
        self.0.context.detection(position).kind()
    }

    /// Returns a receiver of each change of status.
    pub fn status_changes(&self) -> watch::Receiver<StreamStatus> {
        self.0.shared.status.subscribe()
    }

    /// Returns the ingest for pushed frames. Only a push stream has publishers from outside; the caller
    /// checks.
    pub fn ingest(&self) -> &Ingest {
        &self.0.ingest
    }

    /// Makes the caller the stream's one long-lived publisher.
    ///
    /// # Errors
    /// [`AlreadyPublishing`] when there is one, which `second` says is to stay.
    pub fn publish(&self, second: SecondPublisher) -> Result<PublisherGuard, AlreadyPublishing> {
        self.0.shared.publisher_slot.acquire(second)
    }

    /// Returns whether there is a long-lived publisher.
    pub fn has_publisher(&self) -> bool {
        self.0.shared.publisher_slot.is_taken()
    }

    /// Returns the number in the log of the connection that frames come from now; none while there is none,
    /// and between pictures that are pushed one by one.
    pub fn source_id(&self) -> Option<u64> {
        self.0.shared.source.now()
    }

    /// Marks the publisher with this number as the one that frames come from, until the guard is dropped.
    pub fn set_publisher_id(&self, id: u64) -> FrameOriginGuard {
        self.0.shared.source.feed(id)
    }

    /// Keeps the stream running until the guard is dropped.
    pub fn demand(&self) -> DemandGuard {
        self.0.shared.demand.send_modify(|wanted| *wanted += 1);
        DemandGuard(self.clone())
    }

    /// Joins as a viewer, if there is room.
    ///
    /// # Errors
    /// [`AtCapacity`] when all streams together or this one have as many viewers as allowed.
    pub fn join(
        &self,
        capacity: &Arc<ViewerLimit>,
        max_viewers_per_stream: usize,
    ) -> Result<ViewerGuard, AtCapacity> {
        let permit = capacity.acquire(self.name(), self.bus(), max_viewers_per_stream)?;
        Ok(ViewerGuard { demand: self.demand(), rendition: None, _permit: permit })
    }

    /// Joins as a viewer of the replay buffer, if there is room: the source need not run for that.
    ///
    /// # Errors
    /// [`AtCapacity`] when all streams together or this one have as many viewers as allowed.
    pub fn join_replay(
        &self,
        capacity: &Arc<ViewerLimit>,
        max_viewers_per_stream: usize,
    ) -> Result<ReplayGuard, AtCapacity> {
        let permit = capacity.acquire(self.name(), self.bus(), max_viewers_per_stream)?;
        self.bus().stats().replay_begun();
        Ok(ReplayGuard { stream: self.clone(), _permit: permit })
    }

    /// Returns the state that outlasts a run of the source: the points of a chart, a program that is still
    /// ending.
    pub fn source_context(&self) -> &SourceContext {
        &self.0.context
    }

    /// Ends the stream for good: its source first, then its viewers. Returns when its source is gone.
    pub async fn stop(&self) {
        // An actor that cannot answer has stopped already.
        let _ = self.0.actor.send(Stop).await;
        self.bus().close();
    }

    /// Restarts its source if it runs; viewers stay. Returns when the old one is gone.
    pub async fn restart(&self) {
        let _ = self.0.actor.send(Restart).await;
    }

    /// Stops its source until [`resume`](Self::resume); viewers stay, and see that it is paused.
    pub async fn pause(&self) {
        self.disconnect_publishers();
        let _ = self.0.actor.send(Pause).await;
    }

    /// Ends a pause.
    pub async fn resume(&self) {
        let _ = self.0.actor.send(Resume).await;
    }

    /// Returns the thread that the stream runs on.
    pub fn thread(&self) -> &ArbiterHandle {
        &self.0.thread
    }

    fn disconnect_publishers(&self) {
        self.0.shared.publisher_slot.evict();
    }
}

/// Returns an empty replay buffer, if the stream has one.
fn replay_buffer(config: &StreamConfig, limits: &Limits) -> Option<ReplayBuffer> {
    config.replay.map(|span| ReplayBuffer::new(span, limits.max_replay_bytes))
}

/// Keeps a stream running until it is dropped.
#[derive(Debug)]
pub struct DemandGuard(StreamHandle);

impl DemandGuard {
    /// Returns the stream that is kept running.
    pub fn stream(&self) -> &StreamHandle {
        &self.0
    }
}

impl Drop for DemandGuard {
    fn drop(&mut self) {
        self.0.0.shared.demand.send_modify(|wanted| *wanted -= 1);
    }
}

/// Counts a viewer and keeps the stream running until it is dropped.
#[derive(Debug)]
pub struct ViewerGuard {
    _permit: ViewerPermit,
    demand: DemandGuard,
    rendition: Option<RenditionViewer>,
}

impl ViewerGuard {
    /// Returns the stream that is viewed: the one that was joined, or a rendition of it.
    pub fn stream(&self) -> &StreamHandle {
        self.rendition.as_ref().map_or(&self.demand, |viewer| &viewer.demand).stream()
    }

    /// Switches to `rendition` of the stream, or back to the stream itself. The viewer stays one of the
    /// stream's, which stays wanted, and is counted at the rendition too.
    pub fn switch_to(&mut self, rendition: Option<&StreamHandle>) {
        self.rendition = rendition.map(RenditionViewer::new);
    }
}

/// Counts a viewer at a rendition until it is dropped. There is room: the stream has some, and has more
/// viewers.
#[derive(Debug)]
struct RenditionViewer {
    demand: DemandGuard,
}

impl RenditionViewer {
    fn new(rendition: &StreamHandle) -> Self {
        // An error would be a count beyond all memory.
        let _ = rendition.bus().stats().viewer_joined(usize::MAX);
        Self { demand: rendition.demand() }
    }
}

impl Drop for RenditionViewer {
    fn drop(&mut self) {
        self.demand.stream().bus().stats().viewer_left();
    }
}

/// Counts a viewer of the replay buffer until it is dropped.
#[derive(Debug)]
pub struct ReplayGuard {
    stream: StreamHandle,
    _permit: ViewerPermit,
}

impl ReplayGuard {
    /// Returns the stream that is viewed.
    pub fn stream(&self) -> &StreamHandle {
        &self.stream
    }
}

impl Drop for ReplayGuard {
    fn drop(&mut self) {
        self.stream().bus().stats().replay_ended();
    }
}
