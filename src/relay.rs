//! Puts the rooms together: the only file that knows every room.
//!
//! Streams run on a few threads of their own (arbiters), the web on others, pictures are worked on in the pool: a busy
//! part never stops another.

use std::{
    io,
    net::SocketAddr,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::available_parallelism,
    time::{Duration, Instant, SystemTime},
};

use actix::Arbiter;
use dashmap::DashMap;
use futures_util::future::join_all;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};
use tracing::{info, warn};

use crate::{
    config::{Config, Limits, SourceConfig, StreamConfig},
    frame::StreamName,
    recorder::Recorder,
    registry::Registry,
    source::{Health, Upstream, Upstreams},
    stream::{Capacity, StreamHandle, WeakStream, state::State},
    transform::pool::Pool,
    web::{ListenError, Listeners, Tls, TlsError, WebServer, WebState},
};

/// Threads that streams are spread over, one a core up to this: they read the cameras and write to all viewers. A network
/// of 100 Gbit/s needs fewer.
const MAX_STREAM_THREADS: usize = 16;

/// Sources get so long to close their sockets at shutdown, so that all of it ends within three seconds.
const STREAMS_STOP_WITHIN: Duration = Duration::from_millis(500);

/// Programs that were asked to end get so long for it, beside the drain of the viewers; then they are killed.
const PROGRAMS_END_WITHIN: Duration = Duration::from_secs(1);

/// A running relay. Tests run several in one process.
#[derive(Debug)]
pub struct Relay {
    state: Arc<WebState>,
    addresses: Vec<SocketAddr>,
    web: WebServer,
    serving: JoinHandle<io::Result<()>>,
    arbiters: Vec<Arbiter>,
}

/// Why a relay could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address to listen on cannot be had.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The files for TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system refuses threads or sockets.
    #[error("the system refuses what framecast needs: {0}")]
    System(#[from] io::Error),
}

impl Relay {
    /// Listens, starts every stream, and serves. Must be called inside an actix system.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let tls = config.server.tls.as_ref().map(Tls::load).transpose()?;
        let listeners = Listeners::bind(&config.server.listen)?;
        let addresses = listeners.addresses();
        let pool = Arc::new(Pool::for_this_machine()?);
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let arbiters: Vec<_> = (0..cores.min(MAX_STREAM_THREADS)).map(|_| Arbiter::new()).collect();
        let limits = config.limits;
        let numbered = config.streams.len();
        let all = config.streams.into_iter().chain(config.overview).collect();
        let mut streams = start_streams(&arbiters, all, &limits, &pool).await?;
        streams.iter().for_each(|stream| stream.bus().set_send_file(config.server.sendfile));
        let overview = streams.split_off(numbered).pop();
        let state = Arc::new(WebState {
            registry: Registry::new(streams).with_overview(overview),
            capacity: Arc::new(Capacity::new(limits.max_viewers)),
            limits,
            pool,
            cors: config.server.cors,
            default_stream: config.server.default_stream,
            base_path: config.server.base_path,
            stopping: AtomicBool::new(false),
            started: SystemTime::now(),
            started_at: Instant::now(),
        });
        let (web, server) = WebServer::start(state.clone(), listeners, cores, tls)?;
        let serving = actix_rt::spawn(server);
        Ok(Self { state, addresses, web, serving, arbiters })
    }

    /// Where it listens; a port 0 has become a real one.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The streams.
    pub fn registry(&self) -> &Registry {
        &self.state.registry
    }

    /// Ends everything: viewers get the closing delimiter, sources let go of their cameras, connections drain.
    pub async fn stop(self) {
        self.state.stopping.store(true, Ordering::Relaxed);
        let registry = &self.state.registry;
        let streams: Vec<_> = registry.overview().into_iter().chain(registry.all()).collect();
        if timeout(STREAMS_STOP_WITHIN, join_all(streams.iter().map(StreamHandle::stop))).await.is_err() {
            warn!("a source did not end in time; it is left behind");
            streams.iter().for_each(|stream| stream.bus().close());
        }
        let programs = timeout(PROGRAMS_END_WITHIN, join_all(streams.iter().map(|s| s.lasting().gone())));
        let (_, _) = tokio::join!(self.web.stop(), programs);
        // Those that are gone have nothing to be killed.
        streams.iter().for_each(|stream| stream.lasting().kill());
        if let Ok(Err(error)) = self.serving.await {
            warn!("the HTTP server ended with an error: {error}");
        }
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
        info!("stopped");
    }
}

