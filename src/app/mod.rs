//! Starts, changes and stops the relay: the only module that depends on all others.
//!
//! Streams run on a few threads of their own (arbiters), the web server on others, and pictures are processed
//! in the pool: a busy part never blocks another.

mod glyph_check;
mod patch;
mod reload;
mod stream_lookup;
mod config_loader;
mod reload_plan;
mod spawn;
mod added_streams_file;

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
pub use config_loader::{ConfigLoader, LoadedConfig, check_modules};
use futures_util::future::join_all;
use reload::{AppliedConfig, Components, Reloader};
use spawn::StreamSpawner;
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};
use tracing::{info, warn};

use crate::{
    auth::Authenticator,
    config::{Config, Listen},
    imaging::{PictureMemory, cpu_pool::CpuPool},
    limits::{Budgets, memory_limit},
    registry::{AppliedChanges, Events, Registry, ReloadError, Renditions, SnapshotCache},
    stream::{StreamHandle, ViewerLimit},
    web::{
        Access, AddressLimit, Connections, Documents, ListenError, Listeners, LiveConnections, LiveSettings,
        RecentFeeds, Rejections, RequestRate, Runtime, Settings, Streams, Tls, TlsError, UnsentAnswers,
        Uploads, WebServer, WebState,
    },
    webhooks::Webhooks,
};

/// Maximum number of threads that streams are spread over, one a core: they read the cameras and write to all
/// viewers. A network of 100 Gbit/s needs fewer.
const MAX_STREAM_THREADS: usize = 16;

/// Time that sources have to close their sockets at shutdown, so that all of it ends within three seconds.
const STREAM_STOP_TIMEOUT: Duration = Duration::from_millis(500);

/// Time that programs have to end after they were asked to, beside the drain of the viewers; then they are
/// killed.
const PROGRAM_STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// A running relay. Tests run several in one process.
#[derive(Debug)]
pub struct Relay {
    state: Arc<WebState>,
    reloader: Reloader,
    watch_task: Option<JoinHandle<()>>,
    addresses: Vec<SocketAddr>,
    sockets: Vec<Listen>,
    web: WebServer,
    server_task: JoinHandle<io::Result<()>>,
    arbiters: Vec<Arbiter>,
}

/// An error at the start of a relay.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The relay cannot listen on an address.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The TLS certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system refuses threads or sockets.
    #[error("the system refused a resource that framecast needs: {0}")]
    System(#[from] io::Error),
}

