//! Viewers of a running relay, byte for byte: what stands on the wire when real clients come.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

testkit::define_relay_beside!();
testkit::define_test_relay!();

mod access;
mod adapting;
mod answers;
mod base_path;
mod capacity;
mod clips;
mod ending;
mod failover;
mod heads;
mod joining;
mod live;
mod matrix;
mod metrics;
mod mjpg_streamer;
mod on_demand;
mod page_headers;
mod pages;
mod parts;
mod peers;
mod reloads;
mod replays;
mod revoking;
mod saving;
mod secured;
mod slowness;
mod snapshots;
mod sockets;
mod ustreamer;
mod watched;
mod webhooks;
