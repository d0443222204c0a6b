//! The credentials of a request, in its headers, its cookie or its query.

use actix_web::{HttpRequest, http::header};
use base64::{Engine, prelude::BASE64_STANDARD};

use super::origin::is_foreign;
use crate::{
    auth::{Credentials, signed_link::LinkSignature},
    media::stream_name::StreamName,
    web::query::query,
};

/// Collects the credentials of a request. A link is for `stream`.
pub(super) fn credentials_of(request: &HttpRequest, stream: Option<&StreamName>) -> Credentials {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, rest) = header.and_then(|value| value.split_once(' ')).unwrap_or_default();
    let mut shown =
        Credentials { tokens: query(request, "token").into_iter().collect(), ..Credentials::default() };
    if scheme.eq_ignore_ascii_case("bearer") {
        shown.tokens.push(rest.trim().to_owned());
    } else if scheme.eq_ignore_ascii_case("basic") {
        shown.login = basic(rest.trim());
    }
    shown.link = stream.cloned().zip(signed(request));
    // A page of another site may show our pictures, but not with the login of the user who opened it.
    if !is_foreign(request) {
        shown.cookie = cookie(request);
    }
    shown
}

fn basic(encoded: &str) -> Option<(String, String)> {
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

/// Returns the parameters of a signed link.
pub(in crate::web) fn signed(request: &HttpRequest) -> Option<LinkSignature> {
    let expires = query(request, "expires")?.parse().ok()?;
    Some(LinkSignature { expires, signature: query(request, "signature")? })
}

/// Returns the session's cookie.
pub(in crate::web) fn cookie(request: &HttpRequest) -> Option<String> {
    let name = cookie_name(request);
    let lines = request.headers().get_all(header::COOKIE).filter_map(|line| line.to_str().ok());
    let mut cookies =
        lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    cookies.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

/// Returns the name of the session's cookie. Cookies ignore ports: with one name, two relays on one machine
/// would log each other's users out.
pub(in crate::web) fn cookie_name(request: &HttpRequest) -> String {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    match host.and_then(|host| host.rsplit_once(':')).and_then(|(_, port)| port.parse::<u16>().ok()) {
        Some(port) => format!("framecast_{port}"),
        None => "framecast".to_owned(),
    }
}
