//! Configuration: YAML in, checked types out.
//!
//! [`model`] holds what every other room may rely on: values that were checked. Raw YAML never leaves this room.

pub mod model;

pub use model::*;
