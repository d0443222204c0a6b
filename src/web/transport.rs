//! The viewer's transport: a socket that writes a frame's own bytes, without copying them.
//!
//! actix-http copies each body chunk into a buffer per connection: 1000 viewers of a 100 kB stream cost 140 MB and
//! 1.6 times the CPU of a bare writer. Its dispatcher is generic over the I/O type, though, and calls `poll_flush` on it
//! at every poll, once its own buffer (the response head) is written. So a [`Wire`] carries an [`Outbox`]: the response
//! body puts the pieces of a part there and yields nothing itself; `poll_flush` writes them, vectored, from the shared
//! frame. Ordinary answers pass through untouched.
//!
//! A peer that takes nothing for the stall timeout gets an error here, whatever is being written to it; so does one that
//! holds a connection for nothing, and one that sends more behind its request than is ever read.

use std::{
    cell::RefCell,
    future::Future,
    io::{self, IoSlice},
    ops::Range,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};

use crate::{bus::SealedPart, multipart::writer::Framing};

/// A part has at most five pieces (chunk size, headers, frame, delimiter, chunk end).
const MAX_PIECES: usize = 5;

/// Nothing was written for so long and no handler is busy: the client holds the connection for nothing. actix-http's
/// deadline is for a connection's first head only; it waits for ever for the rest of a second one, or for a chunked body
/// that no handler wanted. Longer than the keep-alive, which ends connections in peace.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Polls in a row without a read, of a connection whose answer goes on or is not taken, after which actix-http's buffer is
/// full (128 KiB) of what the client sent behind its request. It would poll itself without a pause until the answer ends:
/// a core for a viewer. Otherwise there is a read in each poll.
const MAX_POLLS_WITHOUT_READ: u32 = 64;

/// A socket, and how a part's file is sent to it.
pub(super) trait Channel: AsyncRead + AsyncWrite + Unpin {
    /// Sends bytes of the file, as many as the socket takes now; answers how many. The default says that this kind of
    /// channel cannot.
    fn poll_send_file(
        &mut self,
        _: &mut Context<'_>,
        _: &SealedPart,
        _: Range<u64>,
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    /// Whether it can.
    fn sends_files(&self) -> bool {
        false
    }
}

impl Channel for TcpStream {
    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        part: &SealedPart,
        range: Range<u64>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_write_ready(cx))?;
            match self.try_io(Interest::WRITABLE, || part.send_to(&*self, range.clone())) {
                // The readiness was old; the kernel says when it takes more.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    fn sends_files(&self) -> bool {
        true
    }
}

/// What waits to be written to one viewer: at most one part. Shared between its socket and its response body.
#[derive(Debug, Clone)]
pub(super) struct Outbox(Rc<RefCell<Pending>>);

#[derive(Debug)]
struct Pending {
    pieces: [Bytes; MAX_PIECES],
    /// `pieces[next..end]` is not written yet.
    next: usize,
    end: usize,
    /// A part as a file, behind the pieces, and which of its bytes are not sent yet.
    file: Option<(Arc<SealedPart>, Range<u64>)>,
    sends_files: bool,
    /// Wake the body's task when all is written: it already knows of a newer frame.
    wake_when_empty: bool,
    stall_timeout: Duration,
    answering: u32,
    receiving: u32,
}

/// What a handler is busy with, though nothing may be written for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Busy {
    /// A stream, or waiting for a picture. Nothing more is wanted of the client meanwhile.
    Answering,
    /// A push.
    Receiving,
}

/// While it lives, the connection is not idle.
#[derive(Debug)]
pub(super) struct BusyGuard(Outbox, Busy);

impl Drop for BusyGuard {
    fn drop(&mut self) {
        *self.0.0.borrow_mut().count(self.1) -= 1;
    }
}

impl Outbox {
    fn new(stall_timeout: Duration, sends_files: bool) -> Self {
        Self(Rc::new(RefCell::new(Pending {
            pieces: std::array::from_fn(|_| Bytes::new()),
            next: 0,
            end: 0,
            file: None,
            sends_files,
            wake_when_empty: false,
            stall_timeout,
            answering: 0,
            receiving: 0,
        })))
    }

