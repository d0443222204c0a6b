//! Measures the influence of transformed streams on one that is passed on unchanged:
//! `cargo bench --bench passing`.
//!
//! One process, in turns: viewers of a camera at 30 frames a second, first with nothing else going on, then
//! while renditions of a second camera (1920×1080) ask more of the CPU pool than it can do. Told are the
//! frames that arrived of those sent, and how long they took from the camera's write to the viewer's last
//! byte.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "the relay has threads of its own; those of a bench may sleep"
)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use framecast::{
    bus::{DropReason, Processing},
    imaging::{
        Pixels, Quality,
        codec::{PixelFormat, codec},
    },
};

testkit::define_test_relay!();

const ROUNDS: usize = 5;
const WINDOW: Duration = Duration::from_secs(4);

/// Streams get going, and the last frames of a window arrive.
const SETTLE: Duration = Duration::from_secs(1);

const FRAME_TIME: Duration = Duration::from_nanos(1_000_000_000 / 30);
const VIEWERS: usize = 8;
const RENDITIONS: usize = 6;

/// From SOI to a picture's number, which a comment holds.
const NUMBER_AT: usize = 6;

fn main() {
    let door = Camera::start(&scene(1280, 720));
    let yard = Camera::start(&scene(1920, 1080));
    let relay = TestRelay::start(&yaml(&door, &yard));
    let arrivals = Arc::default();
    for _ in 0..VIEWERS {
        let stream = join(relay.address(), "door");
        let arrivals = Arc::clone(&arrivals);
        thread::spawn(move || watch(stream, |number| note(&arrivals, number)));
    }
    thread::sleep(SETTLE);
    let mut rows = Vec::new();
    for round in 1..=ROUNDS {
        let quiet = window(&door, &arrivals);
        let before = pool(&relay);
        let busy = with_load(&relay, || window(&door, &arrivals));
        let after = pool(&relay);
        println!(
            "round {round}: quiet {quiet}; pool saturated {busy} ({} encoded, {} dropped as busy meanwhile)",
            after.0 - before.0,
            after.1 - before.1
        );
        rows.push((quiet, busy));
    }
    let ratio =
        |of: fn(&Window) -> f64| median(rows.iter().map(|(quiet, busy)| of(busy) / of(quiet)).collect());
    println!(
        "saturated / quiet, medians: delivered {:.4}, p50 {:.2}, p99 {:.2}",
        ratio(|window| window.delivered),
        ratio(|window| window.p50),
        ratio(|window| window.p99)
    );
}

fn yaml(door: &Camera, yard: &Camera) -> String {
    let camera = |camera: &Camera| format!("{{type: mjpeg, url: \"http://{}/\"}}", camera.address);
    let small = |n| {
        let steps = format!("[{{scale: {{width: {}}}}}, {{text: {{text: \"%H:%M:%S\"}}}}]", 1280 - 2 * n);
        format!("  small{n}: {{linger: 0s, source: {{type: rendition, of: yard}}, transform: {steps}}}\n")
    };
    let renditions: String = (0..RENDITIONS).map(small).collect();
    format!(
        "streams:\n  door: {{source: {}}}\n  yard: {{linger: 0s, source: {}}}\n{renditions}",
        camera(door),
        camera(yard)
    )
}

/// The frames that viewers of the camera received within a window.
struct Window {
    delivered: f64,
    p50: f64,
    p99: f64,
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.4} delivered, p50 {:.2} ms, p99 {:.2} ms", self.delivered, self.p50, self.p99)
    }
}

type Arrivals = Mutex<Vec<(usize, Instant)>>;

fn note(arrivals: &Arrivals, number: usize) {
    arrivals.lock().unwrap().push((number, Instant::now()));
}

fn window(camera: &Camera, arrivals: &Arrivals) -> Window {
    let start = Instant::now();
    thread::sleep(WINDOW);
    let end = Instant::now();
    thread::sleep(SETTLE);
    let sent = camera.sent.lock().unwrap().clone();
    let within = |number: usize| (start..end).contains(&sent[number]);
    let offered = (0..sent.len()).filter(|&number| within(number)).count() * VIEWERS;
    let mut took: Vec<f64> = std::mem::take(&mut *arrivals.lock().unwrap())
        .into_iter()
        .filter(|(number, _)| within(*number))
        .map(|(number, at)| at.duration_since(sent[number]).as_secs_f64() * 1000.0)
        .collect();
    took.sort_by(f64::total_cmp);
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize];
    Window { delivered: took.len() as f64 / offered as f64, p50: at(0.5), p99: at(0.99) }
}

