//! The renditions that viewers request by URL parameters: each is one stream, encoded once for all viewers
//! with the same parameters.
//!
//! [`Renditions::acquire`] joins the rendition or creates it; of two concurrent requests one creates it and
//! the other joins. It runs while it has a holder, and two seconds longer. It ends with the stream that it
//! shows. A request for more than the limit is refused and counted. The tiles of pages have a limit of their
//! own, and no rendition in common with viewers: a page with many tiles takes no viewer's rendition, and
//! viewers take no tile's.
//!
//! Renditions are not listed as streams: they have no number and no URL of their own, and no stream can show
//! them.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OnceCell, watch},
    time::timeout,
};

use super::{
    StreamStarter,
    image_params::ImageParams,
    ref_counted_map::{EntryGuard, MapEntry, MapValue, RefCountedMap},
};
use crate::{
    bus::{Bus, Totals},
    config::Limits,
    media::stream_name::StreamName,
    observability::task_counts,
    stream::{StreamHandle, StreamStatus, state::State},
};

/// Time for which a rendition outlasts its last viewer, or its stream's `linger` if that is less: for a page
/// that is reloaded.
const LINGER: Duration = Duration::from_secs(2);

/// The renditions of all streams.
#[derive(Debug)]
pub struct Renditions {
    entries: RefCountedMap<Key, RenditionEntry>,
    viewers: Budget,
    tiles: Budget,
}

type Key = (StreamName, ImageParams, RenditionUse);

/// The use of a rendition, which has a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RenditionUse {
    /// Viewers that request it in the URL, or whose quality is adapted: `limits.max_renditions`.
    Viewers,
    /// Tiles of the dashboard: `limits.max_tile_renditions`.
    Tiles,
}

#[derive(Debug)]
struct Budget {
    max: AtomicUsize,
    rejected: AtomicU64,
}

impl Budget {
    fn new(max: usize) -> Self {
        Self { max: AtomicUsize::new(max), rejected: AtomicU64::new(0) }
    }
}

/// One rendition, perhaps not started yet.
#[derive(Debug)]
struct RenditionEntry {
    /// Bus of the origin, which distinguishes a stream from another that replaced it.
    origin: Arc<Bus>,
    stream: OnceCell<StreamHandle>,
    /// Whether its counts were added to the counters of its origin.
    is_counted: AtomicBool,
}

impl MapValue for RenditionEntry {
    /// Returns whether the rendition runs: then it has a keeper.
    fn is_managed(&self) -> bool {
        self.stream.initialized()
    }

    /// Adds its counters to those of its origin.
    fn on_removed(&self) {
        if let Some(stream) = self.stream.get()
            && !self.is_counted.swap(true, Ordering::Relaxed)
        {
            self.origin.stats().count_ended_rendition(&stream.bus().stats().totals());
        }
    }
}

/// A running rendition.
#[derive(Debug, Clone)]
pub struct Rendition {
    /// The parameters that were requested.
    pub params: ImageParams,
    /// Who uses it.
    pub used_by: RenditionUse,
    /// The stream that shows it.
    pub stream: StreamHandle,
}

/// The reason for which there is no rendition.
#[derive(Debug, thiserror::Error)]
pub enum RenditionError {
    /// The maximum number of renditions exists.
    #[error(
        "there are as many renditions as {limit} allows: {max}; ask for one that is there, or for the stream \
         as it is"
    )]
    AtCapacity {
        /// The limit.
        max: usize,
        /// Its name.
        limit: &'static str,
    },
    /// No thread could start it.
    #[error("the rendition cannot be started: {0}")]
    Start(#[from] io::Error),
}

/// Holds a rendition, which runs until this is dropped.
#[derive(Debug)]
pub struct RenditionGuard {
    _entry: EntryGuard<Key, RenditionEntry>,
    stream: StreamHandle,
}

impl RenditionGuard {
    /// Returns the stream that shows it.
    pub fn stream(&self) -> &StreamHandle {
        &self.stream
    }
}

impl Renditions {
    /// Creates the renditions, with the limits of `limits`.
    pub fn new(limits: &Limits) -> Self {
        let (viewers, tiles) = (Budget::new(limits.max_renditions), Budget::new(limits.max_tile_renditions));
        Self { entries: RefCountedMap::default(), viewers, tiles }
    }

