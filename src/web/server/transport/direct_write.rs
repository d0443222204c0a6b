//! Writes to a viewer's socket, by the connection's task or by the thread that has a new frame.

use std::{
    fmt,
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::bus::SplicePipe;

/// A connection as its own task uses it.
pub(in crate::web) trait DirectWrite: AsyncRead + AsyncWrite + Unpin {
    /// Returns the writer that other threads may use. The default has none.
    fn direct_writer(&self) -> Option<Arc<dyn DirectWriter>> {
        None
    }

    /// Calls `write`, which writes to the direct writer, until it does not return
    /// [`io::ErrorKind::WouldBlock`]; pending while the socket accepts nothing.
    fn poll_direct_write<T>(
        &self,
        _: &mut Context<'_>,
        mut write: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        Poll::Ready(write())
    }
}

/// A socket that any thread may write to, without waiting: [`io::ErrorKind::WouldBlock`] when it accepts
/// nothing now.
pub(in crate::web) trait DirectWriter: fmt::Debug + Send + Sync {
    /// Writes some of the bytes, or buffers them for [`DirectWriter::try_push`].
    fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Writes some of the bytes that were buffered; returns how many, 0 when none are left. The default is
    /// that of a writer without a buffer.
    fn try_push(&self) -> io::Result<usize> {
        Ok(0)
    }

    /// Returns whether [`DirectWriter::try_splice`] may be used. The default is that of a writer that
    /// changes the bytes, as TLS does.
    fn can_splice(&self) -> bool {
        false
    }

    /// Sends the first bytes of the part that the pipe holds.
    fn try_splice(&self, _pipe: &mut SplicePipe) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Retries while the known readiness of the socket turns out to be out of date.
pub(super) fn when_ready<T>(
    mut ready: impl FnMut() -> Poll<io::Result<()>>,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> Poll<io::Result<T>> {
    loop {
        ready!(ready())?;
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return Poll::Ready(done),
        }
    }
}