/// Watches all renditions meanwhile.
fn with_load<T>(relay: &TestRelay, work: impl FnOnce() -> T) -> T {
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        for n in 0..RENDITIONS {
            let stream = join(relay.address(), &format!("small{n}"));
            let closing = stream.try_clone().unwrap();
            let enough = &enough;
            scope.spawn(move || {
                watch(stream, |_| {
                    if enough.load(Ordering::Relaxed) {
                        let _ = closing.shutdown(std::net::Shutdown::Both);
                    }
                })
            });
        }
        thread::sleep(SETTLE);
        let result = work();
        enough.store(true, Ordering::Relaxed);
        result
    })
}

/// Frames that the pool encoded so far, and those it had no time for.
fn pool(relay: &TestRelay) -> (u64, u64) {
    let mut counts = (0, 0);
    for stream in relay.registry().all() {
        let stats = stream.bus().stats();
        let (encoded, busy) = (Processing::Encoded, DropReason::Busy);
        counts.0 += stats.processed().filter(|(way, _)| *way == encoded).map(|(_, n)| n).sum::<u64>();
        counts.1 += stats.dropped().filter(|(reason, _)| *reason == busy).map(|(_, n)| n).sum::<u64>();
    }
    counts
}

fn join(address: SocketAddr, name: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /streams/{name} HTTP/1.0\r\n\r\n").unwrap();
    stream
}

/// Reads parts until the stream ends; `seen` gets the number of each, or something else where it has none.
fn watch(stream: TcpStream, mut seen: impl FnMut(usize)) {
    let mut reader = BufReader::with_capacity(1 << 18, stream);
    let (mut line, mut jpeg) = (String::new(), Vec::new());
    let mut length = 0;
    loop {
        line.clear();
        match reader.read_line(&mut line) {
            Ok(read) if read > 0 => {}
            _ => return,
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" && length > 0 {
            jpeg.resize(std::mem::take(&mut length), 0);
            if reader.read_exact(&mut jpeg).is_err() {
                return;
            }
            seen(usize::from_be_bytes(jpeg[NUMBER_AT..NUMBER_AT + 8].try_into().unwrap()));
        }
    }
}

/// Sends one picture, numbered, at 30 frames a second.
struct Camera {
    address: SocketAddr,
    /// When each number was sent.
    sent: Arc<Mutex<Vec<Instant>>>,
}

impl Camera {
    fn start(picture: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let jpeg = [&picture[..2], b"\xff\xfe\0\x0a", &[0; 8], &picture[2..]].concat();
        let sent = Arc::<Mutex<Vec<Instant>>>::default();
        let told = sent.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                // The next one is for when this viewer, the relay, has gone.
                let _ = film(stream.unwrap(), jpeg.clone(), &told);
            }
        });
        Self { address, sent }
    }
}

fn film(mut stream: TcpStream, mut jpeg: Vec<u8>, sent: &Mutex<Vec<Instant>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n")?;
    let mut due = Instant::now();
    loop {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due += FRAME_TIME;
        let number = {
            let mut sent = sent.lock().unwrap();
            sent.push(Instant::now());
            sent.len() - 1
        };
        jpeg[NUMBER_AT..NUMBER_AT + 8].copy_from_slice(&number.to_be_bytes());
        let head = format!("--b\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
        stream.write_all(&[head.as_bytes(), &jpeg, b"\r\n"].concat())?;
    }
}

/// A photograph's texture: the cup of the tests, side by side.
fn scene(width: usize, height: usize) -> Vec<u8> {
    let photograph =
        codec().decode(include_bytes!("../tests/fixtures/photographs/420.jpg"), 1_000_000).unwrap();
    let (w, h) = (usize::from(photograph.width()), usize::from(photograph.height()));
    let mut data = Vec::with_capacity(width * height * 3);
    for (x, y) in (0..width * height).map(|n| (n % width % w, n / width % h)) {
        data.extend_from_slice(&photograph.data()[(y * w + x) * 3..][..3]);
    }
    let side = |side: usize| u16::try_from(side).unwrap();
    let pixels = Pixels::new(side(width), side(height), PixelFormat::Rgb, data).unwrap();
    codec().encode(&pixels, Quality::PICTURE).unwrap().to_vec()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