    /// Joins the rendition of `origin`, or makes it. Must be called inside an actix system.
    ///
    /// # Errors
    /// [`RenditionError`] when there is no room, or no thread takes it.
    pub async fn acquire(
        &self,
        origin: &StreamHandle,
        params: ImageParams,
        used_by: RenditionUse,
        starter: &dyn StreamStarter,
    ) -> Result<RenditionGuard, RenditionError> {
        let guard = self.acquire_entry(origin, params, used_by)?;
        // If the request that makes it is dropped meanwhile, the next one that waits makes it.
        let made = guard.entry().value.stream.get_or_try_init(|| async {
            let stream = starter.start_unlisted(params.stream_config(origin.config())).await?;
            let linger = origin.config().linger.min(LINGER);
            let (entries, key, entry) = (self.entries.clone(), guard.key().clone(), guard.entry().clone());
            let task = LingerTask { entries, key, entry, stream: stream.clone(), linger };
            task_counts::spawn(task.run(origin.status_changes()));
            io::Result::Ok(stream)
        });
        let stream = made.await?.clone();
        Ok(RenditionGuard { _entry: guard, stream })
    }

    fn acquire_entry(
        &self,
        origin: &StreamHandle,
        params: ImageParams,
        used_by: RenditionUse,
    ) -> Result<EntryGuard<Key, RenditionEntry>, RenditionError> {
        let key = (origin.name().clone(), params, used_by);
        let max = self.max(used_by);
        let is_it = |made: &RenditionEntry| Arc::ptr_eq(&made.origin, origin.bus());
        let is_counted = AtomicBool::new(false);
        let make = || RenditionEntry { origin: origin.bus().clone(), stream: OnceCell::new(), is_counted };
        self.entries.acquire(key, max, |key| key.2 == used_by, is_it, make).ok_or_else(|| {
            self.budget(used_by).rejected.fetch_add(1, Ordering::Relaxed);
            let limit = match used_by {
                RenditionUse::Viewers => "limits.max_renditions",
                RenditionUse::Tiles => "limits.max_tile_renditions",
            };
            RenditionError::AtCapacity { max, limit }
        })
    }

    fn budget(&self, used_by: RenditionUse) -> &Budget {
        match used_by {
            RenditionUse::Viewers => &self.viewers,
            RenditionUse::Tiles => &self.tiles,
        }
    }

    /// Returns the renditions of a stream, in the order of their parameters.
    pub fn of_stream(&self, origin: &StreamHandle) -> Vec<Rendition> {
        let mut found = self.running(|made| Arc::ptr_eq(&made.origin, origin.bus()));
        found.sort_by_key(|rendition| rendition.params.to_string());
        found
    }

    /// Returns the totals of frames that the renditions of a stream have sent, dropped and made so far,
    /// including those that have ended.
    pub fn totals_of(&self, origin: &StreamHandle) -> Totals {
        // A rendition is ended under this lock, so it is counted either here or in the ended ones.
        let entries = self.entries.lock();
        let stats = origin.bus().stats();
        let mut totals = stats.ended_renditions();
        // A stream that was replaced has another bus, and goes on with its counters.
        for entry in entries.values().filter(|entry| std::ptr::eq(entry.value.origin.stats(), stats)) {
            if let Some(stream) = entry.value.stream.get() {
                totals += &stream.bus().stats().totals();
            }
        }
        totals
    }

    /// Returns all renditions.
    pub fn all(&self) -> Vec<Rendition> {
        self.running(|_| true)
    }

    fn running(&self, wanted: impl Fn(&RenditionEntry) -> bool) -> Vec<Rendition> {
        let entries = self.entries.lock();
        let wanted = entries.iter().filter(|(_, entry)| wanted(&entry.value));
        let running = wanted.filter_map(|(&(_, params, used_by), entry)| {
            Some(Rendition { params, used_by, stream: entry.value.stream.get()?.clone() })
        });
        running.collect()
    }

    /// Returns the number of renditions of one use, including those that are about to start.
    pub fn count(&self, used_by: RenditionUse) -> usize {
        self.entries.lock().keys().filter(|key| key.2 == used_by).count()
    }

    /// Returns the largest allowed number of renditions of one use.
    pub fn max(&self, used_by: RenditionUse) -> usize {
        self.budget(used_by).max.load(Ordering::Relaxed)
    }

    /// Sets the largest allowed numbers of renditions; running ones beyond them continue.
    pub fn set_limits(&self, limits: &Limits) {
        self.viewers.max.store(limits.max_renditions, Ordering::Relaxed);
        self.tiles.max.store(limits.max_tile_renditions, Ordering::Relaxed);
    }

    /// Returns the number of renditions of one use that were refused so far because of the limit.
    pub fn rejected(&self, used_by: RenditionUse) -> u64 {
        self.budget(used_by).rejected.load(Ordering::Relaxed)
    }
}

