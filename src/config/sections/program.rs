//! Sources that are programs, `type: exec` and `type: v4l2`, and `type: rtsp`, for which ffmpeg may be started.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::http_source::{AnswerTime, FrameTime, Login, split_login};
use crate::config::{
    reader::{LOCAL, LOCAL_SECRET, Reader, URL},
    url::unclear_login,
    values::{Count, Fps, OneOrMany, Pairs, Secret, Size, Text, Wrong, number, scalar, secs},
};

/// `type: exec`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecConfig {
    /// A path, or a name to be looked for on `PATH`.
    #[serde(skip)]
    pub program: String,
    /// The program and its arguments. They are not passed through a shell.
    #[serde(rename = "command", with = "OneOrMany::<Word, Vec<Secret>>")]
    #[schemars(extend(
        "x-unit" = "list of words",
        "x-need" = "the program and its arguments, such as [ffmpeg, -i, \"rtsp://…\", -f, mpjpeg, \"-\"]"
    ))]
    pub arguments: Vec<Secret>,
    /// Environment variables of the program, in addition to framecast's own.
    #[serde(default, rename = "env", deserialize_with = "Pairs::<VariableName, Word>::deserialize")]
    #[schemars(with = "Pairs::<VariableName, Word>")]
    pub environment: Vec<(String, Secret)>,
    /// The program's working directory.
    #[serde(default, rename = "cwd", with = "Text::<Option<Folder>>")]
    #[schemars(extend("x-default" = "that of framecast"))]
    pub folder: Option<PathBuf>,
    /// Timeout from the program's start to the first whole frame.
    #[serde(default = "secs::<20>", with = "Text::<AnswerTime>")]
    pub first_frame_timeout: Duration,
    /// Timeout from one whole frame to the next.
    #[serde(default = "secs::<10>", with = "Text::<FrameTime>")]
    pub frame_timeout: Duration,
}

impl ExecConfig {
    /// Takes the program from the front of its command.
    pub(crate) fn complete(&mut self) {
        if !self.arguments.is_empty() {
            self.arguments.remove(0).reveal().clone_into(&mut self.program);
        }
    }

    pub(crate) fn check(&self, reader: &Reader<'_>) {
        let Some(command) = reader.child("command").filter(Reader::is_right) else { return };
        let Some(first) = command.items().into_iter().next() else { return };
        if self.program.trim().is_empty() {
            first.wrong_value(&command.path, "must begin with a program's name or path");
        } else if self.arguments.is_empty()
            && self.program.contains(char::is_whitespace)
            && !Path::new(&self.program).exists()
        {
            // Taken for a line that a shell would take apart; a path with a space in it exists.
            let message = "must be a list of words, such as [ffmpeg, -i, …]: no shell takes a line apart";
            first.wrong_value(&command.path, message);
        }
    }
}

scalar!(
    /// A word of a command, or the value of an environment variable.
    struct Word => Secret, "text", LOCAL_SECRET, |text| match text.contains('\0') {
        true => Err(Wrong::hidden("must not hold the character 0")),
        false => Ok(Secret::new(text)),
    }
);

scalar!(struct VariableName => String, "name", "", |text| {
    match text.is_empty() || text.contains(['=', '\0']) {
        true => Err(Wrong::hidden("is not a variable's name: letters, digits and _")),
        false => Ok(text.to_owned()),
    }
});

scalar!(struct Folder => PathBuf, "path of a folder", LOCAL, |text| {
    let folder = PathBuf::from(text);
    folder.is_dir().then_some(folder).ok_or_else(|| Wrong::shown("must be a folder that exists"))
});

