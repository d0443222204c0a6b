//! The life cycle of one stream: an actor that starts its source when it has viewers, retries when it fails,
//! and publishes its state. Frames never pass through the actor: they go from the source's task to the
//! [`Bus`](crate::bus::Bus).
//!
//! A panic or error in a source ends that source's task only; the actor sees it as [`state::Event::Ended`].

mod run_outcome;
mod health;
pub mod failover;
pub mod state;
mod status;
mod pump;
mod actor;
mod viewer_limit;
mod publisher_slot;
mod send_method;
mod fan_out;
mod heartbeat;
mod handle;

pub use handle::{DemandGuard, ReplayGuard, StreamHandle, ViewerGuard, WeakStream};
pub(crate) use health::{Gap, exponential_delay};
pub use publisher_slot::{AlreadyPublishing, PublisherGuard};
pub use status::{FrameOriginGuard, StreamStatus};
pub use viewer_limit::{AtCapacity, ViewerLimit};
