//! Viewers behind a narrow link who get smaller pictures (`?adapt=1`).

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use framecast::media::frame::Frame;
use serde_json::Value;
use testkit::{
    raw_client::{Client, TIMEOUT},
    stream_client::{Part, StreamViewer, report, report_when},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpSocket, TcpStream},
    time::{Instant, Sleep, sleep},
};

use crate::TestRelay;

/// 20 frames of some 25 kB a second.
const BARS: &str = "source: {type: pattern, size: 640x480, fps: 20}";

/// A link that carries 100 kB a second until it is wide.
struct Narrow {
    io: TcpStream,
    next: Pin<Box<Sleep>>,
    wide: Arc<AtomicBool>,
}

const BYTES_AT_ONCE: usize = 2000;
const EVERY: Duration = Duration::from_millis(20);

impl AsyncRead for Narrow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.wide.load(Ordering::Relaxed) {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        ready!(self.next.as_mut().poll(cx));
        let mut some = [0; BYTES_AT_ONCE];
        let mut few = ReadBuf::new(&mut some[..BYTES_AT_ONCE.min(buf.remaining())]);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut few))?;
        buf.put_slice(few.filled());
        self.next.as_mut().reset(Instant::now() + EVERY);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Narrow {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A viewer behind such a link, and what makes that wide.
async fn narrow(address: SocketAddr, target: &str) -> (StreamViewer, Arc<AtomicBool>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8192).unwrap();
    let io = socket.connect(address).await.unwrap();
    let wide = Arc::new(AtomicBool::new(false));
    let narrow = Narrow { io, next: Box::pin(sleep(Duration::ZERO)), wide: wide.clone() };
    let mut viewer = StreamViewer::over(Client::from(Box::new(narrow)), target, "HTTP/1.1").await;
    viewer.first_delimiter().await;
    (viewer, wide)
}

fn viewers(report: &Value) -> Vec<u64> {
    let all = report["adaptive"]["viewers"].as_array().expect("a list");
    all.iter().map(|count| count.as_u64().unwrap()).collect()
}

/// Reads parts until one is as wanted: each a whole picture, none older than the one before.
async fn until(viewer: &mut StreamViewer, wanted: impl Fn(&Frame, &Part) -> bool) -> Frame {
    let (start, mut last) = (Instant::now(), 0.0);
    loop {
        let part = viewer.part().await;
        let frame = Frame::from_jpeg(Bytes::from(part.jpeg.clone())).expect("each part is a whole picture");
        let taken: f64 = part.get("X-Timestamp").parse().unwrap();
        assert!(taken >= last, "back in time: {last} and then {taken}");
        last = taken;
        if wanted(&frame, &part) {
            return frame;
        }
        assert!(start.elapsed() < TIMEOUT, "such a picture does not come");
    }
}

#[tokio::test]
async fn a_viewer_behind_a_narrow_link_gets_smaller_pictures_and_larger_ones_when_it_is_wide() {
    let relay = TestRelay::start(&format!("streams: {{bars: {{{BARS}}}}}"));
    let (mut viewer, wide) = narrow(relay.address(), "/streams/bars?adapt=1").await;
    let mut other = StreamViewer::join(relay.address(), "/streams/bars").await;
    let first = until(&mut viewer, |_, _| true).await;
    assert_eq!((first.width(), first.height()), (640, 480));
    assert_eq!(viewers(&report(&relay, "bars").await), [1, 0, 0, 0, 0, 0], "only one is adaptive");
    let small = until(&mut viewer, |frame, part| frame.width() < 640 && part.jpeg.len() < 10_000).await;
    assert_eq!(small.width() * 3, small.height() * 4, "of the same proportions");
    let low = report(&relay, "bars").await;
    let at = viewers(&low);
    assert_eq!((at[0], at.iter().sum::<u64>()), (0, 1), "{low}");
    assert_eq!(low["renditions"][0]["viewers"], 1, "{low}");
    assert_eq!(low["viewers"], 2, "both are viewers of the stream");
    wide.store(true, Ordering::Relaxed);
    let larger = until(&mut viewer, |_, part| part.jpeg.len() > 2 * small.jpeg().len()).await;
    assert!(larger.width() >= small.width());
    assert!(report(&relay, "bars").await["adaptive"]["moved_up"].as_u64() >= Some(1));
    let full = Frame::from_jpeg(Bytes::from(other.part().await.jpeg)).unwrap();
    assert_eq!(full.width(), 640, "who did not ask for it has the stream as it is");
    drop(viewer);
    report_when(&relay, "bars", |report| viewers(report).iter().sum::<u64>() == 0).await;
    report_when(&relay, "bars", |report| report["renditions"] == Value::Array(Vec::new())).await;
}

#[tokio::test]
async fn a_stream_may_adapt_without_being_asked_and_who_does_not_want_it_says_so() {
    let relay = TestRelay::start(&format!("streams: {{bars: {{adapt: true, {BARS}}}}}"));
    let (mut viewer, _) = narrow(relay.address(), "/stream").await;
    let _without = StreamViewer::join(relay.address(), "/streams/bars?adapt=0").await;
    until(&mut viewer, |frame, _| frame.width() < 640).await;
    let report = report(&relay, "bars").await;
    assert_eq!(viewers(&report).iter().sum::<u64>(), 1, "{report}");
}

#[tokio::test]
async fn where_there_is_no_room_for_a_rendition_a_viewer_stays_where_it_is() {
    let relay = TestRelay::start(&format!("limits: {{max_renditions: 0}}\nstreams: {{bars: {{{BARS}}}}}"));
    let (mut viewer, _) = narrow(relay.address(), "/streams/bars?adapt=1").await;
    loop {
        viewer.part().await;
        let all = Client::get(relay.address(), "/api/streams").await.json();
        if all["renditions"]["refused"].as_u64() > Some(0) {
            break;
        }
    }
    assert_eq!(viewers(&report(&relay, "bars").await), [1, 0, 0, 0, 0, 0]);
    viewer.part().await;
}