/// `type: rtsp`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RtspConfig {
    /// URL of the camera. It may contain user and password; one that comes from a variable needs no escapes.
    #[serde(with = "Text::<RtspUrl>")]
    #[schemars(extend(
        "x-need" = "the URL of the camera, such as rtsp://user:${PASSWORD}@192.168.1.30/stream1"
    ))]
    pub url: Secret,
    /// Transport of the pictures. `udp` loses some on a bad network. `auto`: tcp, and udp if the camera
    /// refuses tcp or sends nothing over it.
    #[serde(default)]
    pub transport: RtspTransport,
    /// What decodes the pictures: framecast itself (JPEG is passed unchanged, H.264 decoded), or ffmpeg.
    /// `auto`: framecast, and for other codecs ffmpeg, where it is installed.
    #[serde(default)]
    pub decoder: RtspDecoder,
    /// Which of the camera's streams to show: the one of the URL, or its smaller one, where framecast knows
    /// the maker's URLs (Dahua, Hikvision, Reolink, Tapo).
    #[serde(default)]
    pub prefer: RtspPreference,
    /// Picture size in pixels.
    #[serde(default, with = "Text::<Option<Size>>")]
    #[schemars(extend("x-default" = "the camera's"))]
    pub size: Option<Size>,
    /// Frames per second.
    #[serde(default, with = "Text::<Option<Fps>>")]
    #[schemars(extend("x-default" = "the camera's"))]
    pub fps: Option<f64>,
    /// JPEG quality of decoded pictures.
    #[serde(default = "number::<_, 85>", with = "Text::<Count<u8, 1, 100>>")]
    pub quality: u8,
    /// Timeout from the start of the connection to the end of the TLS handshake.
    #[serde(default = "secs::<5>", with = "Text::<AnswerTime>")]
    pub connect_timeout: Duration,
    /// Timeout from a request to its response.
    #[serde(default = "secs::<10>", with = "Text::<AnswerTime>")]
    pub head_timeout: Duration,
    /// Timeout from the start to the first whole frame.
    #[serde(default = "secs::<20>", with = "Text::<AnswerTime>")]
    pub first_frame_timeout: Duration,
    /// Timeout from one whole frame to the next.
    #[serde(default = "secs::<10>", with = "Text::<FrameTime>")]
    pub frame_timeout: Duration,
}

impl RtspConfig {
    /// Returns the URL without user and password, and these.
    pub fn target(&self) -> (Url, Option<Login>) {
        let mut url = Url::parse(self.url.reveal()).expect("checked when it was read");
        let login = split_login(&mut url);
        (url, login)
    }
}

scalar!(
    /// The URL of an RTSP camera, with its credentials.
    struct RtspUrl => Secret, "rtsp or rtsps URL", URL, |text| {
        if !text.starts_with("rtsp://") && !text.starts_with("rtsps://") {
            return Err(Wrong::hidden("must begin with rtsp:// or rtsps://"));
        }
        let url = Url::parse(text);
        if let Some(message) = unclear_login(text, url.as_ref().ok()) {
            return Err(Wrong::hidden(message));
        }
        let url = url.map_err(|error| {
            let like = "it must be like rtsp://user:password@host:port/path";
            Wrong::hidden(format!("is not a URL ({error}): {like}"))
        })?;
        let has_host = url.host_str().is_some_and(|host| !host.is_empty());
        let has_host = has_host && !text.contains(char::is_control);
        has_host.then(|| Secret::new(text)).ok_or_else(|| Wrong::hidden("must name a host after rtsp://"))
    }
);

/// The transport of an RTSP camera's pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RtspTransport {
    /// TCP first, UDP where that does not work.
    #[default]
    Auto,
    /// In the connection that asks for them.
    Tcp,
    /// In packets of their own, some of which get lost.
    Udp,
}

/// What decodes an RTSP camera's pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RtspDecoder {
    /// Framecast for JPEG and H.264, ffmpeg for the rest.
    #[default]
    Auto,
    /// Framecast only.
    Native,
    /// Ffmpeg only, which then also is the one that connects.
    Ffmpeg,
}

/// The stream of an RTSP camera that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RtspPreference {
    /// That of the URL.
    #[default]
    Main,
    /// Its smaller one.
    Sub,
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
    #[serde(default, with = "Text::<Option<Size>>")]
    #[schemars(extend("x-default" = "the camera's"))]
    pub size: Option<Size>,
    /// Frames per second.
    #[serde(default, with = "Text::<Option<Fps>>")]
    #[schemars(extend("x-default" = "the camera's"))]
    pub fps: Option<f64>,
    /// Timeout from the program's start to the first whole frame.
    #[serde(default = "secs::<20>", with = "Text::<AnswerTime>")]
    pub first_frame_timeout: Duration,
    /// Timeout from one whole frame to the next.
    #[serde(default = "secs::<10>", with = "Text::<FrameTime>")]
    pub frame_timeout: Duration,
}

scalar!(struct Device => PathBuf, "path of a device", LOCAL, |text| {
    let path = PathBuf::from(text);
    let is_full = path.is_absolute() && !text.contains('\0');
    is_full.then_some(path).ok_or_else(|| Wrong::shown("must be a full path such as /dev/video0"))
});
