//! See `crate::fuzzing`: frames of an HTTP/2 client, in any order and number.

use std::{cell::Cell, convert::Infallible, rc::Rc, time::Duration};

use actix_http::{Request, Response};
use actix_service::fn_service;
use actix_web::body::{BodyStream, BoxBody, MessageBody};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    signal::unix::{SignalKind, signal},
    task::{LocalSet, yield_now},
    time::{Instant, timeout},
};

use super::{Deadlines, Error, MAX_TASKS, flood_limit::MOST_AT_ONCE, serve};
use crate::web::server::{bytes_body::Slices, transport::ViewerSocket};

/// Maximum number of frames from one input: more than are accepted.
const MAX_FRAMES: usize = 8192;
const MAX_BYTES: usize = 512 * 1024;

/// A frame is repeated up to this power of two.
const MOST_DOUBLINGS: u8 = 13;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const LAST: [u8; 8] = *b"the last";
const PING: u8 = 6;

/// Time limit of every step: all of it is in one process.
const TIME_LIMIT: Duration = Duration::from_secs(60);

const DEADLINES: Deadlines = Deadlines { begin: TIME_LIMIT, idle: TIME_LIMIT, stall: TIME_LIMIT };

/// Frames that a client sends.
struct Script {
    reads: bool,
    bytes: Vec<u8>,
    /// The least that it is charged if all of it is read.
    cost: usize,
}

impl Script {
    /// Parses an input. The first byte says whether the client reads and how large its windows are. Then come
    /// frames: type, flags, stream (with the highest bit set, each repetition has the next one), doublings of
    /// their number, length, payload.
    fn of(input: &[u8]) -> Option<Self> {
        let (&first, mut rest) = input.split_first()?;
        let window: u32 = if first & 2 == 0 { 0 } else { 0x7fff_ffff };
        let settings = [&[0, 4][..], &window.to_be_bytes()].concat();
        let mut script =
            Self { reads: first & 1 != 0, bytes: [PREFACE, &frame(4, 0, 0, &settings)].concat(), cost: 0 };
        let mut frames = 0;
        while let [kind, flags, stream, doublings, length, behind @ ..] = rest {
            let payload = &behind[..behind.len().min(usize::from(*length))];
            rest = &behind[payload.len()..];
            for n in 0..1_u32 << (doublings % MOST_DOUBLINGS) {
                frames += 1;
                if frames > MAX_FRAMES || script.bytes.len() > MAX_BYTES {
                    return Some(script);
                }
                let stream = u32::from(stream & 0x7f) + if stream & 0x80 == 0 { 0 } else { 2 * n };
                script.bytes.extend(frame(*kind, *flags, stream, payload));
                if *kind > 1 {
                    script.cost += payload.len();
                }
            }
        }
        Some(script)
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("payloads are short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Requests that are being answered.
#[derive(Clone, Default)]
struct Open(Rc<Cell<usize>>);

struct OpenGuard(Open);

impl Open {
    fn one(&self) -> OpenGuard {
        self.0.set(self.0.get() + 1);
        assert!(self.0.get() <= MAX_TASKS, "{} requests at the same time", self.0.get());
        OpenGuard(self.clone())
    }
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.0.0.set(self.0.0.get() - 1);
    }
}

/// Answers in four ways: reads the body, holds it unread, sends a large answer, or one without end.
async fn answer(mut request: Request, open: OpenGuard) -> Response<BoxBody> {
    let _open = open;
    match request.path() {
        "/read" => {
            let mut body = request.take_payload();
            while let Some(Ok(_)) = body.next().await {}
            Response::ok().set_body(BoxBody::new(()))
        }
        "/hold" => std::future::pending().await,
        "/large" => Response::ok().set_body(Slices::new([Bytes::from_static(&[7; 300_000])]).boxed()),
        "/endless" => {
            let pieces = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[7; 4096])));
            Response::ok().set_body(BodyStream::new(pieces).boxed())
        }
        _ => Response::not_found().set_body(BoxBody::new(())),
    }
}

/// Runs a server on HTTP/2 frames in any order and number. The server must bound the requests it answers, end
/// a connection that exceeds its allowance of frames without progress, and hold nothing of it afterwards.
pub fn http2(input: &[u8]) {
    let Some(script) = Script::of(input) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("the system has descriptors");
    LocalSet::new().block_on(&runtime, async {
        // libFuzzer's `main` does not ignore SIGPIPE as Rust's does: a closed socket would end the fuzzer.
        let _closed = signal(SignalKind::pipe()).expect("a handler can be set");
        let open = Open::default();
        let run = timeout(TIME_LIMIT, run(script, open.clone())).await;
        run.expect("neither side waits for ever");
        // Aborted tasks are dropped the next time they are scheduled.
        for _ in 0..MAX_TASKS {
            yield_now().await;
        }
        assert_eq!(open.0.get(), 0, "requests outlive their connection");
    });
}

async fn run(script: Script, open: Open) {
    let (ours, theirs) = UnixStream::pair().expect("the system has descriptors");
    let app = fn_service(move |request: Request| {
        let answered = answer(request, open.one());
        async move { Ok::<_, Response<BoxBody>>(answered.await) }
    });
    let viewer_socket = ViewerSocket::new(theirs, TIME_LIMIT);
    let served =
        async { serve::<_, _, BoxBody>(viewer_socket, Rc::new(app), None, DEADLINES, &|_| {}).await };
    let begun = Instant::now();
    let (cost, reads) = (script.cost, script.reads);
    let client = async move {
        let (mut from, mut to) = ours.into_split();
        let write = async move {
            // An error means that the server has closed it.
            let _ = to.write_all(&script.bytes).await;
            let _ = to.write_all(&frame(PING, 0, 0, &LAST)).await;
            to
        };
        if !reads {
            // What is not read in this time is never read.
            let _ = timeout(Duration::from_millis(20), write).await;
            return None;
        }
        let read = async move {
            let (mut read, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
            let mut bytes = 0;
            loop {
                let count = from.read(&mut buffer).await.unwrap_or(0);
                bytes += count;
                read.drain(..read.len().saturating_sub(LAST.len()));
                read.extend_from_slice(&buffer[..count]);
                if read.windows(LAST.len()).any(|window| window == LAST) {
                    return Some(bytes);
                }
                if count == 0 {
                    return None;
                }
            }
        };
        tokio::join!(read, write).0
    };
    let (served, answered) = tokio::join!(served, client);
    // The last ping was answered, so everything was read.
    if let Some(bytes) = answered {
        let back = begun.elapsed().as_secs() as usize * 64 * 1024 + 64 * 1024 + (bytes + MAX_BYTES) / 16;
        assert!(cost <= MOST_AT_ONCE + back, "{cost} bytes that bring nothing were read");
        assert!(!matches!(served, Err(Error::Flood)), "who is let go gets no answer");
    }
}
