//! Starts streams and reconfigures them: the only file that depends on threads, pool and `stream_lookup`.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use actix::{Arbiter, ArbiterHandle};
use arc_swap::ArcSwap;
use dashmap::DashMap;
use futures_util::{FutureExt, future::BoxFuture};
use tokio::{sync::oneshot, task::AbortHandle};

use super::stream_lookup::StreamDirectory;
use crate::{
    bus::Bus,
    config::{Limits, SendFile, StreamConfig},
    imaging::cpu_pool::CpuPool,
    media::stream_name::StreamName,
    observability::task_counts,
    recording::Recorder,
    registry::{Events, StreamStarter, record_states},
    stream::StreamHandle,
};

/// Starts streams on the threads in turn.
#[derive(Debug)]
pub(super) struct StreamSpawner {
    arbiters: Vec<ArbiterHandle>,
    next_arbiter: AtomicUsize,
    sendfile: SendFile,
    limits: ArcSwap<Limits>,
    pool: Arc<CpuPool>,
    directory: Arc<StreamDirectory>,
    recorders: Arc<DashMap<StreamName, AbortHandle>>,
    events: Arc<Events>,
}

impl StreamSpawner {
    pub(super) fn new(
        arbiters: &[Arbiter],
        sendfile: SendFile,
        limits: Limits,
        pool: Arc<CpuPool>,
        events: Arc<Events>,
    ) -> Self {
        Self {
            arbiters: arbiters.iter().map(Arbiter::handle).collect(),
            next_arbiter: AtomicUsize::new(0),
            sendfile,
            limits: ArcSwap::from_pointee(limits),
            pool,
            directory: Arc::default(),
            recorders: Arc::default(),
            events,
        }
    }

    /// Sets the limits of streams that start or continue from now on.
    pub(super) fn set_limits(&self, limits: Limits) {
        self.limits.store(Arc::new(limits));
    }

    fn limits(&self) -> Limits {
        (**self.limits.load()).clone()
    }

    /// Forgets a stream that is about to end, and with it its recorder.
    pub(super) fn stop_recorder(&self, name: &StreamName) {
        self.directory.remove(name);
        self.recorders.remove(name);
    }

    /// Starts a stream in the place of one that has ended, whose counters go on.
    pub(super) fn start_replacement(
        &self,
        before: &StreamHandle,
        config: StreamConfig,
    ) -> BoxFuture<'static, io::Result<StreamHandle>> {
        self.spawn(config, Visibility::Shared, Some(before.bus().clone()))
    }

    /// Has a stream continue with other settings, on its own thread.
    pub(super) fn reconfigure(
        &self,
        stream: StreamHandle,
        config: StreamConfig,
    ) -> BoxFuture<'static, io::Result<StreamHandle>> {
        let (told, gone_on) = oneshot::channel();
        let (limits, pool, directory) = (self.limits(), self.pool.clone(), self.directory.clone());
        let recorders = self.recorders.clone();
        let thread = stream.thread().clone();
        thread.spawn_fn(move || {
            task_counts::spawn(async move {
                let next = stream.reconfigure(config, limits, pool, directory.clone()).await;
                directory.add(&next);
                if next.config().save != stream.config().save {
                    start_recorder(&next, &recorders);
                }
                // An error means that the relay was given up.
                let _ = told.send(next);
            });
        });
        async move { gone_on.await.map_err(|_| io::Error::other("a stream's thread has ended")) }.boxed()
    }
}

/// Starts the recorder of a stream that has one, in place of the recorder before.
fn start_recorder(stream: &StreamHandle, recorders: &DashMap<StreamName, AbortHandle>) {
    if let Some((_, before)) = recorders.remove(stream.name()) {
        before.abort();
        stream.bus().stats().clear_recording_status();
    }
    if let Some(save) = stream.config().save.clone() {
        let recorder = task_counts::spawn(Recorder::new(save, stream.bus().clone()).run());
        recorders.insert(stream.name().clone(), recorder.abort_handle());
    }
}

impl StreamStarter for StreamSpawner {
    fn start(&self, config: StreamConfig) -> BoxFuture<'static, io::Result<StreamHandle>> {
        self.spawn(config, Visibility::Shared, None)
    }

    fn start_unlisted(&self, config: StreamConfig) -> BoxFuture<'static, io::Result<StreamHandle>> {
        self.spawn(config, Visibility::ViewersOnly, None)
    }
}

/// The readers that may see a stream's pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visibility {
    /// Viewers and other streams.
    Shared,
    /// Only viewers of the stream itself.
    ViewersOnly,
}

impl StreamSpawner {
    /// Starts a stream's actor, and its recorder, on one of the threads.
    fn spawn(
        &self,
        config: StreamConfig,
        shown: Visibility,
        before: Option<Arc<Bus>>,
    ) -> BoxFuture<'static, io::Result<StreamHandle>> {
        let count = self.next_arbiter.fetch_add(1, Ordering::Relaxed);
        let arbiter = &self.arbiters[count % self.arbiters.len()];
        let (told, started) = oneshot::channel();
        let (limits, pool, directory) = (self.limits(), self.pool.clone(), self.directory.clone());
        let (recorders, events) = (self.recorders.clone(), self.events.clone());
        let sendfile = self.sendfile;
        arbiter.spawn_fn(move || {
            let stream = match before {
                Some(before) => {
                    StreamHandle::start_replacement(&before, config, limits, pool, directory.clone())
                }
                None => StreamHandle::start(config, limits, pool, directory.clone()),
            };
            stream.bus().set_send_file(sendfile);
            if shown == Visibility::Shared {
                directory.add(&stream);
                start_recorder(&stream, &recorders);
                task_counts::spawn(record_states(stream.name().clone(), stream.status_changes(), events));
            }
            // An error means that the relay's start was given up.
            let _ = told.send(stream);
        });
        async move { started.await.map_err(|_| io::Error::other("a stream's thread ended at once")) }.boxed()
    }
}
