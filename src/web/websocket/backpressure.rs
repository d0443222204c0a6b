//! Counts the bytes sent over a WebSocket that wait in this process because its client does not take them.
//!
//! Pictures are copied into such a connection, so that what waits is memory of its own; and what clients say
//! of pictures that they have taken is nothing to go by, since they can say it without. The connection itself
//! knows when all is written.

use std::{cell::Cell, time::Duration};

use crate::web::server::transport::Outbox;

/// The number of unwritten bytes above which no further frame is sent. A frame may be longer: then it waits
/// alone.
const MOST_WAITING: usize = 1024 * 1024;

/// The interval at which it is checked whether they are written. Only a client that is slow already waits for
/// it.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The unsent bytes of one connection.
#[derive(Debug)]
pub(in crate::web) struct Backlog {
    outbox: Outbox,
    /// The outbox's flush count at the last look, and the bytes sent since.
    rests: Cell<u64>,
    waiting: Cell<usize>,
}

impl Backlog {
    pub(in crate::web) fn new(outbox: Outbox) -> Self {
        Self { rests: Cell::new(outbox.rests()), outbox, waiting: Cell::new(0) }
    }

    /// Waits until there is room for a picture.
    pub(in crate::web) async fn room(&self) {
        while self.is_full() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Counts what was sent.
    pub(in crate::web) fn sent(&self, bytes: usize) {
        self.waiting.set(self.waiting.get() + bytes);
    }

    fn is_full(&self) -> bool {
        if self.waiting.get() <= MOST_WAITING {
            return false;
        }
        let rests = self.outbox.rests();
        if rests != self.rests.replace(rests) {
            self.waiting.set(0);
            return false;
        }
        true
    }
}
