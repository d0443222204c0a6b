//! Pictures transformed: what comes out is looked at pixel by pixel.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../viewers/camera.rs"]
mod camera;
#[expect(dead_code, reason = "the tests of viewers use the rest of it")]
#[path = "../support/raw_client.rs"]
mod raw_client;
#[path = "../support/relay.rs"]
mod relay;
#[expect(dead_code, reason = "the tests of viewers use the rest of it")]
#[path = "../viewers/watching.rs"]
mod watching;

mod asked;
mod metadata;
mod mosaics;
mod mutated;
mod photographs;
mod renditions;
mod scene;
mod steps;
