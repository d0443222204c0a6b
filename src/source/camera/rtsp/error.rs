//! The errors of RTSP sessions that HTTP cameras do not have.

use std::{borrow::Cow, time::Duration};

use super::{codec::VideoCodec, tunnel::message::MessageError};

/// An error of an RTSP session. Reasons may quote the camera; [`RtspError::public`] does not.
#[derive(Debug, thiserror::Error)]
pub enum RtspError {
    /// The camera's bytes are not RTSP, or too many.
    #[error("{host} {source}")]
    Message {
        /// Host and port.
        host: String,
        /// The error in its bytes.
        source: MessageError,
    },
    /// The camera's session cannot be used.
    #[error("{host} sends no usable session: {reason}")]
    Session {
        /// Host and port.
        host: String,
        /// The error of the client library.
        reason: String,
    },
    /// The camera refuses the configured transport.
    #[error("{host} {}", refused(*is_udp))]
    Transport {
        /// Host and port.
        host: String,
        /// The transport is UDP.
        is_udp: bool,
    },
    /// The camera does not say from where it sends.
    #[error("{host} names no ports for UDP: set transport: tcp")]
    NoServerPort {
        /// Host and port.
        host: String,
    },
    /// The session has sound or data only.
    #[error("{host} offers no video: is the URL's path right?")]
    NoVideo {
        /// Host and port.
        host: String,
    },
    /// The video is of a kind that needs ffmpeg, which is not there or not wanted.
    #[error("{host} sends {codec}; {NEEDS_FFMPEG}")]
    Codec {
        /// Host and port.
        host: String,
        /// The kind of the video.
        codec: VideoCodec,
    },
    /// The decoder does not take the video.
    #[error("{host} sends H.264 that cannot be decoded ({reason}); {NEEDS_FFMPEG}")]
    Undecodable {
        /// Host and port.
        host: String,
        /// The decoder's error.
        reason: String,
    },
    /// There is no memory for the decoder.
    #[error("{host}: {reason}")]
    Memory {
        /// Host and port.
        host: String,
        /// The decoder's error.
        reason: String,
    },
    /// The camera sends pictures that depend on one that it does not send.
    #[error("{host} {}", no_keyframe(*within))]
    NoKeyframe {
        /// Host and port.
        host: String,
        /// The configured time.
        within: Duration,
    },
}

const NEEDS_FFMPEG: &str = "framecast decodes JPEG and H.264 itself and needs ffmpeg for this: install it, or \
                            choose H.264 in the camera's settings, or use its substream";

impl RtspError {
    /// Returns the text for everybody, without the camera's name and words.
    pub fn public(&self) -> Cow<'static, str> {
        match self {
            Self::Message { source, .. } => format!("the camera {source}").into(),
            Self::Session { .. } => "the camera sends no usable RTSP session".into(),
            Self::Transport { is_udp, .. } => format!("the camera {}", refused(*is_udp)).into(),
            Self::NoServerPort { .. } => "the camera names no ports for UDP: set transport: tcp".into(),
            Self::NoVideo { .. } => "the camera offers no video: is the URL's path right?".into(),
            Self::Codec { codec, .. } => format!("the camera sends {codec}; {NEEDS_FFMPEG}").into(),
            Self::Undecodable { .. } => {
                format!("the camera sends H.264 that cannot be decoded; {NEEDS_FFMPEG}").into()
            }
            Self::Memory { .. } => "decoding it takes more memory than limits.max_decode_bytes allows".into(),
            Self::NoKeyframe { within, .. } => format!("the camera {}", no_keyframe(*within)).into(),
        }
    }
}

fn refused(is_udp: bool) -> String {
    let (this, other) = if is_udp { ("UDP", "tcp") } else { ("TCP", "udp") };
    format!("refuses {this} for its pictures: set transport: auto, or {other}")
}

fn no_keyframe(within: Duration) -> String {
    format!(
        "sent no keyframe within {} s: lower its keyframe interval (also called I-frame interval or GOP), or \
         raise first_frame_timeout",
        within.as_secs_f64()
    )
}
