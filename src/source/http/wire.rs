//! The socket as awc sees it: plain or TLS, with each answer's head repaired on the way in.

use std::{
    fmt, io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use actix_rt::net::{ActixStream, Ready, TcpStream};
use actix_tls::connect::rustls_0_23::reexports::AsyncTlsStream;
use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::head::HeadReader;

/// Read at a time while the head is still coming; later reads go straight into awc's buffer.
const HEAD_READ_BYTES: usize = 2048;

/// The connection below HTTP.
pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<AsyncTlsStream<TcpStream>>),
}

/// One connection to a camera.
pub(super) struct Wire {
    transport: Transport,
    state: State,
    max_header_bytes: usize,
    /// Held only to be dropped: tells the client that this socket is closed.
    _open: Rc<()>,
}

enum State {
    /// A request is being written or was written; its answer's head has not come whole.
    Head(HeadReader),
    /// What is left of the repaired head and of the bytes read with it; then the socket's own.
    Body(Bytes),
}

impl Wire {
    pub(super) fn new(transport: Transport, max_header_bytes: usize, open: Rc<()>) -> Self {
        let state = State::Head(HeadReader::new(max_header_bytes));
        Self { transport, state, max_header_bytes, _open: open }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match &mut this.state {
                State::Body(rest) if rest.is_empty() => return this.transport.poll_read(cx, buf),
                State::Body(rest) => {
                    let count = rest.len().min(buf.remaining());
                    buf.put_slice(&rest[..count]);
                    rest.advance(count);
                    return Poll::Ready(Ok(()));
                }
                State::Head(reader) => {
                    let mut space = [0; HEAD_READ_BYTES];
                    let mut piece = ReadBuf::new(&mut space);
                    ready!(this.transport.poll_read(cx, &mut piece))?;
                    if piece.filled().is_empty() {
                        return Poll::Ready(Err(io::Error::other(reader.finish())));
                    }
                    if let Some(head) = reader.push(piece.filled()).map_err(io::Error::other)? {
                        this.state = State::Body(head);
                    }
                }
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        // A new request on a kept connection: the next bytes are a head again.
        if matches!(&self.state, State::Body(rest) if rest.is_empty()) {
            self.state = State::Head(HeadReader::new(self.max_header_bytes));
        }
        match &mut self.transport {
            Transport::Plain(io) => Pin::new(io).poll_write(cx, buf),
            Transport::Tls(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(io) => Pin::new(io).poll_flush(cx),
            Transport::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Transport::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}

impl Transport {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(io) => Pin::new(io).poll_read(cx, buf),
            // Cameras close without TLS's close_notify; pictures say themselves where they end.
            Self::Tls(io) => Pin::new(io).poll_read(cx, buf).map(|read| match read {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
                read => read,
            }),
        }
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(io) => io,
            Self::Tls(io) => io.get_ref().0,
        }
    }
}

// awc asks for this trait of every connector's socket, though it only reads and writes.
impl ActixStream for Wire {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(self.transport.socket(), cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(self.transport.socket(), cx)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}
