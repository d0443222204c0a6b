//! The running streams and settings, and their change to a new configuration.
//!
//! Changes are applied one at a time, and only to streams whose settings changed. Viewers of a changed stream
//! stay connected.

use std::{
    io,
    sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::{
    sync::Mutex,
    task::{JoinHandle, spawn_blocking},
    time::{sleep, timeout},
};
use tracing::{error, info, warn};

use super::{
    config_loader::{ConfigLoader, LoadedConfig},
    patch::apply_edit,
    reload_plan::{ReloadPlan, StartMode, log_needs_restart, needs_restart},
    spawn::StreamSpawner,
};
use crate::{
    auth::Authenticator,
    config::{Added, ApiSources, Config, LogConfig, ServerConfig, SourceConfig, StreamConfig, redacted},
    limits::{Budgets, memory_limit},
    media::stream_name::StreamName,
    observability::task_counts,
    platform::file_watch::FileChange,
    registry::{
        AppliedChanges, ConfigStatus, EditResult, EventKind, Events, Registry, RelayControl, ReloadError,
        Renditions, StreamEdit, StreamSettings, StreamStarter,
    },
    source::Reason,
    stream::{StreamHandle, ViewerLimit},
    web::{AddressLimit, Connections, LiveSettings, RequestRate, Settings, Tls},
    webhooks::Webhooks,
};

/// The interval between two checks of the configuration file, and the time for which it must be unchanged
/// before it is read.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Time that a removed source has to close its sockets; what is left then is abandoned.
const STREAM_STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Time that programs that served as sources have to end; then they are killed.
const PROGRAM_STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// The running streams and what they were made from. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Reloader(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    components: Components,
    loader: Option<ConfigLoader>,
    /// The settings that the listeners run with.
    startup_server: ServerConfig,
    /// The settings that the log was started with.
    startup_log: LogConfig,
    /// The settings that the streams run with. Locked while they change.
    applied: Mutex<AppliedConfig>,
    status: StdMutex<ConfigStatus>,
}

/// The settings that the streams run with, and the configuration that they were made from.
#[derive(Debug)]
pub(super) struct AppliedConfig {
    pub(super) config: Config,
    /// Text of the file.
    pub(super) text: String,
    /// Streams that were added over HTTP.
    pub(super) added: Vec<Added>,
}

/// The parts of a running relay that a new configuration changes.
#[derive(Debug)]
pub(super) struct Components {
    pub(super) registry: Arc<Registry>,
    pub(super) spawner: Arc<StreamSpawner>,
    pub(super) viewer_limit: Arc<ViewerLimit>,
    pub(super) settings: Arc<LiveSettings>,
    pub(super) auth: Arc<Authenticator>,
    pub(super) renditions: Arc<Renditions>,
    pub(super) events: Arc<Events>,
    pub(super) webhooks: Arc<Webhooks>,
    pub(super) budgets: Arc<Budgets>,
    pub(super) connections: Arc<Connections>,
    pub(super) requests: Arc<RequestRate>,
    pub(super) viewers_per_address: Arc<AddressLimit>,
    pub(super) tls: Option<Arc<Tls>>,
}

impl Components {
    /// Applies the settings that take effect at once and touch no stream.
    fn apply_runtime(&self, before: &Config, new: &Config) {
        self.viewer_limit.set_max_viewers(new.limits.max_viewers);
        self.settings.set(Settings::from_config(new));
        self.auth.replace(&new.auth);
        self.webhooks.set_configs(new.webhooks.clone());
        self.renditions.set_limits(&new.limits);
        self.spawner.set_limits(new.limits.clone());
        self.budgets.resize(&new.limits, memory_limit());
        self.connections.set(new);
        self.requests.set(new.limits.max_requests_per_second);
        self.viewers_per_address.set_most(new.limits.max_viewers_per_address);
        if let (Some(tls), Some(files)) = (&self.tls, &new.server.tls)
            && before.server.tls.as_ref() != Some(files)
        {
            // They were right a moment ago, when the configuration was checked.
            tls.set_files(files).unwrap_or_else(|error| warn!("keeping the previous certificate: {error}"));
        }
    }
}

impl Reloader {
    /// Starts every stream of `first`.
    pub(super) async fn start(
        first: AppliedConfig,
        loader: Option<ConfigLoader>,
        components: Components,
    ) -> io::Result<Self> {
        let AppliedConfig { config, text, added } = first;
        let file = loader.as_ref().and_then(ConfigLoader::file).map(ToOwned::to_owned);
        let known =
            ConfigStatus { file, loaded_at: SystemTime::now(), needs_restart: Vec::new(), error: None };
        let nothing = Config { streams: Vec::new(), overview: None, ..config.clone() };
        let reloader = Self(Arc::new(Inner {
            components,
            loader,
            startup_server: config.server.clone(),
            startup_log: config.log,
            applied: Mutex::new(AppliedConfig { config: nothing, text, added }),
            status: StdMutex::new(known),
        }));
        let mut current = reloader.0.applied.lock().await;
        reloader.0.apply_plan(&mut current.config, config).await?;
        drop(current);
        Ok(reloader)
    }

