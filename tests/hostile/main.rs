//! Cameras, viewers and publishers that mean harm, each against the built program: what they do is bounded and counted,
//! and a stream beside them loses no frame (SECURITY.md, docs/reliability.md).
//!
//! The program runs in a process of its own, whose memory, descriptors and log are looked at from outside. Whoever
//! attacks takes its time; the tests wait for what the relay does about it, never for a time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "benches/attack lists them, too")]
#[path = "../../benches/attack/attacks/mod.rs"]
mod attacks;
#[expect(dead_code, reason = "the tests of real clients use the rest of it")]
#[path = "../support/binary.rs"]
mod binary;
#[expect(dead_code, reason = "benches/attack reads memory by it, too")]
#[path = "../../benches/attack/cgroup.rs"]
mod cgroup;
#[path = "../support/identity.rs"]
mod identity;
#[expect(dead_code, reason = "the tests of real clients use the rest of it")]
#[path = "../support/program.rs"]
mod program;
#[expect(dead_code, reason = "the tests of viewers use the rest of it")]
#[path = "../support/raw_client.rs"]
mod raw_client;

mod bombs;
mod cameras;
mod clocks;
mod crowds;
mod decoding;
mod evil_camera;
mod faults;
mod house;
mod http2;
mod loss;
mod memory;
mod multiplexed;
mod neighbour;
mod numbers;
mod pictures;
mod publishers;
mod rate;
mod requests;
mod slow;
mod viewers;
