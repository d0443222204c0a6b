//! The bounded counter.

#[path = "../../src/limits/bounded_counter.rs"]
mod bounded_counter;

pub use bounded_counter::Headcount;