    /// Applies `loaded` in place of the configuration before.
    pub(super) async fn apply(&self, loaded: LoadedConfig) -> io::Result<AppliedChanges> {
        let mut current = self.0.applied.lock().await;
        self.apply_to(&mut current, loaded).await
    }

    async fn apply_to(
        &self,
        current: &mut AppliedConfig,
        loaded: LoadedConfig,
    ) -> io::Result<AppliedChanges> {
        let inner = &self.0;
        let mut needs_restart = needs_restart(&inner.startup_server, &loaded.config.server);
        needs_restart.extend(log_needs_restart(inner.startup_log, loaded.config.log));
        let changed = inner.apply_plan(&mut current.config, loaded.config).await?;
        (current.text, current.added) = (loaded.text, loaded.added);
        inner.update_status(|known| {
            known.loaded_at = SystemTime::now();
            known.needs_restart.clone_from(&needs_restart);
            known.error = None;
        });
        let applied = AppliedChanges { needs_restart, ..changed };
        inner.log_changes(&applied);
        Ok(applied)
    }

    /// Reads the configuration again and applies it.
    ///
    /// # Errors
    /// [`ReloadError`]; nothing has changed then.
    pub(super) async fn reload_from_source(&self) -> Result<AppliedChanges, ReloadError> {
        let loader = self.0.loader.clone().filter(|loader| loader.file().is_some());
        let loader = loader.ok_or(ReloadError::NoFile)?;
        // Held from before it is read: an edit meanwhile would be lost.
        let mut current = self.0.applied.lock().await;
        // This reads fonts and files, which blocks.
        let loading = spawn_blocking(move || loader.load());
        match loading.await.map_err(io::Error::other)? {
            Ok(loaded) => {
                loaded.warnings.iter().for_each(|line| warn!("{line}"));
                Ok(self.apply_to(&mut current, loaded).await?)
            }
            Err(mistakes) => {
                error!("the configuration has mistakes; keeping the previous one:\n{mistakes}");
                let first = mistakes.mistakes().first().map(ToString::to_string).unwrap_or_default();
                let message = Reason::with_detail("the configuration has mistakes", &first);
                self.0.components.events.add(None, EventKind::ReloadFailed, message);
                self.0.update_status(|known| known.error = Some(mistakes.clone()));
                Err(mistakes.into())
            }
        }
    }

    /// Changes the streams that were added over HTTP: first on disk, then in the running relay.
    async fn edit_stream(&self, name: StreamName, edit: StreamEdit) -> Result<EditResult, ReloadError> {
        let loader = self.0.loader.clone().ok_or(ReloadError::NoFile)?;
        let mut current = self.0.applied.lock().await;
        let known = &current.config;
        let in_file =
            |name: &StreamName| known.streams.iter().chain(&known.overview).any(|s| s.name == *name);
        let (added, created) = apply_edit(&current.added, in_file, &name, edit)?;
        let before = known.streams.iter().find(|stream| stream.name == name).cloned();
        let text = current.text.clone();
        let checking = spawn_blocking(move || {
            let loaded = loader.parse(text, added)?;
            check_no_program(&loaded.config, &name, before.as_ref())?;
            let state = loader.state_file();
            let kept = state.write(&loaded.added);
            kept.map_err(|cause| ReloadError::NotSaved { file: state.label(), cause })?;
            Ok::<_, ReloadError>(loaded)
        });
        let loaded = checking.await.map_err(io::Error::other)??;
        let applied = self.apply_to(&mut current, loaded).await?;
        Ok(EditResult { created, applied })
    }

    async fn stream_settings(&self, name: StreamName) -> Option<StreamSettings> {
        let current = self.0.applied.lock().await;
        let settings = redacted(current.config.written.of(&name)?);
        Some(StreamSettings {
            settings,
            added: current.added.iter().any(|added| added.name == name.as_str()),
        })
    }

    /// Reads the file again whenever it has changed.
    pub(super) fn watch_file(&self) -> Option<JoinHandle<()>> {
        let loader = self.0.loader.as_ref()?;
        let (file, mut watched) = (loader.file()?.to_owned(), loader.watched_files()?);
        let reloader = self.clone();
        Some(task_counts::spawn(async move {
            loop {
                sleep(POLL_INTERVAL).await;
                // A missing file is about to be replaced, or was removed by mistake: nothing can be read.
                if watched.poll(&[&file]) != Some(FileChange::Content) {
                    continue;
                }
                info!(file = %file.display(), "the configuration file has changed");
                // What is wrong was said.
                let _ = reloader.reload_from_source().await;
            }
        }))
    }
}

