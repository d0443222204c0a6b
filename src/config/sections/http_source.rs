//! Cameras and other addresses that are requested over HTTP: `type: mjpeg`, `type: snapshot`, `poll` of a
//! chart.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::{
    reader::{SECRET, SECRET_URL, URL},
    url::{OTHER_SCHEMES, unclear_login},
    values::{DAY, MINUTE, Pairs, Secret, Text, Time, Wrong, scalar, secs},
};

/// The time within which a camera answers; one that needs longer is away.
pub(crate) type AnswerTime = Time<100, { 10 * MINUTE }>;
/// The time between two frames.
pub(crate) type FrameTime = Time<100, DAY>;

/// Defines the keys of a camera that is asked over HTTP, alone and with others beside them.
macro_rules! upstream {
    ($(#[$doc:meta])* pub struct $name:ident { $($others:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// URL of the camera. It may contain user and password; one that comes from a variable needs no
            /// escapes.
            #[serde(with = "Text::<CameraUrl>")]
            #[schemars(extend(
                "x-need" = "the URL of the camera, such as http://user:${PASSWORD}@192.168.1.20/video.mjpg"
            ))]
            pub url: Url,
            /// User and password, taken out of the URL.
            #[serde(skip)]
            pub login: Option<Login>,
            /// When user and password are sent: when the camera asks for them (`auto`, by Basic or Digest), or
            /// with the first request (`basic`), for cameras that refuse without asking.
            #[serde(default)]
            pub auth: HttpAuth,
            $($others)*
            /// Headers sent with each request.
            #[serde(default, deserialize_with = "Pairs::<HeaderName, HeaderValue>::deserialize")]
            #[schemars(with = "Pairs::<HeaderName, HeaderValue>")]
            pub headers: Vec<(String, Secret)>,
            /// Accept any certificate. Logged when used.
            #[serde(default)]
            pub insecure: bool,
            /// Timeout from the start of the connection to the end of the TLS handshake.
            #[serde(default = "secs::<5>", with = "Text::<AnswerTime>")]
            pub connect_timeout: Duration,
            /// Timeout from the request to the end of the response head.
            #[serde(default = "secs::<10>", with = "Text::<AnswerTime>")]
            pub head_timeout: Duration,
            /// Timeout from the response head to the first whole frame.
            #[serde(default = "secs::<10>", with = "Text::<AnswerTime>")]
            pub first_frame_timeout: Duration,
            /// Timeout from one whole frame to the next.
            #[serde(default = "secs::<10>", with = "Text::<FrameTime>")]
            pub frame_timeout: Duration,
        }
    };
}

upstream! {
    /// A camera that is asked over HTTP.
    pub struct UpstreamConfig {}
}

upstream! {
    /// `type: snapshot`.
    pub struct SnapshotConfig {
        /// Interval between the starts of two requests.
        #[serde(default = "secs::<1>", with = "Text::<Time<10, DAY>>")]
        pub interval: Duration,
    }
}

impl SnapshotConfig {
    /// The camera, without the interval.
    pub fn upstream(&self) -> UpstreamConfig {
        let Self { url, login, auth, interval: _, headers, insecure, .. } = self.clone();
        let Self { connect_timeout, head_timeout, first_frame_timeout, frame_timeout, .. } = *self;
        UpstreamConfig {
            url,
            login,
            auth,
            headers,
            insecure,
            connect_timeout,
            head_timeout,
            first_frame_timeout,
            frame_timeout,
        }
    }
}

/// When user and password are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum HttpAuth {
    /// When the camera asks for them, by Basic or Digest.
    #[default]
    Auto,
    /// By Basic with the first request.
    Basic,
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
    /// The URL of a camera, with credentials, which [`split_login`] takes out.
    struct CameraUrl => Url, "http or https URL", URL, |text| {
        let Some((scheme, _)) = text.split_once("://") else {
            return Err(Wrong::hidden("must begin with http:// or https://"));
        };
        if !matches!(&*scheme.to_ascii_lowercase(), "http" | "https") {
            let is_known = OTHER_SCHEMES.contains(&scheme);
            let not = if is_known { format!(", not {scheme}") } else { String::new() };
            return Err(Wrong::hidden(format!("scheme must be http or https{not}")));
        }
        let url = Url::parse(text);
        if let Some(message) = unclear_login(text, url.as_ref().ok()) {
            return Err(Wrong::hidden(message));
        }
        url.map_err(|error| {
            let like = "it must be like http://user:password@host:port/path";
            Wrong::hidden(format!("is not a URL ({error}): {like}"))
        })
    }
);

scalar!(
    /// A URL that may be a secret as a whole.
    struct SecretUrl => Secret, "http or https URL", SECRET_URL, |text| {
        CameraUrl::read(text).map(|_| Secret::new(text))
    }
);

/// Moves user and password out of a URL.
pub(crate) fn split_login(url: &mut Url) -> Option<Login> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let has_login = !url.username().is_empty() || url.password().is_some();
    let login = has_login.then(|| Login {
        user: decoded(url.username()),
        password: Secret::new(decoded(url.password().unwrap_or_default())),
    });
    url.set_username("").and_then(|()| url.set_password(None)).expect("a URL of a camera has a host");
    login
}

scalar!(
    /// The name of a header.
    struct HeaderName => String, "name", "", |text| {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let is_name = !text.is_empty() && text.bytes().all(is_token);
        let want = || Wrong::hidden("is not a header's name: letters, digits and -");
        is_name.then(|| text.to_owned()).ok_or_else(want)
    }
);

scalar!(
    /// The value of a header.
    struct HeaderValue => Secret, "text", SECRET, |text| {
        let is_line = text.chars().all(|c| c == '\t' || !c.is_control());
        let want = || Wrong::hidden("must be one line, without control characters");
        is_line.then(|| Secret::new(text)).ok_or_else(want)
    }
);

scalar!(
    /// A token of publishers, or `none`.
    struct Token => Option<Secret>, "text, or `none`", SECRET, |text| match text {
        "none" => Ok(None),
        "" => Err(Wrong::hidden("must not be empty: give a secret, or `token: none` to let anybody push")),
        token if token.chars().any(|c| c.is_control() || c.is_whitespace()) => {
            Err(Wrong::hidden("must be one word: spaces cannot stand in an Authorization header"))
        }
        token => Ok(Some(Secret::new(token))),
    }
);
