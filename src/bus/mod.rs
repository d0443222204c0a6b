//! A stream's bus: the newest frame, and nothing but the newest.
//!
//! The source side publishes through a [`Sink`]; viewers are an [`Audience`] that the stream's fan-out shows each frame to,
//! others hold a [`Subscriber`]. Each takes whatever is newest when it is ready for more. Nothing queues, so a slow viewer
//! costs no memory and never sees the past. Frames are numbered here, so that a viewer can count what it skipped.
//!
//! What is past is kept only where a [`History`] was asked for.
//!
//! A *beat* shows the same frame again: clients such as Chromium draw a frame only when the next part has arrived.

mod adaptive;
mod audience;
mod current;
mod headcount;
mod history;
mod lanes;
mod pace;
mod pages;
mod pushes;
mod saving;
mod sink;
mod stats;
mod timing;
mod totals;

pub use adaptive::{Adaptive, AdaptiveViewer, STEPS};
pub use audience::{Audience, Watcher};
#[cfg(test)]
pub(crate) use current::tests;
pub use current::{Bus, Published, Showing, Subscriber};
pub use headcount::Headcount;
pub use history::{History, HistoryError, Kept, Past};
pub use lanes::Lanes;
pub use pace::STEP as PACE_STEP;
pub use pages::Pages;
pub use pushes::{PushRefusal, PushRefusals};
pub use saving::{Saving, SavingState};
pub(crate) use sink::Pace;
pub use sink::{Rework, Sink};
pub use stats::{DropReason, StreamStats, Way};
pub use timing::{Timed, Timing};
pub use totals::Totals;
