//! The viewer's side of a stream: which frame is sent next. Contains no sockets and no waiting.
//!
//! A [`FrameCursor`] returns the newest frame at each call, so a slow viewer skips frames and never gets an
//! old one. It repeats its first frame at once (Chromium draws a part only when the next has come) and
//! follows the repeats of the bus. It can switch to a rendition of its stream: frames from there are never
//! older than the last one from before.

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
