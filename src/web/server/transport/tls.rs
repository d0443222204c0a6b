//! A TLS connection that its task shares with the stream's fan-out.

use std::{
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::Shutdown,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, ready},
};

use rustls::ServerConnection;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use super::{
    direct_write::{DirectWrite, DirectWriter, when_ready},
    tcp::poll_writable,
};

/// The number of bytes that rustls may encrypt ahead of the socket, for a viewer that keeps up: a whole frame
/// of 720p in one system call. Each call pushes its segments out and wakes the reader: with a record a call,
/// TLS costs half as much again.
const TLS_BUFFER: usize = 128 * 1024;

/// [`TLS_BUFFER`] for a viewer that does not keep up (from its next write on), or that has just come:
/// for it they are memory that stays in use. Two records.
const SLOW_TLS_BUFFER: usize = 32 * 1024;

/// A TLS connection after its handshake.
#[derive(Debug)]
pub(in crate::web) struct TlsSocket(Arc<SharedTls>);

#[derive(Debug)]
struct SharedTls {
    socket: TcpStream,
    /// The TLS state, locked for the time of a system call, never while waiting.
    session: Mutex<ServerConnection>,
}

impl TlsSocket {
    pub(in crate::web) fn new(shaken: TlsStream<TcpStream>) -> Self {
        let (socket, mut session) = shaken.into_inner();
        session.set_buffer_limit(Some(SLOW_TLS_BUFFER));
        Self(Arc::new(SharedTls { socket, session: Mutex::new(session) }))
    }
}

impl SharedTls {
    fn session(&self) -> MutexGuard<'_, ServerConnection> {
        self.session.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Writes what rustls holds, once.
    fn push(&self, session: &mut ServerConnection) -> io::Result<usize> {
        if !session.wants_write() {
            return Ok(0);
        }
        match session.write_tls(&mut Raw(&self.socket)) {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            written => written,
        }
    }

    /// Encrypts as many bytes as fit, and writes as many of them as the socket takes.
    fn write(&self, session: &mut ServerConnection, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        while self.push(session)? > 0 {}
        let taken = session.writer().write_vectored(pieces)?;
        loop {
            let ahead = match self.push(session) {
                Ok(0) => TLS_BUFFER,
                Ok(_) => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => SLOW_TLS_BUFFER,
                Err(error) => return Err(error),
            };
            session.set_buffer_limit(Some(ahead));
            return Ok(taken);
        }
    }

    /// Reads what has come and is decrypted; with nothing there, from the socket first.
    fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        let mut session = self.session();
        loop {
            match session.reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // A client that closes without saying so in TLS closes all the same.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            session.read_tls(&mut Known(&self.socket))?;
            let processed = session.process_new_packets();
            if let Err(error) = processed {
                // The client is told what was wrong, if it takes that.
                let _ = self.push(&mut session);
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
        }
    }
}

impl DirectWriter for SharedTls {
    fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write(&mut self.session(), pieces)
    }

    fn try_push(&self) -> io::Result<usize> {
        self.push(&mut self.session())
    }
}

impl DirectWrite for TlsSocket {
    fn direct_writer(&self) -> Option<Arc<dyn DirectWriter>> {
        Some(self.0.clone())
    }

    fn poll_direct_write<T>(
        &self,
        cx: &mut Context<'_>,
        write: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        poll_writable(&self.0.socket, cx, write)
    }
}

/// The socket itself.
struct Raw<'a>(&'a TcpStream);

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        SockRef::from(self.0).send(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        SockRef::from(self.0).send_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads from the socket if tokio regards it as readable; updates tokio's readiness if it is not.
struct Known<'a>(&'a TcpStream);

impl Read for Known<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(into)
    }
}

impl AsyncRead for TlsSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // What is decrypted already is not the socket's to announce.
        let into = buf.initialize_unfilled();
        let read = match self.0.read(into) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                ready!(when_ready(|| self.0.socket.poll_read_ready(cx), || self.0.read(into)))?
            }
            read => read?,
        };
        buf.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TlsSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        poll_writable(&self.0.socket, cx, || self.0.try_write(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.0.try_push() {
                Ok(0) => return Poll::Ready(Ok(())),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    ready!(poll_writable(&self.0.socket, cx, || self.0.try_push()))?;
                }
                pushed => _ = pushed?,
            }
        }
    }

    /// Closes the sending direction, in TLS and then in TCP.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.session().send_close_notify();
        ready!(self.as_mut().poll_flush(cx))?;
        Poll::Ready(SockRef::from(&self.0.socket).shutdown(Shutdown::Write))
    }
}
