//! Follows redirects, and decides whether credentials may follow too. Pure.

use url::Url;

use super::connection::origin::Origin;
use crate::source::error::SourceError;

/// Maximum number of redirects for one request: cameras need one (to https, or to a session's path); more is
/// a loop.
pub(super) const MAX_REDIRECTS: usize = 5;

/// The target of a request: its URL and server.
#[derive(Debug, Clone)]
pub(super) struct RequestTarget {
    pub(super) url: Url,
    pub(super) origin: Origin,
    /// Credentials and configured headers are sent only to the configured origin, and never again once the
    /// chain has left it: every later URL was written by another server.
    pub(super) trusted: bool,
}

impl RequestTarget {
    /// Creates the target of the configured URL.
    pub(super) fn configured(url: &Url) -> Result<Self, SourceError> {
        let host = || url.host_str().unwrap_or("the camera").to_owned();
        let origin = Origin::from_url(url).ok_or_else(|| SourceError::Broken {
            host: host(),
            reason: "its URL is not of http or https".into(),
        })?;
        Ok(Self { url: url.clone(), origin, trusted: true })
    }

    /// Returns the target of a response with this status and `Location`; `None` if it is no redirect.
    pub(super) fn redirected(
        &self,
        status: u16,
        location: Option<&str>,
    ) -> Result<Option<Self>, SourceError> {
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        let failed = |reason| SourceError::Redirect { host: self.origin.authority(), reason };
        let location = location.ok_or_else(|| failed("without saying where to"))?;
        let mut url = self.url.join(location).map_err(|_| failed("to something that is not a URL"))?;
        let origin =
            Origin::from_url(&url).ok_or_else(|| failed("to something other than http and https"))?;
        // Credentials in a `Location` are not sent.
        let cleared = url.set_username("").and_then(|()| url.set_password(None));
        cleared.map_err(|()| failed("to something that is not a URL"))?;
        let trusted = self.trusted && origin == self.origin;
        Ok(Some(Self { url, origin, trusted }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> RequestTarget {
        RequestTarget::configured(&Url::parse("http://cam/a/video?x=1").unwrap()).unwrap()
    }

    #[test]
    fn only_redirects_redirect() {
        assert!(start().redirected(200, Some("/b")).unwrap().is_none());
        assert!(start().redirected(304, None).unwrap().is_none());
        let there = start().redirected(302, Some("../b?y")).unwrap().unwrap();
        assert_eq!(there.url.as_str(), "http://cam/b?y");
        assert!(there.trusted);
    }

    #[test]
    fn trust_ends_at_another_origin_and_does_not_come_back() {
        for elsewhere in ["http://other/", "https://cam/", "http://cam:8080/", "//other/x"] {
            let there = start().redirected(307, Some(elsewhere)).unwrap().unwrap();
            assert!(!there.trusted, "{elsewhere}");
            assert!(!there.redirected(301, Some("http://cam/")).unwrap().unwrap().trusted);
        }
    }

    #[test]
    fn credentials_in_a_location_are_dropped_and_other_schemes_refused() {
        let there = start().redirected(302, Some("http://u:p@cam/c")).unwrap().unwrap();
        assert_eq!(there.url.as_str(), "http://cam/c");
        for bad in [Some("file:///etc/passwd"), Some("rtsp://cam/"), Some("http://"), None] {
            let error = start().redirected(302, bad).unwrap_err().to_string();
            assert!(error.starts_with("cam:80 redirects "), "{error}");
        }
    }
}
