//! The credentials that a request shows, wherever they stand.

use actix_web::{HttpRequest, http::header};
use base64::{Engine, prelude::BASE64_STANDARD};

use crate::web::query;

/// What a request shows of who sends it.
#[derive(Default)]
pub(super) struct Shown {
    bearer: Option<String>,
    query: Option<String>,
    /// Name and password. A token may stand in place of the password, for clients that know nothing else.
    basic: Option<(String, String)>,
}

impl Shown {
    pub(super) fn by(request: &HttpRequest) -> Self {
        let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, rest) = header.and_then(|value| value.split_once(' ')).unwrap_or_default();
        let mut shown = Self { query: query(request, "token"), ..Self::default() };
        if scheme.eq_ignore_ascii_case("bearer") {
            shown.bearer = Some(rest.trim().to_owned());
        } else if scheme.eq_ignore_ascii_case("basic") {
            shown.basic = basic(rest.trim());
        }
        shown
    }

    /// What may be a token.
    pub(super) fn tokens(&self) -> impl Iterator<Item = &str> {
        let password = self.basic.as_ref().map(|(_, password)| password);
        self.bearer.iter().chain(&self.query).chain(password).map(String::as_str)
    }
}

fn basic(encoded: &str) -> Option<(String, String)> {
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}
