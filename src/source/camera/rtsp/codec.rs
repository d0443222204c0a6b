//! The kind of a camera's video, by its name in the session's description.

use std::fmt;

/// The kind of a video. `Display` prints the name that cameras' settings use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoCodec {
    /// RTP/JPEG (RFC 2435).
    Jpeg,
    /// H.264 (RFC 6184).
    H264,
    /// H.265 (RFC 7798).
    H265,
    /// AV1.
    Av1,
    /// MPEG-4 Part 2.
    Mpeg4,
    /// VP8 or VP9.
    Vp,
    /// A name that is not known; it is the camera's, and not shown.
    Other,
}

impl VideoCodec {
    /// Returns the kind for an encoding name of RTP (`a=rtpmap`), in lower case.
    pub fn from_encoding_name(name: &str) -> Self {
        match name {
            "jpeg" => Self::Jpeg,
            "h264" => Self::H264,
            "h265" | "hevc" => Self::H265,
            "av1" => Self::Av1,
            "mp4v-es" | "mpeg4" => Self::Mpeg4,
            "vp8" | "vp9" => Self::Vp,
            _ => Self::Other,
        }
    }

    /// Returns whether framecast decodes it, or need not.
    pub fn is_native(self) -> bool {
        self == Self::Jpeg || self == Self::H264 && cfg!(feature = "h264")
    }
}

impl fmt::Display for VideoCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::H264 => "H.264",
            Self::H265 => "H.265",
            Self::Av1 => "AV1",
            Self::Mpeg4 => "MPEG-4 video",
            Self::Vp => "VP8 or VP9",
            Self::Other => "a codec that is not for cameras",
        })
    }
}
