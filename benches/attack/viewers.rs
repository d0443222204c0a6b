//! The camera and its viewers: the instrument that measures the effect of attacks.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use testkit::attacks::Target;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

/// Frames a second of the camera.
const FPS: f64 = 30.0;

/// Pause before a viewer whose connection was refused or lost connects again.
const COME_AGAIN: Duration = Duration::from_millis(200);

/// A picture of an ordinary size (30 kB); each frame has its number in a comment.
const PICTURE: &[u8] = include_bytes!("../../tests/fixtures/photographs/420.jpg");

/// SOI, then a comment of eight bytes.
const COMMENT: [u8; 6] = [0xff, 0xd8, 0xff, 0xfe, 0, 10];

/// A camera of 30 frames a second with a constant number of viewers.
pub(crate) struct ViewerGroup {
    pub(crate) camera: SocketAddr,
    sent: Arc<AtomicU64>,
    seen: Arc<AtomicU64>,
    returns: Arc<AtomicU64>,
    tasks: JoinSet<()>,
}

/// Frames that the camera sent, and frames that all viewers together received.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Frames {
    pub(crate) sent: u64,
    pub(crate) seen: u64,
    /// Connections of viewers that were refused or lost.
    pub(crate) returns: u64,
}

impl std::ops::Sub for Frames {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            sent: self.sent - before.sent,
            seen: self.seen - before.seen,
            returns: self.returns - before.returns,
        }
    }
}

impl ViewerGroup {
    /// Starts the camera.
    pub(crate) async fn new() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let camera = listener.local_addr()?;
        let (sent, seen, returns) = Default::default();
        let mut tasks = JoinSet::new();
        let numbers = watch::Sender::new(0);
        tasks.spawn(tick(numbers.clone(), Arc::clone(&sent)));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.spawn(film(socket, numbers.subscribe()));
            }
        });
        Ok(Self { camera, sent, seen, returns, tasks })
    }

    /// Starts the viewers, which reconnect when their connection is lost.
    pub(crate) fn watch(&mut self, target: &Target, viewers: usize) {
        for _ in 0..viewers {
            let (target, seen, returns) = (target.clone(), self.seen.clone(), self.returns.clone());
            self.tasks.spawn(async move {
                loop {
                    let _lost = view(&target, &seen).await;
                    returns.fetch_add(1, Relaxed);
                    sleep(COME_AGAIN).await;
                }
            });
        }
    }

    /// Frames so far.
    pub(crate) fn frames(&self) -> Frames {
        Frames {
            sent: self.sent.load(Relaxed),
            seen: self.seen.load(Relaxed),
            returns: self.returns.load(Relaxed),
        }
    }

    /// Waits until the viewers have seen this many frames on average.
    pub(crate) async fn is_shown(&self, viewers: usize, frames: u64, within: Duration) -> io::Result<()> {
        let start = Instant::now();
        while self.frames().seen < frames * viewers as u64 {
            if start.elapsed() > within {
                return Err(io::Error::other("the viewers see nothing"));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// Numbers the frames by the clock: on a busy machine the camera skips frames and never sends a burst.
async fn tick(numbers: watch::Sender<u64>, sent: Arc<AtomicU64>) {
    let mut ticks = interval(Duration::from_secs_f64(1.0 / FPS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        numbers.send_modify(|number| *number += 1);
        sent.fetch_add(1, Relaxed);
    }
}

async fn film(mut socket: TcpStream, mut numbers: watch::Receiver<u64>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if socket.read_buf(&mut request).await? == 0 || request.len() > 16 * 1024 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n\r\n--cam\r\n";
    socket.write_all(head.as_bytes()).await?;
    while numbers.changed().await.is_ok() {
        let number = *numbers.borrow_and_update();
        let jpeg = [&COMMENT[..], &number.to_be_bytes(), &PICTURE[2..]].concat();
        let head = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
        socket.write_all(&[head.as_bytes(), &jpeg, b"\r\n--cam\r\n"].concat()).await?;
    }
    Ok(())
}

/// Watches the camera's stream and counts each frame once; an offline image has no number.
async fn view(target: &Target, seen: &AtomicU64) -> io::Result<()> {
    let mut io = target.http1(Ipv4Addr::LOCALHOST).await?;
    io.write_all(b"GET /streams/camera?chunked=0 HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    io.flush().await?;
    let mut answer = BufReader::with_capacity(64 * 1024, io);
    let (mut line, mut part, mut last) = (String::new(), Vec::new(), 0);
    let mut length = 0;
    loop {
        line.clear();
        if answer.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(said) = line.strip_prefix("Content-Length: ") {
            length = said.trim().parse().map_err(io::Error::other)?;
        } else if line == "\r\n" && length > 0 {
            part.resize(length, 0);
            answer.read_exact(&mut part).await?;
            length = 0;
            if let Some(number) = number_of(&part).filter(|number| *number > last) {
                last = number;
                seen.fetch_add(1, Relaxed);
            }
        }
    }
}

fn number_of(jpeg: &[u8]) -> Option<u64> {
    let number = jpeg.strip_prefix(&COMMENT)?.get(..8)?;
    Some(u64::from_be_bytes(number.try_into().ok()?))
}
