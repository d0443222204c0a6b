//! Viewers of a running relay, byte for byte: what stands on the wire when real clients come.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "the tests of real clients use the rest of it")]
#[path = "../support/binary.rs"]
mod binary;
#[path = "../support/identity.rs"]
mod identity;
#[expect(dead_code, reason = "the tests of real clients use the rest of it")]
#[path = "../support/program.rs"]
mod program;
#[path = "../support/raw_client.rs"]
mod raw_client;
#[path = "../support/relay.rs"]
mod relay;

mod access;
mod adapting;
mod answers;
mod base_path;
mod camera;
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
mod pictures;
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
mod watching;
mod web_socket;
mod webhooks;
