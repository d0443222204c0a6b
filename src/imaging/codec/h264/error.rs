//! Errors of decoding H.264.

use crate::limits::BudgetError;

/// An error of decoding H.264. Decoding goes on at the next keyframe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum H264Error {
    /// The stream has a feature that openh264 lacks; another decoder is needed.
    #[error("the video is H.264 with {0}, which the built-in decoder does not support")]
    Unsupported(String),
    /// The pictures have more pixels than allowed; nothing was decoded.
    #[error("the video is {width}x{height} pixels, at most {max_pixels} pixels are accepted")]
    TooManyPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The limit in pixels.
        max_pixels: u64,
    },
    /// The memory for the reference pictures is not free.
    #[error(
        "no memory for decoding the video: {0}; raise limits.max_decode_bytes, or choose a smaller picture in the camera's settings"
    )]
    Memory(#[from] BudgetError),
    /// A parameter set cannot be read.
    #[error("the video's parameter set cannot be read: {0}")]
    ParameterSet(String),
    /// A keyframe came before its parameter sets.
    #[error("the video came without its parameter sets (SPS, PPS)")]
    NoParameterSets,
    /// A NAL unit is cut off or marked as damaged, or an access unit is too large.
    #[error("broken video data: {0}")]
    Framing(&'static str),
    /// openh264 refused the data.
    #[error("the video data are damaged or incomplete ({}); decoding goes on at the next keyframe", state_name(*.state))]
    Decode {
        /// The decoding state of openh264, a set of bits.
        state: i64,
    },
}

impl H264Error {
    /// Returns whether another decoder may help, and waiting does not.
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Self::Unsupported(_))
    }
}

/// Returns words for the lowest bit of openh264's `DECODING_STATE`.
fn state_name(state: i64) -> &'static str {
    const STATES: [(i64, &str); 7] = [
        (0x01, "a part of the picture is missing"),
        (0x02, "a reference picture is missing"),
        (0x04, "a slice cannot be read"),
        (0x08, "a layer is missing"),
        (0x10, "a parameter set is missing"),
        (0x40, "the list of references has gaps"),
        (0x4000, "no memory"),
    ];
    STATES.iter().find(|(bit, _)| state & bit != 0).map_or("the decoder gave no reason", |(_, name)| name)
}
