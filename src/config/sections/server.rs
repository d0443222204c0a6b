//! `server:`.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    config::{
        reader::Reader,
        values::{
            Collect, File, NoneOr, OneOrMany, OrNone, Scalar, Text, Wrong, all_defaults, count, scalar, word,
            yes,
        },
    },
    media::stream_name::StreamName,
};

/// Longest path of a socket, in bytes: what Linux and macOS have room for.
const MAX_SOCKET_PATH: usize = 103;

/// `server:`, where and how to listen.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Addresses to listen on. `0.0.0.0:8080` is all IPv4 interfaces, `[::]:8080` all interfaces (in quotes),
    /// `localhost` this machine only, `unix:/run/framecast.sock` a Unix socket (always plain HTTP).
    #[serde(default = "this_machine", with = "OneOrMany::<Listen, Vec<Listen>>")]
    pub listen: Vec<Listen>,
    /// Permissions of Unix sockets, as in `chmod`.
    #[serde(default = "count::<_, 0o660>", with = "Text::<Mode>")]
    pub socket_mode: u32,
    /// Prefix of every route, such as `/webcam` behind a proxy: empty, or a path without a final slash.
    #[serde(default, with = "Text::<BasePath>")]
    pub base_path: String,
    /// Splice frames from shared kernel pages to eight viewers and more on plain TCP, like `sendfile`
    /// (Linux). `auto` and `true` mean the same; `false` writes to each viewer.
    #[serde(default, with = "Text::<SendFileWord>")]
    pub sendfile: SendFile,
    /// TLS only, on all addresses: `cert_file` and `key_file`.
    #[serde(default)]
    #[schemars(with = "NoneOr<TlsConfig>")]
    pub tls: Option<TlsConfig>,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are used: `127.0.0.1`, `10.0.0.0/8`; `unix` is
    /// every client of a Unix socket.
    #[serde(default, with = "OneOrMany::<OrNone<Proxy>, Proxies>")]
    pub trusted_proxies: Proxies,
    /// `Access-Control-Allow-Origin` on streams, snapshots, replays and clips. Never sent on other
    /// routes.
    #[serde(default = "every_site", with = "Text::<Cors>")]
    pub cors: Option<String>,
    /// With `cors: none`: sends `Cross-Origin-Resource-Policy: same-site`, so that browsers do not show
    /// framecast's pictures in pages of other sites. `none`: does not send it.
    #[serde(default = "yes", rename = "cross_origin_resource_policy", with = "Text::<SameSite>")]
    pub same_site_only: bool,
    /// Sites that may show framecast's pages in a frame (`Content-Security-Policy`). Streams and pictures can
    /// be shown by every page.
    #[serde(default = "own_pages", with = "OneOrMany::<OrNone<Ancestor>, FrameAncestors>")]
    pub frame_ancestors: FrameAncestors,
    /// Sources that streams added over HTTP may have: addresses that framecast itself requests, or also
    /// cameras of `type: rtsp` for which it may start ffmpeg (without `decoder: native`). Streams of the file
    /// may have all sources.
    #[serde(default)]
    pub api_sources: ApiSources,
    /// The stream of `/stream`, `/snapshot` and `/video_feed`.
    #[serde(default, with = "Text::<DefaultStream>")]
    #[schemars(extend("x-default" = "the first stream"))]
    pub default_stream: Option<StreamName>,
    /// A mosaic of all streams at `/streams/all`, unless a stream has that name. It costs nothing while
    /// nobody watches it.
    #[serde(default = "yes")]
    pub mosaic: bool,
}

fn this_machine() -> Vec<Listen> {
    vec![Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 8080)))]
}

fn every_site() -> Option<String> {
    Some("*".to_owned())
}

fn own_pages() -> FrameAncestors {
    FrameAncestors(vec![Ancestor::Own])
}

impl Default for ServerConfig {
    fn default() -> Self {
        all_defaults()
    }
}

impl ServerConfig {
    /// Notes addresses that are given twice.
    pub(crate) fn check(&self, reader: &Reader<'_>) {
        let Some(listen) = reader.child("listen").filter(Reader::is_right) else { return };
        for (number, (address, item)) in self.listen.iter().zip(listen.items()).enumerate() {
            if self.listen[..number].contains(address) {
                item.wrong_value(&listen.path, format!("{address} is given twice: remove one"));
            }
        }
    }
}

