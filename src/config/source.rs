//! `source:`, by its `type`.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{
    ChartConfig, Color, MosaicConfig, Secret, Size,
    reader::{LOCAL, LOCAL_SECRET, Reader, SECRET},
    url::{CameraUrl, RtspUrl, camera},
    values::{
        Count, DAY, Folder, Fps, Given, MINUTE, Number, OneOrMany, Pairs, Text, Time, Words, Wrong, scalar,
    },
};
use crate::media::stream_name::StreamName;

/// A camera that needs longer to answer is away.
type AnswerTime = Time<100, { 10 * MINUTE }>;
type FrameTime = Time<100, DAY>;

/// `source:`, by its `type`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(from = "SourceYaml")]
#[schemars(with = "SourceYaml")]
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

/// The keys of each type as they are in the file.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(tag = "type")]
enum SourceYaml {
    Mjpeg(UpstreamConfig),
    Snapshot(SnapshotYaml),
    Exec(ExecConfig),
    Rtsp(RtspConfig),
    V4l2(V4l2Config),
    Push(PushYaml),
    Chart(Box<ChartConfig>),
    Text(TextConfig),
    Pattern(PatternYaml),
    Images(ImagesYaml),
    Rendition(RenditionYaml),
    Mosaic(MosaicConfig),
}

impl From<SourceYaml> for SourceConfig {
    fn from(yaml: SourceYaml) -> Self {
        match yaml {
            SourceYaml::Mjpeg(upstream) => Self::Mjpeg(upstream.complete()),
            SourceYaml::Snapshot(yaml) => {
                Self::Snapshot { interval: yaml.interval, upstream: yaml.upstream().complete() }
            }
            SourceYaml::Exec(exec) => Self::Exec(exec.complete()),
            SourceYaml::Rtsp(rtsp) => Self::Rtsp(rtsp),
            SourceYaml::V4l2(v4l2) => Self::V4l2(v4l2),
            SourceYaml::Push(yaml) => Self::Push { token: yaml.token, second: yaml.second_publisher },
            SourceYaml::Chart(chart) => Self::Chart(Box::new(chart.complete())),
            SourceYaml::Text(text) => Self::Text(text),
            SourceYaml::Pattern(PatternYaml { size, fps }) => Self::Pattern { size, fps },
            SourceYaml::Images(ImagesYaml { path, fps }) => Self::Images { path, fps },
            SourceYaml::Rendition(RenditionYaml { of, frame_timeout }) => {
                Self::Rendition { of, frame_timeout }
            }
            SourceYaml::Mosaic(mosaic) => Self::Mosaic(mosaic),
        }
    }
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

    /// Which one of its type it is, for people: of a URL only host and port, since paths and queries carry
    /// tokens.
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

