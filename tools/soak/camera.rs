//! Scripted cameras: endless bodies in the dialects of `tests/testkit/src/dialects.rs`. Some close every few
//! seconds and come back in another dialect; some die and return at random times.

use std::{io, ops::Range, sync::Arc, time::Duration};

use fastrand::Rng;
use testkit::dialects::Dialect;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout},
};

use crate::{
    dialect::{another_dialect, continued, dialect, head},
    liveness::{BACK_WITHIN, Liveness},
    picture::PictureSet,
    report::{Report, count},
};

/// Frames per second of every camera.
const FPS: f64 = 10.0;

/// A request that takes longer comes from nobody we know.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// Longest request head that is read.
const MAX_REQUEST: usize = 16 * 1024;

/// A mortal camera dies for the first time after so many seconds, so that a run of a minute sees it.
const FIRST_LIFE_S: Range<u64> = 5..30;

/// Its later lives: some end before framecast calls it healthy (a minute), some long after.
const LATER_LIVES_S: Range<u64> = 10..150;

/// It stays away for so long: hardly a moment, or past several tries.
const AWAY_MS: Range<u64> = 500..25_000;

/// The behaviour of a camera.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CameraBehaviour {
    /// Sends for ever in one dialect.
    Steady(&'static str),
    /// Closes after so long, every other time in the middle of a frame; speaks another dialect each time.
    Closes(Duration),
    /// Resets its connection, answers nothing for a while, and returns, in its dialect.
    Mortal(&'static str),
}

/// The cameras of the soak, each with a dialect of its own.
pub(crate) const CAMERAS: [CameraBehaviour; 20] = [
    CameraBehaviour::Steady("as RFC 2046 has it"),
    CameraBehaviour::Steady("every delimiter ends with dashes"),
    CameraBehaviour::Steady("a newline for a delimiter, then headers"),
    CameraBehaviour::Steady("no Content-Length"),
    CameraBehaviour::Steady("cut JPEGs between, with their meant length"),
    CameraBehaviour::Steady("dashes in the header, two more in the body"),
    CameraBehaviour::Steady("Content-Length too small"),
    CameraBehaviour::Steady("old memory behind the JPEG"),
    CameraBehaviour::Steady("bare newlines"),
    CameraBehaviour::Steady("long part headers"),
    CameraBehaviour::Steady("text parts between"),
    CameraBehaviour::Closes(Duration::from_secs(20)),
    CameraBehaviour::Closes(Duration::from_secs(7)),
    CameraBehaviour::Closes(Duration::from_secs(13)),
    CameraBehaviour::Closes(Duration::from_secs(31)),
    CameraBehaviour::Mortal("quoted boundary"),
    CameraBehaviour::Mortal("starts at the first part's headers"),
    CameraBehaviour::Mortal("no blank line before the JPEG"),
    CameraBehaviour::Mortal("parts without a type"),
    CameraBehaviour::Mortal("JPEGs end to end as image/jpeg"),
];

/// Longest time without a new picture that a camera of this habit may cause.
pub(crate) fn longest_silence(habit: CameraBehaviour) -> Duration {
    match habit {
        CameraBehaviour::Mortal(_) => Duration::from_millis(AWAY_MS.end) + BACK_WITHIN,
        CameraBehaviour::Steady(_) | CameraBehaviour::Closes(_) => Duration::from_secs(10),
    }
}

/// A camera that listens.
#[derive(Debug)]
pub(crate) struct Camera {
    pub(crate) stream: u16,
    pub(crate) habit: CameraBehaviour,
    pub(crate) listener: TcpListener,
    pub(crate) liveness: Arc<Liveness>,
    pub(crate) album: Arc<PictureSet>,
    pub(crate) report: Arc<Report>,
    /// Decides when it dies, and for how long.
    pub(crate) rng: Rng,
}

/// Why a connection ended.
enum End {
    /// The relay left, or the script says so.
    Closed,
    /// The relay opened a second connection beside the first.
    Another(TcpStream),
    /// The camera died.
    Died,
}

/// The state that a camera keeps between its connections.
struct CameraState {
    epoch: u32,
    sequence: u64,
    connections: usize,
    dies_at: Option<Instant>,
}

impl Camera {
    /// Serves one connection after the other, for ever.
    pub(crate) async fn run(mut self) {
        let dies_at = matches!(self.habit, CameraBehaviour::Mortal(_)).then(|| self.next_death(FIRST_LIFE_S));
        let mut life = CameraState { epoch: 0, sequence: 0, connections: 0, dies_at };
        let mut waiting = None;
        loop {
            let socket = match waiting.take() {
                Some(socket) => socket,
                None => {
                    let Ok((socket, _)) = self.listener.accept().await else { return };
                    socket
                }
            };
            count(&self.report.camera_connections);
            life.connections += 1;
            match self.serve(socket, &mut life).await {
                Ok(End::Another(socket)) => waiting = Some(socket),
                Ok(End::Died) => {
                    count(&self.report.deaths);
                    self.stay_offline(life.epoch).await;
                    // It counts from the start again, as a camera that has rebooted.
                    life.epoch += 1;
                    life.sequence = 0;
                    life.dies_at = Some(self.next_death(LATER_LIVES_S));
                }
                Ok(End::Closed) | Err(_) => {}
            }
        }
    }

    fn next_death(&mut self, seconds: Range<u64>) -> Instant {
        Instant::now() + Duration::from_secs(self.rng.u64(seconds))
    }

    async fn serve(&self, mut socket: TcpStream, life: &mut CameraState) -> io::Result<End> {
        socket.set_nodelay(true)?;
        read_request(&mut socket).await?;
        let dialect = self.dialect(life.connections);
        socket.write_all(head(dialect, life.connections).as_bytes()).await?;
        let closes_at = match self.habit {
            CameraBehaviour::Closes(after) => Some(Instant::now() + after),
            CameraBehaviour::Steady(_) | CameraBehaviour::Mortal(_) => None,
        };
        let mut ticks = interval(Duration::from_secs_f64(1.0 / FPS));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut previous: Option<Vec<u8>> = None;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                accepted = self.listener.accept() => {
                    let (another, _) = accepted?;
                    if !is_closed(&socket) {
                        let stream = self.stream;
                        self.report.violation(format!("cam-{stream}: two connections at the same time"));
                    }
                    return Ok(End::Another(another));
                }
                _ = socket.readable() => if is_closed(&socket) { return Ok(End::Closed) },
                () = until(life.dies_at) => {
                    die(socket)?;
                    return Ok(End::Died);
                }
            }
            life.sequence += 1;
            let frame = self.album.frame(self.stream, life.epoch, life.sequence);
            let written = continued(dialect, previous.as_ref(), &frame);
            if closes_at.is_some_and(|at| Instant::now() >= at) {
                let sent = if life.connections.is_multiple_of(2) { written.len() } else { written.len() / 2 };
                socket.write_all(&written[..sent]).await?;
                socket.shutdown().await?;
                return Ok(End::Closed);
            }
            socket.write_all(&written).await?;
            self.liveness.sent(life.sequence);
            count(&self.report.camera_frames);
            previous = Some(frame);
        }
    }

    fn dialect(&self, connection: usize) -> &'static Dialect {
        match self.habit {
            CameraBehaviour::Steady(name) | CameraBehaviour::Mortal(name) => dialect(name),
            CameraBehaviour::Closes(_) => another_dialect(self.stream, connection),
        }
    }

    /// Every other time connections are closed at once, or taken and never answered.
    async fn stay_offline(&mut self, deaths: u32) {
        self.liveness.leave();
        let end = sleep(Duration::from_millis(self.rng.u64(AWAY_MS)));
        tokio::pin!(end);
        let mut unanswered = Vec::new();
        loop {
            tokio::select! {
                () = &mut end => break,
                Ok((socket, _)) = self.listener.accept() => {
                    // Bounded by the relay's own backoff.
                    if !deaths.is_multiple_of(2) {
                        unanswered.push(socket);
                    }
                }
            }
        }
        self.liveness.come_back(self.album.now_us());
    }
}

/// Returns the quirk that framecast must have noticed about a camera of this habit.
pub(crate) fn expected_quirk(habit: CameraBehaviour) -> Option<&'static str> {
    let CameraBehaviour::Steady(name) = habit else { return None };
    dialect(name).quirk
}

/// With RST, as a camera that lost its power and rebooted.
fn die(socket: TcpStream) -> io::Result<()> {
    socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
    drop(socket);
    Ok(())
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

fn is_closed(socket: &TcpStream) -> bool {
    let mut byte = [0];
    match socket.try_read(&mut byte) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

async fn read_request(socket: &mut TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let read = timeout(REQUEST_WITHIN, socket.read_buf(&mut request)).await??;
        if read == 0 || request.len() > MAX_REQUEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(())
}
