//! The body of a response, read from the socket straight into the caller's buffer (`docs/adr/0008`). This
//! module handles only the framing of the body.

mod chunked;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::Poll,
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{Instant, Sleep, sleep_until, timeout},
};

use super::connection::{camera_connection::CameraConnection, connect::connect, origin::Origin};
use crate::source::error::{Deadline, SourceError};
use chunked::{ChunkDecoder, is_line_end};

/// A body on its connection. Dropping it closes the connection.
pub struct BodyReader {
    host: String,
    body: Body<CameraConnection>,
    timer: ReadTimer,
}

impl BodyReader {
    /// Creates a reader of `leftover`, which was read together with the head, and then of `connection`.
    pub(super) fn new(
        host: String,
        connection: CameraConnection,
        leftover: Bytes,
        framing: BodyFraming,
    ) -> Self {
        let body = Body { transport: Some(connection), leftover, framing };
        Self { host, body, timer: ReadTimer::default() }
    }

    /// Connects to a device that speaks another protocol than HTTP over TLS, sends `hello`, both in at most
    /// `within`, and returns a reader of all that it sends then. Any certificate is accepted.
    ///
    /// # Errors
    /// The errors of a connection to a camera.
    pub async fn over_tls(
        (host, port): (&str, u16),
        hello: &[u8],
        within: Duration,
    ) -> Result<Self, SourceError> {
        let origin = Origin { https: true, host: host.to_owned(), port };
        let host = origin.authority();
        let mut connection = connect(&origin, true, within).await?;
        let sent = timeout(within, connection.write(hello)).await;
        let sent = sent.map_err(|_| SourceError::late(&host, Deadline::Connect, within))?;
        sent.map_err(|error| SourceError::Broken { host: host.clone(), reason: error.to_string() })?;
        Ok(Self::new(host, connection, Bytes::new(), BodyFraming::Close))
    }

    /// Appends received bytes of the body to `buffer`, by one read into its spare capacity, and returns their
    /// number; 0 at the end of the body. That may come before the declared end: some cameras declare a length
    /// for an endless stream, or close the connection inside a chunk.
    ///
    /// # Errors
    /// [`SourceError::Late`] at the deadline, [`SourceError::Broken`] when the connection broke or its chunks
    /// are none.
    pub async fn read_into(
        &mut self,
        buffer: &mut BytesMut,
        deadline: BodyDeadline,
    ) -> Result<usize, SourceError> {
        let Self { host, body, timer } = self;
        let read = timer.apply(deadline, body.read(buffer)).await.ok_or_else(|| deadline.missed(host))?;
        read.map_err(|error| SourceError::Broken { host: host.clone(), reason: error.to_string() })
    }

    /// Returns whether the declared length has not been reached.
    pub(super) fn is_cut_off(&self) -> bool {
        matches!(self.body.framing, BodyFraming::Length(1..))
    }

    /// Returns the connection, if the body was read to its end and nothing follows it.
    pub(super) fn release(&mut self) -> Option<CameraConnection> {
        if self.body.is_at_clean_end() { self.body.transport.take() } else { None }
    }

    /// Returns whether the last read had to wait for the camera, so that other tasks could run.
    pub fn waited(&self) -> bool {
        self.timer.waited
    }
}

impl fmt::Debug for BodyReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyReader").field("host", &self.host).finish_non_exhaustive()
    }
}

/// The framing of a body: the way its end is marked.
#[derive(Debug)]
pub(super) enum BodyFraming {
    /// By the end of the connection.
    Close,
    /// By its length, of which so many bytes are missing.
    Length(u64),
    /// By the last chunk.
    Chunked(ChunkDecoder),
}

impl BodyFraming {
    pub(super) fn chunked() -> Self {
        Self::Chunked(ChunkDecoder::default())
    }
}

/// A body over any transport.
struct Body<Io> {
    /// `None` once the connection was released.
    transport: Option<Io>,
    /// Bytes that were read together with the head.
    leftover: Bytes,
    framing: BodyFraming,
}

impl<Io> Body<Io> {
    /// Returns whether the whole body was read, and only line ends after it.
    fn is_at_clean_end(&self) -> bool {
        let ended = match &self.framing {
            BodyFraming::Close => false,
            BodyFraming::Length(left) => *left == 0,
            BodyFraming::Chunked(chunks) => chunks.is_at_clean_end(),
        };
        ended && is_line_end(&self.leftover)
    }
}

impl<Io: AsyncRead + Unpin> Body<Io> {
    async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        loop {
            let max = match &self.framing {
                BodyFraming::Close => usize::MAX,
                BodyFraming::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX),
                BodyFraming::Chunked(chunks) if chunks.has_more().map_err(io::Error::other)? => usize::MAX,
                BodyFraming::Chunked(_) => 0,
            };
            let start = buffer.len();
            let count = self.read_raw(buffer, max).await?;
            let gained = match &mut self.framing {
                BodyFraming::Close => count,
                BodyFraming::Length(left) => {
                    *left -= count as u64;
                    count
                }
                BodyFraming::Chunked(chunks) => {
                    let stripped = chunks.decode(&mut buffer[start..]);
                    buffer.truncate(start + stripped);
                    stripped
                }
            };
            // A piece that is nothing but framing is not the end.
            if gained > 0 || count == 0 {
                return Ok(gained);
            }
        }
    }

    /// Reads into `buffer`: first the bytes that came with the head, then those of one read. Cancel-safe.
    async fn read_raw(&mut self, buffer: &mut BytesMut, max: usize) -> io::Result<usize> {
        let ready = self.leftover.split_to(self.leftover.len().min(max));
        if !ready.is_empty() {
            buffer.extend_from_slice(&ready);
            return Ok(ready.len());
        }
        match &mut self.transport {
            Some(transport) if max > 0 => {
                // Into the free capacity: `read_buf` grows only a full buffer.
                transport.read_buf(&mut buffer.limit(max)).await
            }
            _ => Ok(0),
        }
    }
}

/// The deadline of a read, and what it waits for.
#[derive(Debug, Clone, Copy)]
pub struct BodyDeadline {
    at: Instant,
    waiting_for: Deadline,
    within: Duration,
}

impl BodyDeadline {
    /// Creates a deadline `within` from now.
    pub fn new(waiting_for: Deadline, within: Duration) -> Self {
        Self { at: Instant::now() + within, waiting_for, within }
    }

    fn missed(self, host: &str) -> SourceError {
        SourceError::late(host, self.waiting_for, self.within)
    }
}

/// A timer for the deadlines of consecutive reads. Setting a timer for each costs more than the read: this
/// one is set once, and only when it fires is it moved to the deadline of the time.
#[derive(Debug, Default)]
struct ReadTimer {
    sleep: Option<Pin<Box<Sleep>>>,
    waited: bool,
}

impl ReadTimer {
    /// Waits for `reading` until the deadline, and returns its result; none at the deadline.
    async fn apply<T>(&mut self, deadline: BodyDeadline, reading: impl Future<Output = T>) -> Option<T> {
        let mut reading = std::pin::pin!(reading);
        self.waited = false;
        poll_fn(|cx| {
            if let Poll::Ready(read) = reading.as_mut().poll(cx) {
                return Poll::Ready(Some(read));
            }
            self.waited = true;
            let timer = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline.at)));
            if deadline.at < timer.deadline() {
                timer.as_mut().reset(deadline.at);
            }
            while timer.as_mut().poll(cx).is_ready() {
                if timer.deadline() == deadline.at {
                    return Poll::Ready(None);
                }
                timer.as_mut().reset(deadline.at);
            }
            Poll::Pending
        })
        .await
    }
}
