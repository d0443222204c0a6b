//! The checked configuration. A value of these types needs no further check.

mod auth;
mod chart;
mod embedding;
mod log;
mod mosaic;
mod placeholder;
mod program;
mod sources;
mod proxies;
mod webhook;

use std::{
    fmt,
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

pub use auth::{AuthConfig, Grant, Reach, Role, TokenConfig, TokenHash, UserConfig};
pub use chart::{AxisConfig, ChartConfig, ChartStyle, PollConfig, Publishers, SeriesConfig, Theme};
pub use embedding::{Ancestor, FrameAncestors};
pub use log::{AccessLog, LogConfig, LogFormat};
pub use mosaic::MosaicConfig;
pub use placeholder::Placeholder;
pub use program::{ExecConfig, Patience, RtspConfig, RtspTransport, V4l2Config};
pub use proxies::{NoProxy, Proxies, Proxy};
use url::Url;
pub use webhook::{HookEvent, WebhookConfig};

use super::{added::Written, address::Listen, rework::Rework};
use crate::media::stream_name::StreamName;

/// Everything `framecast serve` needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where and how to listen.
    pub server: ServerConfig,
    /// Who may do what.
    pub auth: AuthConfig,
    /// Who is told what happens.
    pub webhooks: Vec<WebhookConfig>,
    /// How the log is written.
    pub log: LogConfig,
    /// Bounds that hold for all streams.
    pub limits: Limits,
    /// The streams, in the order of the file (mjpg-streamer's `stream_N` counts in it).
    pub streams: Vec<StreamConfig>,
    /// All of them in one picture, unless there is a stream of that name, or it was switched off.
    pub overview: Option<StreamConfig>,
    /// What stands in the file for each stream.
    pub written: Written,
}

/// Whether frames are sent to many viewers from pages of the kernel that they share, where the system can do so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SendFile {
    /// To so many viewers that it costs less than writing.
    #[default]
    Auto,
    /// Never.
    Never,
}

/// The sources that streams added over HTTP may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApiSources {
    /// Addresses that framecast itself requests.
    #[default]
    Network,
    /// Those, and cameras for which it starts ffmpeg.
    NetworkAndFfmpeg,
}

/// What becomes of a second feed of a push stream: docs/adr/0006.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecondPublisher {
    /// It takes the place of the first.
    #[default]
    Replaces,
    /// It is refused, and so are single pictures, while the first one feeds.
    Refused,
}

/// `server:`.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerConfig {
    /// Addresses to listen on; at least one.
    pub listen: Vec<Listen>,
    /// Who may connect to its Unix sockets.
    pub socket_mode: u32,
    /// Prefix of every route: empty, or `/like/this` without a final slash.
    pub base_path: String,
    /// Send frames to many viewers from pages that they share.
    pub sendfile: SendFile,
    /// Speak TLS, and nothing else, on all addresses.
    pub tls: Option<TlsConfig>,
    /// Whose word on a client's address is taken.
    pub trusted_proxies: Proxies,
    /// `Access-Control-Allow-Origin` on streams and snapshots; none switches it off.
    pub cors: Option<String>,
    /// `Cross-Origin-Resource-Policy: same-site` where `cors` is none.
    pub same_site_only: bool,
    /// Whose pages may show framecast's in a frame.
    pub frame_ancestors: FrameAncestors,
    /// The sources that streams added over HTTP may have.
    pub api_sources: ApiSources,
    /// What `/stream`, `/snapshot` and `/?action=stream` mean; the first stream if none was named.
    pub default_stream: Option<StreamName>,
    /// Show all streams in one picture at `/streams/all`.
    pub mosaic: bool,
}

/// `server.tls:`. What is in the files is looked at by whoever serves with them.
#[derive(Debug, Clone, PartialEq)]
pub struct TlsConfig {
    /// The certificate and those that vouch for it, in PEM.
    pub cert_file: PathBuf,
    /// The certificate's private key, in PEM.
    pub key_file: PathBuf,
    /// Offer HTTP/2 as well.
    pub http2: bool,
    /// Addresses where plain HTTP is led to TLS.
    pub redirect_from: Vec<SocketAddr>,
}

