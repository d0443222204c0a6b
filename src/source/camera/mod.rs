//! Cameras over HTTP: an MJPEG stream, or one picture after another; and a look at what a camera sends.

pub mod mjpeg;
pub mod probe;
pub mod snapshot;
