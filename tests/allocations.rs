//! Counts the allocations for a frame on its way from camera to viewers, by the allocator itself.
//!
//! Camera, relay and viewers go in step: a frame is sent when all viewers have the one before. Camera and
//! viewers do not allocate meanwhile, so all that is counted is the relay's.

use std::{
    alloc::System,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc,
    thread,
};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

testkit::define_test_relay!();

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Until buffers have grown to what they need.
const WARM_FRAMES: u32 = 30;

const COUNTED_FRAMES: u32 = 100;

/// For one frame, whoever looks at it: its memory's owner, its headers, what is shared by all viewers.
/// Buffers are used again.
const BUDGET_PER_FRAME: f64 = 12.0;

/// Timers and whatever else runs beside the frames. One allocation a viewer and frame would be 1.
const BUDGET_PER_VIEWER_AND_FRAME: f64 = 0.02;

const FEW: usize = 8;
const MANY: usize = 108;

#[test]
fn a_frame_allocates_little_and_nothing_more_for_each_viewer() {
    let few = allocations_per_frame(FEW);
    let many = allocations_per_frame(MANY);
    let per_viewer = (many - few) / (MANY - FEW) as f64;
    let seen = format!("{few} a frame with {FEW} viewers, {many} with {MANY}");
    assert!(per_viewer <= BUDGET_PER_VIEWER_AND_FRAME, "{per_viewer} for each viewer: {seen}");
    assert!(few <= BUDGET_PER_FRAME, "{seen}");
}

fn allocations_per_frame(viewers: usize) -> f64 {
    let camera = Camera::start();
    let yaml = format!(
        "defaults: {{placeholder: false}}\nstreams: {{door: {{source: {{type: mjpeg, url: \
         \"http://{}/\"}}}}}}",
        camera.address
    );
    let relay = TestRelay::start(&yaml);
    let mut viewers: Vec<Viewer> = (0..viewers).map(|n| Viewer::join(relay.address(), n)).collect();
    let mut step = |number: u32| {
        camera.next.send(number).expect("the camera runs");
        viewers.iter_mut().for_each(|viewer| viewer.read_until_frame(number));
    };
    (0..WARM_FRAMES).for_each(&mut step);
    let region = Region::new(ALLOCATOR);
    (WARM_FRAMES..WARM_FRAMES + COUNTED_FRAMES).for_each(&mut step);
    let change = region.change();
    let sent = relay.registry().all()[0].bus().stats().frames_out();
    assert!(
        sent >= u64::from(WARM_FRAMES + COUNTED_FRAMES) * viewers.len() as u64,
        "{sent} frames were sent"
    );
    (change.allocations + change.reallocations) as f64 / f64::from(COUNTED_FRAMES)
}

/// Sends a frame when told to.
struct Camera {
    address: SocketAddr,
    /// Holds one, so that telling does not allocate.
    next: mpsc::SyncSender<u32>,
}

impl Camera {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (next, frames) = mpsc::sync_channel(1);
        thread::spawn(move || {
            let (mut socket, _) = listener.accept().expect("the relay connects");
            let mut request = [0; 2048];
            let _ = socket.read(&mut request).expect("its request");
            let head = "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=x\r\n\r\n--x\r\n";
            socket.write_all(head.as_bytes()).expect("the relay reads");
            let (mut jpeg, mark) = jpeg();
            let headers = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
            while let Ok(number) = frames.recv() {
                jpeg[mark..mark + 4].copy_from_slice(&marked(number));
                for piece in [headers.as_bytes(), &jpeg, b"\r\n--x\r\n"] {
                    if socket.write_all(piece).is_err() {
                        return;
                    }
                }
            }
        });
        Self { address, next }
    }
}

/// Four bytes none of which could be a marker's or a delimiter's.
fn marked(number: u32) -> [u8; 4] {
    std::array::from_fn(|n| 0x10 + ((number >> (4 * n)) & 0xF) as u8)
}

const MARK: &[u8] = b"number:";

/// A picture of some 40 kB with a comment, and where in it a frame's number goes.
fn jpeg() -> (Vec<u8>, usize) {
    let noise: Vec<u8> = (0..320 * 240_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut jpeg = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut jpeg, 80);
    encoder.add_app_segment(15, [MARK, &[0; 4]].concat()).expect("it is short");
    encoder.encode(&noise, 320, 240, jpeg_encoder::ColorType::Luma).expect("it is a picture");
    let mark = memchr::memmem::find(&jpeg, MARK).expect("it was added") + MARK.len();
    (jpeg, mark)
}

struct Viewer {
    socket: TcpStream,
    chunk: Vec<u8>,
}

impl Viewer {
    /// Joins; every second one as an `<img>` of a browser does.
    fn join(address: SocketAddr, n: usize) -> Self {
        let mut socket = TcpStream::connect(address).expect("the relay listens");
        let more = if n % 2 == 1 { "Sec-Fetch-Dest: image\r\n" } else { "" };
        let request = format!("GET /streams/door HTTP/1.1\r\nHost: relay\r\n{more}\r\n");
        socket.write_all(request.as_bytes()).expect("the relay reads");
        let mut viewer = Self { socket, chunk: vec![0; 256 * 1024] };
        while viewer.line() > 0 {}
        viewer
    }

    /// Reads a line into the buffer; its length without the newline.
    fn line(&mut self) -> usize {
        let mut len = 0;
        loop {
            self.socket.read_exact(&mut self.chunk[len..=len]).expect("the answer goes on");
            if self.chunk[..=len].ends_with(b"\r\n") {
                return len - 1;
            }
            len += 1;
        }
    }

    fn read_until_frame(&mut self, number: u32) {
        loop {
            let len = self.line();
            let size = std::str::from_utf8(&self.chunk[..len]).expect("a chunk's size is text");
            let size = usize::from_str_radix(size, 16).expect("a number");
            let chunk = &mut self.chunk[..size + 2];
            self.socket.read_exact(chunk).expect("the chunk");
            // A frame that comes late is shown twice.
            let frame = memchr::memmem::find(chunk, MARK).map(|at| &chunk[at + MARK.len()..]);
            if frame.is_some_and(|frame| frame.starts_with(&marked(number))) {
                return;
            }
        }
    }
}
