//! A viewer's socket with its outbox.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    after_head::AfterHead,
    direct_write::DirectWrite,
    interim::WriteStep,
    outbox::{Outbox, Pending},
    pipelining::PipelineCounter,
    timeouts::{IDLE_TIMEOUT, Idle, Stall},
};
use crate::{
    observability::task_counts::{TaskGuard, TaskKind},
    web::server::connections::Connection,
};

/// Polls in a row without a read, of a connection whose answer goes on or is not taken, after which
/// actix-http's buffer is full (128 KiB) of what the client sent after its request. It would poll itself
/// without a pause until the answer ends: a core for a viewer. Otherwise there is a read in each poll.
const MAX_POLLS_WITHOUT_READ: u32 = 64;

/// Bytes after which the connection's task processes what it has before it reads on. actix-http reads
/// until the socket is empty, into a buffer that grows to 256 KiB and keeps that size while the connection
/// does nothing: 300 uploads held 57 MB in that way, besides what is charged for their bodies. This is half
/// of its first buffer, which then never grows.
const MAX_READ_PER_POLL: usize = 16 * 1024;

/// Bytes after the heads of requests that are discarded on a connection. More are no mistake but an attack.
const MAX_DISCARDED: usize = 128 * 1024;

/// A viewer's socket.
#[derive(Debug)]
pub(in crate::web) struct ViewerSocket<S> {
    io: S,
    outbox: Outbox,
    stall: Stall,
    idle: Idle,
    polls_without_read: u32,
    /// Counter of incoming requests, over HTTP/1.
    requests: Option<PipelineCounter>,
    after_head: AfterHead,
    /// Bytes after the head of a request that were discarded.
    discarded: usize,
    /// Bytes that were read since the connection's task last did something else.
    read_in_poll: usize,
    /// The connection whose permit this socket has; `None` in tests.
    connection: Option<Connection>,
    /// Ordinary bytes were written since the last flush.
    is_unsent: bool,
    /// Counts the task that actix-http has for each connection, which owns this.
    _counted: TaskGuard,
}

impl<S: DirectWrite> ViewerSocket<S> {
    /// Wraps a connected socket; a peer that reads nothing for `stall_timeout` is disconnected.
    pub(in crate::web) fn new(io: S, stall_timeout: Duration) -> Self {
        let outbox = Outbox::new(stall_timeout, io.direct_writer());
        Self {
            io,
            outbox,
            stall: Stall::default(),
            idle: Idle::default(),
            polls_without_read: 0,
            requests: Some(PipelineCounter::default()),
            after_head: AfterHead::default(),
            discarded: 0,
            read_in_poll: 0,
            connection: None,
            is_unsent: false,
            _counted: TaskGuard::new(TaskKind::Connection),
        }
    }

    /// Reports to `connection` when bytes are written and when all are flushed.
    pub(in crate::web) fn with_connection(mut self, connection: Connection) -> Self {
        self.connection = Some(connection);
        self
    }

    /// Leaves the limit on requests to HTTP/2.
    pub(in crate::web) fn with_http2(mut self) -> Self {
        self.requests = None;
        self
    }

    /// Returns the open connection of this socket.
    pub(in crate::web) fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// Records that bytes of an ordinary answer have been written.
    fn on_write(&mut self) {
        if !self.is_unsent
            && let Some(connection) = &self.connection
        {
            self.is_unsent = true;
            connection.wrote();
        }
    }

    /// Records that everything has been flushed.
    fn on_flush(&mut self) {
        if let Some(connection) = &self.connection
            && (self.is_unsent || connection.awaits_flush())
        {
            self.is_unsent = false;
            connection.flushed();
        }
    }

    /// Notes whether the socket accepted bytes of an ordinary answer.
    fn on_written(&mut self, taken: bool) -> io::Result<()> {
        if taken {
            self.idle.wrote = true;
            self.polls_without_read = 0;
            return Ok(());
        }
        count_without_read(&mut self.polls_without_read)
    }

    /// Reads what was held back, or from the socket, whose requests are counted.
    fn poll_read_some(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if self.after_head.holds() {
            // Once in a poll, so that the request before is handled first.
            if self.read_in_poll > 0 {
                self.read_in_poll = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            buf.put_slice(&self.after_head.take(buf.remaining()));
            return Poll::Ready(Ok(()));
        }
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if let Some(requests) = &mut self.requests {
            requests.read(&buf.filled()[before..], &self.outbox)?;
        }
        read
    }

    /// Returns the outbox, which the response body fills.
    pub(in crate::web) fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }
}

