//! The soak: the real binary under a full house, watched from outside.
//!
//! ```text
//! cargo bench --bench soak -- --minutes 10
//! ```
//!
//! Twenty cameras in all dialects, some of which die and return, two publishers, renderers and renditions run in one
//! framecast process; three hundred viewers look at every byte while somebody changes the configuration. Prints a line
//! every ten seconds and a summary in Markdown, and fails when anything was torn, foreign, out of order, missing, logged
//! as an error, or kept: see docs/reliability.md.

mod api;
mod body;
mod camera;
mod changes;
#[path = "../../tests/support/dialects.rs"]
mod dialects;
mod file;
mod house;
mod judging;
mod log;
mod memory;
mod picture;
mod presence;
mod process;
mod publisher;
mod rates;
mod speech;
mod summary;
mod verdict;
mod viewer;
mod watching;

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
use changes::Changer;
use file::File;
use house::{Look, Manner, PUSH_FEED, PUSH_FRAMES, Shows, Streams, VIEWERS};
use judging::Judge;
use log::Log;
use picture::Album;
use presence::Presence;
use process::Relay;
use publisher::Publisher;
use rates::{Rates, Tally};
use summary::{Summary, say};
use verdict::Verdict;
use viewer::Viewer;
use watching::{Usages, check_quirks, given_back, watch_over};

/// Viewers that are there when SIGTERM comes, one a stream.
const LAST_VIEWERS_WATCH: Duration = Duration::from_secs(3);

