use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Wake, Waker},
};

use bytes::Bytes;
use futures_util::task::noop_waker;
use proptest::prelude::*;

use tokio::net::TcpStream;

use super::*;

/// What a scripted socket answers to the next write.
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

impl Channel for Script {}

impl AsyncRead for Script {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Script {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let taken = match self.answers.pop_front() {
            Some(Answer::Take(most)) => most.min(buf.len()),
            Some(Answer::Block) => return Poll::Pending,
            Some(Answer::Break) => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            None => buf.len(),
        };
        self.written.extend_from_slice(&buf[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        let waker = noop_waker();
        self.as_mut().poll_write(&mut Context::from_waker(&waker), &all)
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

fn wire(answers: impl IntoIterator<Item = Answer>) -> Wire<Script> {
    Wire::new(Script { answers: answers.into_iter().collect(), written: Vec::new() }, TIMEOUT)
}

fn flush<S: Channel>(wire: &mut Wire<S>) -> Poll<io::Result<()>> {
    let waker = noop_waker();
    Pin::new(wire).poll_flush(&mut Context::from_waker(&waker))
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
        let mut wire = wire(answers);
        wire.outbox().put(part(1));
        while flush(&mut wire).is_pending() {}
        assert_eq!(wire.io.written, all(&[part(1)]), "{at_a_time} bytes at a time");
        assert!(wire.outbox().is_empty());
    }
}

#[tokio::test]
async fn a_part_that_is_put_while_another_is_under_way_follows_it() {
    let mut wire = wire([Answer::Take(50), Answer::Block]);
    wire.outbox().put([Bytes::from_static(b"delimiter")]);
    wire.outbox().put(part(1));
    assert!(flush(&mut wire).is_pending());
    assert!(!wire.outbox().is_empty(), "a body puts nothing more until this is gone");
    assert!(flush(&mut wire).is_ready());
    wire.outbox().put(part(9));
    assert!(flush(&mut wire).is_ready());
    let mut expected = b"delimiter".to_vec();
    expected.extend(all(&[part(1), part(9)]));
    assert_eq!(wire.io.written, expected);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_held_for_nothing_is_let_go_and_one_in_use_is_not() {
    use tokio::{io::AsyncReadExt, time::timeout};

    let mut idle = wire([]);
    let read = timeout(IDLE_TIMEOUT * 3, idle.read_u8()).await.expect("it is let go");
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
    for busy in [Busy::Answering, Busy::Receiving] {
        let mut used = wire([]);
        let guard = used.outbox().busy(busy);
        assert!(timeout(IDLE_TIMEOUT * 3, used.read_u8()).await.is_err(), "{busy:?}: kept");
        drop(guard);
        assert!(timeout(IDLE_TIMEOUT * 3, used.read_u8()).await.is_ok(), "{busy:?}: idle again");
    }
}

#[tokio::test]
async fn an_answering_connection_that_is_polled_without_a_read_is_let_go() {
    let mut wire = wire([]);
    let flushes = |wire: &mut Wire<Script>| (0..1000).find(|_| matches!(flush(wire), Poll::Ready(Err(_))));
    assert_eq!(flushes(&mut wire), None, "a push that is held back is polled so, too");
    let _guard = wire.outbox().busy(Busy::Answering);
    assert_eq!(flushes(&mut wire), Some(MAX_POLLS_WITHOUT_READ));
}

#[tokio::test]
async fn the_frame_is_let_go_as_soon_as_it_is_written() {
    let frame = Bytes::from(vec![1; 100]);
    let mut wire = wire([]);
    wire.outbox().put([Bytes::from_static(b"head"), frame.clone(), Bytes::from_static(b"tail")]);
    assert!(!frame.is_unique());
    assert!(flush(&mut wire).is_ready());
    assert!(frame.is_unique(), "an idle viewer must not keep its last frame in memory");
}

#[tokio::test]
async fn a_viewer_that_leaves_in_the_middle_is_an_error_and_nothing_else() {
    let mut wire = wire([Answer::Take(20), Answer::Break]);
    wire.outbox().put(part(1));
    let Poll::Ready(Err(error)) = flush(&mut wire) else { panic!("the break must be seen") };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_closing_delimiter_in_the_middle_of_a_part_waits_for_its_end() {
    let mut wire = wire([Answer::Take(20), Answer::Block]);
    wire.outbox().put(part(1));
    assert!(flush(&mut wire).is_pending());
    // The body asks before it closes.
    assert!(!wire.outbox().is_empty());
    assert!(flush(&mut wire).is_ready());
    wire.outbox().put([Bytes::from_static(b"--b--")]);
    assert!(flush(&mut wire).is_ready());
    assert!(wire.io.written.ends_with(b"\x03\x03\x03\x03\x03--b--"));
}

#[tokio::test]
async fn ordinary_answers_pass_untouched() {
    let mut wire = wire([]);
    let waker = noop_waker();
    let mut cx = Context::from_waker(&waker);
    let written = Pin::new(&mut wire).poll_write(&mut cx, b"HTTP/1.1 204 No Content\r\n\r\n");
    assert!(matches!(written, Poll::Ready(Ok(27))));
    assert!(flush(&mut wire).is_ready());
    assert_eq!(wire.io.written, b"HTTP/1.1 204 No Content\r\n\r\n");
}

struct CountWakes(std::sync::atomic::AtomicUsize);

impl Wake for CountWakes {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_body_is_woken_when_the_outbox_is_empty_only_if_it_asked() {
    let wakes = std::sync::Arc::new(CountWakes(Default::default()));
    let waker = Waker::from(wakes.clone());
    let mut cx = Context::from_waker(&waker);
    let mut wire = wire([]);
    wire.outbox().put(part(1));
    assert!(Pin::new(&mut wire).poll_flush(&mut cx).is_ready());
    assert_eq!(wakes.0.load(std::sync::atomic::Ordering::Relaxed), 0);
    wire.outbox().put(part(2));
    wire.outbox().wake_when_empty();
    assert!(Pin::new(&mut wire).poll_flush(&mut cx).is_ready());
    assert_eq!(wakes.0.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_let_go_and_one_that_is_slow_is_not() {
    let slow = std::iter::repeat_n([Answer::Take(10), Answer::Block], 12).flatten();
    let mut wire_of_slow = wire(slow);
    wire_of_slow.outbox().put(part(1));
    while flush(&mut wire_of_slow).is_pending() {
        tokio::time::advance(TIMEOUT - Duration::from_secs(1)).await;
    }
    assert!(wire_of_slow.outbox().is_empty(), "it took a few bytes each time");

    let mut wire_of_dead = wire([Answer::Take(10)].into_iter().chain(std::iter::repeat_n(Answer::Block, 9)));
    wire_of_dead.outbox().put(part(1));
    let ended = std::future::poll_fn(|cx| Pin::new(&mut wire_of_dead).poll_flush(cx)).await;
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut, "its own timer wakes it");
}

/// Both ends of a TCP connection with small buffers, so that a part does not fit at once.
async fn tcp() -> (TcpStream, TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    socket2::SockRef::from(&near).set_send_buffer_size(8 * 1024).unwrap();
    (near, listener.accept().await.unwrap().0)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_part_sent_from_its_file_is_the_part_that_is_written() {
    use tokio::io::AsyncReadExt;

    use crate::{
        bus::SealedPart,
        multipart::writer::{Framing, PreparedPart},
    };

    let jpeg: Vec<u8> = (0..1_000_000_u32).map(|n| (n * 31 / 7) as u8).collect();
    let part = PreparedPart::new(jpeg.into(), std::time::SystemTime::now());
    for framing in [Framing::Raw, Framing::Chunked] {
        let (near, mut far) = tcp().await;
        let mut wire = Wire::new(near, TIMEOUT);
        assert!(wire.outbox().sends_files());
        wire.outbox().put([Bytes::from_static(b"delimiter")]);
        wire.outbox().put_file(Arc::new(SealedPart::new(&part).unwrap()), framing);
        let mut read = vec![0; 9 + part.len(framing)];
        let flushed = std::future::poll_fn(|cx| Pin::new(&mut wire).poll_flush(cx));
        let (flushed, received) = tokio::join!(flushed, far.read_exact(&mut read));
        flushed.unwrap();
        received.unwrap();
        let mut expected = b"delimiter".to_vec();
        expected.extend(part.pieces(framing).into_iter().flatten());
        assert!(read == expected, "{framing:?}");
        assert!(wire.outbox().is_empty());
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_viewer_that_leaves_in_the_middle_of_a_file_is_an_error() {
    use crate::{
        bus::SealedPart,
        multipart::writer::{Framing, PreparedPart},
    };

    let part = PreparedPart::new(vec![7; 4_000_000].into(), std::time::SystemTime::now());
    let (near, far) = tcp().await;
    let mut wire = Wire::new(near, TIMEOUT);
    wire.outbox().put_file(Arc::new(SealedPart::new(&part).unwrap()), Framing::Raw);
    assert!(flush(&mut wire).is_pending(), "it does not fit into the socket's buffers");
    socket2::SockRef::from(&far).set_linger(Some(Duration::ZERO)).unwrap();
    drop(far);
    let ended = std::future::poll_fn(|cx| Pin::new(&mut wire).poll_flush(cx)).await;
    assert!(ended.is_err());
}

proptest! {
    #[test]
    fn any_script_writes_the_same_bytes(script in proptest::collection::vec(0usize..40, 0..60)) {
        let answers = script.iter().map(|&n| if n == 0 { Answer::Block } else { Answer::Take(n) });
        let mut wire = wire(answers);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            for seed in [1, 50, 100] {
                wire.outbox().put(part(seed));
                while flush(&mut wire).is_pending() {}
            }
        });
        prop_assert_eq!(&wire.io.written, &all(&[part(1), part(50), part(100)]));
    }
}
