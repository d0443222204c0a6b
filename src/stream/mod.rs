//! One stream's life: an actor that starts its source when somebody watches, tries again when it fails, and
//! says how it is. Frames never pass through the actor: they go from the source's task to the
//! [`Bus`](crate::bus::Bus).
//!
//! A panic or error in a source ends that source's task only; the actor sees it as [`state::Event::Ended`].

mod actor;
mod backoff;
mod capacity;
mod fan_out;
mod handle;
mod heartbeat;
mod publisher;
mod pump;
mod send_method;
pub mod state;
pub mod failover;

pub(crate) use backoff::exponential_delay;
pub use capacity::{AtCapacity, Capacity};
pub use handle::{DemandGuard, Feeding, PastViewerGuard, Status, StreamHandle, ViewerGuard, WeakStream};
pub use publisher::{Publishing, Taken};
