//! Scripted cameras on real sockets, against the real sources: everything about cameras that concerns HTTP.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

testkit::define_test_relay!();

// Helpers, without tests.
mod source_runner;

mod auto;
mod bambu;
mod disconnects;
mod credentials;
mod deadlines;
mod response_heads;
mod pictures;
mod redirects;
mod rtsp;
mod snapshots;
mod tls;
mod verdicts;
