//! Viewers of a running relay: the bytes that they receive.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

testkit::define_relay_beside!();
testkit::define_test_relay!();

mod abr;
mod base_path;
mod clips;
mod compat;
mod failover;
mod frames;
mod response_heads;
mod joining;
mod live;
mod mjpg_streamer;
mod on_demand;
mod page_headers;
mod pages;
mod parts;
mod recording;
mod replays;
mod responses;
mod shutdown;
mod slow_viewers;
mod snapshots;
mod tls;
mod transforms;
mod unix_sockets;
mod ustreamer;
mod viewer_limits;
