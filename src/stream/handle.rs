//! What the rest of the house holds of a stream: its bus, its status, and the wish that it runs.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use actix::Addr;
use tokio::sync::watch;

use super::{
    actor::{Stop, StreamActor},
    candidates::Sources,
    state::State,
};
use crate::{
    bus::{Bus, History, Sink},
    config::{Limits, StreamConfig},
    frame::StreamName,
    source::{Lasting, Upstreams},
    transform::{pipeline::Pipeline, pool::Pool, stage::Stage},
};

/// A stream's state and since when it has been so.
#[derive(Debug, Clone)]
pub struct Status {
    /// What it is doing.
    pub state: State,
    /// When it began to.
    pub since: SystemTime,
}

/// A running stream. Cloning it shares the stream.
#[derive(Debug, Clone)]
pub struct StreamHandle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Arc<StreamConfig>,
    bus: Arc<Bus>,
    sink: Sink,
    demand: watch::Sender<usize>,
    status: watch::Receiver<Status>,
    sources: watch::Receiver<Option<Arc<Sources>>>,
    publisher: watch::Sender<u64>,
    lasting: Lasting,
    actor: Addr<StreamActor>,
}

/// A stream that does not run on because of this.
#[derive(Debug, Clone)]
pub struct WeakStream(Weak<Inner>);

impl WeakStream {
    /// The stream, if somebody else still holds it.
    pub fn upgrade(&self) -> Option<StreamHandle> {
        self.0.upgrade().map(StreamHandle)
    }
}

/// Viewers of all streams together, bounded.
#[derive(Debug)]
pub struct Capacity {
    viewers: AtomicUsize,
    max_viewers: usize,
}

/// No room for one more viewer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{of_what} has all the viewers that {limit} allows: {viewers}")]
pub struct AtCapacity {
    /// How many there are.
    pub viewers: usize,
    /// The relay, or one stream.
    pub of_what: String,
    /// The setting that says so.
    pub limit: &'static str,
}

impl Capacity {
    /// Room for `max_viewers`.
    pub fn new(max_viewers: usize) -> Self {
        Self { viewers: AtomicUsize::new(0), max_viewers }
    }
}

impl StreamHandle {
    /// Starts the stream's actor on the current arbiter.
    ///
    /// `upstreams` are the streams whose pictures it may show.
    pub fn start(
        config: StreamConfig,
        limits: Limits,
        pool: Arc<Pool>,
        upstreams: Arc<dyn Upstreams>,
    ) -> Self {
        let config = Arc::new(config);
        let history = config.replay.map(|span| History::new(span, limits.max_replay_bytes));
        let bus = Arc::new(Bus::with_history(history));
        let mut sink = Sink::new(bus.clone(), config.max_fps);
        if !config.rework.is_nothing() {
            let pipeline = Pipeline::new(config.title.clone(), config.rework.clone(), (&limits).into());
            sink = sink.reworking(Arc::new(Stage::new(config.name.clone(), pipeline, &pool)));
        }
        let demand = watch::Sender::new(0);
        let lasting = Lasting::new(&config, upstreams);
        let (status_sender, status) = watch::channel(Status { state: State::Idle, since: SystemTime::now() });
        let (standing, sources) = watch::channel(None);
        let actor = StreamActor::start_with(
            config.clone(),
            limits,
            pool,
            sink.clone(),
            demand.subscribe(),
            (status_sender, standing),
            lasting.clone(),
        );
        let publisher = watch::Sender::new(0);
        Self(Arc::new(Inner { config, bus, sink, demand, status, sources, publisher, lasting, actor }))
    }

    /// The same stream, without holding it.
    pub fn downgrade(&self) -> WeakStream {
        WeakStream(Arc::downgrade(&self.0))
    }

    /// Its name.
    pub fn name(&self) -> &StreamName {
        &self.0.config.name
    }

    /// Its settings.
    pub fn config(&self) -> &StreamConfig {
        &self.0.config
    }

    /// Its newest frame and its counters.
    pub fn bus(&self) -> &Arc<Bus> {
        &self.0.bus
    }

    /// How it is now.
    pub fn status(&self) -> Status {
        self.0.status.borrow().clone()
    }

    /// Which of its sources is in use; none while there is no choice.
    pub fn sources(&self) -> Option<Arc<Sources>> {
        self.0.sources.borrow().clone()
    }

    /// Wakes at each change of status.
    pub fn status_changes(&self) -> watch::Receiver<Status> {
        self.0.status.clone()
    }

    /// Where pushed frames go. Only a push stream has publishers from outside; the caller checks.
    pub fn sink(&self) -> &Sink {
        &self.0.sink
    }

    /// Makes the caller the stream's one long-lived publisher; the future ends when another took over. The newest wins,
    /// so that a publisher whose old connection hangs half open can come back at once.
    pub fn take_over_publishing(&self) -> impl Future<Output = ()> + use<> {
        let mut turns = self.0.publisher.subscribe();
        let mut mine = 0;
        // Numbered under the channel's lock: of two that come at the same moment one sees the other.
        self.0.publisher.send_modify(|turn| {
            *turn += 1;
            mine = *turn;
        });
        // An error means that the stream is gone.
        async move { drop(turns.wait_for(|turn| *turn != mine).await) }
    }