    /// Notes what is wrong with several keys together.
    pub(super) fn check(&self, reader: &Reader<'_>, max_pixels: u64) {
        if let Some(size) = self.size().filter(|size| size.pixels() > max_pixels) {
            let most = format!("must have at most limits.max_frame_pixels ({max_pixels}) pixels, not {size}");
            reader.wrong_key("size", most);
        }
        match self {
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

/// Defines the keys of a camera that is asked over HTTP, alone and with others beside them.
macro_rules! upstream {
    ($(#[$attributes:meta])* $visibility:vis struct $name:ident { $($others:tt)* }) => {
        $(#[$attributes])*
        #[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        $visibility struct $name {
            /// Where the camera is. User and password may stand in it; one that comes from a variable needs
            /// no escapes.
            #[serde(with = "Text::<CameraUrl>")]
            #[schemars(extend(
                "x-need" = "the URL of the camera, such as http://user:${PASSWORD}@192.168.1.20/video.mjpg"
            ))]
            pub url: Url,
            $($others)*
            /// Headers sent with each request.
            #[serde(default, deserialize_with = "Pairs::<HeaderName, HeaderValue>::deserialize")]
            #[schemars(with = "Pairs::<HeaderName, HeaderValue>", extend("x-default" = "none"))]
            pub headers: Vec<(String, Secret)>,
            /// Accept any certificate. Logged when used.
            #[serde(default)]
            pub insecure: bool,
            /// From the start of connecting to the end of the TLS handshake.
            #[serde(default = "five_seconds", with = "Text::<AnswerTime>")]
            pub connect_timeout: Duration,
            /// From the request to the end of the answer's head.
            #[serde(default = "ten_seconds", with = "Text::<AnswerTime>")]
            pub head_timeout: Duration,
            /// From the answer's head to the first whole frame.
            #[serde(default = "ten_seconds", with = "Text::<AnswerTime>")]
            pub first_frame_timeout: Duration,
            /// From one whole frame to the next.
            #[serde(default = "ten_seconds", with = "Text::<FrameTime>")]
            pub frame_timeout: Duration,
        }
    };
}

upstream! {
    /// A camera that is asked over HTTP.
    pub struct UpstreamConfig {
        /// User and password, taken out of the URL.
        #[serde(skip)]
        pub login: Option<Login>,
    }
}

upstream! {
    struct SnapshotYaml {
        /// From the start of one request to the start of the next.
        #[serde(default = "one_second", with = "Text::<Time<10, DAY>>")]
        interval: Duration,
    }
}

impl SnapshotYaml {
    fn upstream(self) -> UpstreamConfig {
        UpstreamConfig {
            url: self.url,
            login: None,
            headers: self.headers,
            insecure: self.insecure,
            connect_timeout: self.connect_timeout,
            head_timeout: self.head_timeout,
            first_frame_timeout: self.first_frame_timeout,
            frame_timeout: self.frame_timeout,
        }
    }
}

impl UpstreamConfig {
    /// Moves the credentials out of the URL.
    pub(super) fn complete(mut self) -> Self {
        if let Ok((url, login)) = camera(self.url.as_str()) {
            (self.url, self.login) = (url, login);
        }
        self
    }
}

fn one_second() -> Duration {
    Duration::from_secs(1)
}

pub(super) fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

pub(super) fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn twenty_seconds() -> Duration {
    Duration::from_secs(20)
}

/// User and password of a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// User name, percent-decoded.
    pub user: String,
    /// Password, percent-decoded.
    pub password: Secret,
}

scalar!(
    /// The name of a header.
    HeaderName => String, "name", "", |text| {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let fine = !text.is_empty() && text.bytes().all(fine);
        fine.then(|| text.to_owned()).ok_or_else(|| Wrong::hidden("is not a header's name: letters, digits and -"))
    }
);

scalar!(
    /// The value of a header.
    HeaderValue => Secret, "text", SECRET, |text| {
        let fine = text.chars().all(|c| c == '\t' || !c.is_control());
        fine.then(|| Secret::new(text)).ok_or_else(|| Wrong::hidden("must be one line, without control characters"))
    }
);

/// `type: exec`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecConfig {
    /// A path, or a name to be looked for on `PATH`.
    #[serde(skip)]
    pub program: String,
    /// The program and its arguments. No shell takes them apart or fills in `*`.
    #[serde(rename = "command", with = "OneOrMany::<Word, Vec<Secret>>")]
    #[schemars(extend(
        "x-unit" = "list of words",
        "x-need" = "the program and its arguments, such as [ffmpeg, -i, \"rtsp://…\", -f, mpjpeg, \"-\"]"
    ))]
    pub arguments: Vec<Secret>,
    /// Environment variables of the program, besides framecast's own.
    #[serde(default, rename = "env", deserialize_with = "Pairs::<VariableName, Word>::deserialize")]
    #[schemars(with = "Pairs::<VariableName, Word>", extend("x-default" = "none"))]
    pub environment: Vec<(String, Secret)>,
    /// The program's working directory.
    #[serde(default, rename = "cwd", with = "Text::<Given<Folder>>")]
    #[schemars(extend("x-default" = "that of framecast"))]
    pub folder: Option<PathBuf>,
    /// From the program's start to the first whole frame.
    #[serde(default = "twenty_seconds", with = "Text::<AnswerTime>")]
    pub first_frame_timeout: Duration,
    /// From one whole frame to the next.
    #[serde(default = "ten_seconds", with = "Text::<FrameTime>")]
    pub frame_timeout: Duration,
}

impl ExecConfig {
    /// Takes the program from the front of its command.
    fn complete(mut self) -> Self {
        if !self.arguments.is_empty() {
            self.arguments.remove(0).reveal().clone_into(&mut self.program);
        }
        self
    }

    /// How long its frames may take.
    pub fn patience(&self) -> Patience {
        Patience { first_frame: self.first_frame_timeout, frame: self.frame_timeout }
    }

