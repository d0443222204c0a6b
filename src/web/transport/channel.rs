//! A socket, and how a part's file is sent to it.

use std::{
    io,
    ops::Range,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, Interest},
    net::TcpStream,
};

use crate::bus::SealedPart;

/// A socket, and how a part's file is sent to it.
pub(in crate::web) trait Channel: AsyncRead + AsyncWrite + Unpin {
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

    /// Writes bytes to the socket that this channel took before and still holds, as many as that takes now; answers how
    /// many, 0 when none are left. The default is that of a channel that holds none.
    fn poll_push(&mut self, _: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }

    /// Hears after each part whether the peer took it without a pause: how much may be prepared for it at a time.
    fn took_part(&mut self, _without_pause: bool) {}
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
