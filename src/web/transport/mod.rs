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

mod channel;
mod outbox;
mod patience;
mod tls;

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use self::patience::{IDLE_TIMEOUT, Idle, Stall};
pub(super) use channel::Channel;
pub(super) use outbox::{Busy, BusyGuard, Outbox};

/// Polls in a row without a read, of a connection whose answer goes on or is not taken, after which actix-http's buffer is
/// full (128 KiB) of what the client sent behind its request. It would poll itself without a pause until the answer ends:
/// a core for a viewer. Otherwise there is a read in each poll.
const MAX_POLLS_WITHOUT_READ: u32 = 64;

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

/// Gets rid of what the channel holds; a peer that takes none of it is noticed.
fn push_out<S: Channel>(
    io: &mut S,
    cx: &mut Context<'_>,
    stall: &mut Stall,
    timeout: Duration,
) -> Poll<io::Result<()>> {
    loop {
        match io.poll_push(cx) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
            pushed => _ = ready!(stall.watch(cx, pushed, timeout))?,
        }
    }
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
        let waiting = !pending.is_empty();
        while pending.next < pending.end {
            // A channel that holds bytes back holds those of one write at most.
            let pushed = push_out(&mut this.io, cx, &mut this.stall, pending.stall_timeout);
            pending.paused |= pushed.is_pending();
            ready!(pushed)?;
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
        let pushed = push_out(&mut this.io, cx, &mut this.stall, pending.stall_timeout);
        pending.held = pushed.is_pending();
        pending.paused |= pending.held;
        ready!(pushed)?;
        if waiting {
            this.io.took_part(!std::mem::take(&mut pending.paused));
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

#[cfg(test)]
mod tests;
