//! Timeouts of connections.

use std::time::Duration;

use super::http2::Deadlines;

/// An idle kept-alive connection is closed after this.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// The time limit for a request's head.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The time that a connection that is being closed has to take its last bytes.
pub(super) const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The time after which a client that reads nothing of a response is disconnected. Streams have their own
/// setting.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Timeouts of HTTP/2.
pub(super) const HTTP_2: Deadlines =
    Deadlines { begin: HEAD_TIMEOUT, idle: KEEP_ALIVE, stall: STALL_TIMEOUT };
