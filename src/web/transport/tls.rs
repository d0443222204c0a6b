//! A TLS connection as a channel: whatever rustls has encrypted can be pushed out and counted.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{io::AsyncWrite, net::TcpStream};
use tokio_rustls::server::TlsStream;

use super::Channel;

/// Bytes that rustls may encrypt ahead of the socket, for a viewer that keeps up: a whole frame of 720p in one system
/// call. Each call pushes its segments out and wakes the reader: with a record a call, TLS costs half as much again.
const AHEAD: usize = 128 * 1024;

/// The same for a viewer that does not keep up, for which they are memory that stays in use: two records.
const AHEAD_OF_SLOW: usize = 32 * 1024;

impl Channel for TlsStream<TcpStream> {
    fn poll_push(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let (socket, session) = self.get_mut();
        if !session.wants_write() {
            return Poll::Ready(Ok(0));
        }
        match session.write_tls(&mut Now { socket, cx }) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            Ok(0) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            written => Poll::Ready(written),
        }
    }

    fn took_part(&mut self, without_pause: bool) {
        let ahead = if without_pause { AHEAD } else { AHEAD_OF_SLOW };
        self.get_mut().1.set_buffer_limit(Some(ahead));
    }
}

/// A socket as rustls writes to it: what it takes now, or `WouldBlock`, and then a wake-up when it takes more.
struct Now<'a, 'b> {
    socket: &'a mut TcpStream,
    cx: &'a mut Context<'b>,
}

impl Now<'_, '_> {
    fn or_would_block<T>(written: Poll<io::Result<T>>) -> io::Result<T> {
        match written {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl io::Write for Now<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Self::or_would_block(Pin::new(&mut *self.socket).poll_write(self.cx, bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Self::or_would_block(Pin::new(&mut *self.socket).poll_write_vectored(self.cx, slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
