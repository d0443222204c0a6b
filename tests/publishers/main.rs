//! Publishers of a running relay: single pictures, forms, feeds, points of graphs; what viewers see of them,
//! and what refusals say.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

testkit::define_test_relay!();

// Helpers, without tests.
mod publisher;

mod expectations;
mod feeds;
mod forms;
mod pictures;
mod points;
mod rejections;
mod tokens;
mod shown_pictures;
mod uploads;
