//! The soak: the real binary under a full house, watched from outside.
//!
//! ```text
//! cargo bench --bench soak -- --minutes 10
//! ```
//!
//! Eight cameras in all dialects, two publishers and three renderers run in one framecast process; a hundred viewers
//! look at every byte. Prints a line every ten seconds and a summary in Markdown, and fails when anything was torn,
//! foreign, out of order, logged as an error, or kept: see docs/reliability.md.

mod body;
mod camera;
#[path = "../../tests/support/dialects.rs"]
mod dialects;
mod memory;
mod picture;
mod process;
mod publisher;
mod summary;
mod verdict;
mod viewer;

use std::{
    fs,
    path::Path,
    process::ExitCode,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Parser;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinSet,
    time::{Instant, interval, sleep},
};

use camera::{CAMERAS, Camera, Habit, Presence};
use memory::Memory;
use picture::Album;
use process::{Relay, Usage};
use publisher::Publisher;
use summary::{Summary, say};
use verdict::Verdict;
use viewer::{Asking, Manner, Shows, Stream, Viewer};

/// Viewers, spread over all streams.
const VIEWERS: usize = 100;

/// Viewers that are there when SIGTERM comes, one a stream.
const LAST_VIEWERS_WATCH: Duration = Duration::from_secs(3);

/// A line of progress so often.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// A sample of the process so often.
const SAMPLE_EVERY: Duration = Duration::from_secs(5);

/// `linger` is 2 s and helpers' threads idle for 10 s; behind this all that viewers needed is given back.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(30);

/// What the issue allows.
const STOP_WITHIN: Duration = Duration::from_secs(3);

const PUSH_FRAMES: &str = "push-frames";
const PUSH_FEED: &str = "push-feed";
const RENDERERS: [(&str, &str); 3] = [
    ("text", "{type: text, text: \"%H:%M:%S 这是一段测试文本。\", size: 300x30, font_size: 16}"),
    ("pattern", "{type: pattern, size: 640x360, fps: 15}"),
    ("images", "{type: images, path: \"builtin:demo\", fps: 2}"),
];

