//! The origin of a URL.

use url::Url;

/// Scheme, host and port: the server that may see a stream's credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct Origin {
    /// Whether it speaks TLS.
    pub(in crate::source) https: bool,
    /// IPv6 without brackets.
    pub(in crate::source) host: String,
    pub(in crate::source) port: u16,
}

impl Origin {
    /// Returns the origin of `url`; none for URLs of other schemes or without a host.
    pub(in crate::source) fn from_url(url: &Url) -> Option<Self> {
        let https = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let host = match url.host()? {
            url::Host::Ipv6(address) => address.to_string(),
            host => host.to_string(),
        };
        Some(Self { https, host, port: url.port_or_known_default()? })
    }

    /// Returns host and port, as people write them.
    pub(in crate::source) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_differ_by_scheme_host_and_port_only() {
        let origin = |text: &str| Origin::from_url(&Url::parse(text).unwrap());
        assert_eq!(origin("http://cam/a?b"), origin("http://CAM:80/c"));
        assert_ne!(origin("http://cam/"), origin("https://cam/"));
        assert_ne!(origin("http://cam/"), origin("http://cam:8080/"));
        assert_ne!(origin("http://cam/"), origin("http://cam.lan/"));
        assert_eq!(origin("ftp://cam/"), None);
        assert_eq!(origin("http://[::1]:81/").unwrap().authority(), "[::1]:81");
    }
}
