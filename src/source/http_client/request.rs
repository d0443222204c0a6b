//! A request to a camera.

use actix_http::{
    RequestHead, Uri,
    error::HttpError,
    header::{self, HeaderName, HeaderValue},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use url::{Position, Url};

use super::auth::Authorization;
use crate::config::Login;

/// Name of framecast in the `User-Agent` header.
const USER_AGENT: &str = concat!("framecast/", env!("CARGO_PKG_VERSION"));

/// A request that is about to be sent.
pub(super) struct Request<'a> {
    pub(super) url: &'a Url,
    pub(super) headers: Vec<(&'a str, &'a str)>,
    pub(super) login: Option<&'a Login>,
    pub(super) authorization: Authorization,
}

impl Request<'_> {
    /// Returns its head for actix-http's codec.
    pub(super) fn into_head(self) -> Result<RequestHead, HttpError> {
        let mut head = RequestHead::default();
        head.uri = Uri::try_from(path_and_query(self.url))?;
        // Some cameras accept header names in one letter case only.
        head.set_camel_case_headers(true);
        let host = &self.url[Position::BeforeHost..Position::AfterPort];
        let ours = [("host", host), ("accept", "*/*"), ("user-agent", USER_AGENT)];
        for (name, value) in ours.into_iter().chain(self.headers) {
            head.headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        let authorization = match (self.authorization, self.login) {
            (Authorization::Basic, Some(login)) => {
                let credentials = format!("{}:{}", login.user, login.password.reveal());
                Some(format!("Basic {}", BASE64_STANDARD.encode(credentials)))
            }
            (Authorization::Digest(answer), _) => Some(answer),
            _ => None,
        };
        if let Some(value) = authorization {
            head.headers.insert(header::AUTHORIZATION, HeaderValue::try_from(value)?);
        }
        Ok(head)
    }
}

/// Returns the request target, over which a digest is computed too.
pub(super) fn path_and_query(url: &Url) -> &str {
    &url[Position::BeforePath..Position::AfterQuery]
}
