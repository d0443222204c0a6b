//! Starts streams: the only place that knows threads, pool and neighbours.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use actix::{Arbiter, ArbiterHandle};
use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use tokio::sync::oneshot;

use super::neighbours::Neighbours;
use crate::{
    config::{Limits, SendFile, StreamConfig},
    recorder::Recorder,
    registry::Start,
    stream::StreamHandle,
    transform::pool::Pool,
};

/// Deals streams out to threads, in turn.
#[derive(Debug)]
pub(super) struct Starter {
    arbiters: Vec<ArbiterHandle>,
    turn: AtomicUsize,
    sendfile: SendFile,
    limits: Limits,
    pool: Arc<Pool>,
    neighbours: Arc<Neighbours>,
}

impl Starter {
    pub(super) fn new(arbiters: &[Arbiter], sendfile: SendFile, limits: Limits, pool: Arc<Pool>) -> Self {
        let arbiters = arbiters.iter().map(Arbiter::handle).collect();
        Self { arbiters, turn: AtomicUsize::new(0), sendfile, limits, pool, neighbours: Arc::default() }
    }

    /// Starts the streams, those before whose pictures others show; in the order of the configuration.
    pub(super) async fn start_all(&self, streams: Vec<StreamConfig>) -> io::Result<Vec<StreamHandle>> {
        let mut started = Vec::with_capacity(streams.len());
        let mut waiting: Vec<_> = streams.into_iter().enumerate().collect();
        while !waiting.is_empty() {
            let (ready, later): (Vec<_>, Vec<_>) = waiting
                .into_iter()
                .partition(|(_, stream)| stream.origins().all(|origin| self.neighbours.has(origin)));
            if ready.is_empty() {
                return Err(io::Error::other(
                    "streams show each other's pictures in a circle, or a stream's that is not there",
                ));
            }
            let starting = ready.into_iter().map(|(position, stream)| {
                let starting = self.start(stream);
                async move { io::Result::Ok((position, starting.await?)) }
            });
            for stream in join_all(starting).await {
                started.push(stream?);
            }
            waiting = later;
        }
        started.sort_by_key(|(position, _)| *position);
        Ok(started.into_iter().map(|(_, stream)| stream).collect())
    }
}

impl Start for Starter {
    fn start(&self, config: StreamConfig) -> BoxFuture<'static, io::Result<StreamHandle>> {
        self.spawn(config, Shown::ToStreams)
    }

    fn start_apart(&self, config: StreamConfig) -> BoxFuture<'static, io::Result<StreamHandle>> {
        self.spawn(config, Shown::ToViewers)
    }
}

/// Who may see a stream's pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// Other streams too.
    ToStreams,
    /// Only those who have it.
    ToViewers,
}

impl Starter {
    /// Starts a stream's actor, and its recorder, on one of the threads.
    fn spawn(&self, config: StreamConfig, shown: Shown) -> BoxFuture<'static, io::Result<StreamHandle>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let arbiter = &self.arbiters[turn % self.arbiters.len()];
        let (told, started) = oneshot::channel();
        let (limits, pool, neighbours) = (self.limits.clone(), self.pool.clone(), self.neighbours.clone());
        let sendfile = self.sendfile;
        arbiter.spawn_fn(move || {
            let save = config.save.clone();
            let stream = StreamHandle::start(config, limits, pool, neighbours.clone());
            stream.bus().set_send_file(sendfile);
            if shown == Shown::ToStreams {
                neighbours.add(&stream);
            }
            if let Some(save) = save {
                actix_rt::spawn(Recorder::new(save, stream.bus().clone()).run());
            }
            // Nobody waits any more only when the relay's start was given up.
            let _ = told.send(stream);
        });
        async move { started.await.map_err(|_| io::Error::other("a stream's thread ended at once")) }.boxed()
    }
}
