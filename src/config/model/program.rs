//! Sources that are other programs.

use std::{path::PathBuf, time::Duration};

use super::{Secret, Size};

/// `type: exec`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecConfig {
    /// A path, or a name to be looked for on `PATH`.
    pub program: String,
    /// Its arguments, which may hold credentials.
    pub arguments: Vec<Secret>,
    /// Its environment variables, besides those it inherits.
    pub environment: Vec<(String, Secret)>,
    /// Its working directory; framecast's own if not said.
    pub folder: Option<PathBuf>,
    /// How long is waited for its frames.
    pub patience: Patience,
}

/// How long a program may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From its start to its first whole frame.
    pub first_frame: Duration,
    /// From one whole frame to the next.
    pub frame: Duration,
}

/// `type: rtsp`.
#[derive(Debug, Clone, PartialEq)]
pub struct RtspConfig {
    /// `rtsp` or `rtsps`, with a host, and with its credentials.
    pub url: Secret,
    /// How the camera sends its pictures.
    pub transport: RtspTransport,
    /// Picture size; the camera's if not said.
    pub size: Option<Size>,
    /// Pictures per second; the camera's if not said.
    pub fps: Option<f64>,
    /// JPEG quality, 1 to 100.
    pub quality: u8,
    /// How long is waited for its frames.
    pub patience: Patience,
}

/// How an RTSP camera sends its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtspTransport {
    /// In the connection that asks for them.
    Tcp,
    /// In packets of their own, some of which get lost.
    Udp,
}

impl RtspTransport {
    /// As in the file, and in ffmpeg's options.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// `type: v4l2`.
#[derive(Debug, Clone, PartialEq)]
pub struct V4l2Config {
    /// Such as `/dev/video0`; need not exist yet.
    pub device: PathBuf,
    /// Picture size; the camera's if not said.
    pub size: Option<Size>,
    /// Pictures per second; the camera's if not said.
    pub fps: Option<f64>,
    /// How long is waited for its frames.
    pub patience: Patience,
}