    /// Wants the stream to run for as long as the guard lives.
    pub fn want(&self) -> DemandGuard {
        self.0.demand.send_modify(|wanted| *wanted += 1);
        DemandGuard(self.clone())
    }

    /// Joins as a viewer, if there is room.
    ///
    /// # Errors
    /// [`AtCapacity`] when all streams together or this one have as many viewers as allowed.
    pub fn join(
        &self,
        capacity: &Arc<Capacity>,
        max_viewers_per_stream: usize,
    ) -> Result<ViewerGuard, AtCapacity> {
        let seat = self.seat(capacity, max_viewers_per_stream)?;
        Ok(ViewerGuard { seat, _demand: self.want(), rendition: None })
    }

    /// Joins as a viewer of what is past, if there is room: the source need not run for that.
    ///
    /// # Errors
    /// [`AtCapacity`] when all streams together or this one have as many viewers as allowed.
    pub fn join_past(
        &self,
        capacity: &Arc<Capacity>,
        max_viewers_per_stream: usize,
    ) -> Result<PastViewerGuard, AtCapacity> {
        let seat = self.seat(capacity, max_viewers_per_stream)?;
        self.0.bus.stats().replay_begun();
        Ok(PastViewerGuard(seat))
    }

    /// Counts one viewer more, if there is room.
    ///
    /// # Errors
    /// [`AtCapacity`] when all streams together or this one have as many viewers as allowed.
    fn seat(&self, capacity: &Arc<Capacity>, max_viewers_per_stream: usize) -> Result<Seat, AtCapacity> {
        let stats = self.0.bus.stats();
        stats.viewer_joined(max_viewers_per_stream).map_err(|viewers| {
            let of_what = format!("stream {}", self.name());
            AtCapacity { viewers, of_what, limit: "limits.max_viewers_per_stream" }
        })?;
        let one_more = |viewers| (viewers < capacity.max_viewers).then_some(viewers + 1);
        if let Err(viewers) = capacity.viewers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more) {
            stats.viewer_left();
            let of_what = "this relay".to_owned();
            return Err(AtCapacity { viewers, of_what, limit: "limits.max_viewers" });
        }
        Ok(Seat { stream: self.clone(), capacity: capacity.clone() })
    }

    /// What outlasts a run of its source: the points of a graph, a program that is not gone yet.
    pub fn lasting(&self) -> &Lasting {
        &self.0.lasting
    }

    /// Ends the stream for good: its source first, then its viewers. Returns when its source is gone.
    pub async fn stop(&self) {
        // An actor that cannot answer has stopped already.
        let _ = self.0.actor.send(Stop).await;
        self.0.bus.close();
    }
}

/// While it lives, the stream is wanted.
#[derive(Debug)]
pub struct DemandGuard(StreamHandle);

impl DemandGuard {
    /// The stream that is wanted.
    pub fn stream(&self) -> &StreamHandle {
        &self.0
    }
}

impl Drop for DemandGuard {
    fn drop(&mut self) {
        self.0.0.demand.send_modify(|wanted| *wanted -= 1);
    }
}

/// While it lives, a viewer is counted and the stream is wanted.
#[derive(Debug)]
pub struct ViewerGuard {
    seat: Seat,
    _demand: DemandGuard,
    rendition: Option<RenditionViewer>,
}

impl ViewerGuard {
    /// The stream that is viewed: the one that was joined, or a rendition of it.
    pub fn stream(&self) -> &StreamHandle {
        self.rendition.as_ref().map_or(&self.seat.stream, |viewer| viewer.demand.stream())
    }

    /// From now on `rendition` of the stream is viewed, or the stream itself. The viewer stays one of the stream's, which
    /// stays wanted, and is counted at the rendition too.
    pub fn look_at(&mut self, rendition: Option<&StreamHandle>) {
        self.rendition = rendition.map(RenditionViewer::of);
    }
}

/// While it lives, a viewer is counted at a rendition. There is room: the stream has some, and has more viewers.
#[derive(Debug)]
struct RenditionViewer {
    demand: DemandGuard,
}

impl RenditionViewer {
    fn of(rendition: &StreamHandle) -> Self {
        // An error would be a count beyond all memory.
        let _ = rendition.bus().stats().viewer_joined(usize::MAX);
        Self { demand: rendition.want() }
    }
}

impl Drop for RenditionViewer {
    fn drop(&mut self) {
        self.demand.stream().bus().stats().viewer_left();
    }
}

/// While it lives, a viewer is counted who looks at the past.
#[derive(Debug)]
pub struct PastViewerGuard(Seat);

impl PastViewerGuard {
    /// The stream that is viewed.
    pub fn stream(&self) -> &StreamHandle {
        &self.0.stream
    }
}

impl Drop for PastViewerGuard {
    fn drop(&mut self) {
        self.stream().bus().stats().replay_ended();
    }
}

/// While it lives, a viewer is counted.
#[derive(Debug)]
struct Seat {
    stream: StreamHandle,
    capacity: Arc<Capacity>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.stream.bus().stats().viewer_left();
        self.capacity.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}