impl Relay {
    /// Listens, starts every stream, and serves. Must be called inside an actix system.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_from(LoadedConfig::from_config(config), None).await
    }

    /// Starts with a configuration that came from `loader`, which is read again when it changes.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub async fn start_from(loaded: LoadedConfig, loader: Option<ConfigLoader>) -> Result<Self, StartError> {
        let LoadedConfig { config, text, added, .. } = loaded;
        let tls = config.server.tls.as_ref().map(Tls::load).transpose()?.map(Arc::new);
        let listeners = Listeners::bind(&config.server)?;
        let (addresses, sockets) = (listeners.addresses(), listeners.sockets());
        let budgets = Arc::new(Budgets::new(&config.limits, memory_limit()));
        let memory = Arc::new(PictureMemory::new(&budgets));
        let pool = Arc::new(CpuPool::for_this_machine_in(memory.clone())?);
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let arbiters: Vec<_> = (0..cores.min(MAX_STREAM_THREADS)).map(|_| Arbiter::new()).collect();
        let events = Arc::new(Events::default());
        let starter = StreamSpawner::new(
            &arbiters,
            config.server.sendfile,
            config.limits.clone(),
            pool.clone(),
            events.clone(),
        );
        let starter = Arc::new(starter);
        let registry = Arc::new(Registry::default());
        let viewer_limit = Arc::new(ViewerLimit::new(config.limits.max_viewers));
        let settings = Arc::new(LiveSettings::new(Settings::from_config(&config)));
        let base_path = config.server.base_path.clone();
        let connections = Arc::new(Connections::new(&config));
        let requests = Arc::new(RequestRate::new(config.limits.max_requests_per_second));
        let rejections = Arc::new(Rejections::default());
        let uploads = Arc::new(Uploads::new(budgets.uploads.clone(), rejections.clone()));
        let viewers_per_address = Arc::new(AddressLimit::new(config.limits.max_viewers_per_address));
        let renditions = Arc::new(Renditions::new(&config.limits));
        let auth = Arc::new(Authenticator::new(&config.auth));
        let webhooks = Arc::new(Webhooks::start(registry.clone(), events.clone(), Vec::new()));
        let components = Components {
            registry: registry.clone(),
            spawner: starter.clone(),
            viewer_limit: viewer_limit.clone(),
            settings: settings.clone(),
            auth: auth.clone(),
            renditions: renditions.clone(),
            events: events.clone(),
            webhooks: webhooks.clone(),
            budgets: budgets.clone(),
            connections: connections.clone(),
            requests: requests.clone(),
            viewers_per_address: viewers_per_address.clone(),
            tls: tls.clone(),
        };
        let reloader = Reloader::start(AppliedConfig { config, text, added }, loader, components).await?;
        let streams = Streams {
            registry,
            starter,
            control: Arc::new(reloader.clone()),
            events,
            webhooks,
            renditions,
            snapshots: SnapshotCache::new(memory),
            viewer_limit,
            viewers: Arc::default(),
            recent_feeds: RecentFeeds::default(),
        };
        let access = Access { auth, requests, viewers_per_address, uploads, rejections };
        let runtime = Runtime {
            settings,
            base_path,
            is_tls: tls.is_some(),
            unsent: Arc::new(UnsentAnswers::new(budgets.unsent.clone())),
            budgets,
            pool,
            connections,
            live_connections: LiveConnections::default(),
            documents: Documents::default(),
            stopping: AtomicBool::new(false),
            started: SystemTime::now(),
            started_at: Instant::now(),
        };
        let state = Arc::new(WebState { streams, access, runtime });
        let (web, server) = WebServer::start(state.clone(), listeners, cores, tls)?;
        let server_task = actix_rt::spawn(server);
        let watch_task = reloader.watch_file();
        Ok(Self { state, reloader, watch_task, addresses, sockets, web, server_task, arbiters })
    }

    /// Returns the addresses that the relay listens on; a port 0 has become a real one.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the Unix sockets that the relay listens on.
    pub fn sockets(&self) -> &[Listen] {
        &self.sockets
    }

    /// Waits until each thread of streams has answered, which shows that none of them hangs.
    pub async fn wait_until_responsive(&self) {
        let asked = self.arbiters.iter().map(|arbiter| {
            let (told, done) = oneshot::channel();
            arbiter.spawn_fn(move || drop(told));
            done
        });
        // They answer by letting go of the channel.
        join_all(asked.collect::<Vec<oneshot::Receiver<()>>>()).await;
    }

    /// Returns the streams.
    pub fn registry(&self) -> &Registry {
        &self.state.streams.registry
    }

    /// Applies `config` in place of the configuration before; only streams whose settings changed are
    /// touched.
    ///
    /// # Errors
    /// The system refuses what it needs.
    pub async fn apply(&self, config: Config) -> io::Result<AppliedChanges> {
        self.reloader.apply(LoadedConfig::from_config(config)).await
    }

    /// Reads the configuration again and applies it.
    ///
    /// # Errors
    /// [`ReloadError`]; nothing has changed then.
    pub async fn reload(&self) -> Result<AppliedChanges, ReloadError> {
        self.reloader.reload_from_source().await
    }

    /// Stops the relay: viewers get the closing delimiter, sources close their connections to cameras, and
    /// connections drain.
    pub async fn stop(self) {
        self.state.runtime.stopping.store(true, Ordering::Relaxed);
        self.watch_task.iter().for_each(JoinHandle::abort);
        // Viewers that leave now are not reported.
        self.state.streams.webhooks.begin_stop();
        let registry = &self.state.streams.registry;
        let streams: Vec<_> = registry
            .overview()
            .into_iter()
            .chain(registry.all())
            .chain(self.state.streams.renditions.all().into_iter().map(|rendition| rendition.stream))
            .collect();
        if timeout(STREAM_STOP_TIMEOUT, join_all(streams.iter().map(StreamHandle::stop))).await.is_err() {
            warn!("a source did not end in time and is abandoned");
            streams.iter().for_each(|stream| stream.bus().close());
        }
        let programs =
            timeout(PROGRAM_STOP_TIMEOUT, join_all(streams.iter().map(|s| s.source_context().wait_idle())));
        let (_, _, ()) = tokio::join!(self.web.stop(), programs, self.state.streams.webhooks.stop());
        // Those that are gone have nothing to be killed.
        streams.iter().for_each(|stream| stream.source_context().kill());
        if let Ok(Err(error)) = self.server_task.await {
            warn!("the HTTP server ended with an error: {error}");
        }
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
        info!("stopped");
    }
}
