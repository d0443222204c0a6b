//! `source:`, by its `type`.

use std::{fmt, path::Path, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    chart::ChartConfig,
    http_source::{AnswerTime, FrameTime, HttpAuth, SnapshotConfig, Token, UpstreamConfig, split_login},
    mosaic::MosaicConfig,
    program::{ExecConfig, RtspConfig, RtspDecoder, V4l2Config},
};
use crate::{
    config::{
        reader::{HOST, LOCAL, Reader, SECRET},
        values::{
            Color, Fps, LetterHeight, Secret, Size, StreamRef, Text, Words, Wrong, number, rgb, scalar, secs,
            size,
        },
    },
    media::stream_name::StreamName,
};

/// `source:`, by its `type`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[schemars(tag = "type")]
pub enum SourceConfig {
    /// `type: mjpeg`.
    Mjpeg(UpstreamConfig),
    /// `type: snapshot`.
    Snapshot(SnapshotConfig),
    /// `type: bambu`.
    Bambu(BambuConfig),
    /// `type: auto`.
    Auto(UpstreamConfig),
    /// `type: exec`.
    Exec(ExecConfig),
    /// `type: rtsp`.
    Rtsp(RtspConfig),
    /// `type: v4l2`.
    V4l2(V4l2Config),
    /// `type: push`.
    Push {
        /// Token that a publisher must send. `none` lets anybody push.
        #[serde(with = "Text::<Token>")]
        #[schemars(extend(
            "x-need" = "a secret that publishers must show, or `token: none` to let anybody push"
        ))]
        token: Option<Secret>,
        /// Treatment of a second feed while another feeds the stream: it replaces the first, or is refused
        /// with 409, as single pictures are then.
        #[serde(default, rename = "second_publisher")]
        second: SecondPublisher,
    },
    /// `type: chart`.
    Chart(Box<ChartConfig>),
    /// `type: text`.
    Text(TextConfig),
    /// `type: pattern`.
    Pattern {
        /// Picture size in pixels.
        #[serde(default = "size::<640, 480>", with = "Text::<Size>")]
        size: Size,
        /// Frames per second.
        #[serde(default = "number::<_, 10>", with = "Text::<Fps>")]
        fps: f64,
    },
    /// `type: images`.
    Images {
        /// Pictures to show: a file, a folder, a pattern such as `img/*`, or `builtin:demo`. Relative to the
        /// working directory.
        #[serde(with = "Text::<Images>")]
        #[schemars(extend(
            "x-local" = "builtin:demo",
            "x-need" = "a picture, a folder, a pattern such as img/*.jpg, or builtin:demo"
        ))]
        path: ImagesPath,
        /// Frames per second.
        #[serde(default = "number::<_, 1>", with = "Text::<Fps>")]
        fps: f64,
    },
    /// `type: rendition`.
    Rendition {
        /// The source stream. It runs while this one does.
        #[serde(with = "Text::<StreamRef>")]
        #[schemars(extend("x-need" = "the stream whose pictures it shows"))]
        of: StreamName,
        /// Time without a new picture after which the other stream counts as away: for one that is pushed,
        /// in a list of sources.
        #[serde(default, with = "Text::<Option<FrameTime>>")]
        #[schemars(extend("x-default" = "none"))]
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
            Self::Snapshot(_) => "snapshot",
            Self::Bambu(_) => "bambu",
            Self::Auto(_) => "auto",
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

    /// A description of which one of its type it is: of a URL only host and port, since paths and queries
    /// carry tokens.
    pub fn place(&self) -> Option<String> {
        match self {
            Self::Mjpeg(UpstreamConfig { url, .. })
            | Self::Auto(UpstreamConfig { url, .. })
            | Self::Snapshot(SnapshotConfig { url, .. }) => Some(host(url)),
            Self::Bambu(BambuConfig { host: PrinterAddress { host, port: PRINTER_PORT }, .. }) => {
                Some(host.clone())
            }
            Self::Bambu(BambuConfig { host, .. }) => Some(host.to_string()),
            Self::Exec(exec) => Some(exec.program.clone()),
            Self::Rtsp(rtsp) => Url::parse(rtsp.url.reveal()).ok().map(|url| host(&url)),
            Self::V4l2(v4l2) => Some(v4l2.device.display().to_string()),
            Self::Images { path: ImagesPath::Glob(pattern), .. } => Some(pattern.clone()),
            Self::Images { path: ImagesPath::BuiltIn, .. } => Some("builtin:demo".to_owned()),
            Self::Rendition { of, .. } => Some(of.to_string()),
            _ => None,
        }
    }

    /// Returns whether the source is a program on this machine, or may need one.
    pub fn starts_program(&self) -> bool {
        match self {
            Self::Exec(_) | Self::V4l2(_) => true,
            Self::Rtsp(rtsp) => rtsp.decoder != RtspDecoder::Native,
            _ => false,
        }
    }

    /// Returns whether it gives frames whatever happens: it reaches for nothing that could be away.
    pub fn never_fails(&self) -> bool {
        matches!(self, Self::Chart(_) | Self::Text(_) | Self::Pattern { .. } | Self::Mosaic(_))
            || matches!(self, Self::Images { path: ImagesPath::BuiltIn, .. })
    }

    /// The size of its pictures, where it makes them.
    fn size(&self) -> Option<Size> {
        match self {
            Self::Rtsp(RtspConfig { size, .. }) | Self::V4l2(V4l2Config { size, .. }) => *size,
            Self::Chart(chart) => Some(chart.size),
            Self::Text(text) => Some(text.size),
            Self::Pattern { size, .. } => Some(*size),
            Self::Mosaic(mosaic) => Some(mosaic.size),
            _ => None,
        }
    }

    /// Takes apart what is one value in the file.
    pub(crate) fn complete(&mut self) {
        match self {
            Self::Mjpeg(UpstreamConfig { url, login, .. })
            | Self::Auto(UpstreamConfig { url, login, .. })
            | Self::Snapshot(SnapshotConfig { url, login, .. }) => {
                *login = split_login(url);
            }
            Self::Exec(exec) => exec.complete(),
            _ => {}
        }
    }

    /// Notes what is wrong with several keys together.
    pub(crate) fn check(&self, reader: &Reader<'_>, max_pixels: u64) {
        if let Some(size) = self.size().filter(|size| size.pixels() > max_pixels) {
            let most = format!("must have at most limits.max_frame_pixels ({max_pixels}) pixels, not {size}");
            reader.wrong_key("size", most);
        }
        match self {
            Self::Mjpeg(UpstreamConfig { login: None, auth: HttpAuth::Basic, .. })
            | Self::Snapshot(SnapshotConfig { login: None, auth: HttpAuth::Basic, .. }) => {
                reader
                    .wrong_key("auth", "needs user and password in the url: http://user:password@host/path");
            }
            Self::Exec(exec) => exec.check(reader),
            Self::Chart(chart) => chart.check(reader),
            Self::Mosaic(mosaic) => mosaic.check(reader),
            _ => {}
        }
    }
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The port of a printer's camera.
const PRINTER_PORT: u16 = 6000;

/// Longest access code: that much of the hello is for it.
const MAX_ACCESS_CODE: usize = 32;

/// `type: bambu`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BambuConfig {
    /// Host name or IP address of the printer, with a port if it is not 6000.
    #[serde(with = "Text::<PrinterHost>")]
    #[schemars(extend("x-need" = "the address of the printer, such as 192.168.1.9"))]
    pub host: PrinterAddress,
    /// The access code that the printer shows in its network settings.
    #[serde(with = "Text::<AccessCode>")]
    #[schemars(extend("x-need" = "the access code that the printer shows in its network settings"))]
    pub access_code: Secret,
    /// Timeout from the start of the connection to the end of the TLS handshake.
    #[serde(default = "secs::<5>", with = "Text::<AnswerTime>")]
    pub connect_timeout: Duration,
    /// Timeout from the TLS handshake to the first whole frame.
    #[serde(default = "secs::<10>", with = "Text::<AnswerTime>")]
    pub first_frame_timeout: Duration,
    /// Timeout from one whole frame to the next.
    #[serde(default = "secs::<10>", with = "Text::<FrameTime>")]
    pub frame_timeout: Duration,
}

