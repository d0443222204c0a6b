use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
};

use bytes::Bytes;
use futures_util::task::noop_waker;
use proptest::prelude::*;
use tokio::net::TcpStream;

use super::{super::*, *};
#[cfg(target_os = "linux")]
use crate::{bus::SplicePipe, media::multipart::writer::Framing};
use crate::{
    bus::{Bus, Current, FrameReceiver, tests::tiny_frame},
    registry::RenditionGuard,
    web::server::transport::direct_write::DirectWriter,
};

/// The result of a scripted socket's next write.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Take(usize),
    Block,
    Break,
}

/// Takes writes as its script says, then everything.
#[derive(Debug, Default)]
struct Script {
    answers: VecDeque<Answer>,
    written: Vec<u8>,
}

impl Script {
    fn write(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let all: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
        let taken = match self.answers.pop_front() {
            Some(Answer::Take(most)) => most.min(all.len()),
            Some(Answer::Block) => return Err(io::ErrorKind::WouldBlock.into()),
            Some(Answer::Break) => return Err(io::ErrorKind::ConnectionReset.into()),
            None => all.len(),
        };
        self.written.extend_from_slice(&all[..taken]);
        Ok(taken)
    }
}

/// A scripted socket, written to by its task and, if `has_direct_writer`, past it.
#[derive(Debug, Default)]
struct Socket {
    script: Arc<Mutex<Script>>,
    has_direct_writer: bool,
}

impl Socket {
    fn written(&self) -> Vec<u8> {
        self.script.lock().unwrap().written.clone()
    }
}

impl DirectWrite for Socket {
    fn direct_writer(&self) -> Option<Arc<dyn DirectWriter>> {
        self.has_direct_writer.then(|| self.script.clone() as Arc<dyn DirectWriter>)
    }

    fn poll_direct_write<T>(
        &self,
        _: &mut Context<'_>,
        mut write: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        match write() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            written => Poll::Ready(written),
        }
    }
}

