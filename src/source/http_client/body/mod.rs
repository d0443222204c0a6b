//! The body of an answer, read from the socket straight into the caller's buffer (`docs/adr/0008`). Of HTTP
//! it knows only how the body's end is marked.

mod chunked;

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
    time::{Instant, Sleep, sleep_until},
};

use super::connection::CameraConnection;
use crate::source::{Deadline, SourceError};
use chunked::{Chunks, is_line_end};

/// A body on its connection. Dropping it closes the connection.
pub struct BodyReader {
    host: String,
    body: Body<CameraConnection>,
    timer: Timer,
}

impl BodyReader {
    /// Reads `leftover`, which came with the head, and then from `connection`.
    pub(super) fn new(host: String, connection: CameraConnection, leftover: Bytes, framing: Framing) -> Self {
        let body = Body { transport: Some(connection), leftover, framing };
        Self { host, body, timer: Timer::default() }
    }

    /// Adds what has come of the body to `buffer`, by one read into the room that it has, and says how much
    /// that is; 0 is the end of the body. That may come before the declared one: cameras write some length
    /// over an endless stream, and close inside a chunk.
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
        let read = timer.keep(deadline, body.read(buffer)).await.ok_or_else(|| deadline.missed(host))?;
        read.map_err(|error| SourceError::Broken { host: host.clone(), reason: error.to_string() })
    }

    /// Whether the body has a length of which not all has come.
    pub(super) fn is_cut_off(&self) -> bool {
        matches!(self.body.framing, Framing::Length(1..))
    }

    /// Returns the connection, if the body was read to its end and nothing follows it.
    pub(super) fn release(&mut self) -> Option<CameraConnection> {
        if self.body.is_at_clean_end() { self.body.transport.take() } else { None }
    }

    /// Whether the last read had to wait for the camera, and others had their turn meanwhile.
    pub fn waited(&self) -> bool {
        self.timer.waited
    }
}

impl fmt::Debug for BodyReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyReader").field("host", &self.host).finish_non_exhaustive()
    }
}

/// The framing of a body: how its end is marked.
#[derive(Debug)]
pub(super) enum Framing {
    /// With the connection.
    Close,
    /// After so many bytes more.
    Length(u64),
    /// With the last chunk.
    Chunked(Chunks),
}

impl Framing {
    pub(super) fn chunked() -> Self {
        Self::Chunked(Chunks::default())
    }
}

/// A body over any transport.
struct Body<Io> {
    /// `None` when there is nothing to read.
    transport: Option<Io>,
    /// Bytes that were read together with the head.
    leftover: Bytes,
    framing: Framing,
}

impl<Io> Body<Io> {
    /// Whether all was read, and only line ends after it.
    fn is_at_clean_end(&self) -> bool {
        let ended = match &self.framing {
            Framing::Close => false,
            Framing::Length(left) => *left == 0,
            Framing::Chunked(chunks) => chunks.is_at_clean_end(),
        };
        ended && is_line_end(&self.leftover)
    }
}

impl<Io: AsyncRead + Unpin> Body<Io> {
    async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        loop {
            let most = match &self.framing {
                Framing::Close => usize::MAX,
                Framing::Length(left) => usize::try_from(*left).unwrap_or(usize::MAX),
                Framing::Chunked(chunks) if chunks.go_on().map_err(io::Error::other)? => usize::MAX,
                Framing::Chunked(_) => 0,
            };
            let start = buffer.len();
            let count = self.read_raw(buffer, most).await?;
            let gained = match &mut self.framing {
                Framing::Close => count,
                Framing::Length(left) => {
                    *left -= count as u64;
                    count
                }
                Framing::Chunked(chunks) => {
                    let stripped = chunks.strip(&mut buffer[start..]);
                    buffer.truncate(start + stripped);
                    stripped
                }
            };
            // A piece of nothing but framing is not the end.
            if gained > 0 || count == 0 {
                return Ok(gained);
            }
        }
    }

    /// Reads into `buffer`: first the bytes that came with the head, then those of one read. Cancelling it
    /// loses nothing.
    async fn read_raw(&mut self, buffer: &mut BytesMut, most: usize) -> io::Result<usize> {
        let ready = self.leftover.split_to(self.leftover.len().min(most));
        if !ready.is_empty() {
            buffer.extend_from_slice(&ready);
            return Ok(ready.len());
        }
        match &mut self.transport {
            Some(transport) if most > 0 => {
                // Into the room there is: `read_buf` grows only what is full.
                transport.read_buf(&mut buffer.limit(most)).await
            }
            _ => Ok(0),
        }
    }
}

/// Until when something of a body has to come, and what it would be.
#[derive(Debug, Clone, Copy)]
pub struct BodyDeadline {
    at: Instant,
    waiting_for: Deadline,
    within: Duration,
}

impl BodyDeadline {
    /// `within` from now.
    pub fn new(waiting_for: Deadline, within: Duration) -> Self {
        Self { at: Instant::now() + within, waiting_for, within }
    }

    fn missed(self, host: &str) -> SourceError {
        SourceError::late(host, self.waiting_for, self.within)
    }
}

/// The deadline of one read after the other. Setting a clock for each costs more than the read: here it is
/// set once, and only when it rings is it set to the deadline that is valid by then.
#[derive(Debug, Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    waited: bool,
}

impl Timer {
    /// Waits for `reading` until the deadline, and returns its result.
    async fn keep<T>(&mut self, deadline: BodyDeadline, reading: impl Future<Output = T>) -> Option<T> {
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

#[cfg(test)]
mod tests;
