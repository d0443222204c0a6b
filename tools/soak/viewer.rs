//! Viewers: raw TCP clients that check every byte; some read slowly, some never, some reconnect again and
//! again.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use fastrand::Rng;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep, timeout},
};

use crate::{
    body::Body,
    checks::Checker,
    liveness::StreamPresence,
    picture::PictureSet,
    report::{Report, count},
    scenario::{ImageOptions, Stream, StreamContent, ViewerBehaviour, ViewerProtocol},
};

/// A silent stream shows its frame again each second, so a part comes at least every few, also on a busy
/// machine.
const PART_WITHIN: Duration = Duration::from_secs(10);

/// Kernel buffer of viewers that are slow or never read: what they do not take must press on framecast.
const SMALL_BUFFER: u32 = 64 * 1024;

/// `viewer_timeout` is 10 s; a viewer that never reads is gone by then, with room for a busy machine.
const LET_GO_WITHIN: Duration = Duration::from_secs(25);

/// Time in which the bytes on their way to a viewer that never read are read.
const LEFTOVERS_WITHIN: Duration = Duration::from_secs(5);

/// One viewer.
#[derive(Debug)]
pub(crate) struct Viewer {
    pub(crate) stream: Arc<Stream>,
    pub(crate) manner: ViewerBehaviour,
    pub(crate) asking: ViewerProtocol,
    pub(crate) look: ImageOptions,
    pub(crate) address: SocketAddr,
    pub(crate) checker: Checker,
    pub(crate) album: Arc<PictureSet>,
    pub(crate) report: Arc<Report>,
    /// Decides how long it stays.
    pub(crate) rng: Rng,
}

/// The way in which a stream ended for a viewer.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// With the closing delimiter.
    Closed,
}

impl Viewer {
    /// Watches for ever.
    pub(crate) async fn run(mut self) {
        loop {
            let removals = self.existence().map(StreamPresence::removals);
            let visit = match self.manner {
                ViewerBehaviour::Steady | ViewerBehaviour::Slow => Some(self.watch().await),
                ViewerBehaviour::ComesAndGoes => {
                    let stay = Duration::from_millis(self.rng.u64(500..8_000));
                    timeout(stay, self.watch()).await.ok()
                }
                ViewerBehaviour::NeverReads => {
                    if let Err(error) = self.never_read().await {
                        self.complain(format!("could not ask: {error}"));
                    }
                    None
                }
            };
            if let Some(ended) = visit {
                self.ended(ended, removals);
            }
            count(&self.report.visits);
            sleep(Duration::from_millis(self.rng.u64(100..1_000))).await;
        }
    }

    /// Watches until the relay ends, which must be with the closing delimiter.
    pub(crate) async fn watch_to_the_end(mut self) {
        match self.watch().await {
            Ok(End::Closed) => {}
            Err(error) => self.complain(format!("no closing delimiter at the end: {error}")),
        }
    }

    fn existence(&self) -> Option<&StreamPresence> {
        match &self.stream.shows {
            StreamContent::Turning(existence) => Some(existence),
            _ => None,
        }
    }

    /// A camera that lives for less than framecast waits between its tries may be missed, more than once.
    fn may_be_silent(&self) -> bool {
        match &self.stream.shows {
            StreamContent::Camera(liveness) | StreamContent::Small(liveness, _) => {
                liveness.excuses_placeholder(self.album.now_us())
            }
            StreamContent::Push | StreamContent::Renderer | StreamContent::Turning(_) => false,
        }
    }

    /// A stream ends for its viewers only if it is removed, and is not there only then.
    fn ended(&self, ended: io::Result<End>, removals: Option<u64>) {
        match (ended, self.existence()) {
            // A visit may begin between the word that it is going and its going.
            (Ok(End::Closed), Some(existence))
                if Some(existence.removals()) != removals || !existence.is_there() => {}
            (Ok(End::Closed), _) => self.complain("the stream ended"),
            (Err(error), Some(existence))
                if error.kind() == io::ErrorKind::NotFound
                    && existence.excuses_absence(self.album.now_us()) => {}
            (Err(error), _) => self.complain(format!("lost its stream: {error}")),
        }
    }

    fn complain(&self, what: impl std::fmt::Display) {
        let (stream, manner, asking, look) = (&self.stream.name, self.manner, self.asking, self.look);
        self.report.violation(format!("viewer of {stream} ({manner:?}, {asking:?}, {look:?}): {what}"));
    }

    async fn ask(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if matches!(self.manner, ViewerBehaviour::Slow | ViewerBehaviour::NeverReads) {
            socket.set_recv_buffer_size(SMALL_BUFFER)?;
        }
        let mut socket = socket.connect(self.address).await?;
        let (target, version) = (self.asking.target(&self.stream, self.look), self.asking.version());
        let request = format!("GET {target} HTTP/{version}\r\nHost: soak\r\n\r\n");
        socket.write_all(request.as_bytes()).await?;
        Ok(socket)
    }

    fn joined(&self) {
        count(&self.report.joined);
        // Nobody else need be there to look at these.
        let alone = self.look != ImageOptions::AsItIs
            || !matches!(self.stream.shows, StreamContent::Camera(_) | StreamContent::Push);
        if alone {
            count(&self.report.woken);
        }
    }

    async fn watch(&mut self) -> io::Result<End> {
        let mut body = Body::new(self.ask().await?, self.manner == ViewerBehaviour::Slow);
        body.head(self.asking.version(), self.asking.is_chunked()).await?;
        self.joined();
        body.first_delimiter().await?;
        let mut fresh = Instant::now();
        loop {
            let part = timeout(PART_WITHIN, body.part()).await;
            let Some(part) = part.map_err(|_| io::Error::other("no part came"))?? else {
                return Ok(End::Closed);
            };
            self.report.bytes.fetch_add(part.jpeg.len() as u64, Relaxed);
            count(&self.report.parts);
            match self.checker.check(&part) {
                Ok(true) => fresh = Instant::now(),
                Ok(false) => {}
                Err(what) => self.complain(what),
            }
            if fresh.elapsed() > self.stream.longest_silence && !self.may_be_silent() {
                self.complain(format!("no new picture for {} s", fresh.elapsed().as_secs()));
                fresh = Instant::now();
            }
        }
    }

    async fn never_read(&self) -> io::Result<()> {
        let mut socket = self.ask().await?;
        self.joined();
        sleep(LET_GO_WITHIN).await;
        let leftovers = async {
            let mut room = vec![0; SMALL_BUFFER as usize];
            while let Ok(1..) = socket.read(&mut room).await {}
        };
        match timeout(LEFTOVERS_WITHIN, leftovers).await {
            Ok(()) => count(&self.report.let_go),
            Err(_) => {
                let seconds = LET_GO_WITHIN.as_secs();
                self.complain(format!("took nothing for {seconds} s and was not let go"));
            }
        }
        Ok(())
    }
}
