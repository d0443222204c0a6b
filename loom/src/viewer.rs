//! A viewer's next frame.

#[path = "../../src/viewer/counts.rs"]
mod counts;
#[path = "../../src/viewer/cursor.rs"]
mod cursor;

pub use counts::Counts;
pub use cursor::Viewer;
