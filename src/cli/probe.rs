//! `framecast probe`: what does this camera send?

mod look;
mod report;

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
};

use anyhow::bail;
use clap::Args;
use tokio::time::Instant;

use super::print;
use crate::{
    config::{Environment, Limits, SourceConfig, UpstreamConfig, parse},
    multipart::boundary::ContentKind,
    source::{SourceError, http::HttpClient},
};

/// What to ask, and for how long.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  framecast probe http://user:password@192.168.1.20/video.mjpg")]
pub(super) struct ProbeArguments {
    /// The camera's URL, with user and password if it wants them
    url: String,
    /// Look at so many frames
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    frames: u64,
    /// Look for so many seconds at most
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Accept any certificate
    #[arg(long)]
    insecure: bool,
}

pub(super) fn run(arguments: ProbeArguments) -> anyhow::Result<ExitCode> {
    let upstream = upstream(&arguments)?;
    actix_rt::System::new().block_on(async {
        let limits = Limits::default();
        let mut client = HttpClient::new(&upstream, limits.max_header_bytes);
        let started = Instant::now();
        let response = client.get(&[]).await?;
        print(report::head(&upstream.url, &response, started.elapsed()));
        let host = response.host().to_owned();
        if response.status() != 200 {
            return Err(SourceError::Status { host, status: response.status_text() }.into());
        }
        let kind = ContentKind::from_header(response.content_type());
        let waiting = Waiting::shown();
        let seen = look::look(response, kind.clone(), &arguments, &limits).await;
        drop(waiting);
        print(report::seen(&seen));
        if seen.frames == 0 {
            bail!(report::no_picture(&host, &kind, &seen));
        }
        print(report::yaml(&upstream, seen.is_snapshot()));
        Ok(ExitCode::SUCCESS)
    })
}

/// The URL, checked as the configuration checks it.
fn upstream(arguments: &ProbeArguments) -> anyhow::Result<UpstreamConfig> {
    // Through JSON, which is YAML: any character of the URL stays what it is; `$` is not a variable here.
    let url = serde_json::to_string(&arguments.url.replace("${", "$${"))?;
    let yaml = format!(
        "streams: {{probe: {{source: {{type: mjpeg, url: {url}, insecure: {}}}}}}}",
        arguments.insecure
    );
    let config = match parse(&yaml, "URL", &Environment::default()) {
        Ok(config) => config,
        Err(mistakes) => {
            let messages: Vec<_> =
                mistakes.mistakes().iter().map(|mistake| mistake.message.clone()).collect();
            bail!("the URL cannot be used: {}", messages.join("; "));
        }
    };
    match config.streams.into_iter().next().map(|stream| stream.source) {
        Some(SourceConfig::Mjpeg(upstream)) => Ok(upstream),
        _ => bail!("the URL cannot be used"),
    }
}

/// A word on a terminal while frames are counted, which takes seconds; gone when dropped.
struct Waiting(bool);

impl Waiting {
    fn shown() -> Self {
        let terminal = std::io::stderr().is_terminal();
        if terminal {
            eprint!("  looking …");
        }
        Self(terminal)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.0 {
            eprint!("\r\x1b[K");
            // What cannot be wiped away harms nothing.
            let _ = std::io::stderr().flush();
        }
    }
}
