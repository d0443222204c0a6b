//! Cameras as they are, each on a real socket, against the real sources: every row of what cameras do that
//! concerns HTTP.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

// Helpers, without tests.
mod source_runner;

mod closing;
mod credentials;
mod deadlines;
mod heads;
mod pictures;
mod redirects;
mod snapshots;
mod tls;
