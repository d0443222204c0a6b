//! The size of a frame.

use schemars::JsonSchema;
use serde::Serialize;

use crate::media::frame::Frame;

/// Width and height in pixels.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PictureSize")]
pub(super) struct FrameSize {
    width: u16,
    height: u16,
}

impl FrameSize {
    pub(super) fn of(frame: &Frame) -> Self {
        Self { width: frame.width(), height: frame.height() }
    }
}
