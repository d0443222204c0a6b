//! Cameras that are asked over HTTP: an MJPEG stream, or one picture after another.

pub mod snapshot;
pub mod mjpeg;