    fn check(&self, reader: &Reader<'_>) {
        let program = &*self.program;
        let Some(command) = reader.child("command").filter(Reader::is_right) else { return };
        let Some(first) = command.items().into_iter().next() else { return };
        if program.trim().is_empty() {
            first.wrong_value(&command.path, "must begin with a program's name or path");
        } else if self.arguments.is_empty()
            && program.contains(char::is_whitespace)
            && !Path::new(program).exists()
        {
            // Taken for a line that a shell would take apart; a path with a space in it exists.
            let message = "must be a list of words, such as [ffmpeg, -i, …]: no shell takes a line apart";
            first.wrong_value(&command.path, message);
        }
    }
}

scalar!(
    /// A word of a command, or the value of an environment variable.
    Word => Secret, "text", LOCAL_SECRET, |text| {
        let fine = !text.contains('\0');
        fine.then(|| Secret::new(text)).ok_or_else(|| Wrong::hidden("must not hold the character 0"))
    }
);

scalar!(VariableName => String, "name", "", |text| {
    let fine = !text.is_empty() && !text.contains(['=', '\0']);
    let want = || Wrong::hidden("is not a variable's name: letters, digits and _");
    fine.then(|| text.to_owned()).ok_or_else(want)
});

/// How long a program may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From its start to its first whole frame.
    pub first_frame: Duration,
    /// From one whole frame to the next.
    pub frame: Duration,
}

/// `type: rtsp`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RtspConfig {
    /// Where the camera is. User and password may stand in it; one that comes from a variable needs no
    /// escapes.
    #[serde(with = "Text::<RtspUrl>")]
    #[schemars(extend(
        "x-need" = "the URL of the camera, such as rtsp://user:${PASSWORD}@192.168.1.30/stream1"
    ))]
    pub url: Secret,
    /// How the camera sends its pictures. `udp` loses some on a bad network, and then shows smears.
    #[serde(default)]
    pub transport: RtspTransport,
    /// Picture size in pixels.
    #[serde(default, with = "Text::<Given<Size>>")]
    #[schemars(extend("x-default" = "the camera's"))]
    pub size: Option<Size>,
    /// Pictures per second.
    #[serde(default, with = "Text::<Given<Fps>>")]
    #[schemars(extend("x-default" = "the camera's"))]
    pub fps: Option<f64>,
    /// How much of each picture is kept when ffmpeg makes a JPEG of it.
    #[serde(default = "default_quality", with = "Text::<Count<u8, 1, 100>>")]
    pub quality: u8,
    /// From the program's start to the first whole frame.
    #[serde(default = "twenty_seconds", with = "Text::<AnswerTime>")]
    pub first_frame_timeout: Duration,
    /// From one whole frame to the next.
    #[serde(default = "ten_seconds", with = "Text::<FrameTime>")]
    pub frame_timeout: Duration,
}

fn default_quality() -> u8 {
    85
}

impl RtspConfig {
    /// How long its frames may take.
    pub fn patience(&self) -> Patience {
        Patience { first_frame: self.first_frame_timeout, frame: self.frame_timeout }
    }
}

/// How an RTSP camera sends its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RtspTransport {
    /// In the connection that asks for them.
    #[default]
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
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct V4l2Config {
    /// The camera's device; `/dev/v4l/by-id/…` stays the same when others are plugged in. It need not exist
    /// yet.
    #[serde(with = "Text::<Device>")]
    #[schemars(extend("x-need" = "the camera's device, such as /dev/video0"))]
    pub device: PathBuf,
    /// Picture size in pixels.
    #[serde(default, with = "Text::<Given<Size>>")]
    #[schemars(extend("x-default" = "the camera's"))]
    pub size: Option<Size>,
    /// Pictures per second.
    #[serde(default, with = "Text::<Given<Fps>>")]
    #[schemars(extend("x-default" = "the camera's"))]
    pub fps: Option<f64>,
    /// From the program's start to the first whole frame.
    #[serde(default = "twenty_seconds", with = "Text::<AnswerTime>")]
    pub first_frame_timeout: Duration,
    /// From one whole frame to the next.
    #[serde(default = "ten_seconds", with = "Text::<FrameTime>")]
    pub frame_timeout: Duration,
}

impl V4l2Config {
    /// How long its frames may take.
    pub fn patience(&self) -> Patience {
        Patience { first_frame: self.first_frame_timeout, frame: self.frame_timeout }
    }
}

