//! The bus of a stream: holds the newest frame and nothing older.
//!
//! The source side publishes through an [`Ingest`]. Viewers are the [`Subscribers`], to which the stream's
//! fan-out shows each frame; other readers hold a [`BusReader`]. Each takes the newest frame when it is ready
//! for another. There is no queue, so a slow viewer costs no memory and never gets an old frame. Frames are
//! numbered here, so that a viewer can count what it skipped.
//!
//! Past frames are kept only if the stream has a [`ReplayBuffer`].
//!
//! A *repeat* shows the same frame again: clients such as Chromium draw a frame only when the next part has
//! arrived.

mod current;
mod replay_buffer;
mod source_gate;
mod frame_numbers;
mod meta_updates;
mod splice_pipe;
mod subscribers;
mod stats;
mod channel;
mod adaptive_viewer;
mod ingest;

pub use adaptive_viewer::AbrLevelGuard;
#[cfg(test)]
pub(crate) use channel::tests;
pub use channel::{Bus, BusReader};
pub use current::{Current, PublishedFrame};
pub(crate) use ingest::FrameRateLimiter;
pub(crate) use ingest::tell;
pub use ingest::{FrameProcessor, Ingest, OutcomeSender};
pub use meta_updates::MetaUpdates;
pub use replay_buffer::{ReplayBuffer, ReplayError, ReplayFrame, ReplayUsage, distance};
pub use source_gate::SourceSwitch;
pub use splice_pipe::SplicePipe;
pub use stats::{
    DropReason, Processing, StreamStats,
    abr_levels::{AbrLevels, STEPS},
    counter_snapshot::Totals,
    fps_history::STEP as FPS_HISTORY_STEP,
    histogram::{Histogram, HistogramSnapshot},
    push_rejections::{PushRejection, PushRejections},
    recording_status::{RecordingState, RecordingStatus},
};
pub use subscribers::{FrameReceiver, Subscribers};
