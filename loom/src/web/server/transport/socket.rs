//! A model of a viewer's socket, as the system and tokio specify it: it accepts a number of bytes until they
//! are read, returns `WouldBlock` when it accepts none, and wakes its task when it accepts bytes again. It is
//! full only once, which leaves fewer orders to try.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use loom::sync::{Mutex, MutexGuard};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::direct_write::{DirectWrite, DirectWriter, when_ready};

/// Both ends of it.
#[derive(Debug, Clone)]
pub struct Socket(Arc<Mutex<Buffer>>);

#[derive(Debug)]
struct Buffer {
    room: usize,
    unread: usize,
    written: Vec<u8>,
    writer: Option<Waker>,
    reader: Option<Waker>,
}

impl Socket {
    pub fn new(room: usize) -> Self {
        let buffer = Buffer { room, unread: 0, written: Vec::new(), writer: None, reader: None };
        Self(Arc::new(Mutex::new(buffer)))
    }

    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.0.lock().unwrap()
    }

    /// All that was written.
    pub fn written(&self) -> Vec<u8> {
        self.lock().written.clone()
    }

    /// Returns the number of holders.
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// The other side: reads until it has read what it waits for; answers all.
    pub async fn read_until(&self, is_it: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        poll_fn(|cx| {
            let mut buffer = self.lock();
            if buffer.unread == buffer.room {
                buffer.room = usize::MAX;
            }
            buffer.unread = 0;
            if is_it(&buffer.written) {
                return Poll::Ready(buffer.written.clone());
            }
            buffer.reader = Some(cx.waker().clone());
            let writer = buffer.writer.take();
            drop(buffer);
            if let Some(writer) = writer {
                writer.wake();
            }
            Poll::Pending
        })
        .await
    }
}

impl DirectWriter for Mutex<Buffer> {
    fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut buffer = self.lock().unwrap();
        let free = buffer.room - buffer.unread;
        let taken: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).take(free).collect();
        if taken.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        buffer.unread += taken.len();
        buffer.written.extend(&taken);
        let reader = buffer.reader.take();
        drop(buffer);
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(taken.len())
    }
}

impl DirectWrite for Socket {
    fn direct_writer(&self) -> Option<Arc<dyn DirectWriter>> {
        Some(self.0.clone())
    }

    fn poll_direct_write<T>(
        &self,
        cx: &mut Context<'_>,
        write: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let ready = || {
            let mut buffer = self.lock();
            if buffer.unread < buffer.room {
                return Poll::Ready(Ok(()));
            }
            buffer.writer = Some(cx.waker().clone());
            Poll::Pending
        };
        when_ready(ready, write)
    }
}

/// It says nothing.
impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

/// Nothing but parts is written.
impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        unreachable!("parts are written by the direct writer")
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
