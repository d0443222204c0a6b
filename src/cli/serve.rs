//! `framecast serve`: runs the relay.

use std::{fmt::Write, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use tracing::info;

use super::{admin_token, check, open_files, output::print, systemd, url_argument::browser_url};
use crate::{
    app::{ConfigLoader, LoadedConfig, Relay},
    config::{self, Environment, Listen, LogFormat, StreamConfig},
    observability,
    registry::ReloadError,
};

/// The arguments of `serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    /// The configuration file [default: $FRAMECAST_CONFIG, ./framecast.yaml, /etc/framecast/framecast.yaml,
    /// or the built-in demo]
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address to listen on, instead of `server.listen` (may be given several times)
    #[arg(long, short, value_name = "ADDR:PORT", value_parser = config::parse_listen)]
    listen: Vec<Listen>,
    /// Format of the log on standard error: text, or json for log collectors
    /// [default: `log.format` of the file]
    #[arg(long, value_name = "FORMAT", env = "FRAMECAST_LOG_FORMAT", value_parser = log_format())]
    log_format: Option<LogFormat>,
}

fn log_format() -> impl TypedValueParser<Value = LogFormat> {
    PossibleValuesParser::new(["text", "json"]).try_map(|text| text.parse::<LogFormat>())
}

pub(super) fn run(arguments: ServeArguments) -> anyhow::Result<ExitCode> {
    let chosen = config::effective_path(arguments.config, &Environment::process());
    let origin = ConfigLoader::new(chosen, arguments.listen);
    let mut loaded = match check::load(&origin) {
        Ok(loaded) => loaded,
        Err(mistakes) => {
            eprintln!("{mistakes}");
            return Ok(ExitCode::from(check::EXIT_INVALID_CONFIG));
        }
    };
    let mut log = loaded.config.log;
    log.format = arguments.log_format.unwrap_or(log.format);
    observability::init(log);
    let admin = admin_token::ensure_admin(&mut loaded.config.auth)?;
    open_files::raise_limit(&loaded.config);
    actix_rt::System::new().block_on(serve(loaded, origin, &admin))
}

async fn serve(
    loaded: LoadedConfig,
    origin: ConfigLoader,
    admin: &admin_token::AdminAccess,
) -> anyhow::Result<ExitCode> {
    let config = &loaded.config;
    let streams = config.streams.clone();
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    let base_path = config.server.base_path.clone();
    // Before anything is started, so that no signal is missed.
    let signal = shutdown_signal().context("cannot listen for signals")?;
    let mut hang_up = Sighup::listen().context("cannot listen for signals")?;
    let label = origin.label();
    let relay = Relay::start_from(loaded, Some(origin)).await?;
    let urls: Vec<_> =
        relay.addresses().iter().map(|&address| browser_url(scheme, address, &base_path)).collect();
    for socket in relay.sockets() {
        print(format!("listening on {socket}\n"));
    }
    print(startup_text(&label, &urls, &streams) + &admin.terminal_text(&urls));
    systemd::notify_ready();
    let mut signal = std::pin::pin!(signal);
    let mut report = Box::pin(systemd::run_watchdog(&relay));
    let received = loop {
        tokio::select! {
            received = &mut signal => break received,
            () = &mut report => break "nothing",
            () = hang_up.next() => {
                info!("SIGHUP received, reading the configuration");
                if let Err(ReloadError::NoFile) = relay.reload().await {
                    info!("{}", ReloadError::NoFile);
                }
            }
        }
    };
    drop(report);
    systemd::notify_stopping();
    info!("{received} received, stopping");
    relay.stop().await;
    Ok(ExitCode::SUCCESS)
}

fn startup_text(origin: &str, urls: &[String], streams: &[StreamConfig]) -> String {
    let mut text = format!("framecast {} serving {origin}\n", env!("CARGO_PKG_VERSION"));
    for url in urls {
        text += &format!("listening on {url}/\n");
    }
    let widest = |of: fn(&StreamConfig) -> &str| {
        streams.iter().map(|stream| of(stream).len()).max().unwrap_or_default()
    };
    let (names, kinds) =
        (widest(|stream| stream.name.as_str()), widest(|stream| stream.source().type_name()));
    let url = urls.first().map_or("", String::as_str);
    for stream in streams {
        let (name, kind) = (stream.name.as_str(), stream.source().type_name());
        writeln!(text, "  {name:names$}  {kind:kinds$}  {url}/streams/{name}")
            .expect("a String takes every text");
    }
    text
}

/// Waits for SIGHUP, which asks daemons to read their configuration again.
#[cfg(unix)]
struct Sighup(tokio::signal::unix::Signal);

#[cfg(unix)]
impl Sighup {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::hangup()).map(Self)
    }

    async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// Replacement for systems without this signal.
#[cfg(not(unix))]
struct Sighup;

#[cfg(not(unix))]
impl Sighup {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
fn shutdown_signal() -> std::io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        }
    })
}

#[cfg(not(unix))]
fn shutdown_signal() -> std::io::Result<impl Future<Output = &'static str>> {
    Ok(async {
        // An error means that Ctrl-C cannot be had; then only the system ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    })
}