/// The streams that others may show: weak, since a stream that shows another would keep itself alive.
#[derive(Debug, Default)]
struct Neighbours(DashMap<StreamName, WeakStream>);

impl Upstreams for Neighbours {
    fn join(&self, name: &StreamName) -> Option<Upstream> {
        let stream = self.get(name)?;
        let watched = self.shown_by(stream.clone()).downgrade();
        Some(Upstream {
            title: stream.config().title.clone(),
            health: Box::new(move || {
                watched.upgrade().map_or(Health::Away("gone".to_owned()), |s| health(&s))
            }),
            shows: stream.bus().subscribe(),
            wanted: Box::new(stream.want()),
        })
    }
}

impl Neighbours {
    fn get(&self, name: &StreamName) -> Option<StreamHandle> {
        self.0.get(name).and_then(|entry| entry.value().upgrade())
    }

    /// The stream whose source a rendition shows in the end: its own goes on while that is away.
    fn shown_by(&self, mut stream: StreamHandle) -> StreamHandle {
        while let SourceConfig::Rendition { of } = &stream.config().source
            && let Some(origin) = self.get(of)
        {
            stream = origin;
        }
        stream
    }
}

fn health(stream: &StreamHandle) -> Health {
    match stream.status().state {
        State::Live => Health::Live,
        State::Idle | State::Connecting => Health::Starting,
        State::Waiting { reason, .. } => Health::Away(reason),
        State::Stopped => Health::Away("the stream has ended".to_owned()),
    }
}

/// Starts the streams, those before whose pictures others show; in the order of the configuration.
async fn start_streams(
    arbiters: &[Arbiter],
    streams: Vec<StreamConfig>,
    limits: &Limits,
    pool: &Arc<Pool>,
) -> io::Result<Vec<StreamHandle>> {
    let neighbours = Arc::new(Neighbours::default());
    let mut started = Vec::with_capacity(streams.len());
    let mut waiting: Vec<_> = streams.into_iter().enumerate().collect();
    while !waiting.is_empty() {
        let is_there = |name: &StreamName| neighbours.0.contains_key(name);
        let (ready, later): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|(_, stream)| stream.source.origins().iter().all(is_there));
        if ready.is_empty() {
            return Err(io::Error::other(
                "streams show each other's pictures in a circle, or a stream's that is not there",
            ));
        }
        let starting = ready.into_iter().map(|(position, stream)| {
            let (arbiter, neighbours) = (&arbiters[position % arbiters.len()], neighbours.clone());
            async move {
                let stream = start_stream(arbiter, stream, limits.clone(), pool.clone(), neighbours).await?;
                io::Result::Ok((position, stream))
            }
        });
        for stream in join_all(starting).await {
            let (position, stream) = stream?;
            neighbours.0.insert(stream.name().clone(), stream.downgrade());
            started.push((position, stream));
        }
        waiting = later;
    }
    started.sort_by_key(|(position, _)| *position);
    Ok(started.into_iter().map(|(_, stream)| stream).collect())
}

/// Starts a stream's actor, and its recorder, on `arbiter`.
async fn start_stream(
    arbiter: &Arbiter,
    config: StreamConfig,
    limits: Limits,
    pool: Arc<Pool>,
    neighbours: Arc<Neighbours>,
) -> io::Result<StreamHandle> {
    let (told, started) = oneshot::channel();
    arbiter.spawn_fn(move || {
        let save = config.save.clone();
        let stream = StreamHandle::start(config, limits, pool, neighbours);
        if let Some(save) = save {
            actix_rt::spawn(Recorder::new(save, stream.bus().clone()).run());
        }
        // Nobody waits any more only when the relay's start was given up.
        let _ = told.send(stream);
    });
    started.await.map_err(|_| io::Error::other("a stream's thread ended at once"))
}
