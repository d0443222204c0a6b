//! Counts the bytes of request bodies that handlers have read.

use std::cell::Cell;

use tokio::sync::Notify;

/// Bytes that handlers must have read of a connection first: more than a login, or an edit, or one small
/// picture.
const READ_BEFORE_LARGE_WINDOW: usize = 256 * 1024;

/// The bytes of a connection's bodies that handlers have read.
#[derive(Debug, Default)]
pub(super) struct ReadBytes {
    bytes: Cell<usize>,
    changed: Notify,
}

impl ReadBytes {
    pub(super) fn add(&self, bytes: usize) {
        self.bytes.set(self.bytes.get().saturating_add(bytes));
        if self.bytes.get() >= READ_BEFORE_LARGE_WINDOW {
            self.changed.notify_one();
        }
    }

    /// Resolves when a large window is of use.
    pub(super) async fn wait_large(&self) {
        while self.bytes.get() < READ_BEFORE_LARGE_WINDOW {
            self.changed.notified().await;
        }
    }
}