    /// Says that a handler is busy with the connection.
    pub(super) fn busy(&self, with: Busy) -> BusyGuard {
        *self.0.borrow_mut().count(with) += 1;
        BusyGuard(self.clone(), with)
    }

    /// All that was put in is written.
    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Whether [`Outbox::put_file`] may be used on this connection.
    pub(super) fn sends_files(&self) -> bool {
        self.0.borrow().sends_files
    }

    /// Adds a part that is sent from its file.
    pub(super) fn put_file(&self, part: Arc<SealedPart>, framing: Framing) {
        let range = part.range(framing);
        self.0.borrow_mut().file = Some((part, range));
    }

    /// Adds pieces behind those that wait. A body puts at most one part (and what announces it) into an empty outbox.
    pub(super) fn put(&self, pieces: impl IntoIterator<Item = Bytes>) {
        let mut pending = self.0.borrow_mut();
        if pending.next == pending.end {
            (pending.next, pending.end) = (0, 0);
        }
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            let end = pending.end;
            pending.pieces[end] = piece;
            pending.end += 1;
        }
    }

    /// Asks for a wake-up when the outbox is empty.
    pub(super) fn wake_when_empty(&self) {
        self.0.borrow_mut().wake_when_empty = true;
    }

    /// Lets the viewer go when it takes nothing for so long.
    pub(super) fn set_stall_timeout(&self, timeout: Duration) {
        self.0.borrow_mut().stall_timeout = timeout;
    }
}

impl Pending {
    fn count(&mut self, busy: Busy) -> &mut u32 {
        match busy {
            Busy::Answering => &mut self.answering,
            Busy::Receiving => &mut self.receiving,
        }
    }

    fn is_empty(&self) -> bool {
        self.next == self.end && self.file.is_none()
    }

    fn slices(&self) -> ([IoSlice<'_>; MAX_PIECES], usize) {
        let waiting = &self.pieces[self.next..self.end];
        (std::array::from_fn(|n| IoSlice::new(waiting.get(n).map_or(&[], |piece| piece))), waiting.len())
    }

    /// Notes that `written` bytes are gone, and lets go of the pieces that are.
    fn advance(&mut self, mut written: usize) {
        while written > 0 && self.next < self.end {
            let piece = &mut self.pieces[self.next];
            let taken = written.min(piece.len());
            piece.advance(taken);
            written -= taken;
            if piece.is_empty() {
                // The frame is not kept alive by a viewer that has it.
                *piece = Bytes::new();
                self.next += 1;
            }
        }
    }
}

/// A viewer's socket.
#[derive(Debug)]
pub(super) struct Wire<S> {
    io: S,
    outbox: Outbox,
    stall: Stall,
    idle: Idle,
    polls_without_read: u32,
}

impl<S: Channel> Wire<S> {
    /// Wraps a connected socket; a peer that takes nothing for `stall_timeout` is let go.
    pub(super) fn new(io: S, stall_timeout: Duration) -> Self {
        let sends_files = io.sends_files();
        let outbox = Outbox::new(stall_timeout, sends_files);
        Self { io, outbox, stall: Stall::default(), idle: Idle::default(), polls_without_read: 0 }
    }

    /// Notes whether an ordinary answer's bytes were taken.
    fn written(&mut self, taken: bool) -> io::Result<()> {
        if taken {
            self.idle.wrote = true;
            self.polls_without_read = 0;
            return Ok(());
        }
        count_without_read(&mut self.polls_without_read)
    }

    /// The response body's end.
    pub(super) fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }
}

fn count_without_read(polls: &mut u32) -> io::Result<()> {
    *polls += 1;
    if *polls <= MAX_POLLS_WITHOUT_READ {
        return Ok(());
    }
    let text = "the client sent more behind its request than is ever read";
    Err(io::Error::new(io::ErrorKind::InvalidData, text))
}

