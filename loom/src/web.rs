//! The viewers' transport and the viewers of each address.

#[path = "../../src/web/seats.rs"]
pub mod seats;
pub mod transport;

pub use crate::stand_ins::connections;

#[cfg(test)]
mod addresses;
#[cfg(test)]
mod viewers;