scalar!(Device => PathBuf, "path of a device", LOCAL, |text| {
    let path = PathBuf::from(text);
    let fine = path.is_absolute() && !text.contains('\0');
    fine.then_some(path).ok_or_else(|| Wrong::shown("must be a full path such as /dev/video0"))
});

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PushYaml {
    /// What a publisher must show. `none` lets anybody push.
    #[serde(with = "Text::<Token>")]
    #[schemars(extend(
        "x-need" = "a secret that publishers must show, or `token: none` to let anybody push"
    ))]
    token: Option<Secret>,
    /// What becomes of a feed that comes while another feeds the stream: it takes its place, or is refused
    /// with 409, as single pictures are then.
    #[serde(default)]
    second_publisher: SecondPublisher,
}

scalar!(
    /// A token of publishers, or `none`.
    Token => Option<Secret>, "text, or `none`", SECRET, |text| match text {
        "none" => Ok(None),
        "" => Err(Wrong::hidden("must not be empty: give a secret, or `token: none` to let anybody push")),
        token if token.chars().any(|c| c.is_control() || c.is_whitespace()) => {
            Err(Wrong::hidden("must be one word: spaces cannot stand in an Authorization header"))
        }
        token => Ok(Some(Secret::new(token))),
    }
);

/// What becomes of a second feed of a push stream: docs/adr/0006.
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
    /// What to draw, with strftime's conversions: `%H:%M:%S`. A literal `%` is `%%`.
    #[serde(with = "Text::<Words<10_000>>")]
    #[schemars(extend("x-need" = "the text to draw, with strftime's % conversions"))]
    pub text: String,
    /// Picture size in pixels.
    #[serde(default = "text_size", with = "Text::<Size>")]
    pub size: Size,
    /// Height of the letters.
    #[serde(default = "sixteen", with = "Text::<Number<4, 512>>")]
    pub font_size: f32,
    /// Colour of the letters: `"#rrggbb"` or `"#rgb"`.
    #[serde(default = "black", with = "Text::<Color>")]
    pub color: Color,
    /// Colour behind them.
    #[serde(default = "white", with = "Text::<Color>")]
    pub background: Color,
    /// Pictures per second.
    #[serde(default = "one", with = "Text::<Fps>")]
    pub fps: f64,
}

fn text_size() -> Size {
    Size::new(300, 30)
}

pub(super) fn sixteen() -> f32 {
    16.0
}

fn black() -> Color {
    Color { r: 0, g: 0, b: 0 }
}

fn white() -> Color {
    Color { r: 255, g: 255, b: 255 }
}

fn one() -> f64 {
    1.0
}

pub(super) fn ten() -> f64 {
    10.0
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PatternYaml {
    /// Picture size in pixels.
    #[serde(default = "pattern_size", with = "Text::<Size>")]
    size: Size,
    /// Pictures per second.
    #[serde(default = "ten", with = "Text::<Fps>")]
    fps: f64,
}

fn pattern_size() -> Size {
    Size::new(640, 480)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ImagesYaml {
    /// Which pictures: a file, a folder, a pattern such as `img/*`, or `builtin:demo`. Relative to the
    /// working directory.
    #[serde(with = "Text::<Images>")]
    #[schemars(extend(
        "x-local" = "builtin:demo",
        "x-need" = "a picture, a folder, a pattern such as img/*.jpg, or builtin:demo"
    ))]
    path: ImagesPath,
    /// Pictures per second.
    #[serde(default = "one", with = "Text::<Fps>")]
    fps: f64,
}

/// The pictures that `type: images` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImagesPath {
    /// A glob pattern (a plain folder was turned into `folder/*`).
    Glob(String),
    /// The pictures shipped in the program, written `builtin:demo`.
    BuiltIn,
}

scalar!(Images => ImagesPath, "file, folder or pattern", LOCAL, |text| {
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

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RenditionYaml {
    /// The stream whose pictures it shows. It runs while this one does.
    #[serde(with = "Text::<OriginName>")]
    #[schemars(extend("x-need" = "the stream whose pictures it shows"))]
    of: StreamName,
    /// The other stream is taken for away when it shows no new picture for so long: for one that is pushed,
    /// in a list of sources.
    #[serde(default, with = "Text::<Given<FrameTime>>")]
    #[schemars(extend("x-default" = "none"))]
    frame_timeout: Option<Duration>,
}

scalar!(
    /// The name of another stream.
    OriginName => StreamName, "name of a stream", "", |text| {
        text.parse().map_err(|_| Wrong::shown("must be the name of a stream"))
    }
);
