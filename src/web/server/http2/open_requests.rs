//! Limits on the open requests of a connection: their number, and the bytes of their heads.

use std::{cell::Cell, rc::Rc};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Requests that each connection may have open, whatever the others have; more than a page asks for at once.
/// A request that waits costs some 8 KiB.
const OWN_STREAMS: usize = 16;

/// Requests above that, of all connections together: with those 64 connections hold 24 MiB, where 256 each
/// were 128 MiB.
static MORE_STREAMS: Semaphore = Semaphore::const_new(2048);

/// Headers of all requests that have no answer yet, counted in the same way: sixteen of the longest, or 256
/// of 4 KiB. HPACK makes long ones of a few bytes.
pub(super) const MAX_OPEN_HEAD_BYTES: usize = 1024 * 1024;

/// Bytes of a head, until its request is answered.
pub(super) struct OpenHead {
    bytes: usize,
    open: Rc<Cell<usize>>,
}

impl OpenHead {
    pub(super) fn new(bytes: usize, open: &Rc<Cell<usize>>) -> Option<Self> {
        let all = open.get() + bytes;
        (all <= MAX_OPEN_HEAD_BYTES).then(|| {
            open.set(all);
            Self { bytes, open: open.clone() }
        })
    }
}

impl Drop for OpenHead {
    fn drop(&mut self) {
        self.open.set(self.open.get() - self.bytes);
    }
}

/// Counts an open request of a connection for as long as it exists.
pub(super) struct OpenStream {
    open: Rc<Cell<usize>>,
    _above_own: Option<SemaphorePermit<'static>>,
}

impl OpenStream {
    pub(super) fn new(open: &Rc<Cell<usize>>) -> Option<Self> {
        let above_own = match open.get() {
            ..OWN_STREAMS => None,
            OWN_STREAMS.. => Some(MORE_STREAMS.try_acquire().ok()?),
        };
        open.set(open.get() + 1);
        Some(Self { open: open.clone(), _above_own: above_own })
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.open.set(self.open.get() - 1);
    }
}
