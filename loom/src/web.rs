//! The viewers' transport and the viewers of each address.

#[path = "../../src/web/middleware/viewers_per_address.rs"]
pub mod viewers_per_address;
pub mod server;

#[cfg(test)]
mod addresses;
#[cfg(test)]
mod viewers;