/// `limits:`.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Largest frame taken in, in bytes.
    pub max_frame_bytes: usize,
    /// Largest picture taken in, in pixels (width times height): bounds the memory of a conversion.
    pub max_frame_pixels: u64,
    /// Longest header section of a part or response head, in bytes.
    pub max_header_bytes: usize,
    /// Viewers of all streams together.
    pub max_viewers: usize,
    /// Viewers of one stream.
    pub max_viewers_per_stream: usize,
    /// Pages that are connected for their live tiles.
    pub max_live_connections: usize,
    /// Viewers and pages from one address; none without a bound.
    pub max_viewers_per_address: Option<usize>,
    /// Requests a second from one address; none without a bound.
    pub max_requests_per_second: Option<NonZeroU32>,
    /// What one stream with `replay` keeps in memory, in bytes.
    pub max_replay_bytes: usize,
    /// Renditions that viewers ask for in the URL, of all streams together.
    pub max_renditions: usize,
    /// Memory for decoding, drawing and encoding all pictures together, in bytes; `None`: depends on the
    /// available memory.
    pub max_decode_bytes: Option<usize>,
    /// Limit of all request bodies that are being received, in bytes; `None`: depends on the available
    /// memory.
    pub max_upload_bytes: Option<usize>,
    /// Maximum number of concurrent uploads to one stream.
    pub max_uploads_per_stream: usize,
    /// Maximum number of concurrent uploads without a credential from one address; `None`: unlimited.
    pub max_uploads_per_address: Option<usize>,
    /// Limit of the answers that clients have not read, of all connections, in bytes; `None`: depends on the
    /// available memory.
    pub max_unsent_bytes: Option<usize>,
    /// Limit of the answers that the client of one connection has not read, in bytes.
    pub max_unsent_bytes_per_connection: usize,
    /// Maximum number of concurrent connections from one address; `None`: unlimited.
    pub max_connections_per_address: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_frame_bytes: 8 * 1024 * 1024,
            max_frame_pixels: 50_000_000,
            max_header_bytes: 16 * 1024,
            max_viewers: 2000,
            max_viewers_per_stream: 1000,
            max_live_connections: 200,
            max_viewers_per_address: None,
            max_requests_per_second: None,
            max_replay_bytes: 64 * 1024 * 1024,
            max_renditions: 16,
            max_decode_bytes: None,
            max_upload_bytes: None,
            max_uploads_per_stream: 8,
            max_uploads_per_address: Some(16),
            max_unsent_bytes: None,
            max_unsent_bytes_per_connection: 1024 * 1024,
            max_connections_per_address: None,
        }
    }
}

/// One entry of `streams:`, with `defaults:` applied.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamConfig {
    /// The key in the file.
    pub name: StreamName,
    /// What people read; the name if not said.
    pub title: String,
    /// Where its frames come from; the first choice, if there are others.
    pub source: SourceConfig,
    /// What is shown while all before are away, in this order.
    pub fallbacks: Vec<SourceConfig>,
    /// A source before the one in use is taken again when frames came from it for so long.
    pub failback_after: Duration,
    /// Run the source only while somebody watches.
    pub on_demand: bool,
    /// How long the source goes on after the last viewer left.
    pub linger: Duration,
    /// Frames above this rate (per second) are dropped and counted.
    pub max_fps: Option<f64>,
    /// What is shown while the source is away.
    pub placeholder: Placeholder,
    /// Chunked transfer coding to HTTP/1.1 viewers.
    pub chunked: bool,
    /// A viewer that takes nothing for so long is let go.
    pub viewer_timeout: Duration,
    /// Viewers whose link does not carry the stream get smaller pictures.
    pub adapt: bool,
    /// Write each frame to disk too.
    pub save: Option<SaveConfig>,
    /// What is done to its pictures.
    pub rework: Rework,
    /// Keep the pictures of the last so long in memory.
    pub replay: Option<Duration>,
}

/// `source:`, by its `type`.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceConfig {
    /// `type: mjpeg`.
    Mjpeg(UpstreamConfig),
    /// `type: snapshot`.
    Snapshot {
        /// The picture's URL and how to ask for it.
        upstream: UpstreamConfig,
        /// From the start of one request to the start of the next.
        interval: Duration,
    },
    /// `type: exec`.
    Exec(ExecConfig),
    /// `type: rtsp`.
    Rtsp(RtspConfig),
    /// `type: v4l2`.
    V4l2(V4l2Config),
    /// `type: push`.
    Push {
        /// What a publisher must show; `None` is written `token: none` and lets anybody push.
        token: Option<Secret>,
        /// What becomes of a second feed.
        second: SecondPublisher,
    },
    /// `type: chart`.
    Chart(Box<ChartConfig>),
    /// `type: text`.
    Text(TextConfig),
    /// `type: pattern`.
    Pattern {
        /// Picture size.
        size: Size,
        /// Frames per second.
        fps: f64,
    },
    /// `type: images`.
    Images {
        /// Which files.
        path: ImagesPath,
        /// Pictures per second.
        fps: f64,
    },
    /// `type: rendition`.
    Rendition {
        /// The stream whose pictures it shows.
        of: StreamName,
        /// It is taken for away when no new picture came for so long.
        frame_timeout: Option<Duration>,
    },
    /// `type: mosaic`.
    Mosaic(MosaicConfig),
}

