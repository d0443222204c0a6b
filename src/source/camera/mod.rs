//! Cameras: MJPEG streams and polled snapshots over HTTP, RTSP, printers, and a probe that examines a URL.

pub mod bambu;
pub mod response_kind;
pub mod mjpeg;
pub mod probe;
pub mod rtsp;
pub mod snapshot;

use crate::{config::Limits, media::multipart::parser::ParserLimits};

/// Returns the configured limits that the parser of a camera's body applies.
fn parser_limits(limits: &Limits) -> ParserLimits {
    let Limits { max_frame_bytes, max_header_bytes, .. } = *limits;
    ParserLimits { max_frame_bytes, max_header_bytes }
}
