//! One connection to a camera, plain or TLS. Dropping it closes it.

use std::{
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use actix_rt::net::TcpStream;
use actix_tls::connect::rustls_0_23::reexports::AsyncTlsStream;
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio_util::either::Either;

use super::origin::Origin;

/// An open connection. Reading from it gives the bytes that the camera sends.
pub(in crate::source) struct CameraConnection {
    origin: Origin,
    stream: Either<TcpStream, Box<AsyncTlsStream<TcpStream>>>,
}

impl CameraConnection {
    /// Wraps an open TCP connection to `origin`.
    pub(in crate::source::http_client) fn plain(origin: Origin, tcp: TcpStream) -> Self {
        Self { origin, stream: Either::Left(tcp) }
    }

    /// Wraps an open TLS connection to `origin`.
    pub(in crate::source::http_client) fn tls(origin: Origin, tls: AsyncTlsStream<TcpStream>) -> Self {
        Self { origin, stream: Either::Right(Box::new(tls)) }
    }

    /// Returns the server that it leads to.
    pub(in crate::source::http_client) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the addresses of both ends: ours and the camera's.
    pub(in crate::source) fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        let tcp = match &self.stream {
            Either::Left(tcp) => tcp,
            Either::Right(tls) => tls.get_ref().0,
        };
        Ok((tcp.local_addr()?, tcp.peer_addr()?))
    }

    /// Returns whether it can take another request: the camera has not closed it, and has sent nothing since
    /// the last response but the empty line after its last chunk.
    pub(in crate::source::http_client) fn is_idle(&mut self) -> bool {
        let mut line_end = [0; 2];
        match self.read(&mut line_end).now_or_never() {
            None => true,
            Some(Ok(count @ 1..)) => line_end[..count].iter().all(|byte| matches!(byte, b'\r' | b'\n')),
            Some(_) => false,
        }
    }

    /// Writes all of `bytes`.
    pub(in crate::source) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }
}

impl AsyncRead for CameraConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf).map(|read| match read {
            // Cameras close without TLS's close_notify; the end of a picture is found in its own bytes.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            read => read,
        })
    }
}

impl fmt::Debug for CameraConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CameraConnection").field("origin", &self.origin).finish_non_exhaustive()
    }
}
