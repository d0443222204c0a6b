//! Publishers of a running relay: single pictures, forms, feeds, points of graphs; what viewers see of them, and what refusals say.

#![expect(clippy::unwrap_used, reason = "a test may panic; clippy itself knows this of test functions only")]

testkit::define_test_relay!();

mod feeds;
mod forms;
mod pictures;
mod points;
mod publishing;
mod refusals;
mod tokens;
mod uploads;