/// The address of a printer's camera; `Display` writes it with its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrinterAddress {
    /// Host name or IP address, IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for PrinterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

scalar!(struct PrinterHost => PrinterAddress, "host, or host:port", HOST, |text| {
    let wrong = || Wrong::shown("must be a host name or an IP address, such as 192.168.1.9, and no URL");
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok(PrinterAddress { host: text.to_owned(), port: PRINTER_PORT });
    }
    // A scheme without rules of its own: no port is its default.
    let url = Url::parse(&format!("printer://{text}")).map_err(|_| wrong())?;
    let is_host = url.path().is_empty() && !text.contains(['@', '?', '#', '%', '\\']) && !text.ends_with(':');
    let host = url.host().filter(|_| is_host).ok_or_else(wrong)?;
    let host = match host {
        url::Host::Ipv6(address) => address.to_string(),
        host => host.to_string(),
    };
    match (host.is_empty(), url.port().unwrap_or(PRINTER_PORT)) {
        (true, _) | (_, 0) => Err(wrong()),
        (false, port) => Ok(PrinterAddress { host, port }),
    }
});

scalar!(
    /// The access code of a printer.
    struct AccessCode => Secret, "text", SECRET, |text| {
        let is_word = text.bytes().all(|byte| byte.is_ascii_graphic());
        let fits = (1..=MAX_ACCESS_CODE).contains(&text.len());
        let want = || Wrong::hidden("must be the code that the printer shows: a word of 32 letters at most");
        (is_word && fits).then(|| Secret::new(text)).ok_or_else(want)
    }
);

