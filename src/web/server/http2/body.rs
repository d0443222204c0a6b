//! The body of a request before its handler reads it.
//!
//! h2 keeps received data as slices of the blocks that it was read into: one byte that a handler is slow to
//! read may hold 16 KiB. A [`BodyReceiver`] takes out each chunk as soon as it arrives and appends it to one
//! buffer, so that unread bodies hold only their own bytes. The connection's window limits how many: it is
//! opened further only when the handler reads.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use actix_http::error::PayloadError;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use h2::{FlowControl, RecvStream};

use super::consumed_bytes::ReadBytes;

/// The received part of a request's body.
#[derive(Debug)]
struct SharedBody {
    /// `None` after the end of the body, or without a reader.
    from: Option<RecvStream>,
    /// Opens the window; also for bytes that are read after the end has arrived.
    window: FlowControl,
    unread: BytesMut,
    failed: Option<h2::Error>,
    reader: Option<Waker>,
}

/// The end that receives data.
#[derive(Debug)]
pub(super) struct BodyReceiver(Rc<RefCell<SharedBody>>);

/// The end that a handler reads.
#[derive(Debug)]
pub(super) struct RequestBody {
    received: Rc<RefCell<SharedBody>>,
    /// The counter of bytes that handlers have read over the connection.
    read: Rc<ReadBytes>,
}

/// Returns both ends of the body that `from` delivers; bytes that are read are added to `read`.
pub(super) fn channel(mut from: RecvStream, read: Rc<ReadBytes>) -> (BodyReceiver, RequestBody) {
    let window = from.flow_control().clone();
    let unread = BytesMut::new();
    let received = SharedBody { from: Some(from), window, unread, failed: None, reader: None };
    let received = Rc::new(RefCell::new(received));
    (BodyReceiver(received.clone()), RequestBody { received, read })
}

impl BodyReceiver {
    /// Takes all data that has arrived, and has the task woken when there is more.
    pub(super) fn fill(&self, cx: &mut Context<'_>) {
        let mut received = self.0.borrow_mut();
        let mut changed = false;
        while let Some(from) = &mut received.from {
            match from.poll_data(cx) {
                Poll::Pending => break,
                Poll::Ready(Some(Ok(piece))) => received.unread.extend_from_slice(&piece),
                Poll::Ready(Some(Err(error))) => {
                    received.failed = Some(error);
                    received.from = None;
                }
                // Trailers, if any, are dropped.
                Poll::Ready(None) => received.from = None,
            }
            changed = true;
        }
        if changed && let Some(reader) = received.reader.take() {
            reader.wake();
        }
    }
}

impl SharedBody {
    /// Takes out the unread data, and opens the window by as much.
    fn take(&mut self) -> Bytes {
        let piece = std::mem::take(&mut self.unread).freeze();
        // It fails for a stream that was reset, whose window h2 has opened itself.
        let _ = self.window.release_capacity(piece.len());
        piece
    }
}

impl Stream for RequestBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut received = self.received.borrow_mut();
        if !received.unread.is_empty() {
            let piece = received.take();
            self.read.add(piece.len());
            return Poll::Ready(Some(Ok(piece)));
        }
        if let Some(error) = received.failed.take() {
            return Poll::Ready(Some(Err(PayloadError::Io(io::Error::other(error)))));
        }
        if received.from.is_none() {
            return Poll::Ready(None);
        }
        received.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for RequestBody {
    /// Discards the rest: h2 drops all further data.
    fn drop(&mut self) {
        let mut received = self.received.borrow_mut();
        received.take();
        received.from = None;
    }
}
