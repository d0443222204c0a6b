//! `framecast push`: pushes files, a watched folder, or standard input to a stream of type push.
//!
//! Each picture is a request of its own over one kept-alive connection, so that the relay's answer to it is
//! known.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail};
use awc::http::{StatusCode, header};
use bytes::Bytes;
use clap::Args;
use tokio::{
    io::AsyncReadExt,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use url::Url;

use super::url_argument::{
    parse_url, redacted,
    tls::{TlsArguments, reason},
};
use crate::media::multipart::{
    content_type::ContentKind,
    parser::{ParserLimits, PartParser},
};

/// Time in which the relay must answer; converting a large PNG takes a second at most.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest part of the relay's answer that is read to explain a refusal.
const MAX_PROBLEM_BYTES: usize = 16 * 1024;

/// Default number of pictures a second.
const DEFAULT_FPS: f64 = 1.0;

/// Interval at which a watched folder is checked.
const WATCH_INTERVAL: Duration = Duration::from_millis(200);

/// Status codes that refuse one picture, the last because the relay is busy; any other would meet the next
/// one, too.
const PICTURE_REJECTIONS: [StatusCode; 4] = [
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::UNPROCESSABLE_ENTITY,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// Bounds for pictures from standard input; the relay has its own.
const STDIN_LIMITS: ParserLimits =
    ParserLimits { max_frame_bytes: 64 * 1024 * 1024, max_header_bytes: 64 * 1024 };

/// Bytes that are read from standard input at a time.
const READ_BYTES: usize = 64 * 1024;

/// The arguments of `push`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    framecast push http://127.0.0.1:8080/streams/inbox picture.jpg\n  \
    framecast push --fps 2 --loop http://127.0.0.1:8080/streams/inbox img/*.png\n  \
    framecast push http://127.0.0.1:8080/streams/inbox /var/spool/pictures\n  \
    framecast push --ca-file ca.pem https://relay:8443/streams/inbox picture.jpg\n  \
    ffmpeg -i clip.mp4 -f mpjpeg - | framecast push http://127.0.0.1:8080/streams/inbox -")]
pub(super) struct PushArguments {
    /// The stream's URL: http://HOST:PORT/streams/NAME
    url: String,
    /// Image files; a folder, whose new and changed files are pushed as they appear; or - for JPEGs or
    /// mpjpeg on standard input
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The stream's token
    #[arg(long, env = "FRAMECAST_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Images per second, for files [default: 1]
    #[arg(long, value_parser = positive)]
    fps: Option<f64>,
    /// Start again after the last file
    #[arg(long = "loop")]
    endless: bool,
    #[command(flatten)]
    tls: TlsArguments,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(fps) if fps > 0.0 && fps <= 240.0 => Ok(fps),
        _ => Err("a rate is a number above 0, 240 at most".to_owned()),
    }
}

pub(super) fn run(arguments: PushArguments) -> anyhow::Result<ExitCode> {
    actix_rt::System::new().block_on(async {
        let mut publisher = Publisher::new(&arguments)?;
        match arguments.paths.as_slice() {
            [path] if path.as_os_str() == "-" => push_stdin(&mut publisher).await?,
            [path] if path.is_dir() => {
                if arguments.endless || arguments.fps.is_some() {
                    bail!(
                        "a folder is watched for new pictures; --fps and --loop are for files: {}/*",
                        path.display()
                    );
                }
                push_folder(&mut publisher, path).await?;
            }
            paths => {
                let fps = arguments.fps.unwrap_or(DEFAULT_FPS);
                push_files(&mut publisher, paths, fps, arguments.endless).await?;
            }
        }
        publisher.finish();
        Ok(if publisher.skipped == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// The connection to the relay, and what was logged about it.
struct Publisher {
    client: awc::Client,
    url: Url,
    token: Option<String>,
    pushed: u64,
    bytes: u64,
    skipped: u64,
    started: Instant,
    terminal: bool,
}

impl Publisher {
    fn new(arguments: &PushArguments) -> anyhow::Result<Self> {
        let mut url = parse_url(&arguments.url)?;
        if !["http", "https"].contains(&url.scheme()) {
            bail!("{}: the scheme must be http or https, not {}", redacted(&url), url.scheme());
        }
        let path = url.path().trim_end_matches('/').to_owned();
        if path.is_empty() {
            bail!("{}: name the stream, as in {}streams/NAME", redacted(&url), redacted(&url));
        }
        if !path.ends_with("/frame") {
            url.set_path(&format!("{path}/frame"));
        }
        Ok(Self {
            client: arguments.tls.client(ANSWER_TIMEOUT)?,
            url,
            token: arguments.token.clone(),
            pushed: 0,
            bytes: 0,
            skipped: 0,
            started: Instant::now(),
            terminal: std::io::stderr().is_terminal(),
        })
    }

    async fn push(&mut self, picture: Bytes, what: &str) -> anyhow::Result<()> {
        let size = picture.len();
        let mut request =
            self.client.post(self.url.as_str()).insert_header((header::CONTENT_TYPE, "image/jpeg"));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let mut answer = request.send_body(picture).await.map_err(|error| {
            anyhow::anyhow!("{}: cannot push {what}: {}", redacted(&self.url), reason(&error))
        })?;
        // 202 for one that comes sooner than the stream's max_fps allows.
        if !answer.status().is_success() {
            let problem = answer.body().limit(MAX_PROBLEM_BYTES).await.unwrap_or_default();
            let detail = serde_json::from_slice::<serde_json::Value>(&problem).ok();
            let detail =
                detail.as_ref().and_then(|problem| problem["detail"].as_str()).unwrap_or("no reason given");
            let hint = match answer.status() {
                StatusCode::UNAUTHORIZED => " (here: --token TOKEN, or FRAMECAST_TOKEN in the environment)",
                _ => "",
            };
            let refusal =
                format!("{} refused {what} with {}: {detail}{hint}", redacted(&self.url), answer.status());
            if !PICTURE_REJECTIONS.contains(&answer.status()) {
                bail!(refusal);
            }
            self.skip(&refusal);
            return Ok(());
        }
        self.pushed += 1;
        self.bytes += size as u64;
        self.progress(what);
        Ok(())
    }

    /// Reports why a picture is left out; the others are still pushed.
    fn skip(&mut self, reason: &str) {
        let line_start = if self.terminal { "\r\x1b[K" } else { "" };
        eprintln!("{line_start}{reason}");
        self.skipped += 1;
    }

    fn progress(&self, what: &str) {
        if self.terminal {
            let fps = self.pushed as f64 / self.started.elapsed().as_secs_f64().max(1.0);
            eprint!("\r\x1b[Kpushed {} ({fps:.1}/s, {} kB): {what}", self.pushed, self.bytes / 1000);
            // Progress that cannot be shown is no reason to stop.
            let _ = std::io::stderr().flush();
        }
    }

    fn finish(&self) {
        let seconds = self.started.elapsed().as_secs_f64();
        let line_start = if self.terminal { "\r\x1b[K" } else { "" };
        let pictures = if self.pushed == 1 { "picture" } else { "pictures" };
        eprintln!(
            "{line_start}pushed {} {pictures}, {} kB, in {seconds:.1} s",
            self.pushed,
            self.bytes / 1000
        );
    }
}

async fn push_files(
    publisher: &mut Publisher,
    paths: &[PathBuf],
    fps: f64,
    endless: bool,
) -> anyhow::Result<()> {
    let mut ticks = interval(Duration::from_secs_f64(1.0 / fps));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        for path in paths {
            ticks.tick().await;
            match std::fs::read(path) {
                Ok(picture) => publisher.push(picture.into(), &path.display().to_string()).await?,
                Err(error) => publisher.skip(&format!("cannot read {}: {error}", path.display())),
            }
        }
        if !endless {
            return Ok(());
        }
        if publisher.pushed == 0 {
            bail!("none of the files could be pushed");
        }
    }
}

/// Pushes each file that is new or has changed, once it has stopped growing.
async fn push_folder(publisher: &mut Publisher, folder: &Path) -> anyhow::Result<()> {
    eprintln!("watching {} (Ctrl-C ends)", folder.display());
    let mut seen = folder_state(folder)?;
    let mut settled = seen.clone();
    loop {
        sleep_until(Instant::now() + WATCH_INTERVAL).await;
        let now = folder_state(folder)?;
        for (path, state) in &now {
            let unchanged_since_last_look = seen.get(path) == Some(state);
            if unchanged_since_last_look && settled.get(path) != Some(state) {
                settled.insert(path.clone(), *state);
                let picture =
                    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
                let name = path.display().to_string();
                if let Err(error) = publisher.push(picture.into(), &name).await {
                    eprintln!("{error:#}");
                }
            }
        }
        settled.retain(|path, _| now.contains_key(path));
        seen = now;
    }
}

type FolderState = std::collections::BTreeMap<PathBuf, (u64, std::time::SystemTime)>;

fn folder_state(folder: &Path) -> anyhow::Result<FolderState> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read folder {}", folder.display()))?;
    let state = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        // Programs that write a file under a hidden name first rename it when it is whole.
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            return None;
        }
        // A file may vanish between listing and asking.
        let about = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some((entry.path(), (about.len(), about.modified().ok()?)))
    };
    Ok(entries.filter_map(state).collect())
}

async fn push_stdin(publisher: &mut Publisher) -> anyhow::Result<()> {
    let mut input = tokio::io::stdin();
    let mut parser = PartParser::new(ContentKind::Missing, STDIN_LIMITS);
    let mut chunk = vec![0; READ_BYTES];
    loop {
        let read = input.read(&mut chunk).await.context("cannot read standard input")?;
        parser.push(&chunk[..read]);
        loop {
            let part = if read == 0 { parser.finish() } else { parser.next_part() };
            let Some(part) = part.context("standard input")? else { break };
            publisher.push(part.jpeg, "standard input").await?;
        }
        for (why, times) in parser.take_events().discards() {
            eprintln!("skipped {times}: {}", why.describe());
        }
        if read == 0 {
            return Ok(());
        }
    }
}
