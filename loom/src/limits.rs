//! The bounded counter.

#[path = "../../src/limits/bounded_counter.rs"]
pub mod bounded_counter;

pub(crate) use bounded_counter::BoundedCounter;