/// Ends a rendition when it is time.
struct LingerTask {
    entries: RefCountedMap<Key, RenditionEntry>,
    key: Key,
    entry: Arc<MapEntry<RenditionEntry>>,
    stream: StreamHandle,
    linger: Duration,
}

impl LingerTask {
    async fn run(self, mut origin: watch::Receiver<StreamStatus>) {
        // The stream's own linger would stop its source but would not remove the entry.
        let _wanted = self.stream.demand();
        loop {
            tokio::select! {
                // An error means that it is gone altogether.
                _ = origin.wait_for(|status| status.state == State::Stopped) => break,
                () = self.unused_for_linger() =>
                    if self.entries.remove_unused(&self.key, &self.entry) { break },
            }
        }
        self.entries.remove(&self.key, &self.entry);
        self.stream.stop().await;
    }

    async fn unused_for_linger(&self) {
        let mut holders = self.entry.holders();
        let mut are = async |wanted: fn(usize) -> bool| {
            holders.wait_for(|holders| wanted(*holders)).await.map(drop).expect("the place has the sender")
        };
        loop {
            are(|holders| holders == 0).await;
            if timeout(self.linger, are(|holders| holders > 0)).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures_util::{FutureExt, future::BoxFuture};

    use super::{RenditionUse::Viewers, *};
    use crate::{
        config::{self, Config, StreamConfig},
        imaging::CpuPool,
        source::NoStreams,
    };

    /// Starts streams that show nothing, after a moment.
    #[derive(Debug)]
    struct Starter {
        config: Config,
        pool: Arc<CpuPool>,
        started: AtomicUsize,
    }

    impl StreamStarter for Starter {
        fn start(&self, config: StreamConfig) -> BoxFuture<'static, io::Result<StreamHandle>> {
            self.started.fetch_add(1, Ordering::Relaxed);
            let (limits, pool) = (self.config.limits.clone(), self.pool.clone());
            let stream = StreamHandle::start(config, limits, pool, Arc::new(NoStreams));
            async move {
                tokio::task::yield_now().await;
                Ok(stream)
            }
            .boxed()
        }

        fn start_unlisted(&self, config: StreamConfig) -> BoxFuture<'static, io::Result<StreamHandle>> {
            self.start(config)
        }
    }

    impl Starter {
        fn new() -> Self {
            let yaml = "streams: {door: {linger: 1h, source: {type: push, token: none}}}";
            let config = config::parse(yaml, "test", &config::Environment::default()).unwrap();
            let pool = Arc::new(CpuPool::for_this_machine().unwrap());
            Self { config, pool, started: AtomicUsize::new(0) }
        }

        async fn door(&self) -> StreamHandle {
            let door = self.start(self.config.streams[0].clone()).await.unwrap();
            self.started.store(0, Ordering::Relaxed);
            door
        }
    }

    fn wide(width: u32) -> ImageParams {
        ImageParams::parse(|key| (key == "width").then(|| width.to_string())).unwrap()
    }

    /// Returns renditions with a limit of `most` for viewers, and of one for tiles.
    fn limited(most: usize) -> Renditions {
        Renditions::new(&Limits { max_renditions: most, max_tile_renditions: 1, ..Limits::default() })
    }

    async fn stopped(stream: &StreamHandle) {
        stream.status_changes().wait_for(|status| status.state == State::Stopped).await.unwrap();
    }

    #[actix::test]
    async fn two_who_come_at_the_same_moment_share_one() {
        let (starter, renditions) = (Starter::new(), limited(1));
        let door = starter.door().await;
        let hold = || renditions.acquire(&door, wide(320), Viewers, &starter);
        let (a, b) = tokio::join!(hold(), hold());
        assert!(Arc::ptr_eq(a.unwrap().stream().bus(), b.unwrap().stream().bus()));
        assert_eq!(starter.started.load(Ordering::Relaxed), 1);
        assert!(Arc::ptr_eq(
            hold().await.unwrap().stream().bus(),
            renditions.of_stream(&door)[0].stream.bus()
        ));
    }

    #[actix::test]
    async fn who_gives_up_while_it_is_made_leaves_it_to_the_next_or_leaves_nothing() {
        let (starter, renditions) = (Starter::new(), limited(1));
        let door = starter.door().await;
        let hold = || Box::pin(renditions.acquire(&door, wide(320), Viewers, &starter));
        let (mut first, mut second) = (hold(), hold());
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        second.await.unwrap();
        assert_eq!(starter.started.load(Ordering::Relaxed), 2, "the first one's was never seen");
        let other = limited(1);
        let mut only = Box::pin(other.acquire(&door, wide(320), Viewers, &starter));
        assert!((&mut only).now_or_never().is_none());
        assert_eq!(other.count(Viewers), 1);
        drop(only);
        assert_eq!(other.count(Viewers), 0);
    }

