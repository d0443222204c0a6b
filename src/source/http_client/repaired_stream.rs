//! The socket as awc sees it: plain or TLS, with each answer's head repaired on the way in.
//!
//! The socket can be taken from under awc once an answer's head has come: a stream's body is read beside awc
//! (`docs/adr/0008`). awc's end of the wire then has nothing to read or write any more.

use std::{
    cell::RefCell,
    fmt, io,
    pin::Pin,
    rc::{Rc, Weak},
    task::{Context, Poll, ready},
};

use actix_rt::net::{ActixStream, Ready, TcpStream};
use actix_tls::connect::rustls_0_23::reexports::AsyncTlsStream;
use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::head_repair::{HeadReader, Repaired};

/// Read at a time while the head is still coming; later reads go straight into awc's buffer.
const HEAD_READ_BYTES: usize = 2048;

/// The connection below HTTP.
pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<AsyncTlsStream<TcpStream>>),
}

/// One connection to a camera.
pub(super) struct Wire {
    socket: Rc<RefCell<Socket>>,
    state: State,
    max_header_bytes: usize,
}

/// The socket below a [`Wire`], for as long as awc holds that.
struct Socket {
    /// `None` once taken.
    transport: Option<Transport>,
    /// The first bytes of the body, where they were read together with the newest head.
    behind_head: Bytes,
}

/// The way to a wire's socket from outside of awc. Does not keep it open.
#[derive(Clone)]
pub(super) struct Tap(Weak<RefCell<Socket>>);

enum State {
    /// A request is being written or was written; its answer's head has not come whole.
    Head(HeadReader),
    /// Rest of the repaired head and of the bytes read with it; after them come the bytes of the socket.
    Body(Bytes),
}

impl Wire {
    pub(super) fn new(transport: Transport, max_header_bytes: usize) -> (Self, Tap) {
        let state = State::Head(HeadReader::new(max_header_bytes));
        let socket = Rc::new(RefCell::new(Socket { transport: Some(transport), behind_head: Bytes::new() }));
        let tap = Tap(Rc::downgrade(&socket));
        (Self { socket, state, max_header_bytes }, tap)
    }
}

impl Tap {
    /// Whether the socket is open, as far as is known without reading from it, and awc's.
    pub(super) fn is_open(&self) -> bool {
        self.0.upgrade().is_some_and(|socket| socket.borrow().transport.is_some())
    }

    /// The socket, and what was already read from it behind the newest head. `None` when it is closed.
    pub(super) fn take(&self) -> Option<(Transport, Bytes)> {
        let socket = self.0.upgrade()?;
        let mut socket = socket.borrow_mut();
        let behind_head = std::mem::take(&mut socket.behind_head);
        socket.transport.take().map(|transport| (transport, behind_head))
    }
}

impl Socket {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Some(transport) => Pin::new(transport).poll_read(cx, buf),
            // The end of the stream.
            None => Poll::Ready(Ok(())),
        }
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
                State::Body(rest) if rest.is_empty() => return this.socket.borrow_mut().poll_read(cx, buf),
                State::Body(rest) => {
                    let count = rest.len().min(buf.remaining());
                    buf.put_slice(&rest[..count]);
                    rest.advance(count);
                    return Poll::Ready(Ok(()));
                }
                State::Head(reader) => {
                    let mut space = [0; HEAD_READ_BYTES];
                    let mut piece = ReadBuf::new(&mut space);
                    let mut socket = this.socket.borrow_mut();
                    ready!(socket.poll_read(cx, &mut piece))?;
                    if piece.filled().is_empty() {
                        return Poll::Ready(Err(io::Error::other(reader.finish())));
                    }
                    let repaired = reader.push(piece.filled()).map_err(io::Error::other)?;
                    if let Some(Repaired { answer, head_len }) = repaired {
                        socket.behind_head = answer.slice(head_len..);
                        this.state = State::Body(answer);
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
        match &mut self.socket.borrow_mut().transport {
            Some(Transport::Plain(io)) => Pin::new(io).poll_write(cx, buf),
            Some(Transport::Tls(io)) => Pin::new(io).poll_write(cx, buf),
            None => Poll::Ready(Err(taken())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket.borrow_mut().transport {
            Some(Transport::Plain(io)) => Pin::new(io).poll_flush(cx),
            Some(Transport::Tls(io)) => Pin::new(io).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket.borrow_mut().transport {
            Some(Transport::Plain(io)) => Pin::new(io).poll_shutdown(cx),
            Some(Transport::Tls(io)) => Pin::new(io).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(io) => Pin::new(io).poll_read(cx, buf),
            // Cameras close without TLS's close_notify; pictures say themselves where they end.
            Self::Tls(io) => Pin::new(io).poll_read(cx, buf).map(|read| match read {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
                read => read,
            }),
        }
    }
}

impl Transport {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(io) => io,
            Self::Tls(io) => io.get_ref().0,
        }
    }
}

fn taken() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

// awc asks for this trait of every connector's socket, though it only reads and writes.
impl ActixStream for Wire {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        match &self.socket.borrow().transport {
            Some(transport) => ActixStream::poll_read_ready(transport.tcp(), cx),
            None => Poll::Ready(Err(taken())),
        }
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        match &self.socket.borrow().transport {
            Some(transport) => ActixStream::poll_write_ready(transport.tcp(), cx),
            None => Poll::Ready(Err(taken())),
        }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}
