//! A viewer's next frame.

#[path = "../../src/viewer/counters.rs"]
mod counters;
#[path = "../../src/viewer/cursor.rs"]
mod cursor;

pub use counters::ViewerCounters;
pub use cursor::FrameCursor;
