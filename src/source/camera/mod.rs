//! Cameras over HTTP: an MJPEG stream or polled snapshots, and a probe that examines a URL. Also those of
//! Bambu Lab's printers.

pub mod bambu;
pub mod response_kind;
pub mod mjpeg;
pub mod probe;
pub mod snapshot;

use crate::{config::Limits, media::multipart::parser::ParserLimits};

/// Returns the configured limits that the parser of a camera's body applies.
fn parser_limits(limits: &Limits) -> ParserLimits {
    let Limits { max_frame_bytes, max_header_bytes, .. } = *limits;
    ParserLimits { max_frame_bytes, max_header_bytes }
}
