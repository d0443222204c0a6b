//! Counts the bytes sent over a WebSocket that wait in this process because its client does not read them.
//!
//! Pictures are copied into such a connection, so that waiting bytes use additional memory. A client's
//! acknowledgements of pictures do not count, since it can send them without reading. The connection itself
//! reports when everything is written.

use std::{cell::Cell, time::Duration};

use crate::web::server::transport::Outbox;

/// The number of unwritten bytes above which no further frame is sent. A frame may be longer: then it waits
/// alone.
const MAX_UNWRITTEN_BYTES: usize = 1024 * 1024;

/// The interval at which it is checked whether they are written. Only a client that is slow already waits for
/// it.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The unsent bytes of one connection.
#[derive(Debug)]
pub(in crate::web) struct Backpressure {
    outbox: Outbox,
    /// The outbox's flush count at the last check, and the bytes sent since.
    flush_count: Cell<u64>,
    waiting: Cell<usize>,
}

impl Backpressure {
    pub(in crate::web) fn new(outbox: Outbox) -> Self {
        Self { flush_count: Cell::new(outbox.flush_count()), outbox, waiting: Cell::new(0) }
    }

    /// Waits until there is room for a picture.
    pub(in crate::web) async fn wait_writable(&self) {
        while self.is_full() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Counts what was sent.
    pub(in crate::web) fn sent(&self, bytes: usize) {
        self.waiting.set(self.waiting.get() + bytes);
    }

    fn is_full(&self) -> bool {
        if self.waiting.get() <= MAX_UNWRITTEN_BYTES {
            return false;
        }
        let rests = self.outbox.flush_count();
        if rests != self.flush_count.replace(rests) {
            self.waiting.set(0);
            return false;
        }
        true
    }
}
