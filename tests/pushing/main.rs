//! Publishers of a running relay: single pictures, forms, feeds, points of graphs; what viewers see of them, and what refusals say.

#![expect(clippy::unwrap_used, reason = "a test may panic; clippy itself knows this of test functions only")]

#[expect(dead_code, reason = "the tests of viewers use the rest of it")]
#[path = "../support/raw_client.rs"]
mod raw_client;
#[expect(dead_code, reason = "the tests of viewers use the rest of it")]
#[path = "../support/relay.rs"]
mod relay;

mod feeds;
mod forms;
mod pictures;
mod points;
mod publishing;
mod refusals;
mod tokens;
mod uploads;