/// `server.tls:`. The files are read by the server.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Certificate chain in PEM, the server's certificate first. Relative to the working directory.
    #[serde(with = "Text::<File>")]
    #[schemars(extend(
        "x-need" = "the PEM file with the certificate, followed by those that vouch for it"
    ))]
    pub cert_file: PathBuf,
    /// Private key in PEM, not encrypted (PKCS#8, PKCS#1 or SEC1).
    #[serde(with = "Text::<File>")]
    #[schemars(extend("x-need" = "the PEM file with the certificate's private key"))]
    pub key_file: PathBuf,
    /// Offer HTTP/2, over which browsers can watch up to 256 streams on one connection. `false`: HTTP/1.1
    /// only.
    #[serde(default = "yes")]
    pub http2: bool,
    /// Address on which plain HTTP is redirected to the first address of `server.listen`.
    #[serde(default, with = "OneOrMany::<OrNone<Tcp>, Vec<SocketAddr>>")]
    pub redirect_from: Vec<SocketAddr>,
}

/// The use of kernel pages that many viewers of a stream share, where the system can do so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SendFile {
    /// To so many viewers that it costs less than writing.
    #[default]
    Auto,
    /// Never.
    Never,
}

scalar!(struct SendFileWord => SendFile, "`auto`, `true` or `false`", "", |text| match text {
    "auto" | "true" | "True" | "TRUE" => Ok(SendFile::Auto),
    "false" | "False" | "FALSE" => Ok(SendFile::Never),
    _ => Err(Wrong::shown("must be auto, true or false")),
}, write |_| "auto".to_owned());

/// The sources that streams added over HTTP may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ApiSources {
    /// Addresses that framecast itself requests.
    #[default]
    Network,
    /// These, and cameras for which it starts ffmpeg.
    #[serde(rename = "network+ffmpeg")]
    NetworkAndFfmpeg,
}

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

/// Reads `127.0.0.1:8080`, `[::]:8080`, `localhost:8080` or `unix:/run/framecast.sock`, as in the file and on
/// the command line.
///
/// # Errors
/// A description of what would be right.
pub fn parse_listen(text: &str) -> Result<Listen, String> {
    Listen::read(text).map_err(|wrong| wrong.want)
}

scalar!(impl Listen => Listen, "address:port", "", |text| match text.strip_prefix("unix:") {
    Some(path) if Path::new(path).is_absolute() && path.len() <= MAX_SOCKET_PATH => {
        Ok(Listen::Unix(path.into()))
    }
    Some(_) => {
        let want = format!("must be an absolute path of {MAX_SOCKET_PATH} bytes at most behind unix:");
        Err(Wrong::shown(want))
    }
    None => Tcp::read(text).map(Listen::Tcp),
}, write |listen| listen.to_string());

scalar!(
    /// An address and a port.
    struct Tcp => SocketAddr, "address:port", "", |text| {
        if let Ok(address) = text.parse() {
            return Ok(address);
        }
        if let Some(port) = text.strip_prefix("localhost:").and_then(|port| port.parse().ok()) {
            return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
        }
        let bare = text.strip_prefix(':').unwrap_or(text);
        if bare.parse::<u16>().is_ok() {
            return Err(Wrong::hidden(format!(
                "needs an address before the port: 0.0.0.0:{bare} for every network, 127.0.0.1:{bare} for \
                 this machine only"
            )));
        }
        if text.parse::<IpAddr>().is_ok() {
            let host = if text.contains(':') { format!("[{text}]") } else { text.to_owned() };
            return Err(Wrong::hidden(format!("needs a port: {host}:8080")));
        }
        let want = "must be an address and a port, such as 127.0.0.1:8080, [::]:8080 or localhost:8080";
        Err(Wrong::shown(want))
    }
);

impl Collect<OrNone<Tcp>> for Vec<SocketAddr> {
    fn collect(values: Vec<Option<SocketAddr>>) -> Result<Self, String> {
        Ok(values.into_iter().flatten().collect())
    }
}

scalar!(
    /// A file's permissions in octal digits.
    struct Mode => u32, "octal number", "", |text| {
        let mode = u32::from_str_radix(text, 8).ok();
        let mode = mode.filter(|mode| *mode <= 0o777 && (3..=4).contains(&text.len()));
        mode.ok_or_else(|| Wrong::shown("must be three octal digits such as 660"))
    }, write |mode| format!("{mode:o}")
);

scalar!(
    /// Empty, or a path with a slash in front and none behind.
    struct BasePath => String, "path", "", |text| {
        let path = text.trim_end_matches('/');
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
        let is_plain = |path: &str| path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        let is_path = path.strip_prefix('/').is_some_and(is_plain) && path.chars().all(is_allowed);
        match is_path || path.is_empty() {
            true => Ok(path.to_owned()),
            false => Err(Wrong::shown("must be empty or a path such as /webcam")),
        }
    }, write String::clone
);

