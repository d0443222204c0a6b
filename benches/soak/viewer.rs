//! Viewers: raw TCP clients that look at every byte. Each part must be whole, of the right stream, and no older than
//! the one before.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep, timeout},
};

use crate::{
    body::Body,
    camera::Presence,
    picture::{Album, examine, fingerprint},
    verdict::{Verdict, count},
};

/// A silent stream shows its frame again each second, so a part comes at least every few, also on a busy machine.
const PART_WITHIN: Duration = Duration::from_secs(10);

/// Kernel buffer of viewers that are slow or never read: what they do not take must press on framecast.
const SMALL_BUFFER: u32 = 64 * 1024;

/// `viewer_timeout` is 10 s; a viewer that never reads is gone by then, with room for a busy machine.
const LET_GO_WITHIN: Duration = Duration::from_secs(25);

/// What was on its way to a viewer that never read is read within this.
const LEFTOVERS_WITHIN: Duration = Duration::from_secs(5);

/// How a viewer behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Takes all that comes and never leaves.
    Steady,
    /// Takes less than its stream gives.
    Slow,
    /// Asks and takes nothing; must be let go.
    NeverReads,
    /// Leaves after a few seconds, in the middle of a frame, and comes again.
    ComesAndGoes,
}

/// How a viewer asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    /// HTTP/1.1, which is answered in chunks.
    Chunked,
    /// HTTP/1.1 with `?chunked=0`.
    Unchunked,
    /// HTTP/1.0.
    Old,
    /// mjpg-streamer's route, which is never chunked.
    MjpgStreamer,
}

/// Whose pictures a stream shows.
#[derive(Debug, Clone)]
pub(crate) enum Shows {
    /// A camera's, stamped; placeholders while it is away.
    Camera(Arc<Presence>),
    /// A publisher's, stamped.
    Push,
    /// framecast's own.
    Renderer,
}

/// A stream, as its viewers know it.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) number: u16,
    pub(crate) name: String,
    pub(crate) shows: Shows,
    /// A viewer that waits longer for a new picture has been forgotten.
    pub(crate) longest_silence: Duration,
}

/// One viewer.
#[derive(Debug)]
pub(crate) struct Viewer {
    pub(crate) stream: Arc<Stream>,
    pub(crate) manner: Manner,
    pub(crate) asking: Asking,
    pub(crate) address: SocketAddr,
    pub(crate) album: Arc<Album>,
    pub(crate) verdict: Arc<Verdict>,
    /// Of the newest frame so far; kept between visits.
    pub(crate) newest: Option<(u32, u64)>,
}

/// How a stream ended for a viewer.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// With the closing delimiter.
    Closed,
}

impl Viewer {
    /// Watches for ever.
    pub(crate) async fn run(mut self) {
        loop {
            let visit = match self.manner {
                Manner::Steady | Manner::Slow => self.watch().await.map(|end| {
                    self.complain(format!("the stream ended ({end:?})"));
                }),
                Manner::ComesAndGoes => {
                    let stay = Duration::from_millis(fastrand::u64(500..8_000));
                    match timeout(stay, self.watch()).await {
                        Err(_left) => Ok(()),
                        Ok(end) => end.map(|end| self.complain(format!("the stream ended ({end:?})"))),
                    }
                }
                Manner::NeverReads => self.never_read().await,
            };
            if let Err(error) = visit {
                self.complain(format!("lost its stream: {error}"));
            }
            count(&self.verdict.visits);
            sleep(Duration::from_millis(fastrand::u64(100..1_000))).await;
        }
    }

    /// Watches until the relay ends, which must be with the closing delimiter.
    pub(crate) async fn watch_to_the_end(mut self) {
        match self.watch().await {
            Ok(End::Closed) => {}
            Err(error) => self.complain(format!("no closing delimiter at the end: {error}")),
        }
    }

    fn complain(&self, what: impl std::fmt::Display) {
        let (stream, manner, asking) = (&self.stream.name, self.manner, self.asking);
        self.verdict.violation(format!("viewer of {stream} ({manner:?}, {asking:?}): {what}"));
    }

