//! `framecast status`: prints a table of what the streams of a running relay do, once or repeatedly.

mod table;

use std::{
    io::{self, ErrorKind},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use table::{Report, render, rows};
use terminal_size::{Height, Width, terminal_size_of};
use tokio::time::{MissedTickBehavior, interval};

use super::{output::try_print, url_argument::parse_url};
use crate::{
    config::Secret,
    source::{
        Deadline, SourceError,
        camera::probe,
        http_client::{BodyDeadline, HttpClient},
    },
};

/// Largest report, far above that of thousands of streams, so that a wrong address cannot fill memory.
const MAX_REPORT_BYTES: usize = 32 * 1024 * 1024;

/// Largest response head: the default limit of cameras.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Time in which the relay must answer. It answers from memory: longer means that it hangs.
const REPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Moves to the top left of the terminal, as the first part of a redraw.
const CURSOR_HOME: &str = "\x1b[H";
/// Clears to the end of the line.
const CLEAR_LINE: &str = "\x1b[K";
/// Clears to the end of the screen.
const CLEAR_BELOW: &str = "\x1b[J";

#[derive(Debug, Args)]
#[command(after_help = "Rates are measured over one interval, so the first table takes that long.\n\n\
    Examples:\n  \
    framecast status\n  \
    framecast status --watch\n  \
    framecast status https://cameras.example/webcam/ --token TOKEN\n  \
    framecast status | grep waiting")]
pub(super) struct StatusArguments {
    /// The relay's URL with its base path, if any; it may contain a user name and password
    #[arg(default_value = "http://127.0.0.1:8080/")]
    url: String,
    /// Repeat until interrupted: redraw the terminal; a file or pipe gets one table after the other
    #[arg(long, short)]
    watch: bool,
    /// The interval to measure rates over and to repeat after, from 0.2 to 60
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    every: Duration,
    /// The token to authenticate with, if viewing needs one
    #[arg(long, env = "FRAMECAST_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Accept any TLS certificate
    #[arg(long)]
    insecure: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.2..=60.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("the interval must be a number of seconds from 0.2 to 60".to_owned()),
    }
}

pub(super) fn run(arguments: &StatusArguments) -> anyhow::Result<ExitCode> {
    let client = client(arguments)?;
    actix_rt::System::new().block_on(show(client, arguments))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints tables. Errors end it, except those of a relay that answered before while it is watched.
async fn show(mut client: HttpClient, arguments: &StatusArguments) -> anyhow::Result<()> {
    let mut ticks = interval(arguments.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    let mut previous = Some(fetch(&mut client).await?);
    let mut last_failure = String::new();
    loop {
        ticks.tick().await;
        match fetch(&mut client).await {
            Ok(report) => {
                match print_table(&rows(&report, previous.as_ref()), arguments.watch) {
                    // The reader is gone, as after `| head`.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                    printed => printed.context("cannot write the table")?,
                }
                previous = Some(report);
                last_failure.clear();
            }
            Err(error) if !arguments.watch => return Err(error),
            Err(error) => {
                let failure = format!("{error:#}");
                if failure != last_failure {
                    eprintln!("framecast: {failure}; retrying");
                }
                last_failure = failure;
                // Its counters may start at zero again.
                previous = None;
            }
        }
        if !arguments.watch {
            return Ok(());
        }
    }
}

fn print_table(rows: &[table::Row], redraw: bool) -> io::Result<()> {
    let size = terminal_size_of(io::stdout());
    let mut lines = render(rows, size.map(|(Width(width), _)| width.into()));
    let Some((_, Height(height))) = size.filter(|_| redraw) else {
        return try_print(lines.join("\n") + "\n");
    };
    // One line stays free for the cursor, and for an error.
    let room = usize::from(height).saturating_sub(1).max(1);
    if lines.len() > room {
        let hidden = lines.len() - room + 1;
        lines.truncate(room - 1);
        lines.push(format!("… and {hidden} more"));
    }
    let lines: String = lines.iter().map(|line| format!("{line}{CLEAR_LINE}\n")).collect();
    try_print(format!("{CURSOR_HOME}{lines}{CLEAR_BELOW}"))
}

fn client(arguments: &StatusArguments) -> anyhow::Result<HttpClient> {
    let mut base = parse_url(&arguments.url)?;
    base.set_query(None);
    base.set_fragment(None);
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    let url = base.join("api/streams")?;
    let mut upstream = probe::upstream(url.as_str(), arguments.insecure).map_err(|why| anyhow!(why))?;
    if let Some(token) = &arguments.token {
        // Configured headers are not sent to the host that a redirect leads to.
        upstream.headers.push(("Authorization".to_owned(), Secret::new(format!("Bearer {token}"))));
    }
    Ok(HttpClient::new(&upstream, MAX_HEADER_BYTES))
}

async fn fetch(client: &mut HttpClient) -> anyhow::Result<Report> {
    let report = request(client).await;
    if report.is_err() {
        // The rest of this answer must not be read as the next one.
        client.disconnect();
    }
    report
}

async fn request(client: &mut HttpClient) -> anyhow::Result<Report> {
    let answer = client.get(&[("Accept", "application/json")]).await.map_err(|error| match error {
        SourceError::Unauthorized { host } | SourceError::UnknownScheme { host, .. } => {
            anyhow!("{host} requires authentication: give --token or set FRAMECAST_TOKEN")
        }
        // The error's own text asks about a camera.
        SourceError::Connect { host, reason } if reason.starts_with("connection refused") => {
            anyhow!(
                "cannot connect to {host}: connection refused: is framecast running, and is this its port?"
            )
        }
        error => error.into(),
    })?;
    let host = answer.host().to_owned();
    match answer.status() {
        200 => {}
        403 => bail!("{host}: these credentials do not allow viewing any stream"),
        429 => bail!("{host}: too many requests from this address"),
        _ => bail!("{host} answered {}: is this framecast's address?", answer.status_text()),
    }
    let is_json = answer.content_type().is_some_and(|kind| kind.starts_with("application/json"));
    ensure!(is_json, "{host} did not answer with JSON: is this framecast's address?");
    let deadline = BodyDeadline::new(Deadline::NextFrame, REPORT_TIMEOUT);
    let body = answer.whole(MAX_REPORT_BYTES, deadline).await;
    let body = body.map_err(|_| anyhow!("{host} did not send its whole report"))?;
    serde_json::from_slice(&body)
        .map_err(|error| anyhow!("{host} responded with JSON that is not a stream report: {error}"))
}