/// Reads an origin and nothing else.
fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    (url.origin().ascii_serialization() == text).then(|| text.to_owned())
}

scalar!(struct Cors => Option<String>, "`\"*\"`, an origin, or `none`", "", |text| match text {
    "none" => Ok(None),
    "*" => Ok(Some("*".to_owned())),
    text => origin(text).map(Some).ok_or_else(|| {
        Wrong::hidden("must be \"*\", an origin such as https://example.org, or none")
    }),
}, write |cors| cors.clone().unwrap_or_default());

scalar!(
    struct SameSite => bool, "`same-site` or `none`", "",
    |text| word(text, &[("same-site", true), ("none", false)]),
    write |_| "same-site".to_owned()
);

scalar!(struct DefaultStream => Option<StreamName>, "name of a stream", "", |text| {
    text.parse().map(Some).map_err(|_| Wrong::shown("must be the name of a stream of this file"))
});

/// A proxy that is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    /// All clients of a Unix socket.
    Unix,
    /// A network, or one address.
    Network(IpNet),
}

/// A text that is neither an address nor a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoProxy;

impl FromStr for Proxy {
    type Err = NoProxy;

    fn from_str(text: &str) -> Result<Self, NoProxy> {
        if text == "unix" {
            return Ok(Self::Unix);
        }
        let address = || Some(IpNet::from(text.parse::<IpAddr>().ok()?));
        text.parse().ok().or_else(address).map(Self::Network).ok_or(NoProxy)
    }
}

scalar!(impl Proxy => Proxy, "address, network, `unix`", "", |text| {
    let want = "must be an address, a network such as 10.0.0.0/8, unix, or none";
    text.parse().map_err(|NoProxy| Wrong::shown(want))
});

/// `server.trusted_proxies`: whose word on a client's address is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<Proxy>);

impl Proxies {
    /// Returns whether a connection from there is one of a proxy; a Unix socket's has no address.
    pub fn trust(&self, peer: Option<IpAddr>) -> bool {
        self.0.iter().any(|proxy| match (proxy, peer) {
            (Proxy::Unix, None) => true,
            (Proxy::Network(network), Some(peer)) => network.contains(&peer),
            _ => false,
        })
    }
}

impl FromIterator<Proxy> for Proxies {
    fn from_iter<I: IntoIterator<Item = Proxy>>(proxies: I) -> Self {
        Self(proxies.into_iter().collect())
    }
}

impl Collect<OrNone<Proxy>> for Proxies {
    fn collect(values: Vec<Option<Proxy>>) -> Result<Self, String> {
        Ok(values.into_iter().flatten().collect())
    }
}

/// Pages that may show framecast's in a frame: the sources of `frame-ancestors` (CSP level 3, section
/// 6.4.2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameAncestors(pub Vec<Ancestor>);

/// One of [`FrameAncestors`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ancestor {
    /// Pages of this address.
    Own,
    /// All pages.
    Everybody,
    /// Pages of an origin.
    Origin(String),
}

impl FrameAncestors {
    /// Returns the value of the older header `X-Frame-Options`, where it suffices.
    pub fn frame_options(&self) -> Option<&'static str> {
        match self.0[..] {
            [] => Some("DENY"),
            [Ancestor::Own] => Some("SAMEORIGIN"),
            _ => None,
        }
    }
}

impl fmt::Display for FrameAncestors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("frame-ancestors")?;
        for ancestor in &self.0 {
            match ancestor {
                Ancestor::Own => f.write_str(" 'self'")?,
                Ancestor::Everybody => f.write_str(" *")?,
                Ancestor::Origin(origin) => write!(f, " {origin}")?,
            }
        }
        if self.0.is_empty() { f.write_str(" 'none'") } else { Ok(()) }
    }
}

scalar!(impl Ancestor => Ancestor, "`self`, `\"*\"`, an origin", "", |text| match text {
    "self" => Ok(Ancestor::Own),
    "*" => Ok(Ancestor::Everybody),
    text => origin(text).map(Ancestor::Origin).ok_or_else(|| {
        Wrong::hidden("must be self, \"*\", an origin such as https://example.org, or none")
    }),
});

impl Collect<OrNone<Ancestor>> for FrameAncestors {
    fn collect(values: Vec<Option<Ancestor>>) -> Result<Self, String> {
        if values.len() > 1 && values.contains(&None) {
            return Err("none can stand alone only".to_owned());
        }
        Ok(Self(values.into_iter().flatten().collect()))
    }

    fn written(&self) -> String {
        "self".to_owned()
    }
}
