//! Cameras over HTTP: an MJPEG stream or polled snapshots, and a probe that examines a URL.

pub mod response_kind;
pub mod mjpeg;
pub mod probe;
pub mod snapshot;