/// Checks that a stream set over HTTP starts no program, unless the file allows it. Sources that it had
/// `before` are kept whatever the file allows now.
fn check_no_program(
    config: &Config,
    name: &StreamName,
    before: Option<&StreamConfig>,
) -> Result<(), ReloadError> {
    if config.server.api_sources == ApiSources::NetworkAndFfmpeg {
        return Ok(());
    }
    let had = |source: &SourceConfig| before.is_some_and(|before| before.sources().any(|had| had == source));
    let sources = config.streams.iter().filter(|stream| stream.name == *name).flat_map(StreamConfig::sources);
    match sources.filter(|source| source.starts_program()).find(|source| !had(source)) {
        Some(source) => {
            let kind = source.type_name().to_owned();
            Err(ReloadError::StartsProgram { name: name.clone(), kind })
        }
        None => Ok(()),
    }
}

/// Runs a change to its end even if the client that asked for it has disconnected: half of one would be
/// streams that have ended and were not started again.
fn run_to_completion<T: Send + 'static>(
    change: impl Future<Output = Result<T, ReloadError>> + Send + 'static,
) -> BoxFuture<'static, Result<T, ReloadError>> {
    async move { task_counts::spawn(change).await.map_err(io::Error::other)? }.boxed()
}

impl RelayControl for Reloader {
    fn reload(&self) -> BoxFuture<'static, Result<AppliedChanges, ReloadError>> {
        let reloader = self.clone();
        run_to_completion(async move { reloader.reload_from_source().await })
    }

    fn edit(
        &self,
        name: StreamName,
        edit: StreamEdit,
    ) -> BoxFuture<'static, Result<EditResult, ReloadError>> {
        let reloader = self.clone();
        run_to_completion(async move { reloader.edit_stream(name, edit).await })
    }

    fn stream_settings(&self, name: StreamName) -> BoxFuture<'static, Option<StreamSettings>> {
        let reloader = self.clone();
        async move { reloader.stream_settings(name).await }.boxed()
    }

    fn config_status(&self) -> ConfigStatus {
        self.0.status().clone()
    }
}

impl Inner {
    async fn apply_plan(&self, current: &mut Config, new: Config) -> io::Result<AppliedChanges> {
        let plan = ReloadPlan::diff(current, &new);
        let mut applied = AppliedChanges::default();
        self.components.apply_runtime(current, &new);
        for name in plan.removed {
            self.stop_stream(&name).await;
            applied.removed.push(name);
        }
        for (config, how) in plan.started {
            let name = config.name.clone();
            self.components.registry.insert(self.start_as(config, how).await?);
            if how == StartMode::Start { &mut applied.added } else { &mut applied.changed }.push(name);
        }
        let order = new.streams.iter().map(|stream| stream.name.clone()).collect();
        self.components.registry.set_order(order, new.overview.as_ref().map(|stream| stream.name.clone()));
        for stream in plan.transforms_changed.iter().filter_map(|name| self.components.registry.get(name)) {
            stream.restart().await;
        }
        *current = new;
        Ok(applied)
    }

    async fn start_as(&self, config: StreamConfig, how: StartMode) -> io::Result<StreamHandle> {
        let before = (how != StartMode::Start).then(|| self.components.registry.get(&config.name)).flatten();
        match before {
            Some(stream) if how == StartMode::Reconfigure => {
                self.components.spawner.reconfigure(stream, config).await
            }
            Some(stream) => {
                self.stop_stream(&config.name).await;
                self.components.spawner.start_replacement(&stream, config).await
            }
            None => self.components.spawner.start(config).await,
        }
    }

    /// Ends a stream, its viewers with it.
    async fn stop_stream(&self, name: &StreamName) {
        let Some(stream) = self.components.registry.remove(name) else { return };
        self.components.spawner.stop_recorder(name);
        if timeout(STREAM_STOP_TIMEOUT, stream.stop()).await.is_err() {
            warn!(stream = %name, "the source did not end in time and is abandoned");
            stream.bus().close();
        }
        stream.source_context().stop_within(PROGRAM_STOP_TIMEOUT).await;
    }

    fn log_changes(&self, applied: &AppliedChanges) {
        info!("configuration applied: {applied}");
        if !applied.needs_restart.is_empty() {
            warn!("{} changed, which needs a restart", applied.needs_restart.join(", "));
        }
        let each = |names: &[StreamName], kind| {
            names.iter().for_each(|name| self.components.events.add(Some(name), kind, ""));
        };
        each(&applied.removed, EventKind::Removed);
        each(&applied.added, EventKind::Added);
        each(&applied.changed, EventKind::Changed);
        self.components.events.add(None, EventKind::Reloaded, Reason::public_only(applied.to_string()));
    }

    fn update_status(&self, change: impl FnOnce(&mut ConfigStatus)) {
        change(&mut self.status());
    }

    fn status(&self) -> MutexGuard<'_, ConfigStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[actix::test]
    async fn a_change_goes_on_when_whoever_asked_for_it_has_left() {
        let (go, may_go) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let change = run_to_completion(async move {
            may_go.await.expect("the test lets it go on");
            tell.send(()).expect("the test waits for it");
            Ok(())
        });
        assert!(change.now_or_never().is_none(), "it has begun, and was dropped");
        go.send(()).expect("it still waits");
        assert!(told.await.is_ok(), "it was given up half-way");
    }
}
