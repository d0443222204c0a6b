//! The soak: the real binary under full load, watched from outside.
//!
//! ```text
//! cargo bench --bench soak -- --minutes 10
//! ```
//!
//! Twenty cameras in all dialects, some of which die and return, two publishers, renderers and renditions run
//! in one framecast process; three hundred viewers look at every byte while somebody changes the
//! configuration. Prints a line every ten seconds and a summary in Markdown, and fails when anything was
//! torn, foreign, out of order, missing, logged as an error, or kept: see docs/reliability.md.

mod api;
mod body;
mod camera;
mod config_changes;
mod file;
mod scenario;
mod checks;
mod log;
mod memory;
mod picture;
mod liveness;
mod process;
mod publisher;
mod rates;
mod dialect;
mod summary;
mod report;
mod viewer;
mod monitor;

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Parser;
use fastrand::Rng;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::sleep,
};

use api::ask;
use camera::{CAMERAS, Camera};
use checks::Checker;
use config_changes::ConfigChanger;
use file::File;
use liveness::Liveness;
use log::Log;
use monitor::{Usages, check_quirks, check_resources_released, monitor};
use picture::PictureSet;
use process::Relay;
use publisher::Publisher;
use rates::{Rates, ViewerTally};
use report::Report;
use scenario::{ImageOptions, PUSH_FEED, PUSH_FRAMES, StreamContent, Streams, VIEWERS, ViewerBehaviour};
use summary::{Summary, say};
use viewer::Viewer;

/// Viewers that are there when SIGTERM comes, one a stream.
const LAST_VIEWERS_WATCH: Duration = Duration::from_secs(3);

