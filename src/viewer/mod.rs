//! The viewer's side of a stream: which frame is sent next. Contains no sockets and no waiting.
//!
//! A [`FrameCursor`] takes the newest frame each time it is asked, so a slow one skips and never sees the
//! past. It repeats its first frame at once (Chromium draws a part only when the next has come) and follows
//! the bus's beats. It can look at a rendition of its stream instead: what it sees there is never older than
//! what it saw before.

mod counters;
mod abr;
mod replay;
mod snapshot;
mod cursor;

pub use abr::{AbrController, FrameCounts};
pub use counters::ViewerCounters;
pub use cursor::FrameCursor;
pub use replay::ReplayCursor;
pub use snapshot::{SNAPSHOT_WAIT, SnapshotError, newest_picture, next_after};
