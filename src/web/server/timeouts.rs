//! Timeouts of connections.

use std::time::Duration;

use crate::web::server::http2::Deadlines;

/// An idle kept-alive connection is closed after this.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// A request's head must be here within this.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that is being closed gets so long to take its last bytes.
pub(super) const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Any answer but a stream's (which has its own setting): a client that takes nothing for so long is let go.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Timeouts of HTTP/2.
pub(super) const HTTP_2: Deadlines =
    Deadlines { begin: HEAD_TIMEOUT, idle: KEEP_ALIVE, stall: STALL_TIMEOUT };
