//! A viewer's plain TCP socket.

use std::{
    io::{self, IoSlice},
    net::Shutdown,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};

use super::direct_write::{DirectWrite, DirectWriter, when_ready};
use crate::bus::SplicePipe;

/// A Unix socket, to which only the connection's task writes: few viewers use one, a proxy's connections at
/// most.
#[cfg(unix)]
impl DirectWrite for tokio::net::UnixStream {}

/// The readiness of a socket as tokio knows it; `attempt` uses the socket itself.
pub(super) fn poll_writable<T>(
    socket: &TcpStream,
    cx: &mut Context<'_>,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> Poll<io::Result<T>> {
    when_ready(|| socket.poll_write_ready(cx), || socket.try_io(Interest::WRITABLE, &mut attempt))
}

/// A TCP socket that its task shares with the stream's fan-out.
#[derive(Debug)]
pub(in crate::web) struct SharedSocket(Arc<TcpStream>);

impl SharedSocket {
    pub(in crate::web) fn new(socket: TcpStream) -> Self {
        Self(Arc::new(socket))
    }
}

impl DirectWrite for SharedSocket {
    fn direct_writer(&self) -> Option<Arc<dyn DirectWriter>> {
        Some(self.0.clone())
    }

    fn poll_direct_write<T>(
        &self,
        cx: &mut Context<'_>,
        write: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        poll_writable(&self.0, cx, write)
    }
}

/// Writes to the socket without asking tokio for its readiness: three cache lines less to fetch for each
/// viewer. The connection's task uses tokio's readiness, which is updated there.
impl DirectWriter for TcpStream {
    fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        SockRef::from(self).send_vectored(pieces)
    }

    fn can_splice(&self) -> bool {
        true
    }

    fn try_splice(&self, pipe: &mut SplicePipe) -> io::Result<usize> {
        pipe.send_to(self)
    }
}

impl AsyncRead for SharedSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        when_ready(|| self.0.poll_read_ready(cx), || self.0.try_read_buf(buf)).map_ok(drop)
    }
}

impl AsyncWrite for SharedSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        when_ready(|| self.0.poll_write_ready(cx), || TcpStream::try_write(&self.0, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        when_ready(|| self.0.poll_write_ready(cx), || self.0.try_write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.0).shutdown(Shutdown::Write))
    }
}
