//! A stream's sources: the first choice, and those that stand in for it.

use url::Url;

use super::{ImagesPath, SourceConfig, StreamConfig};
use crate::media::stream_name::StreamName;

impl StreamConfig {
    /// All of them, the most wanted first.
    pub fn sources(&self) -> impl Iterator<Item = &SourceConfig> {
        std::iter::once(&self.source).chain(&self.fallbacks)
    }

    /// Whether others stand in for the first.
    pub fn has_fallbacks(&self) -> bool {
        !self.fallbacks.is_empty()
    }

    /// The streams whose pictures any of them needs.
    pub fn origins(&self) -> impl Iterator<Item = &StreamName> {
        self.sources().flat_map(SourceConfig::origins)
    }
}

impl SourceConfig {
    /// Which one of its type it is, for people: of a URL only host and port, since paths and queries carry tokens.
    pub fn place(&self) -> Option<String> {
        match self {
            Self::Mjpeg(upstream) | Self::Snapshot { upstream, .. } => Some(host(&upstream.url)),
            Self::Exec(exec) => Some(exec.program.clone()),
            Self::Rtsp(rtsp) => Url::parse(rtsp.url.reveal()).ok().map(|url| host(&url)),
            Self::V4l2(v4l2) => Some(v4l2.device.display().to_string()),
            Self::Images { path: ImagesPath::Glob(pattern), .. } => Some(pattern.clone()),
            Self::Images { path: ImagesPath::BuiltIn, .. } => Some("builtin:demo".to_owned()),
            Self::Rendition { of, .. } => Some(of.to_string()),
            Self::Push { .. } | Self::Chart(_) | Self::Text(_) | Self::Pattern { .. } | Self::Mosaic(_) => {
                None
            }
        }
    }

    /// Returns whether the source is a program on this machine, or needs one.
    pub fn starts_program(&self) -> bool {
        matches!(self, Self::Exec(_) | Self::Rtsp(_) | Self::V4l2(_))
    }

    /// Whether it gives frames whatever happens: it reaches for nothing that could be away.
    pub fn never_fails(&self) -> bool {
        matches!(self, Self::Chart(_) | Self::Text(_) | Self::Pattern { .. } | Self::Mosaic(_))
            || matches!(self, Self::Images { path: ImagesPath::BuiltIn, .. })
    }
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