impl<S: Channel> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.polls_without_read = 0;
        let read = Pin::new(&mut this.io).poll_read(cx, buf);
        let busy = || {
            let pending = this.outbox.0.borrow();
            pending.answering + pending.receiving > 0
        };
        if read.is_pending() && this.idle.is_over(cx, busy) {
            let text = format!("the client held the connection for nothing for {} s", IDLE_TIMEOUT.as_secs());
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)));
        }
        read
    }
}

impl<S: Channel> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(cx, buf);
        this.written(written.is_ready())?;
        this.stall.watch(cx, written, this.outbox.0.borrow().stall_timeout)
    }

    /// Writes what the outbox holds.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let mut pending = this.outbox.0.borrow_mut();
        if pending.answering > 0 {
            count_without_read(&mut this.polls_without_read)?;
        }
        while pending.next < pending.end {
            let written = {
                let (slices, count) = pending.slices();
                Pin::new(&mut this.io).poll_write_vectored(cx, &slices[..count])
            };
            match ready!(this.stall.watch(cx, written, pending.stall_timeout))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => pending.advance(written),
            }
        }
        while let Some((part, range)) = pending.file.clone() {
            let sent = this.io.poll_send_file(cx, &part, range.clone());
            match ready!(this.stall.watch(cx, sent, pending.stall_timeout))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => {
                    let left = range.start + sent as u64..range.end;
                    pending.file = (!left.is_empty()).then_some((part, left));
                }
            }
        }
        if std::mem::take(&mut pending.wake_when_empty) {
            cx.waker().wake_by_ref();
        }
        drop(pending);
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write_vectored(cx, bufs);
        this.written(written.is_ready())?;
        this.stall.watch(cx, written, this.outbox.0.borrow().stall_timeout)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

/// Notices a client that holds a connection for nothing. Its timer is looked at only when it fires, so that a busy
/// connection costs one timer operation a minute.
#[derive(Debug, Default)]
struct Idle {
    timer: Option<Pin<Box<Sleep>>>,
    wrote: bool,
}

impl Idle {
    fn is_over(&mut self, cx: &mut Context<'_>, busy: impl Fn() -> bool) -> bool {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(IDLE_TIMEOUT)));
        while timer.as_mut().poll(cx).is_ready() {
            if !std::mem::take(&mut self.wrote) && !busy() {
                return true;
            }
            timer.as_mut().reset(Instant::now() + IDLE_TIMEOUT);
        }
        false
    }
}

/// Notices a peer that takes nothing. Its timer is armed at the first blocked write and looked at only when it fires,
/// so that a viewer that is merely slow costs no timer operation per frame.
#[derive(Debug, Default)]
struct Stall {
    timer: Option<Pin<Box<Sleep>>>,
    last_progress: Option<Instant>,
}

impl Stall {
    fn watch(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
        timeout: Duration,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            // No clock is read while all goes well; the next blocked write starts the count.
            self.last_progress = None;
            return written;
        }
        let now = Instant::now();
        let blocked_since = *self.last_progress.get_or_insert(now);
        let deadline = blocked_since + timeout;
        if now >= deadline {
            let text = format!("the viewer took nothing for {} s", timeout.as_secs_f32());
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)));
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        while timer.as_mut().poll(cx).is_ready() {
            // Armed for an earlier write that went through.
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        task::{Wake, Waker},
    };

    use futures_util::task::noop_waker;
    use proptest::prelude::*;

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
        let flushes =
            |wire: &mut Wire<Script>| (0..1000).find(|_| matches!(flush(wire), Poll::Ready(Err(_))));
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

        let mut wire_of_dead =
            wire([Answer::Take(10)].into_iter().chain(std::iter::repeat_n(Answer::Block, 9)));
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

        use crate::{bus::SealedPart, multipart::writer::PreparedPart};

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
        use crate::{bus::SealedPart, multipart::writer::PreparedPart};

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
}
