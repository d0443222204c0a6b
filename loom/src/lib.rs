//! Models of what threads share: loom runs each in every order in which its threads can meet (`scripts/loom`).
//!
//! The modelled modules are the crate's own files. Under `cfg(loom)` their locks and channels, which they import from
//! `src/sync.rs`, are loom's and those of `mocks`; [`stand_ins`] has the types of the rest of the crate that they name.
//! Not modelled are tokio's watch channel and notification and dashmap, which are replaced by simple ones, a socket
//! (`web/transport/socket.rs`), and the counting of most `Arc`s.

#![expect(dead_code, missing_docs, reason = "each model uses a part of what it takes from the crate")]

pub mod stand_ins;
#[path = "../../src/sync.rs"]
mod sync;

use sync::mocks;

pub use stand_ins::{config, frame, multipart, registry, telemetry};

pub mod auth;
pub mod bus;
#[path = "../../src/bus/lanes.rs"]
pub mod lanes;
#[path = "../../src/registry/places.rs"]
pub mod places;
#[path = "../../src/stream/publishing.rs"]
pub mod publishing;
pub mod session;
pub mod stream;
pub mod web;

#[cfg(test)]
mod tests;
