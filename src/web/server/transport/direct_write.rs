//! Writes to a viewer's socket, by the connection's task or by the thread that has a new frame.

use std::{
    fmt,
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::bus::SplicePipe;

/// A connection as its task has it.
pub(in crate::web) trait DirectWrite: AsyncRead + AsyncWrite + Unpin {
    /// The way past the task. The default says that there is none.
    fn direct_writer(&self) -> Option<Arc<dyn DirectWriter>> {
        None
    }

    /// Tries `write`, which writes to the direct writer, until that does something; pending while the direct
    /// writer takes nothing.
    fn poll_direct_write<T>(
        &self,
        _: &mut Context<'_>,
        mut write: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        Poll::Ready(write())
    }
}

/// A socket that any thread may write to, without waiting: [`io::ErrorKind::WouldBlock`] when it takes
/// nothing now.
pub(in crate::web) trait DirectWriter: fmt::Debug + Send + Sync {
    /// Writes some of the bytes, or takes them to be pushed.
    fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Writes some of the bytes that it took and still holds; answers how many, 0 when it holds none. The
    /// default is that of a direct writer that never does.
    fn try_push(&self) -> io::Result<usize> {
        Ok(0)
    }

    /// Returns whether [`DirectWriter::try_splice`] may be used. The default is that of a direct writer whose
    /// bytes are its own.
    fn can_splice(&self) -> bool {
        false
    }

    /// Sends the first bytes of the part that `pipe` hold.
    fn try_splice(&self, _pages: &mut SplicePipe) -> io::Result<usize> {
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
