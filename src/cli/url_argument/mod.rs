//! Parses the URLs of the command line, and formats those that are printed.

pub(super) mod tls;

use std::{
    borrow::Cow,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use url::Url;

/// Parses a URL. Unlike clap's own error, this one does not contain the text, which may have a password.
pub(super) fn parse_url(text: &str) -> anyhow::Result<Url> {
    let url = Url::parse(&with_scheme(text)).map_err(|error| {
        anyhow::anyhow!("that is not a URL ({error}); it must be like http://host:port/path")
    })?;
    anyhow::ensure!(url.has_host(), "that is not a URL with a host; it must be like http://host:port/path");
    Ok(url)
}

/// Returns a URL that was written without a scheme with `http://`.
pub(super) fn with_scheme(text: &str) -> Cow<'_, str> {
    if text.contains("://") { text.into() } else { format!("http://{text}").into() }
}

/// Returns a URL as messages show it: without user, password and query, which may contain credentials.
pub(super) fn redacted(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    // Both fail only for URLs without a host, which have no login.
    let _ = shown.set_password(None);
    let _ = shown.set_username("");
    shown.to_string()
}

/// Returns a URL that a browser on this machine can open.
pub(super) fn browser_url(scheme: &str, address: SocketAddr, base_path: &str) -> String {
    let mut reachable = address;
    if address.ip().is_unspecified() {
        reachable.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    format!("{scheme}://{reachable}{base_path}")
}
