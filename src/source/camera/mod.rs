//! Cameras: MJPEG streams, polled snapshots, or whichever of both it is, over HTTP; RTSP; printers; and a
//! probe that examines a URL.

pub mod bambu;
pub mod detection;
pub mod response_kind;
pub mod mjpeg;
pub mod probe;
pub mod rtsp;
pub mod snapshot;

use std::time::Duration;

use crate::{
    config::{Limits, UpstreamConfig},
    imaging::{convert::PictureLimits, cpu_pool::StreamQueue},
    media::multipart::parser::ParserLimits,
    source::{error::Deadline, http_client::BodyDeadline},
};

/// Returns the configured limits that the parser of a camera's body applies.
fn parser_limits(limits: &Limits) -> ParserLimits {
    let Limits { max_frame_bytes, max_header_bytes, .. } = *limits;
    ParserLimits { max_frame_bytes, max_header_bytes }
}

/// The bounds of a camera's pictures.
#[derive(Debug, Clone)]
struct Bounds {
    first_frame_timeout: Duration,
    frame_timeout: Duration,
    parser_limits: ParserLimits,
    /// The queue in which PNG parts are converted, and the limits of one; without it they are skipped.
    converter: Option<(StreamQueue, PictureLimits)>,
}

impl Bounds {
    fn new(camera: &UpstreamConfig, limits: &Limits) -> Self {
        let UpstreamConfig { first_frame_timeout, frame_timeout, .. } = *camera;
        Self { first_frame_timeout, frame_timeout, parser_limits: parser_limits(limits), converter: None }
    }

    fn first_frame(&self) -> BodyDeadline {
        BodyDeadline::new(Deadline::FirstFrame, self.first_frame_timeout)
    }

    fn next_frame(&self) -> BodyDeadline {
        BodyDeadline::new(Deadline::NextFrame, self.frame_timeout)
    }
}
