//! A viewer's next frame.

#[path = "../../src/session/counts.rs"]
mod counts;
#[path = "../../src/session/viewer.rs"]
mod viewer;

pub use counts::Counts;
pub use viewer::Viewer;
