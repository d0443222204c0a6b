//! `framecast probe`: examines what a camera sends.

mod report;

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use anyhow::{bail, ensure};
use clap::Args;
use tokio::time::Instant;

use super::{output::print, url_argument::with_scheme};
use crate::{
    config::{HttpAuth, Limits},
    source::{
        camera::{
            probe::{self, ProbeLimits},
            rtsp,
        },
        http_client::HttpClient,
    },
};

/// The arguments of `probe`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  framecast probe http://user:password@192.168.1.20/video.mjpg\n  \
                  framecast probe rtsp://user:password@192.168.1.30/stream1")]
pub(super) struct ProbeArguments {
    /// The camera's URL, with user and password if it needs them; http:// may be left out
    url: String,
    /// The number of frames to read
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    frames: u64,
    /// The maximum time in seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Send user and password with the first request (`auth: basic`)
    #[arg(long)]
    basic: bool,
    /// Accept any certificate
    #[arg(long)]
    insecure: bool,
}

pub(super) fn run(arguments: ProbeArguments) -> anyhow::Result<ExitCode> {
    if probe::is_rtsp(&arguments.url) {
        return run_rtsp(&arguments);
    }
    let mut upstream =
        probe::upstream(&with_scheme(&arguments.url), arguments.insecure).map_err(anyhow::Error::msg)?;
    if arguments.basic {
        ensure!(upstream.login.is_some(), "--basic needs user and password in the URL");
        upstream.auth = HttpAuth::Basic;
    }
    actix_rt::System::new().block_on(async {
        let limits = Limits::default();
        let mut client = HttpClient::new(&upstream, limits.max_header_bytes);
        let started = Instant::now();
        let response = client.get(&[]).await?;
        print(report::head(&upstream.url, &response, started.elapsed()));
        let host = response.host().to_owned();
        let probe_limits = arguments.limits();
        let waiting = ProgressNote::show();
        let seen = probe::observe(response, probe_limits, &limits).await;
        drop(waiting);
        let seen = seen?;
        print(report::seen(&seen));
        if seen.frames == 0 {
            bail!(seen.no_picture(&host));
        }
        print(report::yaml(&upstream, seen.is_snapshot()));
        Ok(ExitCode::SUCCESS)
    })
}

impl ProbeArguments {
    fn limits(&self) -> ProbeLimits {
        ProbeLimits { frames: self.frames, within: Duration::from_secs(self.seconds) }
    }
}

fn run_rtsp(arguments: &ProbeArguments) -> anyhow::Result<ExitCode> {
    let camera = probe::rtsp(&arguments.url).map_err(anyhow::Error::msg)?;
    actix_rt::System::new().block_on(async {
        let waiting = ProgressNote::show();
        let seen = rtsp::probe::probe(&camera, arguments.limits(), &Limits::default()).await;
        drop(waiting);
        let seen = seen?;
        print(report::rtsp(&camera, &seen));
        // The camera works, with ffmpeg.
        let needs_ffmpeg = seen.codec.is_some_and(|codec| !codec.is_native());
        match seen.problem {
            Some(problem) if !needs_ffmpeg => bail!(problem),
            Some(problem) => print(format!("\n{problem}\n")),
            None => {}
        }
        print(report::rtsp_yaml(&camera, seen.is_udp));
        Ok(ExitCode::SUCCESS)
    })
}

/// Shows on a terminal that frames are being counted, which takes seconds; dropping it clears that.
struct ProgressNote(bool);

impl ProgressNote {
    fn show() -> Self {
        let terminal = std::io::stderr().is_terminal();
        if terminal {
            eprint!("  looking …");
        }
        Self(terminal)
    }
}

impl Drop for ProgressNote {
    fn drop(&mut self) {
        if self.0 {
            eprint!("\r\x1b[K");
            // What cannot be wiped away harms nothing.
            let _ = std::io::stderr().flush();
        }
    }
}
