//! Administrators of a running relay: who may do what, and what they change, measure and are told.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

testkit::define_relay_beside!();
testkit::define_test_relay!();

mod access;
mod matrix;
mod metrics;
mod reloads;
mod revocation;
mod stream_api;
mod viewer_api;
mod webhooks;