impl DirectWriter for Mutex<Script> {
    fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.lock().unwrap().write(pieces)
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.script.lock().unwrap().write(bufs) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            written => Poll::Ready(written),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

const TIMEOUT: Duration = Duration::from_secs(10);

fn viewer_socket(answers: impl IntoIterator<Item = Answer>) -> ViewerSocket<Socket> {
    scripted(answers, false)
}

fn scripted(answers: impl IntoIterator<Item = Answer>, has_direct_writer: bool) -> ViewerSocket<Socket> {
    let script = Script { answers: answers.into_iter().collect(), written: Vec::new() };
    ViewerSocket::new(Socket { script: Arc::new(Mutex::new(script)), has_direct_writer }, TIMEOUT)
}

fn flush<S: DirectWrite>(viewer_socket: &mut ViewerSocket<S>) -> Poll<io::Result<()>> {
    let waker = noop_waker();
    Pin::new(viewer_socket).poll_flush(&mut Context::from_waker(&waker))
}

fn part(seed: u8) -> [Bytes; 3] {
    [vec![seed; 7].into(), vec![seed + 1; 100].into(), vec![seed + 2; 5].into()]
}

fn all(parts: &[[Bytes; 3]]) -> Vec<u8> {
    parts.iter().flatten().flatten().copied().collect()
}

#[tokio::test]
async fn a_part_goes_out_whole_whatever_the_socket_takes_at_a_time() {
    for at_a_time in 1..=112 {
        let answers = std::iter::repeat_n([Answer::Take(at_a_time), Answer::Block], 112).flatten();
        let mut viewer_socket = viewer_socket(answers);
        viewer_socket.outbox().lock().pieces.put(part(1));
        while flush(&mut viewer_socket).is_pending() {}
        assert_eq!(viewer_socket.io.written(), all(&[part(1)]), "{at_a_time} bytes at a time");
        assert!(viewer_socket.outbox().lock().pieces.is_empty());
    }
}

#[tokio::test]
async fn a_part_that_is_put_while_another_is_under_way_follows_it() {
    let mut viewer_socket = viewer_socket([Answer::Take(50), Answer::Block]);
    viewer_socket.outbox().lock().pieces.put([Bytes::from_static(b"delimiter")]);
    viewer_socket.outbox().lock().pieces.put(part(1));
    assert!(flush(&mut viewer_socket).is_pending());
    assert!(!viewer_socket.outbox().lock().pieces.is_empty(), "a body puts nothing more until this is gone");
    assert!(flush(&mut viewer_socket).is_ready());
    viewer_socket.outbox().lock().pieces.put(part(9));
    assert!(flush(&mut viewer_socket).is_ready());
    let mut expected = b"delimiter".to_vec();
    expected.extend(all(&[part(1), part(9)]));
    assert_eq!(viewer_socket.io.written(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_held_for_nothing_is_let_go_and_one_in_use_is_not() {
    use tokio::{io::AsyncReadExt, time::timeout};

    let mut idle = viewer_socket([]);
    let read = timeout(IDLE_TIMEOUT * 3, idle.read_u8()).await.expect("it is let go");
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
    for busy in [Busy::Answering, Busy::Receiving] {
        let mut used = viewer_socket([]);
        let guard = used.outbox().busy(busy);
        assert!(timeout(IDLE_TIMEOUT * 3, used.read_u8()).await.is_err(), "{busy:?}: kept");
        drop(guard);
        assert!(timeout(IDLE_TIMEOUT * 3, used.read_u8()).await.is_ok(), "{busy:?}: idle again");
    }
}

#[tokio::test]
async fn an_answering_connection_that_is_polled_without_a_read_is_let_go() {
    let mut viewer_socket = viewer_socket([]);
    let flushes = |viewer_socket: &mut ViewerSocket<Socket>| {
        (0..1000).find(|_| matches!(flush(viewer_socket), Poll::Ready(Err(_))))
    };
    assert_eq!(flushes(&mut viewer_socket), None, "a push that is held back is polled so, too");
    let _guard = viewer_socket.outbox().busy(Busy::Answering);
    assert_eq!(flushes(&mut viewer_socket), Some(MAX_POLLS_WITHOUT_READ));
}

#[tokio::test]
async fn the_frame_is_let_go_as_soon_as_it_is_written() {
    let frame = Bytes::from(vec![1; 100]);
    let mut viewer_socket = viewer_socket([]);
    viewer_socket.outbox().lock().pieces.put([
        Bytes::from_static(b"head"),
        frame.clone(),
        Bytes::from_static(b"tail"),
    ]);
    assert!(!frame.is_unique());
    assert!(flush(&mut viewer_socket).is_ready());
    assert!(frame.is_unique(), "an idle viewer must not keep its last frame in memory");
}

#[tokio::test]
async fn a_viewer_that_leaves_in_the_middle_is_an_error_and_nothing_else() {
    let mut viewer_socket = viewer_socket([Answer::Take(20), Answer::Break]);
    viewer_socket.outbox().lock().pieces.put(part(1));
    let Poll::Ready(Err(error)) = flush(&mut viewer_socket) else { panic!("the break must be seen") };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_closing_delimiter_in_the_middle_of_a_part_waits_for_its_end() {
    let mut viewer_socket = viewer_socket([Answer::Take(20), Answer::Block]);
    viewer_socket.outbox().lock().pieces.put(part(1));
    assert!(flush(&mut viewer_socket).is_pending());
    // The body asks before it closes.
    assert!(!viewer_socket.outbox().lock().pieces.is_empty());
    assert!(flush(&mut viewer_socket).is_ready());
    viewer_socket.outbox().lock().pieces.put([Bytes::from_static(b"--b--")]);
    assert!(flush(&mut viewer_socket).is_ready());
    assert!(viewer_socket.io.written().ends_with(b"\x03\x03\x03\x03\x03--b--"));
}

#[tokio::test]
async fn ordinary_answers_pass_untouched() {
    let mut viewer_socket = viewer_socket([]);
    let waker = noop_waker();
    let mut cx = Context::from_waker(&waker);
    let written = Pin::new(&mut viewer_socket).poll_write(&mut cx, b"HTTP/1.1 204 No Content\r\n\r\n");
    assert!(matches!(written, Poll::Ready(Ok(27))));
    assert!(flush(&mut viewer_socket).is_ready());
    assert_eq!(viewer_socket.io.written(), b"HTTP/1.1 204 No Content\r\n\r\n");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_let_go_and_one_that_is_slow_is_not() {
    let slow = std::iter::repeat_n([Answer::Take(10), Answer::Block], 12).flatten();
    let mut slow_viewer_socket = viewer_socket(slow);
    slow_viewer_socket.outbox().lock().pieces.put(part(1));
    while flush(&mut slow_viewer_socket).is_pending() {
        tokio::time::advance(TIMEOUT - Duration::from_secs(1)).await;
    }
    assert!(slow_viewer_socket.outbox().lock().pieces.is_empty(), "it took a few bytes each time");

    let mut dead_viewer_socket =
        viewer_socket([Answer::Take(10)].into_iter().chain(std::iter::repeat_n(Answer::Block, 9)));
    dead_viewer_socket.outbox().lock().pieces.put(part(1));
    let ended = std::future::poll_fn(|cx| Pin::new(&mut dead_viewer_socket).poll_flush(cx)).await;
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut, "its own timer wakes it");
}

/// Both ends of a TCP connection with small buffers, so that a part does not fit at once.
async fn tcp() -> (TcpStream, TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    socket2::SockRef::from(&near).set_send_buffer_size(8 * 1024).unwrap();
    (near, listener.accept().await.unwrap().0)
}

/// The fan-out asks this, and must not wait for a connection that is busy.
#[tokio::test]
async fn whether_a_socket_is_plain_is_known_while_its_outbox_is_locked() {
    const HANGS: Duration = Duration::from_secs(30);
    for stays in [BusBinding::Fixed, BusBinding::Switchable] {
        let (near, _far) = tcp().await;
        let (plain, other) = (ViewerSocket::new(SharedSocket::new(near), TIMEOUT), viewer_socket([]));
        for (outbox, expected) in [(plain.outbox(), true), (other.outbox(), false)] {
            let (bus, mut receivers) = (Arc::new(Bus::default()), Vec::new());
            let _producer = outbox.attach(Box::new(Numbers::default()), &bus, stays).expect("the first one");
            bus.subscribers().drain_new(&mut receivers);
            let (tell, told) = std::sync::mpsc::sync_channel(1);
            let locked = outbox.lock();
            let asking = std::thread::spawn(move || tell.send(receivers[0].can_splice()));
            assert_eq!(told.recv_timeout(HANGS), Ok(expected));
            drop(locked);
            asking.join().unwrap().unwrap();
        }
    }
}

/// Sends each frame's part.
#[cfg(target_os = "linux")]
#[derive(Debug)]
struct Parts(Framing, u64);

#[cfg(target_os = "linux")]
impl PartProducer for Parts {
    fn fill(&mut self, current: &Current, pieces: &mut WriteQueue) -> Fill {
        match &current.frame {
            Some(newest) if newest.seq > self.1 => {
                self.1 = newest.seq;
                pieces.put_part(newest, self.0);
                Fill::Data
            }
            _ => Fill::Pending,
        }
    }

    fn has_next(&self, current: &Current) -> bool {
        current.frame.as_ref().is_some_and(|newest| newest.seq > self.1)
    }

    fn move_to(&mut self, rendition: Option<RenditionGuard>) -> Option<RenditionGuard> {
        rendition
    }
}

/// A connection at rest, with its peer and the pages of a first frame of so many bytes, which was shown to
/// it.
#[cfg(target_os = "linux")]
async fn shown_pages(
    framing: Framing,
    bytes: usize,
) -> (ViewerSocket<SharedSocket>, TcpStream, Arc<Bus>, ProducerGuard, SplicePipe) {
    let (near, far) = tcp().await;
    let mut viewer_socket = ViewerSocket::new(SharedSocket::new(near), TIMEOUT);
    let bus = Arc::new(Bus::default());
    let producer = viewer_socket
        .outbox()
        .attach(Box::new(Parts(framing, 0)), &bus, BusBinding::Fixed)
        .expect("the first one");
    assert!(flush(&mut viewer_socket).is_ready());
    let mut pipe = SplicePipe::new().unwrap();
    show_pages(&viewer_socket, &bus, &mut pipe, bytes);
    (viewer_socket, far, bus, producer, pipe)
}

#[cfg(target_os = "linux")]
fn show_pages(viewer_socket: &ViewerSocket<SharedSocket>, bus: &Bus, pipe: &mut SplicePipe, bytes: usize) {
    let tiny = tiny_frame();
    let comments = (0..bytes / 60_002).map(|n| [&[0xFF, 0xFE, 0xEA, 0x62][..], &[n as u8; 60_000]].concat());
    let jpeg: Vec<u8> =
        [&tiny.jpeg()[..2]].into_iter().map(<[u8]>::to_vec).chain(comments).flatten().collect();
    bus.publish(crate::media::frame::Frame::from_jpeg([&jpeg, &tiny.jpeg()[2..]].concat().into()).unwrap());
    pipe.offer(&bus.newest().unwrap());
    viewer_socket.outbox().0.on_frame(&bus.current(), Some(pipe));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_part_sent_from_pages_is_the_part_that_is_written() {
    use tokio::io::AsyncReadExt;

    for (framing, other) in [(Framing::Raw, Framing::Chunked), (Framing::Chunked, Framing::Raw)] {
        let (mut viewer_socket, mut far, bus, _producer, mut pipe) = shown_pages(framing, 450_000).await;
        let first = bus.newest().unwrap();
        assert!(!pipe.holds(first.seq, other), "it was asked for in the viewer's framing");
        assert!(pipe.holds(first.seq, framing));
        assert!(
            !viewer_socket.outbox().lock().pieces.is_empty(),
            "the socket does not take all of it at once"
        );
        let mut expected: Vec<u8> = first.part.pieces(framing).into_iter().flatten().collect();
        let mut read = vec![0; expected.len()];
        let flushed = std::future::poll_fn(|cx| Pin::new(&mut viewer_socket).poll_flush(cx));
        let (flushed, received) = tokio::join!(flushed, far.read_exact(&mut read));
        flushed.unwrap();
        received.unwrap();
        assert!(read == expected, "{framing:?}");
        pipe.clear().unwrap();
        show_pages(&viewer_socket, &bus, &mut pipe, 0);
        assert!(viewer_socket.outbox().lock().pieces.is_empty());
        expected = bus.newest().unwrap().part.pieces(framing).into_iter().flatten().collect();
        read.truncate(expected.len());
        far.read_exact(&mut read).await.unwrap();
        assert!(read == expected, "{framing:?}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_viewer_that_leaves_in_the_middle_of_pages_is_an_error() {
    let (mut viewer_socket, far, _bus, _producer, _pages) = shown_pages(Framing::Raw, 450_000).await;
    assert!(!viewer_socket.outbox().lock().pieces.is_empty(), "it does not fit into the socket's buffers");
    socket2::SockRef::from(&far).set_linger(Some(Duration::ZERO)).unwrap();
    drop(far);
    let ended = std::future::poll_fn(|cx| Pin::new(&mut viewer_socket).poll_flush(cx)).await;
    assert!(ended.is_err());
}

proptest! {
    #[test]
    fn any_script_writes_the_same_bytes(script in proptest::collection::vec(0usize..40, 0..60)) {
        let answers = script.iter().map(|&n| if n == 0 { Answer::Block } else { Answer::Take(n) });
        let mut viewer_socket = viewer_socket(answers);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            for seed in [1, 50, 100] {
                viewer_socket.outbox().lock().pieces.put(part(seed));
                while flush(&mut viewer_socket).is_pending() {}
            }
        });
        prop_assert_eq!(viewer_socket.io.written(), all(&[part(1), part(50), part(100)]));
    }
}

/// Sends each frame's number on a line.
#[derive(Debug, Default)]
struct Numbers {
    last: u64,
    ended: bool,
}

impl PartProducer for Numbers {
    fn fill(&mut self, current: &Current, pieces: &mut WriteQueue) -> Fill {
        if self.ended {
            return Fill::Done;
        }
        if !self.has_next(current) {
            return Fill::Pending;
        }
        if let Some(newest) = &current.frame {
            self.last = newest.seq;
            pieces.put([format!("frame {}", newest.seq).into(), Bytes::from_static(b"\n")]);
        } else {
            self.ended = true;
            pieces.put([Bytes::from_static(b"end\n")]);
        }
        Fill::Data
    }

    fn has_next(&self, current: &Current) -> bool {
        self.ended || current.closed || current.frame.as_ref().is_some_and(|newest| newest.seq > self.last)
    }

    fn move_to(&mut self, rendition: Option<RenditionGuard>) -> Option<RenditionGuard> {
        rendition
    }
}

/// The old bus's fan-out may offer frames to a producer that was moved, which must have no effect. The frame
/// of the new bus arrives, whether it was published before the move or after it.
#[tokio::test]
async fn a_producer_that_moved_gets_frames_of_the_new_bus_only() {
    for shown_before in [true, false] {
        for idle in [true, false] {
            // The first frame blocks in its middle, if the connection is not to be idle.
            let answers = if idle { vec![] } else { vec![Answer::Take(3), Answer::Block] };
            let mut viewer = TestViewer::new(answers, false);
            let (mut old, mut new) = (Vec::new(), Vec::new());
            let other = Arc::new(Bus::default());
            viewer.poll_task().unwrap();
            viewer.publish();
            viewer.run_fan_out(&viewer.bus.clone(), &mut old);
            viewer.poll_task().unwrap();
            (0..7).for_each(|_| other.publish(tiny_frame()));
            if shown_before {
                other.publish(tiny_frame());
            }
            viewer.producer.move_to(&other, None);
            // The old fan-out still has the receiver.
            viewer.publish();
            old.iter().for_each(|receiver| receiver.on_frame(&viewer.bus.current(), None));
            assert!(old.iter().all(|receiver| receiver.is_closed()));
            viewer.poll_task().unwrap();
            viewer.settle();
            if !shown_before {
                other.publish(tiny_frame());
                viewer.run_fan_out(&other, &mut new);
                viewer.settle();
            }
            let text = String::from_utf8(viewer.viewer_socket.io.written()).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.first(), Some(&"frame 1"), "whole: {text}");
            assert_eq!(lines.last(), Some(&"frame 8"), "{shown_before} {idle}: {text}");
            assert!(!lines.contains(&"frame 2"), "of the bus that it left: {text}");
            assert!(text.ends_with('\n'), "{text}");
        }
    }
}

#[derive(Default)]
struct CountWakes(AtomicUsize);

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection that answers with a stream: its task, which runs when it was woken, and its fan-out.
struct TestViewer {
    viewer_socket: ViewerSocket<Socket>,
    bus: Arc<Bus>,
    producer: ProducerGuard,
    wakes: Arc<CountWakes>,
    polled: usize,
    ended: bool,
}

impl TestViewer {
    fn new(answers: impl IntoIterator<Item = Answer>, has_direct_writer: bool) -> Self {
        let viewer_socket = scripted(answers, has_direct_writer);
        let bus = Arc::new(Bus::default());
        let producer = viewer_socket
            .outbox()
            .attach(Box::new(Numbers::default()), &bus, BusBinding::Switchable)
            .expect("the first one");
        Self { viewer_socket, bus, producer, wakes: Arc::default(), polled: 0, ended: false }
    }

    /// The dispatcher's poll: the body, then the flush.
    fn poll_task(&mut self) -> io::Result<()> {
        self.polled = self.wakes.0.load(Ordering::Relaxed);
        let waker = Waker::from(self.wakes.clone());
        let mut cx = Context::from_waker(&waker);
        self.ended = self.ended || self.producer.poll_ended(&mut cx).is_ready();
        match Pin::new(&mut self.viewer_socket).poll_flush(&mut cx) {
            Poll::Ready(Err(error)) => Err(error),
            _ => Ok(()),
        }
    }

    fn is_woken(&self) -> bool {
        self.wakes.0.load(Ordering::Relaxed) > self.polled
    }

    /// Until nothing wakes the task; a socket that blocked is writable again each time.
    fn settle(&mut self) {
        while self.is_woken() || !self.viewer_socket.outbox().lock().pieces.is_empty() {
            self.poll_task().unwrap();
        }
    }

    fn publish(&self) {
        self.bus.publish(tiny_frame());
    }

    /// One round of a bus's fan-out.
    fn run_fan_out(&self, bus: &Arc<Bus>, receivers: &mut Vec<Arc<dyn FrameReceiver>>) {
        bus.subscribers().drain_new(receivers);
        receivers.iter().for_each(|receiver| receiver.on_frame(&bus.current(), None));
    }

    fn fan_out(&self) {
        self.viewer_socket.outbox().0.on_frame(&self.bus.current(), None);
    }

    fn written(&self) -> String {
        String::from_utf8(self.viewer_socket.io.written()).unwrap()
    }
}

#[tokio::test]
async fn a_frame_is_written_without_the_task_of_an_idle_connection() {
    let mut viewer = TestViewer::new([], true);
    viewer.poll_task().unwrap();
    for _ in 0..3 {
        viewer.publish();
        viewer.fan_out();
    }
    assert_eq!(viewer.written(), "frame 1\nframe 2\nframe 3\n");
    assert!(!viewer.is_woken(), "the task slept through all of it");
}

#[tokio::test]
async fn nothing_goes_out_before_the_answers_head() {
    let mut viewer = TestViewer::new([], true);
    viewer.publish();
    viewer.fan_out();
    assert_eq!(viewer.written(), "");
    viewer.poll_task().unwrap();
    viewer.settle();
    assert_eq!(viewer.written(), "frame 1\n");
}

#[tokio::test]
async fn what_a_socket_does_not_take_the_task_goes_on_with_and_then_comes_what_is_newest() {
    let mut viewer = TestViewer::new([Answer::Take(3), Answer::Block], true);
    viewer.poll_task().unwrap();
    viewer.publish();
    viewer.fan_out();
    assert_eq!(viewer.written(), "fra");
    assert!(viewer.is_woken());
    for _ in 0..5 {
        viewer.publish();
        viewer.fan_out();
    }
    viewer.settle();
    assert_eq!(viewer.written(), "frame 1\nframe 6\n");
}

#[tokio::test]
async fn a_connection_without_a_direct_writer_is_woken_and_writes_itself() {
    let mut viewer = TestViewer::new([], false);
    viewer.poll_task().unwrap();
    viewer.publish();
    viewer.fan_out();
    assert_eq!(viewer.written(), "");
    viewer.settle();
    assert_eq!(viewer.written(), "frame 1\n");
}

#[tokio::test]
async fn a_viewer_that_leaves_while_the_fan_out_writes_ends_its_connection() {
    let mut viewer = TestViewer::new([Answer::Break, Answer::Break], true);
    viewer.poll_task().unwrap();
    viewer.publish();
    viewer.fan_out();
    assert!(viewer.is_woken());
    assert_eq!(viewer.poll_task().unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_shutdown_in_the_middle_of_a_part_waits_for_its_end() {
    let mut viewer = TestViewer::new([Answer::Take(3), Answer::Block, Answer::Take(1), Answer::Block], true);
    viewer.poll_task().unwrap();
    viewer.publish();
    viewer.fan_out();
    viewer.bus.close();
    viewer.fan_out();
    viewer.settle();
    assert_eq!(viewer.written(), "frame 1\nend\n");
    assert!(viewer.ended);
}

#[tokio::test]
async fn nobody_keeps_a_closed_connections_socket_or_a_viewer_that_left() {
    let viewer = TestViewer::new([], true);
    let (outbox, script) = (viewer.viewer_socket.outbox(), Arc::downgrade(&viewer.viewer_socket.io.script));
    assert!(!outbox.0.is_closed());
    drop(viewer.producer);
    assert!(outbox.0.is_closed());
    drop(viewer.viewer_socket);
    assert!(script.upgrade().is_none(), "the fan-out may have the outbox until its next turn");
}

#[tokio::test]
async fn a_connection_takes_one_stream_only() {
    let viewer = TestViewer::new([], true);
    let outbox = viewer.viewer_socket.outbox();
    assert!(outbox.attach(Box::new(Numbers::default()), &viewer.bus, BusBinding::Fixed).is_none());
    drop(viewer.producer);
    assert!(
        outbox.attach(Box::new(Numbers::default()), &viewer.bus, BusBinding::Fixed).is_none(),
        "also behind the first"
    );
}

#[tokio::test]
async fn who_is_called_writes_by_its_own_task() {
    let mut viewer = TestViewer::new([], true);
    viewer.poll_task().unwrap();
    viewer.publish();
    viewer.viewer_socket.outbox().0.wake(&viewer.bus.current());
    assert_eq!(viewer.written(), "");
    assert!(viewer.is_woken());
    viewer.settle();
    assert_eq!(viewer.written(), "frame 1\n");
}

#[tokio::test(start_paused = true)]
async fn a_shorter_stall_timeout_after_a_longer_one_takes_effect() {
    let mut viewer_socket = viewer_socket(
        [Answer::Block, Answer::Take(1000)].into_iter().chain(std::iter::repeat_n(Answer::Block, 9)),
    );
    viewer_socket.outbox().lock().pieces.put(part(1));
    assert!(
        std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut viewer_socket).poll_flush(cx)))
            .await
            .is_pending()
    );
    assert!(flush(&mut viewer_socket).is_ready(), "the timer of before is still armed");
    let short = TIMEOUT / 10;
    viewer_socket.outbox().lock().stall_timeout = short;
    viewer_socket.outbox().lock().pieces.put(part(1));
    let start = tokio::time::Instant::now();
    let ended = std::future::poll_fn(|cx| Pin::new(&mut viewer_socket).poll_flush(cx)).await;
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert!(start.elapsed() < short * 2, "{:?}", start.elapsed());
}

proptest! {
    /// Frames, fan-out and task in any order, over a socket that takes what it likes.
    #[test]
    fn whatever_happens_each_part_is_whole_and_newer_than_the_one_before_and_the_newest_arrives(
        script in proptest::collection::vec(0usize..12, 0..40),
        steps in proptest::collection::vec(0u8..4, 0..60),
        has_direct_writer in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let _entered = runtime.enter();
        let answers = script.iter().map(|&n| if n == 0 { Answer::Block } else { Answer::Take(n) });
        let mut viewer = TestViewer::new(answers, has_direct_writer);
        viewer.poll_task().unwrap();
        let mut published = 0;
        for step in steps {
            match step {
                0 => {
                    viewer.publish();
                    published += 1;
                }
                1 => viewer.fan_out(),
                // The socket is writable, or the peer sent something.
                2 => viewer.poll_task().unwrap(),
                _ if viewer.is_woken() => viewer.poll_task().unwrap(),
                _ => {}
            }
        }
        viewer.fan_out();
        viewer.settle();
        let text = viewer.written();
        let numbers: Vec<u64> =
            text.lines().map(|line| line.strip_prefix("frame ").unwrap().parse().unwrap()).collect();
        prop_assert!(numbers.is_sorted_by(|a, b| a < b), "{text}");
        prop_assert_eq!(numbers.last().copied().unwrap_or(0), published);
        prop_assert!(text.is_empty() || text.ends_with('\n'));
    }
}