/// Keeps one framecast process under a full house and looks for anything wrong.
#[derive(Debug, Parser)]
struct Arguments {
    /// How long the house is full
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let length = Duration::from_secs_f64(Arguments::parse().minutes * 60.0);
    let verdict = Arc::new(Verdict::default());
    let album = Arc::new(Album::draw());
    let summary = soak(length, album, verdict.clone()).await?;
    say(&summary.to_string());
    Ok(if verdict.violated() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn soak(length: Duration, album: Arc<Album>, verdict: Arc<Verdict>) -> Result<Summary> {
    let mut cameras = JoinSet::new();
    let (streams, urls) = open_cameras(&mut cameras, &album, &verdict).await?;
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let file = folder.path().join("framecast.yaml");
    write_config(&file, &urls)?;
    let relay = Relay::start(&file, goes_away(), verdict.clone()).await?;
    let address = relay.address();

    let (end_pushes, pushes_end) = watch::channel(false);
    let mut publishers = JoinSet::new();
    for (position, name) in [PUSH_FRAMES, PUSH_FEED].into_iter().enumerate() {
        let stream = u16::try_from(CAMERAS.len() + position).expect("a handful of streams");
        let (album, verdict) = (album.clone(), verdict.clone());
        let publisher = Publisher { stream, name, address, album, verdict };
        match name {
            PUSH_FEED => publishers.spawn(publisher.feed(pushes_end.clone())),
            _ => publishers.spawn(publisher.post_frames(pushes_end.clone())),
        };
    }
    publisher::first_frame_is_shown(&verdict).await;
    let base = relay.usage()?;

    let viewer = |number: usize| {
        let (stream, manner, asking) = seat(number, &streams);
        Viewer {
            stream,
            manner,
            asking,
            address,
            album: album.clone(),
            verdict: verdict.clone(),
            newest: None,
        }
    };
    let mut house = JoinSet::new();
    (0..VIEWERS).for_each(|number| {
        house.spawn(viewer(number).run());
    });
    let (memory, full) = watch_over(&relay, length, &verdict).await?;
    let report = publisher::get(address, "/api/streams").await.context("the API does not answer")?;
    check_quirks(&report, &verdict);

    house.shutdown().await;
    let after = given_back(&relay, base, &verdict).await?;

    let mut last_viewers = JoinSet::new();
    for (number, stream) in streams.iter().enumerate() {
        let viewer = Viewer { stream: stream.clone(), manner: Manner::Steady, ..viewer(number) };
        last_viewers.spawn(viewer.watch_to_the_end());
    }
    sleep(LAST_VIEWERS_WATCH).await;
    end_pushes.send_replace(true);
    while publishers.join_next().await.is_some() {}
    let warnings = relay.warnings.clone();
    let (status, stopped_in) = relay.terminate().await?;
    while last_viewers.join_next().await.is_some() {}
    if !status.success() {
        verdict.violation(format!("SIGTERM ended it with {status}"));
    }
    if stopped_in > STOP_WITHIN {
        verdict.violation(format!("SIGTERM took {stopped_in:?}"));
    }
    let trend = memory.trend(length);
    if trend.end_kib > trend.bound_kib {
        verdict.violation(format!("memory grew from {} to {} KiB", trend.settled_kib, trend.end_kib));
    }
    let warnings = warnings.load(Relaxed);
    Ok(Summary { length, base, full, after, trend, warnings, status, stopped_in, report, verdict })
}

/// Starts the cameras; gives all streams in the order of the configuration, and the cameras' URLs.
async fn open_cameras(
    cameras: &mut JoinSet<()>,
    album: &Arc<Album>,
    verdict: &Arc<Verdict>,
) -> Result<(Vec<Arc<Stream>>, Vec<String>)> {
    let (mut streams, mut urls) = (Vec::new(), Vec::new());
    let mut stream = |name: String, shows, longest_silence| {
        let number = u16::try_from(streams.len()).expect("a handful of streams");
        streams.push(Arc::new(Stream { number, name, shows, longest_silence }));
        number
    };
    for (position, habit) in CAMERAS.into_iter().enumerate() {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        urls.push(format!("http://{}/video", listener.local_addr()?));
        let presence = Arc::new(Presence::default());
        let shows = Shows::Camera(presence.clone());
        let number = stream(camera_name(position), shows, camera::longest_silence(habit));
        let (album, verdict) = (album.clone(), verdict.clone());
        cameras.spawn(Camera { stream: number, habit, listener, presence, album, verdict }.run());
    }
    let longest_silence = Duration::from_secs(10);
    for name in [PUSH_FRAMES, PUSH_FEED] {
        stream(name.to_owned(), Shows::Push, longest_silence);
    }
    for (name, _) in RENDERERS {
        stream(name.to_owned(), Shows::Renderer, longest_silence);
    }
    Ok((streams, urls))
}

fn camera_name(position: usize) -> String {
    let habit = match CAMERAS[position] {
        Habit::Steady(_) => "steady",
        Habit::Closes(_) => "closes",
        Habit::Mortal => "dies",
    };
    format!("cam-{position}-{habit}")
}

/// The log may warn about these.
fn goes_away() -> Vec<String> {
    let made_to = (0..CAMERAS.len()).filter(|&position| !matches!(CAMERAS[position], Habit::Steady(_)));
    made_to.map(camera_name).collect()
}

fn write_config(file: &Path, urls: &[String]) -> Result<()> {
    let mut yaml = "server: {listen: \"127.0.0.1:0\"}\ndefaults: {linger: 2s}\nstreams:\n".to_owned();
    let mut stream = |name: &str, source: &str| yaml += &format!("  {name}: {{source: {source}}}\n");
    for (position, url) in urls.iter().enumerate() {
        // Late by this, the dead camera counts as away.
        let source = format!("{{type: mjpeg, url: \"{url}\", head_timeout: 3s}}");
        stream(&camera_name(position), &source);
    }
    for name in [PUSH_FRAMES, PUSH_FEED] {
        stream(name, &format!("{{type: push, token: {}}}", publisher::TOKEN));
    }
    for (name, source) in RENDERERS {
        stream(name, source);
    }
    fs::write(file, yaml).context("cannot write the configuration")
}

/// Which stream a viewer watches, and how.
fn seat(number: usize, streams: &[Arc<Stream>]) -> (Arc<Stream>, Manner, Asking) {
    let (manner, stream) = match number % 20 {
        // Only a camera sends enough to fill the kernel's buffers.
        3 => (Manner::NeverReads, number / 20 % CAMERAS.len()),
        7 | 17 => (Manner::Slow, number % streams.len()),
        9 | 19 => (Manner::ComesAndGoes, number % streams.len()),
        _ => (Manner::Steady, number % streams.len()),
    };
    let asking = match number / 2 % 4 {
        0 => Asking::Chunked,
        1 => Asking::Old,
        2 => Asking::MjpgStreamer,
        _ => Asking::Unchunked,
    };
    (streams[stream].clone(), manner, asking)
}

/// Lets the full house run, with samples and lines of progress; gives the usage at its end.
async fn watch_over(relay: &Relay, length: Duration, verdict: &Verdict) -> Result<(Memory, Usage)> {
    let start = Instant::now();
    let mut memory = Memory::default();
    let (mut samples, mut lines) = (interval(SAMPLE_EVERY), interval(PROGRESS_EVERY));
    let mut usage = relay.usage()?;
    while start.elapsed() < length {
        tokio::select! {
            _ = samples.tick() => {
                usage = relay.usage().context("framecast is gone")?;
                memory.sample(start.elapsed(), usage.memory_kib);
            }
            _ = lines.tick() => {
                say(&format!(
                    "{:4} s  {:8} parts  {:6} MB  {:4} placeholders  delay p99 {:3} ms  memory {:6} KiB  {} threads  {} \
                     descriptors  {:.0} CPU s  {} violations",
                    start.elapsed().as_secs(),
                    verdict.parts.load(Relaxed),
                    verdict.bytes.load(Relaxed) / 1_000_000,
                    verdict.placeholders.load(Relaxed),
                    verdict.delay_ms(0.99),
                    usage.memory_kib,
                    usage.threads,
                    usage.descriptors,
                    usage.cpu_s,
                    verdict.violated(),
                ));
            }
        }
    }
    Ok((memory, usage))
}

/// framecast must have noticed what is odd about the cameras that stay in their dialect.
fn check_quirks(report: &str, verdict: &Verdict) {
    let report: serde_json::Value = serde_json::from_str(report).unwrap_or_default();
    for (position, habit) in CAMERAS.into_iter().enumerate() {
        let Some(quirk) = camera::expected_quirk(habit) else { continue };
        let counted = report["streams"][position]["quirks"][quirk].as_u64().unwrap_or_default();
        if counted == 0 {
            verdict.violation(format!("{}: the quirk {quirk} was not noticed", camera_name(position)));
        }
    }
}

/// Waits until descriptors and threads are back at what they were before the viewers.
async fn given_back(relay: &Relay, base: Usage, verdict: &Verdict) -> Result<Usage> {
    let start = Instant::now();
    loop {
        let usage = relay.usage()?;
        if usage.descriptors <= base.descriptors && usage.threads <= base.threads {
            return Ok(usage);
        }
        if start.elapsed() > GIVEN_BACK_WITHIN {
            verdict
                .violation(format!("not given back after the viewers had left: {base:?} became {usage:?}"));
            return Ok(usage);
        }
        sleep(Duration::from_millis(200)).await;
    }
}