/// Time that the issue allows.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// Keeps one framecast process under full load and looks for anything wrong.
#[derive(Debug, Parser)]
struct Arguments {
    /// Duration of the full load
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// What cameras, viewers and changes do by chance is done again with the same number
    #[arg(long)]
    seed: Option<u64>,
    /// Another framecast than the one that was built with this
    #[arg(long)]
    framecast: Option<PathBuf>,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let length = Duration::from_secs_f64(arguments.minutes * 60.0);
    let seed = arguments.seed.unwrap_or_else(|| u64::from(fastrand::u32(..)));
    say(&format!("seed {seed}"));
    let program = arguments.framecast.unwrap_or_else(|| env!("CARGO_BIN_EXE_framecast").into());
    let soak = Soak {
        length,
        program,
        seed,
        album: Arc::new(PictureSet::draw()),
        report: Arc::default(),
        rng: Rng::with_seed(seed),
    };
    let report = soak.report.clone();
    say(&soak.run().await?.to_string());
    Ok(if report.violated() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The state that all tasks of the run share.
struct Soak {
    length: Duration,
    program: PathBuf,
    seed: u64,
    album: Arc<PictureSet>,
    report: Arc<Report>,
    /// Gives each one a chance of its own.
    rng: Rng,
}

impl Soak {
    async fn run(mut self) -> Result<Summary> {
        let report = self.report.clone();
        let mut cameras = JoinSet::new();
        let (liveness, urls) = self.open_cameras(&mut cameras).await?;
        let streams = Streams::new(&liveness);
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let file = File::new(folder.path().join("framecast.yaml"), &urls);
        file.write(&mut self.rng)?;
        let relay = Relay::start(&self.program, file.path(), scenario::goes_away(), report.clone()).await?;
        let (end_pushes, pushes_end) = watch::channel(false);
        let mut publishers = self.start_publishers(&relay, &pushes_end);
        publisher::first_frame_is_shown(&report).await;
        let mut usages = Usages::before(&relay).await?;

        let mut viewers = JoinSet::new();
        let mut tallies = Vec::new();
        for number in 0..VIEWERS {
            viewers.spawn(self.viewer(number, &streams, &relay, &mut tallies).run());
        }
        let (end_changes, changes_end) = watch::channel(false);
        let changing = self.start_changes(file, &streams, &relay, changes_end);
        let memory = monitor(&relay, self.length, &report, &mut usages).await?;
        let rates = Rates::of(&tallies, &report);
        let stream_list =
            ask(relay.address(), "GET", "/api/streams", "").await.context("the API is silent")?;
        check_quirks(&stream_list.json(), &report);

        end_changes.send_replace(true);
        changing.await?;
        viewers.shutdown().await;
        check_resources_released(&relay, &mut usages, &report).await?;

        let mut last_viewers = JoinSet::new();
        for (number, stream) in streams.staying.iter().enumerate() {
            let checker = Checker::new(
                (stream.clone(), ImageOptions::AsItIs),
                self.album.clone(),
                report.clone(),
                None,
            );
            let viewer = self.viewer(number, &streams, &relay, &mut Vec::new());
            let (manner, look) = (ViewerBehaviour::Steady, ImageOptions::AsItIs);
            let viewer = Viewer { stream: stream.clone(), manner, look, checker, ..viewer };
            last_viewers.spawn(viewer.watch_to_the_end());
        }
        sleep(LAST_VIEWERS_WATCH).await;
        end_pushes.send_replace(true);
        while publishers.join_next().await.is_some() {}
        let log = relay.log.clone();
        let (status, stopped_in) = relay.terminate().await?;
        while last_viewers.join_next().await.is_some() {}
        if !status.success() {
            report.violation(format!("SIGTERM ended it with {status}"));
        }
        if stopped_in > STOP_WITHIN {
            report.violation(format!("SIGTERM took {stopped_in:?}"));
        }
        let trend = memory.trend(self.length);
        trend.complaint().into_iter().for_each(|complaint| report.violation(complaint));
        check_volume(&log, &report);
        let (length, seed) = (self.length, self.seed);
        Ok(Summary { length, seed, usages, trend, rates, log, status, stopped_in, stream_list, report })
    }

    /// Starts the cameras; gives whether they are there, and their URLs.
    async fn open_cameras(&mut self, cameras: &mut JoinSet<()>) -> Result<(Vec<Arc<Liveness>>, Vec<String>)> {
        let (mut all, mut urls) = (Vec::new(), Vec::new());
        for (position, habit) in CAMERAS.into_iter().enumerate() {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            urls.push(format!("http://{}/video", listener.local_addr()?));
            let liveness = Arc::new(Liveness::default());
            all.push(liveness.clone());
            let stream = u16::try_from(position).expect("a handful of streams");
            let (album, report, rng) = (self.album.clone(), self.report.clone(), self.rng.fork());
            cameras.spawn(Camera { stream, habit, listener, liveness, album, report, rng }.run());
        }
        Ok((all, urls))
    }

    fn start_publishers(&self, relay: &Relay, ending: &watch::Receiver<bool>) -> JoinSet<()> {
        let mut publishers = JoinSet::new();
        for (position, name) in [PUSH_FRAMES, PUSH_FEED].into_iter().enumerate() {
            let stream = u16::try_from(CAMERAS.len() + position).expect("a handful of streams");
            let (album, report) = (self.album.clone(), self.report.clone());
            let publisher = Publisher { stream, name, address: relay.address(), album, report };
            match name {
                PUSH_FEED => publishers.spawn(publisher.feed(ending.clone())),
                _ => publishers.spawn(publisher.post_frames(ending.clone())),
            };
        }
        publishers
    }

    fn viewer(
        &mut self,
        number: usize,
        streams: &Streams,
        relay: &Relay,
        tallies: &mut Vec<Arc<ViewerTally>>,
    ) -> Viewer {
        let (stream, manner, asking, look) = streams.assignment(number);
        let (album, report, rng) = (self.album.clone(), self.report.clone(), self.rng.fork());
        let tally = match &stream.shows {
            StreamContent::Camera(camera)
                if manner == ViewerBehaviour::Steady
                    && look == ImageOptions::AsItIs
                    && stream.is_at_full_rate() =>
            {
                Some(Arc::new(ViewerTally::new(format!("{} ({asking:?})", stream.name), camera.clone())))
            }
            _ => None,
        };
        tallies.extend(tally.clone());
        let checker = Checker::new((stream.clone(), look), album.clone(), report.clone(), tally);
        Viewer { stream, manner, asking, look, address: relay.address(), checker, album, report, rng }
    }

    fn start_changes(
        &mut self,
        file: File,
        streams: &Streams,
        relay: &Relay,
        ending: watch::Receiver<bool>,
    ) -> JoinHandle<()> {
        let changer = ConfigChanger {
            file,
            pid: relay.pid(),
            address: relay.address(),
            streams: streams.turning.clone(),
            album: self.album.clone(),
            log: relay.log.clone(),
            report: self.report.clone(),
            rng: self.rng.fork(),
        };
        tokio::spawn(changer.run(ending))
    }
}

/// The log has a line for each change of state, and no more.
fn check_volume(log: &Log, report: &Report) {
    let (lines, bytes) = Log::bound(report);
    let (logged, size) = (log.lines.load(Relaxed), log.bytes.load(Relaxed));
    if logged > lines || size > bytes {
        report
            .violation(format!("the log has {logged} lines, {size} bytes: not {lines} and {bytes} at most"));
    }
}
