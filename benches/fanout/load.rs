//! The viewers: one process, as cheap as can be, so that it leaves the machine to those that are measured.
//!
//! Pictures are thrown away inside the kernel (`MSG_TRUNC`); only part headers and stamps are read.

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use memchr::memmem;
use rustix::{
    event::{
        Timespec,
        epoll::{self, CreateFlags, Event, EventData, EventFlags},
    },
    fd::OwnedFd,
    io::Errno,
    net::{RecvFlags, recv},
};
use serde::{Deserialize, Serialize};

use crate::{
    process::{cpu_seconds, resident_bytes},
    stamp::{STAMPED_BYTES, Stamp, now_ns},
    tls::Records,
};

/// All viewers must have a first frame within this.
const FIRST_FRAMES_WITHIN: Duration = Duration::from_secs(30);

/// Part headers come in small reads, so that little of a picture is copied.
const HEAD_READ: usize = 512;

/// Longer headers are not those of a part.
const MAX_HEAD: usize = 4096;

/// Thrown away at most at once.
const MAX_TRUNCATED: usize = 1 << 20;

/// Frames that may be on their way to a viewer at the end of a measurement without being missed.
const UNDER_WAY: u32 = 2;

/// The streams to watch, and for how long.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Where the relay listens.
    pub address: SocketAddr,
    /// Streams; viewers take them in turns.
    pub streams: Vec<String>,
    /// Number of viewers.
    pub viewers: usize,
    /// Number of viewers among them that never read.
    pub stalled: usize,
    /// Between everybody's first frame and the start of the measurement.
    pub warm_s: f64,
    /// The measurement.
    pub window_s: f64,
    /// The process that is measured.
    pub pid: u32,
    /// Over TLS, with this certificate: pictures are not looked at, and neither timed nor counted one by one.
    pub cert: Option<PathBuf>,
}

/// The measurements of the window.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Length of the window.
    pub seconds: f64,
    /// Pictures that arrived whole.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Pictures that should have.
    pub offered: u64,
    /// Viewers whose connection ended.
    pub closed: usize,
    /// CPU of the relay.
    pub cpu_s: f64,
    /// CPU of the viewers.
    pub own_cpu_s: f64,
    /// Resident memory of the relay at the end.
    pub resident: u64,
    /// From the camera's write to the viewer's last byte.
    pub p50_ms: f64,
    /// The 99th percentile, in milliseconds.
    pub p99_ms: f64,
    /// p50 of the first and of the second half of the window.
    pub halves_p50_ms: [f64; 2],
}

struct Viewer {
    socket: TcpStream,
    records: Option<Records>,
    /// Between the pictures.
    head: Vec<u8>,
    picture: usize,
    missing: usize,
    stamp: Option<Stamp>,
    first_tick: Option<u32>,
    last_tick: u32,
    frames: u64,
    open: bool,
}

