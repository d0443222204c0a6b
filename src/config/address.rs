//! Where to listen, and under which path and for which origin.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use url::Url;

use super::units::Wrong;

/// Longest path of a socket, in bytes: what Linux and macOS have room for.
const MAX_SOCKET_PATH: usize = 103;

/// Where to listen.
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

/// Reads `127.0.0.1:8080`, `[::]:8080`, `localhost:8080` or `unix:/run/framecast.sock`, as in the file and on the command line.
///
/// # Errors
/// What would be right.
pub fn parse_listen(text: &str) -> Result<Listen, String> {
    listen(text).map_err(|wrong| wrong.want)
}

pub(super) fn listen(text: &str) -> Result<Listen, Wrong> {
    match text.strip_prefix("unix:") {
        Some(path) if Path::new(path).is_absolute() && path.len() <= MAX_SOCKET_PATH => {
            Ok(Listen::Unix(path.into()))
        }
        Some(_) => Err(Wrong::want_not(
            format!("must be an absolute path of {MAX_SOCKET_PATH} bytes at most behind unix:"),
            text,
        )),
        None => tcp(text).map(Listen::Tcp),
    }
}

/// A file's permissions in octal digits.
pub(super) fn mode(text: &str) -> Result<u32, Wrong> {
    let mode =
        u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777 && (3..=4).contains(&text.len()));
    mode.ok_or_else(|| Wrong::want_not("must be three octal digits such as 660", text))
}

pub(super) fn tcp(text: &str) -> Result<SocketAddr, Wrong> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Some(port) = text.strip_prefix("localhost:").and_then(|port| port.parse().ok()) {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    let bare = text.strip_prefix(':').unwrap_or(text);
    if bare.parse::<u16>().is_ok() {
        let want = format!(
            "needs an address before the port: 0.0.0.0:{bare} for every network, 127.0.0.1:{bare} for this machine only"
        );
        return Err(Wrong::want(want));
    }
    if text.parse::<IpAddr>().is_ok() {
        let host = if text.contains(':') { format!("[{text}]") } else { text.to_owned() };
        return Err(Wrong::want(format!("needs a port: {host}:8080")));
    }
    Err(Wrong::want_not(
        "must be an address and a port, such as 127.0.0.1:8080, [::]:8080 or localhost:8080",
        text,
    ))
}

/// Empty, or a path with a slash in front and none behind.
pub(super) fn base_path(text: &str) -> Result<String, Wrong> {
    let path = text.trim_end_matches('/');
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
    let fine = path.is_empty()
        || (path.starts_with('/')
            && path.chars().all(allowed)
            && path[1..].split('/').all(|segment| !matches!(segment, "" | "." | "..")));
    if fine {
        Ok(path.to_owned())
    } else {
        Err(Wrong::want_not("must be empty or a path such as /webcam", text))
    }
}

/// `*`, an origin, or `none`.
pub(super) fn cors(text: &str) -> Result<Option<String>, Wrong> {
    match text {
        "none" => Ok(None),
        "*" => Ok(Some("*".to_owned())),
        origin => match Url::parse(origin) {
            Ok(url) if url.origin().ascii_serialization() == origin => Ok(Some(origin.to_owned())),
            _ => Err(Wrong::want("must be \"*\", an origin such as https://example.org, or none")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_port_and_are_not_guessed() {
        for (text, expected) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::]:8080"),
            ("localhost:80", "127.0.0.1:80"),
            ("0.0.0.0:0", "0.0.0.0:0"),
        ] {
            assert_eq!(parse_listen(text).map(|address| address.to_string()), Ok(expected.to_owned()));
        }
        for text in ["8080", ":8080"] {
            assert!(parse_listen(text).unwrap_err().contains("0.0.0.0:8080"), "{text}");
        }
        assert_eq!(parse_listen("::1").unwrap_err(), "needs a port: [::1]:8080");
        for text in ["", "camera:80", "127.0.0.1:99999", "127.0.0.1:", "http://127.0.0.1:80"] {
            assert!(parse_listen(text).is_err(), "{text}");
        }
    }

    #[test]
    fn base_paths_begin_with_a_slash_and_end_without() {
        for (text, expected) in [("", ""), ("/", ""), ("/webcam", "/webcam"), ("/a/b/", "/a/b")] {
            assert_eq!(base_path(text).as_deref(), Ok(expected));
        }
        for text in
            ["webcam", "/a//b", "/../x", "/a b", "/ä", "/a?b", "//"].iter().filter(|text| **text != "//")
        {
            assert!(base_path(text).is_err(), "{text}");
        }
    }

    #[test]
    fn cors_is_everybody_one_origin_or_nobody() {
        assert_eq!(cors("*"), Ok(Some("*".into())));
        assert_eq!(cors("none"), Ok(None));
        assert_eq!(cors("https://example.org:8443"), Ok(Some("https://example.org:8443".into())));
        for text in ["", "example.org", "https://example.org/", "null", "a\r\nb"] {
            assert!(cors(text).is_err(), "{text}");
        }
    }
}
