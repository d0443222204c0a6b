//! Scripted cameras: endless bodies in the dialects of `tests/support/dialects.rs` at about 15 frames a second. Some
//! close every few seconds and come back in another dialect; one dies and returns.

use std::{
    io,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout},
};

use crate::{
    dialects::{DIALECTS, Dialect},
    picture::Album,
    verdict::{Verdict, count},
};

/// Frames per second of every camera.
const FPS: f64 = 15.0;

/// A request that takes longer comes from nobody we know.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// Longest request head that is read.
const MAX_REQUEST: usize = 16 * 1024;

/// The mortal camera dies for the first time after this, so that a run of a minute sees it.
const FIRST_LIFE: Duration = Duration::from_secs(15);

/// Its later lives are long enough for framecast to call it healthy (a minute) and to forget the failures before.
const LATER_LIVES: Duration = Duration::from_secs(80);

/// It stays away for so long.
const AWAY: Duration = Duration::from_secs(15);

/// After its return, framecast may be waiting for its next try (8 s and jitter, after these failures), and viewers may
/// still be reading what was on its way.
const BACK_WITHIN: Duration = Duration::from_secs(20);

/// How a camera behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Habit {
    /// Sends for ever in one dialect.
    Steady(&'static str),
    /// Closes after so long, every other time in the middle of a frame; speaks another dialect each time.
    Closes(Duration),
    /// Resets its connection, answers nothing for a while, and returns.
    Mortal,
}

/// The cameras of the soak.
pub(crate) const CAMERAS: [Habit; 8] = [
    Habit::Steady("as RFC 2046 has it"),
    Habit::Steady("every delimiter ends with dashes"),
    Habit::Steady("a newline for a delimiter, then headers"),
    Habit::Steady("no Content-Length"),
    Habit::Steady("cut JPEGs between, with their meant length"),
    Habit::Closes(Duration::from_secs(20)),
    Habit::Closes(Duration::from_secs(7)),
    Habit::Mortal,
];

/// When a camera's viewers may see a placeholder.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    away: AtomicBool,
    returned_us: AtomicU64,
}

impl Presence {
    /// Whether a placeholder is no wonder now.
    pub(crate) fn excuses_placeholder(&self, now_us: u64) -> bool {
        let returned = self.returned_us.load(Relaxed);
        let back_within = BACK_WITHIN.as_micros();
        self.away.load(Relaxed) || (returned > 0 && u128::from(now_us.saturating_sub(returned)) < back_within)
    }
}

/// Longest time without a new picture that a camera of this habit may cause.
pub(crate) fn longest_silence(habit: Habit) -> Duration {
    match habit {
        Habit::Mortal => AWAY + BACK_WITHIN,
        Habit::Steady(_) | Habit::Closes(_) => Duration::from_secs(10),
    }
}

/// A camera that listens.
#[derive(Debug)]
pub(crate) struct Camera {
    pub(crate) stream: u16,
    pub(crate) habit: Habit,
    pub(crate) listener: TcpListener,
    pub(crate) presence: Arc<Presence>,
    pub(crate) album: Arc<Album>,
    pub(crate) verdict: Arc<Verdict>,
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

/// What a camera keeps between its connections.
struct Life {
    epoch: u32,
    sequence: u64,
    connections: usize,
    dies_at: Option<Instant>,
}

impl Camera {
    /// Serves one connection after the other, for ever.
    pub(crate) async fn run(self) {
        let dies_at = matches!(self.habit, Habit::Mortal).then(|| Instant::now() + FIRST_LIFE);
        let mut life = Life { epoch: 0, sequence: 0, connections: 0, dies_at };
        let mut waiting = None;
        loop {
            let socket = match waiting.take() {
                Some(socket) => socket,
                None => {
                    let Ok((socket, _)) = self.listener.accept().await else { return };
                    socket
                }
            };
            count(&self.verdict.camera_connections);
            life.connections += 1;
            match self.serve(socket, &mut life).await {
                Ok(End::Another(socket)) => waiting = Some(socket),
                Ok(End::Died) => {
                    self.be_dead(life.epoch).await;
                    // It counts from the start again, as a camera that has rebooted.
                    life.epoch += 1;
                    life.sequence = 0;
                    life.dies_at = Some(Instant::now() + LATER_LIVES);
                }
                Ok(End::Closed) | Err(_) => {}
            }
        }
    }

    async fn serve(&self, mut socket: TcpStream, life: &mut Life) -> io::Result<End> {
        socket.set_nodelay(true)?;
        read_request(&mut socket).await?;
        let dialect = self.dialect(life.connections);
        socket.write_all(head(dialect, life.connections).as_bytes()).await?;
        let closes_at = match self.habit {
            Habit::Closes(after) => Some(Instant::now() + after),
            Habit::Steady(_) | Habit::Mortal => None,
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
                        self.verdict.violation(format!("cam-{stream}: two connections at the same time"));
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
            count(&self.verdict.camera_frames);
            previous = Some(frame);
        }
    }

    fn dialect(&self, connection: usize) -> &'static Dialect {
        let spoken: Vec<_> = DIALECTS.iter().filter(|dialect| can_go_on(dialect)).collect();
        match self.habit {
            Habit::Steady(name) => {
                spoken.iter().find(|dialect| dialect.name == name).expect("CAMERAS names dialects there are")
            }
            // Cameras beside each other are at different places of the list.
            Habit::Closes(_) | Habit::Mortal => {
                spoken[(connection + usize::from(self.stream) * 7) % spoken.len()]
            }
        }
    }

    /// Every other time connections are closed at once, or taken and never answered.
    async fn be_dead(&self, deaths: u32) {
        self.presence.away.store(true, SeqCst);
        let end = sleep(AWAY);
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
        self.presence.returned_us.store(self.album.now_us(), SeqCst);
        self.presence.away.store(false, SeqCst);
    }
}

/// What framecast must have noticed about a camera of this habit.
pub(crate) fn expected_quirk(habit: Habit) -> Option<&'static str> {
    let Habit::Steady(name) = habit else { return None };
    DIALECTS.iter().find(|dialect| dialect.name == name)?.quirk
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

fn head(dialect: &Dialect, connection: usize) -> String {
    let version = if connection.is_multiple_of(2) { "HTTP/1.0" } else { "HTTP/1.1" };
    let content_type =
        dialect.content_type.map(|value| format!("Content-Type: {value}\r\n")).unwrap_or_default();
    format!("{version} 200 OK\r\nServer: soak\r\nConnection: close\r\n{content_type}\r\n")
}

/// What the dialect writes for `frame` behind `previous`: what both together have more than the first alone.
fn continued(dialect: &Dialect, previous: Option<&Vec<u8>>, frame: &[u8]) -> Vec<u8> {
    let Some(previous) = previous else { return (dialect.render)(&[frame.to_vec()]) };
    let before = (dialect.render)(std::slice::from_ref(previous)).len();
    (dialect.render)(&[previous.clone(), frame.to_vec()]).split_off(before)
}

/// Some dialects end their bodies, or write pairs: those cannot be written frame by frame.
fn can_go_on(dialect: &Dialect) -> bool {
    let (one, other) = (vec![1; 100], vec![2; 100]);
    (dialect.render)(&[one.clone(), other]).starts_with(&(dialect.render)(&[one]))
}