impl Viewer {
    fn connect(plan: &Plan, n: usize) -> anyhow::Result<Self> {
        let mut socket = TcpStream::connect(plan.address)?;
        let stream = &plan.streams[n % plan.streams.len()];
        // In one piece, as clients send it.
        let request = format!("GET /streams/{stream} HTTP/1.1\r\nHost: bench\r\n\r\n");
        let begin = |cert| Records::begin(&socket, cert, request.as_bytes());
        let records = plan.cert.as_deref().map(begin).transpose()?;
        if records.is_none() {
            socket.write_all(request.as_bytes())?;
        }
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            records,
            head: Vec::new(),
            picture: 0,
            missing: 0,
            stamp: None,
            first_tick: None,
            last_tick: 0,
            frames: 0,
            open: true,
        })
    }

    /// Reads all there is; tells `done` of each whole picture, or of the bytes of a TLS record.
    fn read(
        &mut self,
        scratch: &mut [u8],
        done: &mut impl FnMut(Option<Stamp>, usize),
    ) -> anyhow::Result<()> {
        if let Some(records) = &mut self.records {
            self.open = records.skip(&self.socket, scratch, |bytes| {
                self.frames += 1;
                done(None, bytes);
            })?;
            return Ok(());
        }
        loop {
            let (asked, flags) = if self.missing > 0 {
                (self.missing.min(MAX_TRUNCATED), RecvFlags::TRUNC)
            } else {
                (HEAD_READ, RecvFlags::empty())
            };
            let got = match recv(&self.socket, &mut scratch[..asked], flags) {
                Ok((_, 0)) | Err(Errno::CONNRESET) => {
                    self.open = false;
                    return Ok(());
                }
                Ok((_, got)) => got,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            if self.missing == 0 {
                self.head.extend_from_slice(&scratch[..got]);
                self.take_head()?;
            } else {
                self.missing -= got;
            }
            if self.picture > 0 && self.missing == 0 {
                self.finish(done);
            }
            if got < asked {
                return Ok(());
            }
        }
    }

    fn take_head(&mut self) -> anyhow::Result<()> {
        let Some((start, len)) = picture_in(&self.head) else {
            if self.head.len() > MAX_HEAD {
                bail!("no part header in: {}", String::from_utf8_lossy(&self.head));
            }
            return Ok(());
        };
        let here = self.head.len() - start;
        if here < len.min(STAMPED_BYTES) {
            return Ok(());
        }
        if here > len {
            bail!("pictures must be larger than {HEAD_READ} bytes");
        }
        self.stamp = Stamp::read(&self.head[start..]);
        (self.picture, self.missing) = (len, len - here);
        self.head.clear();
        Ok(())
    }

    fn finish(&mut self, done: &mut impl FnMut(Option<Stamp>, usize)) {
        let picture = std::mem::take(&mut self.picture);
        // A repeated picture is not counted twice; one that the relay drew itself has no stamp.
        let Some(stamp) = self.stamp.take().filter(|stamp| stamp.tick > self.last_tick) else { return };
        self.last_tick = stamp.tick;
        self.first_tick.get_or_insert(stamp.tick);
        self.frames += 1;
        done(Some(stamp), picture);
    }
}

