//! A viewer's next frame.

#[path = "../../src/viewer/counters.rs"]
mod counts;
#[path = "../../src/viewer/cursor.rs"]
mod cursor;

pub use counts::ViewerCounters;
pub use cursor::FrameCursor;
