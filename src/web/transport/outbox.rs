//! What waits to be written to one viewer, and whether anybody is busy with its connection.

use std::{cell::RefCell, io::IoSlice, ops::Range, rc::Rc, sync::Arc, time::Duration};

use bytes::{Buf, Bytes};

use crate::{bus::SealedPart, multipart::writer::Framing};

/// A part has at most five pieces (chunk size, headers, frame, delimiter, chunk end).
const MAX_PIECES: usize = 5;

/// What waits to be written to one viewer: at most one part. Shared between its socket and its response body.
#[derive(Debug, Clone)]
pub(in crate::web) struct Outbox(pub(super) Rc<RefCell<Pending>>);

/// Behind the shared [`Outbox`].
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) pieces: [Bytes; MAX_PIECES],
    /// `pieces[next..end]` is not written yet.
    pub(super) next: usize,
    pub(super) end: usize,
    /// A part as a file, behind the pieces, and which of its bytes are not sent yet.
    pub(super) file: Option<(Arc<SealedPart>, Range<u64>)>,
    /// All of it was taken, but the channel below still holds bytes that the socket did not take.
    pub(super) held: bool,
    /// What is being written had to wait for the socket.
    pub(super) paused: bool,
    pub(super) sends_files: bool,
    /// Wake the body's task when all is written: it already knows of a newer frame.
    pub(super) wake_when_empty: bool,
    pub(super) stall_timeout: Duration,
    pub(super) answering: u32,
    pub(super) receiving: u32,
}

/// What a handler is busy with, though nothing may be written for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Busy {
    /// A stream, or waiting for a picture. Nothing more is wanted of the client meanwhile.
    Answering,
    /// A push.
    Receiving,
}

/// While it lives, the connection is not idle.
#[derive(Debug)]
pub(in crate::web) struct BusyGuard(Outbox, Busy);

impl Drop for BusyGuard {
    fn drop(&mut self) {
        *self.0.0.borrow_mut().count(self.1) -= 1;
    }
}

impl Outbox {
    pub(super) fn new(stall_timeout: Duration, sends_files: bool) -> Self {
        Self(Rc::new(RefCell::new(Pending {
            pieces: std::array::from_fn(|_| Bytes::new()),
            next: 0,
            end: 0,
            file: None,
            held: false,
            paused: false,
            sends_files,
            wake_when_empty: false,
            stall_timeout,
            answering: 0,
            receiving: 0,
        })))
    }

    /// Says that a handler is busy with the connection.
    pub(in crate::web) fn busy(&self, with: Busy) -> BusyGuard {
        *self.0.borrow_mut().count(with) += 1;
        BusyGuard(self.clone(), with)
    }

    /// All that was put in is written.
    pub(in crate::web) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Whether [`Outbox::put_file`] may be used on this connection.
    pub(in crate::web) fn sends_files(&self) -> bool {
        self.0.borrow().sends_files
    }

    /// Adds a part that is sent from its file.
    pub(in crate::web) fn put_file(&self, part: Arc<SealedPart>, framing: Framing) {
        let range = part.range(framing);
        self.0.borrow_mut().file = Some((part, range));
    }

    /// Adds pieces behind those that wait. A body puts at most one part (and what announces it) into an empty outbox.
    pub(in crate::web) fn put(&self, pieces: impl IntoIterator<Item = Bytes>) {
        let mut pending = self.0.borrow_mut();
        if pending.next == pending.end {
            (pending.next, pending.end) = (0, 0);
        }
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            let end = pending.end;
            pending.pieces[end] = piece;
            pending.end += 1;
        }
    }

    /// Asks for a wake-up when the outbox is empty.
    pub(in crate::web) fn wake_when_empty(&self) {
        self.0.borrow_mut().wake_when_empty = true;
    }

    /// Lets the viewer go when it takes nothing for so long.
    pub(in crate::web) fn set_stall_timeout(&self, timeout: Duration) {
        self.0.borrow_mut().stall_timeout = timeout;
    }
}

impl Pending {
    pub(super) fn count(&mut self, busy: Busy) -> &mut u32 {
        match busy {
            Busy::Answering => &mut self.answering,
            Busy::Receiving => &mut self.receiving,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.next == self.end && self.file.is_none() && !self.held
    }

    pub(super) fn slices(&self) -> ([IoSlice<'_>; MAX_PIECES], usize) {
        let waiting = &self.pieces[self.next..self.end];
        (std::array::from_fn(|n| IoSlice::new(waiting.get(n).map_or(&[], |piece| piece))), waiting.len())
    }

    /// Notes that `written` bytes are gone, and lets go of the pieces that are.
    pub(super) fn advance(&mut self, mut written: usize) {
        while written > 0 && self.next < self.end {
            let piece = &mut self.pieces[self.next];
            let taken = written.min(piece.len());
            piece.advance(taken);
            written -= taken;
            if piece.is_empty() {
                // The frame is not kept alive by a viewer that has it.
                *piece = Bytes::new();
                self.next += 1;
            }
        }
    }
}
