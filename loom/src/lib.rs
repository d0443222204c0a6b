//! Models of what threads share: loom runs each in every order in which its threads can meet
//! (`scripts/loom`).
//!
//! The modelled modules are the crate's own files. Under `cfg(loom)` their locks and channels, which they
//! import from `src/platform/sync.rs`, are loom's and those of `mocks`; [`stand_ins`] has the types of the
//! rest of the crate that they name. Not modelled are tokio's watch channel and notification and dashmap,
//! which are replaced by simple ones, a socket (`web/server/transport/socket.rs`), and the counting of most
//! `Arc`s.

#![expect(dead_code, missing_docs, reason = "each model uses a part of what it takes from the crate")]

pub mod stand_ins;
mod platform;

use platform::sync::mocks;

pub use stand_ins::{config, media, observability, registry};

pub mod auth;
pub mod bus;
pub mod limits;
#[path = "../../src/bus/source_gate.rs"]
pub mod source_gate;
#[path = "../../src/registry/ref_counted_map.rs"]
pub mod ref_counted_map;
#[path = "../../src/stream/publisher_slot.rs"]
pub mod publisher;
pub mod stream;
pub mod viewer;
pub mod web;

#[cfg(test)]
mod tests;
