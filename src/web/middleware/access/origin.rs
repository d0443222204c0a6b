//! Checks whether a request comes from one of framecast's own pages.
//!
//! A browser sends requests of other sites' pages from the user's address and, if permitted, with the user's
//! credentials. Programs other than browsers send no origin, and are let through.

use actix_web::{HttpRequest, http::header};
use url::Url;

use crate::web::middleware::problem::Problem;

/// Refuses requests that a browser sends for a page of another site: for requests that change something, and
/// WebSockets.
///
/// # Errors
/// 403, with the origin that was said.
pub(in crate::web) fn same_origin(request: &HttpRequest) -> Result<(), Problem> {
    // Only browsers send it, and no script can change it.
    match header_text(request, "sec-fetch-site") {
        Some("same-origin" | "none") => return Ok(()),
        Some(site) => return Err(refused(&format!("Sec-Fetch-Site: {site}"))),
        None => {}
    }
    let Some(origin) = header_text(request, header::ORIGIN.as_str()) else { return Ok(()) };
    if is_same_host(origin, host(request)) { Ok(()) } else { Err(refused(&format!("Origin: {origin}"))) }
}

/// Returns whether a browser sends this for a page of another site, other than by following a link there.
pub(in crate::web) fn is_foreign(request: &HttpRequest) -> bool {
    let from_elsewhere = match header_text(request, "sec-fetch-site") {
        Some(site) => !matches!(site, "same-origin" | "none"),
        None => header_text(request, header::ORIGIN.as_str())
            .is_some_and(|origin| !is_same_host(origin, host(request))),
    };
    let is_link = header_text(request, "sec-fetch-mode") == Some("navigate")
        && header_text(request, "sec-fetch-dest") == Some("document");
    from_elsewhere && !is_link
}

fn header_text<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers().get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// Returns the host as the client wrote it: HTTP/2 has it in the address.
fn host(request: &HttpRequest) -> &str {
    let authority = || request.uri().authority().map(|authority| authority.as_str());
    header_text(request, header::HOST.as_str()).or_else(authority).unwrap_or_default()
}

fn refused(said: &str) -> Problem {
    Problem::forbidden(format!("a page of another site may not do this ({said})"))
}

/// Returns whether a page of `origin` was served by `host`. The scheme may differ: a proxy may speak TLS in
/// our place.
fn is_same_host(origin: &str, host: &str) -> bool {
    let Ok(origin) = Url::parse(origin) else { return false };
    let Some(name) = origin.host_str() else { return false };
    let Ok(host) = Url::parse(&format!("{}://{host}", origin.scheme())) else { return false };
    host.host_str() == Some(name) && host.port_or_known_default() == origin.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_that_of_a_host_with_the_same_name_and_port() {
        let same = [
            ("http://cameras.lan:8080", "cameras.lan:8080"),
            ("https://cameras.lan", "cameras.lan"),
            ("https://cameras.lan", "cameras.lan:443"),
            ("http://cameras.lan", "Cameras.lan:80"),
            ("http://[::1]:8080", "[::1]:8080"),
        ];
        for (origin, host) in same {
            assert!(is_same_host(origin, host), "{origin} {host}");
        }
        let other = [
            ("null", "cameras.lan"),
            ("http://evil.example", "cameras.lan"),
            ("http://cameras.lan:8081", "cameras.lan:8080"),
            ("http://cameras.lan.evil.example", "cameras.lan"),
            ("http://evil.example/cameras.lan", "cameras.lan"),
            ("http://cameras.lan@evil.example", "cameras.lan"),
            ("file://", "cameras.lan"),
            ("http://cameras.lan", ""),
            ("", ""),
        ];
        for (origin, host) in other {
            assert!(!is_same_host(origin, host), "{origin} {host}");
        }
    }
}
