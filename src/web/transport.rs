//! The viewer's transport: a socket that writes a frame's own bytes, without copying them.
//!
//! actix-http copies each body chunk into a buffer per connection: 1000 viewers of a 100 kB stream cost 140 MB and
//! 1.6 times the CPU of a bare writer. Its dispatcher is generic over the I/O type, though, and calls `poll_flush` on it
//! at every poll, once its own buffer (the response head) is written. So a [`Wire`] carries an [`Outbox`]: the response
//! body puts the pieces of a part there and yields nothing itself; `poll_flush` writes them, vectored, from the shared
//! frame. Ordinary answers pass through untouched.
//!
//! A peer that takes nothing for the stall timeout gets an error here, whatever is being written to it.

use std::{
    cell::RefCell,
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

/// A part has at most five pieces (chunk size, headers, frame, delimiter, chunk end).
const MAX_PIECES: usize = 5;

/// What waits to be written to one viewer: at most one part. Shared between its socket and its response body.
#[derive(Debug, Clone)]
pub(super) struct Outbox(Rc<RefCell<Pending>>);

#[derive(Debug)]
struct Pending {
    pieces: [Bytes; MAX_PIECES],
    /// `pieces[next..end]` is not written yet.
    next: usize,
    end: usize,
    /// Wake the body's task when all is written: it already knows of a newer frame.
    wake_when_empty: bool,
    stall_timeout: Duration,
}

impl Outbox {
    fn new(stall_timeout: Duration) -> Self {
        let pieces = std::array::from_fn(|_| Bytes::new());
        Self(Rc::new(RefCell::new(Pending {
            pieces,
            next: 0,
            end: 0,
            wake_when_empty: false,
            stall_timeout,
        })))
    }

    /// All that was put in is written.
    pub(super) fn is_empty(&self) -> bool {
        let pending = self.0.borrow();
        pending.next == pending.end
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
}

impl<S> Wire<S> {
    /// Wraps a connected socket; a peer that takes nothing for `stall_timeout` is let go.
    pub(super) fn new(io: S, stall_timeout: Duration) -> Self {
        Self { io, outbox: Outbox::new(stall_timeout), stall: Stall::default() }
    }

    /// The response body's end.
    pub(super) fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(cx, buf);
        this.stall.watch(cx, written, this.outbox.0.borrow().stall_timeout)
    }

    /// Writes what the outbox holds.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let mut pending = this.outbox.0.borrow_mut();
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
        this.stall.watch(cx, written, this.outbox.0.borrow().stall_timeout)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
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