    async fn ask(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        if matches!(self.manner, Manner::Slow | Manner::NeverReads) {
            socket.set_recv_buffer_size(SMALL_BUFFER)?;
        }
        let mut socket = socket.connect(self.address).await?;
        let name = &self.stream.name;
        let (target, version) = match self.asking {
            Asking::Chunked => (format!("/streams/{name}"), "1.1"),
            Asking::Unchunked => (format!("/{name}.mjpg?chunked=0"), "1.1"),
            Asking::Old => (format!("/{name}"), "1.0"),
            Asking::MjpgStreamer => (format!("/?action=stream_{}", self.stream.number), "1.1"),
        };
        let request = format!("GET {target} HTTP/{version}\r\nHost: soak\r\n\r\n");
        socket.write_all(request.as_bytes()).await?;
        Ok(socket)
    }

    async fn watch(&mut self) -> io::Result<End> {
        let mut body = Body::new(self.ask().await?, self.manner == Manner::Slow);
        body.head(self.asking == Asking::Old, self.asking == Asking::Chunked).await?;
        body.first_delimiter().await?;
        let mut fresh = Instant::now();
        let mut last_picture = None;
        loop {
            let part = timeout(PART_WITHIN, body.part()).await;
            let Some(jpeg) = part.map_err(|_| io::Error::other("no part came"))?? else {
                return Ok(End::Closed);
            };
            self.verdict.bytes.fetch_add(jpeg.len() as u64, Relaxed);
            count(&self.verdict.parts);
            match self.judge(&jpeg, &mut last_picture) {
                Ok(true) => fresh = Instant::now(),
                Ok(false) => {}
                Err(what) => self.complain(what),
            }
            if fresh.elapsed() > self.stream.longest_silence {
                self.complain(format!("no new picture for {} s", fresh.elapsed().as_secs()));
                fresh = Instant::now();
            }
        }
    }

    /// Whether a part shows something new.
    fn judge(&mut self, jpeg: &[u8], last_picture: &mut Option<u64>) -> Result<bool, String> {
        let Some(stamp) = examine(jpeg)? else {
            match &self.stream.shows {
                Shows::Renderer => {
                    let picture = Some(fingerprint(jpeg));
                    let new = *last_picture != picture;
                    *last_picture = picture;
                    if !new {
                        count(&self.verdict.repeats);
                    }
                    return Ok(new);
                }
                Shows::Push => return Err("a picture that nobody pushed".to_owned()),
                Shows::Camera(presence) => {
                    count(&self.verdict.placeholders);
                    let excused = presence.excuses_placeholder(self.album.now_us());
                    return if excused {
                        Ok(false)
                    } else {
                        Err("a placeholder beside a live camera".into())
                    };
                }
            }
        };
        if matches!(self.stream.shows, Shows::Renderer) || stamp.stream != self.stream.number {
            return Err(format!("a frame of stream {}", stamp.stream));
        }
        let (order, newest) = (Some(stamp.order()), self.newest);
        if order < newest {
            return Err(format!("frame {order:?} came behind {newest:?}"));
        }
        if order == newest {
            count(&self.verdict.repeats);
            return Ok(false);
        }
        self.newest = order;
        if self.manner == Manner::Steady {
            self.verdict.delayed(self.album.now_us().saturating_sub(stamp.sent_us));
        }
        Ok(true)
    }

    async fn never_read(&self) -> io::Result<()> {
        let mut socket = self.ask().await?;
        sleep(LET_GO_WITHIN).await;
        let leftovers = async {
            let mut room = vec![0; SMALL_BUFFER as usize];
            while let Ok(1..) = socket.read(&mut room).await {}
        };
        match timeout(LEFTOVERS_WITHIN, leftovers).await {
            Ok(()) => count(&self.verdict.let_go),
            Err(_) => {
                let seconds = LET_GO_WITHIN.as_secs();
                self.complain(format!("took nothing for {seconds} s and was not let go"));
            }
        }
        Ok(())
    }
}
