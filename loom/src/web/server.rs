//! The transport.

pub mod transport;

pub use crate::stand_ins::connections;