    #[actix::test]
    async fn one_more_than_allowed_is_refused_and_counted() {
        let (starter, renditions) = (Starter::new(), limited(1));
        let door = starter.door().await;
        let _first = renditions.acquire(&door, wide(320), Viewers, &starter).await.unwrap();
        let refused = renditions.acquire(&door, wide(640), Viewers, &starter).await;
        assert!(matches!(refused, Err(RenditionError::AtCapacity { max: 1, .. })));
        assert_eq!(renditions.rejected(Viewers), 1);
        renditions.acquire(&door, wide(320), Viewers, &starter).await.expect("it is there already");
    }

    #[actix::test]
    async fn tiles_and_viewers_take_no_rendition_from_each_other() {
        let (starter, renditions) = (Starter::new(), limited(1));
        let door = starter.door().await;
        let mut held = Vec::new();
        for used_by in [RenditionUse::Tiles, Viewers] {
            held.push(renditions.acquire(&door, wide(320), used_by, &starter).await.expect("its own budget"));
            let refused = renditions.acquire(&door, wide(640), used_by, &starter).await;
            assert!(matches!(refused, Err(RenditionError::AtCapacity { max: 1, .. })));
            assert_eq!((renditions.count(used_by), renditions.rejected(used_by)), (1, 1));
        }
        assert!(!Arc::ptr_eq(held[0].stream().bus(), held[1].stream().bus()));
    }

    #[actix::test]
    async fn it_goes_when_nobody_has_held_it_for_its_linger() {
        let (starter, renditions) = (Starter::new(), limited(1));
        let door = starter.door().await;
        tokio::time::pause();
        let held = renditions.acquire(&door, wide(320), Viewers, &starter).await.unwrap();
        let stream = held.stream().clone();
        tokio::time::sleep(LINGER * 10).await;
        drop(held);
        tokio::time::sleep(LINGER / 2).await;
        let held = renditions.acquire(&door, wide(320), Viewers, &starter).await.unwrap();
        assert!(Arc::ptr_eq(held.stream().bus(), stream.bus()), "it lingers");
        tokio::time::sleep(LINGER).await;
        assert_eq!(renditions.count(Viewers), 1);
        drop(held);
        stopped(&stream).await;
        assert_eq!(renditions.count(Viewers), 0);
        assert_eq!(starter.started.load(Ordering::Relaxed), 1);
    }

    #[actix::test]
    async fn what_it_has_sent_stays_counted_when_it_ends() {
        let (starter, renditions) = (Starter::new(), limited(2));
        let door = starter.door().await;
        let held = renditions.acquire(&door, wide(320), Viewers, &starter).await.unwrap();
        held.stream().bus().stats().count_frame_out(100, 2);
        let sent = || {
            let totals = renditions.totals_of(&door);
            (totals.frames_out, totals.bytes_out, totals.skipped)
        };
        assert_eq!(sent(), (1, 100, 2));
        let stream = held.stream().clone();
        drop(held);
        tokio::time::pause();
        stopped(&stream).await;
        assert_eq!((renditions.count(Viewers), sent()), (0, (1, 100, 2)));
        let again = renditions.acquire(&door, wide(320), Viewers, &starter).await.unwrap();
        again.stream().bus().stats().count_frame_out(50, 0);
        assert_eq!(sent(), (2, 150, 2), "with those of the next");
    }

    #[actix::test]
    async fn it_ends_with_its_stream_and_that_of_the_next_stream_of_the_name_is_another() {
        let (starter, renditions) = (Starter::new(), limited(1));
        let door = starter.door().await;
        let held = renditions.acquire(&door, wide(320), Viewers, &starter).await.unwrap();
        let next = starter.door().await;
        let of_next = renditions.acquire(&next, wide(320), Viewers, &starter).await.unwrap();
        assert!(!Arc::ptr_eq(held.stream().bus(), of_next.stream().bus()));
        door.stop().await;
        stopped(held.stream()).await;
        assert_eq!((renditions.of_stream(&door).len(), renditions.of_stream(&next).len()), (0, 1));
        next.stop().await;
        stopped(of_next.stream()).await;
        assert_eq!(renditions.count(Viewers), 0);
    }
}