impl SourceConfig {
    /// The streams whose pictures it needs.
    pub fn origins(&self) -> &[StreamName] {
        match self {
            Self::Rendition { of, .. } => std::slice::from_ref(of),
            Self::Mosaic(mosaic) => &mosaic.of,
            _ => &[],
        }
    }

    /// The word written after `type:`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Mjpeg(_) => "mjpeg",
            Self::Snapshot { .. } => "snapshot",
            Self::Exec(_) => "exec",
            Self::Rtsp(_) => "rtsp",
            Self::V4l2(_) => "v4l2",
            Self::Push { .. } => "push",
            Self::Chart(_) => "chart",
            Self::Text(_) => "text",
            Self::Pattern { .. } => "pattern",
            Self::Images { .. } => "images",
            Self::Rendition { .. } => "rendition",
            Self::Mosaic(_) => "mosaic",
        }
    }
}

/// How to reach a camera.
#[derive(Debug, Clone, PartialEq)]
pub struct UpstreamConfig {
    /// `http` or `https`, with a host; credentials were moved to `login`.
    pub url: Url,
    /// User and password, from the URL.
    pub login: Option<Login>,
    /// Headers sent with each request.
    pub headers: Vec<(String, Secret)>,
    /// Accept any certificate.
    pub insecure: bool,
    /// From the start of connecting to the end of the TLS handshake.
    pub connect_timeout: Duration,
    /// From the request to the end of the response head.
    pub head_timeout: Duration,
    /// From the response head to the first whole frame.
    pub first_frame_timeout: Duration,
    /// From one whole frame to the next.
    pub frame_timeout: Duration,
}

/// User and password of a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// User name, percent-decoded.
    pub user: String,
    /// Password, percent-decoded.
    pub password: Secret,
}

/// `type: text`.
#[derive(Debug, Clone, PartialEq)]
pub struct TextConfig {
    /// The text, with strftime's `%` conversions.
    pub text: String,
    /// Picture size.
    pub size: Size,
    /// Height of a line's letters, in pixels.
    pub font_size: f32,
    /// Colour of the letters.
    pub color: Color,
    /// Colour behind them.
    pub background: Color,
    /// Frames per second.
    pub fps: f64,
}

/// Width and height in pixels, written `640x480`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels across.
    pub width: NonZeroU32,
    /// Pixels down.
    pub height: NonZeroU32,
}

/// Red, green and blue, written `#rrggbb` or `#rgb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color {
    /// Red.
    pub r: u8,
    /// Green.
    pub g: u8,
    /// Blue.
    pub b: u8,
}

/// Which pictures `type: images` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImagesPath {
    /// A glob pattern (a plain folder was turned into `folder/*`).
    Glob(String),
    /// The pictures shipped in the program, written `builtin:demo`.
    BuiltIn,
}

/// `save:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveConfig {
    /// Where to.
    pub target: SaveTarget,
    /// One frame each so long; every frame without it.
    pub every: Option<Duration>,
}

/// Where frames are saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaveTarget {
    /// One file that is always the newest frame, replaced atomically.
    Latest(PathBuf),
    /// The newest frames as files in a folder. One bound at least is there.
    Ring {
        /// The folder, made if absent.
        dir: PathBuf,
        /// How many files stay.
        keep: Option<NonZeroU32>,
        /// How many bytes the files have together.
        max_bytes: Option<u64>,
    },
    /// One behind the other in one file.
    Append {
        /// The file, made if absent.
        file: PathBuf,
        /// Its bytes at most.
        max_bytes: u64,
        /// What becomes of it then.
        when_full: WhenFull,
    },
}

/// What becomes of a file that is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// It is renamed, in place of the one before, and begun anew.
    Rotate,
    /// It stays as it is.
    Stop,
}

impl SaveTarget {
    /// The file or folder as configured.
    pub fn place(&self) -> &Path {
        match self {
            Self::Latest(path) | Self::Ring { dir: path, .. } | Self::Append { file: path, .. } => path,
        }
    }
}

/// A text that no log line, error, page or answer may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for the wire and for comparing, never for showing.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}
