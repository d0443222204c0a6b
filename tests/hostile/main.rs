//! Cameras, viewers and publishers that mean harm, each against the built program: what they do is bounded
//! and counted, and a stream beside them loses no frame (SECURITY.md, docs/reliability.md).
//!
//! The program runs in a separate process, whose memory, descriptors and log are read from outside. Attacks
//! have no time limit: the tests wait for the relay's reaction, never for a time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

// Helpers, without tests.
mod decompression_bombs;
mod http2;

mod cameras;
mod clocks;
mod many_connections;
mod decoding;
mod faults;
mod loss;
mod memory;
mod multiplexed;
mod publishers;
mod rate;
mod requests;
mod slow;
mod viewers;
