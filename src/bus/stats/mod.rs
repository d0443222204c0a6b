//! The counters of a stream.

pub(crate) mod abr_levels;
mod frame_rate;
mod drop_reason;
pub(crate) mod fps_history;
pub(crate) mod histogram;
mod processing;
pub(crate) mod push_rejections;
pub(crate) mod recording_status;
mod stream_stats;
pub(crate) mod counter_snapshot;

pub use drop_reason::DropReason;
pub use processing::Processing;
pub use stream_stats::StreamStats;
