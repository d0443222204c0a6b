//! Locks and channels.

#[path = "../../src/platform/sync.rs"]
pub(crate) mod sync;
