//! The camera: a separate process, so that its CPU time is not counted for the servers.
//!
//! A path such as `/b100000-f30-k2` is a camera: bytes a picture, frames a second, number (which shifts its
//! ticks). `/connections` says how many connections to cameras there have been.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::stamp::{Stamp, now_ns, picture};

/// The name of a camera, and of the streams that relay it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CameraName {
    /// Bytes a picture.
    pub bytes: usize,
    /// Pictures a second.
    pub fps: u32,
    /// Which of several alike.
    pub number: u32,
}

impl std::fmt::Display for CameraName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b{}-f{}-k{}", self.bytes, self.fps, self.number)
    }
}

impl FromStr for CameraName {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut parts = text.split('-');
        let mut part = |letter: char| {
            let part = parts.next().and_then(|part| part.strip_prefix(letter));
            part.with_context(|| format!("not a camera's name: {text}"))
        };
        Ok(Self { bytes: part('b')?.parse()?, fps: part('f')?.parse()?, number: part('k')?.parse()? })
    }
}

/// Serves cameras until killed.
pub(crate) fn run() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    writeln!(io::stdout(), "listening on http://{}/", listener.local_addr()?)?;
    let started = Instant::now();
    let connections = Arc::new(AtomicUsize::new(0));
    for socket in listener.incoming() {
        let (socket, connections) = (socket?, connections.clone());
        std::thread::Builder::new().stack_size(128 * 1024).spawn(move || {
            // A relay that leaves is an error here, and wanted.
            let _ = answer(socket, started, &connections);
        })?;
    }
    Ok(())
}

fn answer(mut socket: TcpStream, started: Instant, connections: &AtomicUsize) -> anyhow::Result<()> {
    let mut reader = BufReader::new(socket.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    if path == "/connections" {
        let count = connections.load(Ordering::Relaxed).to_string();
        write!(socket, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{count}", count.len())?;
        return Ok(());
    }
    let name: CameraName = path.trim_start_matches('/').parse()?;
    connections.fetch_add(1, Ordering::Relaxed);
    socket.set_nodelay(true)?;
    stream(&mut socket, name, started)
}

#[expect(clippy::disallowed_methods, reason = "each camera has a thread of its own, which may sleep")]
fn stream(socket: &mut TcpStream, name: CameraName, started: Instant) -> anyhow::Result<()> {
    socket.write_all(
        b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n\r\n--cam\r\n",
    )?;
    let interval = Duration::from_secs(1) / name.fps;
    let phase = interval * (name.number * 7 % 16) / 16;
    let head = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", name.bytes);
    let mut part = head.clone().into_bytes();
    part.extend_from_slice(&picture(name.bytes));
    part.extend_from_slice(b"\r\n--cam\r\n");
    loop {
        // Ticks that passed while the relay did not read are left out, and missed by its viewers.
        let elapsed = started.elapsed().saturating_sub(phase);
        let tick = u32::try_from(elapsed.as_nanos() / interval.as_nanos())? + 1;
        std::thread::sleep((started + phase + interval * tick).saturating_duration_since(Instant::now()));
        Stamp { sent_ns: now_ns(), tick }.write(&mut part[head.len()..]);
        socket.write_all(&part)?;
    }
}