/// Where the next picture starts, and its length.
fn picture_in(head: &[u8]) -> Option<(usize, usize)> {
    const LENGTH: &[u8] = b"Content-Length: ";
    let at = memmem::find(head, LENGTH)? + LENGTH.len();
    let digits = head[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let end = at + memmem::find(&head[at..], b"\r\n\r\n")? + 4;
    let len = std::str::from_utf8(&head[at..at + digits]).ok()?.parse().ok()?;
    Some((end, len))
}

/// Ages of pictures, in ms, with when they were seen.
#[derive(Default)]
struct Ages(Vec<f32>);

impl Ages {
    fn percentile(ages: &mut [f32], percent: usize) -> f64 {
        if ages.is_empty() {
            // JSON knows no NaN. Nothing is timed over TLS.
            return 0.0;
        }
        ages.sort_by(f32::total_cmp);
        f64::from(ages[(ages.len() * percent / 100).min(ages.len() - 1)])
    }
}

struct Load {
    plan: Plan,
    epoll: OwnedFd,
    viewers: Vec<Viewer>,
    scratch: Vec<u8>,
    events: Vec<Event>,
    ages: Ages,
    bytes: u64,
}

/// Runs the plan given as JSON, and prints what was seen as JSON.
pub(crate) fn run(plan: &str) -> anyhow::Result<()> {
    let plan: Plan = serde_json::from_str(plan)?;
    let mut load = Load {
        epoll: epoll::create(CreateFlags::CLOEXEC)?,
        viewers: Vec::with_capacity(plan.viewers),
        scratch: vec![0; MAX_TRUNCATED],
        events: Vec::with_capacity(1024),
        ages: Ages::default(),
        bytes: 0,
        plan,
    };
    load.connect()?;
    let warm = Duration::from_secs_f64(load.plan.warm_s);
    load.read_until(Instant::now() + warm)?;
    let seen = load.measure()?;
    writeln!(io::stdout(), "{}", serde_json::to_string(&seen)?)?;
    Ok(())
}

impl Load {
    fn connect(&mut self) -> anyhow::Result<()> {
        for n in 0..self.plan.viewers {
            let viewer = Viewer::connect(&self.plan, n)?;
            // Those at the end never read; the server's answer fills their buffers.
            if n < self.reading() {
                epoll::add(
                    &self.epoll,
                    &viewer.socket,
                    EventData::new_u64(n as u64),
                    EventFlags::IN | EventFlags::RDHUP | EventFlags::ET,
                )?;
            }
            self.viewers.push(viewer);
            if n % 16 == 0 {
                self.read_until(Instant::now())?;
            }
        }
        let deadline = Instant::now() + FIRST_FRAMES_WITHIN;
        while self.viewers[..self.reading()].iter().any(|viewer| viewer.open && viewer.frames == 0) {
            if Instant::now() > deadline {
                bail!("not all of {} viewers got a frame in {FIRST_FRAMES_WITHIN:?}", self.plan.viewers);
            }
            self.read_until(Instant::now() + Duration::from_millis(50))?;
        }
        Ok(())
    }

    fn reading(&self) -> usize {
        self.plan.viewers - self.plan.stalled
    }

    /// Reads once, then on until `end`.
    fn read_until(&mut self, end: Instant) -> anyhow::Result<()> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).context("short timeouts can be represented")?;
            self.events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), Some(&timeout)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &self.events {
                let n = usize::try_from(event.data.u64())?;
                let (ages, bytes) = (&mut self.ages.0, &mut self.bytes);
                self.viewers[n].read(&mut self.scratch, &mut |stamp, len| {
                    ages.extend(stamp.map(|stamp| now_ns().saturating_sub(stamp.sent_ns) as f32 / 1e6));
                    *bytes += len as u64;
                })?;
            }
            if Instant::now() >= end {
                return Ok(());
            }
        }
    }

    fn measure(&mut self) -> anyhow::Result<Seen> {
        self.ages.0.clear();
        self.bytes = 0;
        for viewer in &mut self.viewers {
            (viewer.first_tick, viewer.frames) = (None, 0);
        }
        let ticks_at_start = self.newest_tick();
        let pid = self.plan.pid;
        let (cpu, own_cpu, start) = (cpu_seconds(pid)?, cpu_seconds(std::process::id())?, Instant::now());
        let half = Duration::from_secs_f64(self.plan.window_s / 2.0);
        self.read_until(start + half)?;
        let first_half = self.ages.0.len();
        self.read_until(start + half * 2)?;
        let seconds = start.elapsed().as_secs_f64();
        let (cpu_s, own_cpu_s) = (cpu_seconds(pid)? - cpu, cpu_seconds(std::process::id())? - own_cpu);
        let offered = self.offered(ticks_at_start);
        let reading = &self.viewers[..self.reading()];
        let ages = &mut self.ages.0;
        let (first, second) = ages.split_at_mut(first_half);
        let halves_p50_ms = [Ages::percentile(first, 50), Ages::percentile(second, 50)];
        Ok(Seen {
            seconds,
            frames: ages.len() as u64,
            bytes: self.bytes,
            offered,
            closed: reading.iter().filter(|viewer| !viewer.open).count(),
            cpu_s,
            own_cpu_s,
            resident: resident_bytes(pid)?,
            p50_ms: Ages::percentile(ages, 50),
            p99_ms: Ages::percentile(ages, 99),
            halves_p50_ms,
        })
    }

    fn newest_tick(&self) -> u32 {
        self.viewers.iter().map(|viewer| viewer.last_tick).max().unwrap_or_default()
    }

    /// Ticks that each viewer's first and last picture span, and those that never came.
    fn offered(&self, ticks_at_start: u32) -> u64 {
        let newest = self.newest_tick();
        let of_one = |viewer: &Viewer| {
            let late = (newest - viewer.last_tick).saturating_sub(UNDER_WAY);
            let span = match viewer.first_tick {
                Some(first) => viewer.last_tick - first + 1,
                None => (newest - ticks_at_start).saturating_sub(late),
            };
            u64::from(span + late)
        };
        self.viewers[..self.reading()].iter().map(of_one).sum()
    }
}
