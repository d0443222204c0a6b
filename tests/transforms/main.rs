//! Pictures transformed: what comes out is looked at pixel by pixel.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

testkit::define_test_relay!();

mod asked;
mod metadata;
mod mosaics;
mod mutated;
mod photographs;
mod renditions;
mod scene;
mod steps;
