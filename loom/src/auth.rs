//! Leases, on rules of one word.

#[path = "../../src/auth/lease.rs"]
pub mod lease;
mod rules;

pub use crate::stand_ins::subscriber;
pub use rules::{Auth, Caller};

#[cfg(test)]
mod leases;