/// Writes some of what waits to the socket, through the direct writer if there is one.
fn poll_write_pieces<S: DirectWrite>(
    io: &mut S,
    cx: &mut Context<'_>,
    Pending { pieces, direct_writer, .. }: &mut Pending,
) -> Poll<io::Result<usize>> {
    match direct_writer {
        Some(direct_writer) => io.poll_direct_write(cx, || pieces.write_some(&**direct_writer)),
        None => {
            let (slices, count) = pieces.slices();
            let written = ready!(Pin::new(io).poll_write_vectored(cx, &slices[..count]))?;
            pieces.advance(written);
            Poll::Ready(if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(written) })
        }
    }
}

/// Writes some of what the socket has buffered; 0 when nothing is buffered.
fn poll_push<S: DirectWrite>(io: &S, cx: &mut Context<'_>, pending: &Pending) -> Poll<io::Result<usize>> {
    let Some(direct_writer) = &pending.direct_writer else { return Poll::Ready(Ok(0)) };
    match direct_writer.try_push() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            io.poll_direct_write(cx, || direct_writer.try_push())
        }
        pushed => Poll::Ready(pushed),
    }
}

fn count_without_read(polls: &mut u32) -> io::Result<()> {
    *polls += 1;
    if *polls <= MAX_POLLS_WITHOUT_READ { Ok(()) } else { Err(too_much()) }
}

fn too_much() -> io::Error {
    let text = "the client sent more behind its request than is ever read";
    io::Error::new(io::ErrorKind::InvalidData, text)
}

impl<S> Drop for ViewerSocket<S> {
    /// Closes the socket with the connection, also while the outbox is still in use.
    fn drop(&mut self) {
        self.outbox.lock().direct_writer = None;
    }
}

impl<S: DirectWrite> AsyncRead for ViewerSocket<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.polls_without_read = 0;
        if this.read_in_poll >= MAX_READ_PER_POLL {
            this.read_in_poll = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let read = loop {
            let read = this.poll_read_some(cx, buf);
            let filled = buf.filled().len() - before;
            this.read_in_poll = if read.is_pending() { 0 } else { this.read_in_poll + filled };
            // HTTP/2 has no bytes between requests.
            if this.requests.is_none() || filled == 0 {
                break read;
            }
            let is_streaming = this.outbox.lock().is_streaming();
            let passed = if is_streaming { 0 } else { this.after_head.split(&buf.filled()[before..]) };
            buf.set_filled(before + passed);
            if passed > 0 {
                break read;
            }
            this.discarded += filled;
            if this.discarded > MAX_DISCARDED {
                return Poll::Ready(Err(too_much()));
            }
        };
        let busy = || {
            let pending = this.outbox.lock();
            pending.answering + pending.receiving > 0
        };
        if read.is_pending() && this.idle.is_expired(cx, busy) {
            let text = format!("the client held the connection for nothing for {} s", IDLE_TIMEOUT.as_secs());
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)));
        }
        read
    }
}

impl<S: DirectWrite> AsyncWrite for ViewerSocket<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let buf = loop {
            let step = this.outbox.lock().interim.on_write(buf);
            match step {
                WriteStep::Write(length) => break &buf[..length],
                WriteStep::Drop(length) => return Poll::Ready(Ok(length)),
                WriteStep::FlushFirst => ready!(Pin::new(&mut *this).poll_flush(cx))?,
            }
        };
        this.on_write();
        let written = Pin::new(&mut this.io).poll_write(cx, buf);
        this.on_written(written.is_ready())?;
        this.stall.watch(cx, written, this.outbox.lock().stall_timeout)
    }

    /// Writes what the outbox holds.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.outbox.lock().answering > 0 {
            count_without_read(&mut this.polls_without_read)?;
        }
        loop {
            // Locked for one write at a time, since the fan-out waits for the lock. It does not write in
            // between: the connection is not idle.
            let mut pending = this.outbox.lock();
            if pending.broken {
                return Poll::Ready(Err(io::Error::other("writing to it panicked, which is a bug")));
            }
            let timeout = pending.stall_timeout;
            // What the socket has buffered of an earlier write is written first, and at the end what it has
            // buffered of the last one.
            let written = match poll_push(&this.io, cx, &pending) {
                Poll::Ready(Ok(0)) if pending.pieces.is_empty() => {
                    ready!(Pin::new(&mut this.io).poll_flush(cx))?;
                    pending.on_flushed(cx);
                    drop(pending);
                    this.on_flush();
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(Ok(0)) => poll_write_pieces(&mut this.io, cx, &mut pending),
                pushed => pushed,
            };
            drop(pending);
            ready!(this.stall.watch(cx, written, timeout))?;
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let timeout = this.outbox.lock().end();
        let ended = Pin::new(&mut this.io).poll_shutdown(cx).map_ok(|()| 0);
        this.stall.watch(cx, ended, timeout).map_ok(drop)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.on_write();
        let written = Pin::new(&mut this.io).poll_write_vectored(cx, bufs);
        this.on_written(written.is_ready())?;
        this.stall.watch(cx, written, this.outbox.lock().stall_timeout)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests;