/// What the issue allows.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// Keeps one framecast process under a full house and looks for anything wrong.
#[derive(Debug, Parser)]
struct Arguments {
    /// How long the house is full
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
        album: Arc::new(Album::draw()),
        verdict: Arc::default(),
        rng: Rng::with_seed(seed),
    };
    let verdict = soak.verdict.clone();
    say(&soak.run().await?.to_string());
    Ok(if verdict.violated() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What all of it shares.
struct Soak {
    length: Duration,
    program: PathBuf,
    seed: u64,
    album: Arc<Album>,
    verdict: Arc<Verdict>,
    /// Gives each one a chance of its own.
    rng: Rng,
}

impl Soak {
    async fn run(mut self) -> Result<Summary> {
        let verdict = self.verdict.clone();
        let mut cameras = JoinSet::new();
        let (presences, urls) = self.open_cameras(&mut cameras).await?;
        let streams = Streams::new(&presences);
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let file = File::new(folder.path().join("framecast.yaml"), &urls);
        file.write(&mut self.rng)?;
        let relay = Relay::start(&self.program, file.path(), house::goes_away(), verdict.clone()).await?;
        let (end_pushes, pushes_end) = watch::channel(false);
        let mut publishers = self.start_publishers(&relay, &pushes_end);
        publisher::first_frame_is_shown(&verdict).await;
        let mut usages = Usages::before(&relay).await?;

        let mut house = JoinSet::new();
        let mut tallies = Vec::new();
        for number in 0..VIEWERS {
            house.spawn(self.viewer(number, &streams, &relay, &mut tallies).run());
        }
        let (end_changes, changes_end) = watch::channel(false);
        let changing = self.start_changes(file, &streams, &relay, changes_end);
        let memory = watch_over(&relay, self.length, &verdict, &mut usages).await?;
        let rates = Rates::of(&tallies, &verdict);
        let report = ask(relay.address(), "GET", "/api/streams", "").await.context("the API is silent")?;
        check_quirks(&report.json(), &verdict);

        end_changes.send_replace(true);
        changing.await?;
        house.shutdown().await;
        given_back(&relay, &mut usages, &verdict).await?;

        let mut last_viewers = JoinSet::new();
        for (number, stream) in streams.staying.iter().enumerate() {
            let judge = Judge::new((stream.clone(), Look::AsItIs), self.album.clone(), verdict.clone(), None);
            let viewer = self.viewer(number, &streams, &relay, &mut Vec::new());
            let (manner, look) = (Manner::Steady, Look::AsItIs);
            let viewer = Viewer { stream: stream.clone(), manner, look, judge, ..viewer };
            last_viewers.spawn(viewer.watch_to_the_end());
        }
        sleep(LAST_VIEWERS_WATCH).await;
        end_pushes.send_replace(true);
        while publishers.join_next().await.is_some() {}
        let log = relay.log.clone();
        let (status, stopped_in) = relay.terminate().await?;
        while last_viewers.join_next().await.is_some() {}
        if !status.success() {
            verdict.violation(format!("SIGTERM ended it with {status}"));
        }
        if stopped_in > STOP_WITHIN {
            verdict.violation(format!("SIGTERM took {stopped_in:?}"));
        }
        let trend = memory.trend(self.length);
        trend.complaint().into_iter().for_each(|complaint| verdict.violation(complaint));
        check_volume(&log, &verdict);
        let (length, seed) = (self.length, self.seed);
        Ok(Summary { length, seed, usages, trend, rates, log, status, stopped_in, report, verdict })
    }

    /// Starts the cameras; gives whether they are there, and their URLs.
    async fn open_cameras(&mut self, cameras: &mut JoinSet<()>) -> Result<(Vec<Arc<Presence>>, Vec<String>)> {
        let (mut presences, mut urls) = (Vec::new(), Vec::new());
        for (position, habit) in CAMERAS.into_iter().enumerate() {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            urls.push(format!("http://{}/video", listener.local_addr()?));
            let presence = Arc::new(Presence::default());
            presences.push(presence.clone());
            let stream = u16::try_from(position).expect("a handful of streams");
            let (album, verdict, rng) = (self.album.clone(), self.verdict.clone(), self.rng.fork());
            cameras.spawn(Camera { stream, habit, listener, presence, album, verdict, rng }.run());
        }
        Ok((presences, urls))
    }

    fn start_publishers(&self, relay: &Relay, ending: &watch::Receiver<bool>) -> JoinSet<()> {
        let mut publishers = JoinSet::new();
        for (position, name) in [PUSH_FRAMES, PUSH_FEED].into_iter().enumerate() {
            let stream = u16::try_from(CAMERAS.len() + position).expect("a handful of streams");
            let (album, verdict) = (self.album.clone(), self.verdict.clone());
            let publisher = Publisher { stream, name, address: relay.address(), album, verdict };
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
        tallies: &mut Vec<Arc<Tally>>,
    ) -> Viewer {
        let (stream, manner, asking, look) = streams.seat(number);
        let (album, verdict, rng) = (self.album.clone(), self.verdict.clone(), self.rng.fork());
        let tally = match &stream.shows {
            Shows::Camera(camera)
                if manner == Manner::Steady && look == Look::AsItIs && stream.is_at_full_rate() =>
            {
                Some(Arc::new(Tally::new(format!("{} ({asking:?})", stream.name), camera.clone())))
            }
            _ => None,
        };
        tallies.extend(tally.clone());
        let judge = Judge::new((stream.clone(), look), album.clone(), verdict.clone(), tally);
        Viewer { stream, manner, asking, look, address: relay.address(), judge, album, verdict, rng }
    }

    fn start_changes(
        &mut self,
        file: File,
        streams: &Streams,
        relay: &Relay,
        ending: watch::Receiver<bool>,
    ) -> JoinHandle<()> {
        let changer = Changer {
            file,
            pid: relay.pid(),
            address: relay.address(),
            streams: streams.turning.clone(),
            album: self.album.clone(),
            log: relay.log.clone(),
            verdict: self.verdict.clone(),
            rng: self.rng.fork(),
        };
        tokio::spawn(changer.run(ending))
    }
}

/// The log has a line for each change of state, and no more.
fn check_volume(log: &Log, verdict: &Verdict) {
    let (lines, bytes) = Log::bound(verdict);
    let (logged, size) = (log.lines.load(Relaxed), log.bytes.load(Relaxed));
    if logged > lines || size > bytes {
        verdict
            .violation(format!("the log has {logged} lines, {size} bytes: not {lines} and {bytes} at most"));
    }
}