/// The fate of a second feed of a push stream: docs/adr/0006.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecondPublisher {
    /// It takes the place of the first.
    #[default]
    Replaces,
    /// It is refused, and so are single pictures, while the first one feeds.
    Refused,
}

/// `type: text`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextConfig {
    /// Text to draw, with strftime's conversions: `%H:%M:%S`. A literal `%` is `%%`.
    #[serde(with = "Text::<Words<10_000>>")]
    #[schemars(extend("x-need" = "the text to draw, with strftime's % conversions"))]
    pub text: String,
    /// Picture size in pixels.
    #[serde(default = "size::<300, 30>", with = "Text::<Size>")]
    pub size: Size,
    /// Font size.
    #[serde(default = "number::<_, 16>", with = "Text::<LetterHeight>")]
    pub font_size: f32,
    /// Text colour: `"#rrggbb"` or `"#rgb"`.
    #[serde(default = "rgb::<0>", with = "Text::<Color>")]
    pub color: Color,
    /// Background colour.
    #[serde(default = "rgb::<0xffffff>", with = "Text::<Color>")]
    pub background: Color,
    /// Frames per second.
    #[serde(default = "number::<_, 1>", with = "Text::<Fps>")]
    pub fps: f64,
}

/// The pictures that `type: images` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImagesPath {
    /// A glob pattern (a plain folder was turned into `folder/*`).
    Glob(String),
    /// The pictures shipped in the program, written `builtin:demo`.
    BuiltIn,
}

scalar!(struct Images => ImagesPath, "file, folder or pattern", LOCAL, |text| {
    if let Some(name) = text.strip_prefix("builtin:") {
        let known = (name == "demo").then_some(ImagesPath::BuiltIn);
        return known.ok_or_else(|| Wrong::shown("the only built-in pictures are builtin:demo"));
    }
    let path = Path::new(text);
    if path.is_dir() {
        let folder = glob::Pattern::escape(text.trim_end_matches('/'));
        return Ok(ImagesPath::Glob(format!("{folder}/*")));
    }
    if path.exists() {
        return Ok(ImagesPath::Glob(glob::Pattern::escape(text)));
    }
    if !text.contains(['*', '?', '[']) {
        return Err(Wrong::shown("must be a file or folder that exists, or a pattern such as img/*.jpg"));
    }
    match glob::Pattern::new(text) {
        Ok(_) => Ok(ImagesPath::Glob(text.to_owned())),
        Err(error) => Err(Wrong::shown(format!("is not a pattern ({}): such as img/*.jpg", error.msg))),
    }
});
