//! The client of one camera: connections, challenges and redirects.

use std::{fmt, time::Duration};

use url::Url;

use super::{
    auth::{Authorization, Authorizer, Verdict},
    connection::{camera_connection::CameraConnection, connect},
    cookies::CookieJar,
    exchange::{Exchange, SendFailure},
    head_repair::HeadError,
    redirect::{MAX_REDIRECTS, RequestTarget},
    request::{Request, path_and_query},
    response::Response,
};
use crate::{
    config::{Secret, UpstreamConfig},
    source::error::SourceError,
};

/// An HTTP client for one camera, with one connection at a time.
pub struct HttpClient {
    url: Url,
    headers: Vec<(String, Secret)>,
    insecure: bool,
    connect_timeout: Duration,
    head_timeout: Duration,
    max_header_bytes: usize,
    auth: Authorizer,
    /// The camera may have user and password, but the last request had none: it did not ask.
    login_unused: bool,
    cookies: CookieJar,
    /// The open connection, between two requests.
    idle: Option<CameraConnection>,
}

impl HttpClient {
    /// Creates a client, which does not connect yet.
    pub fn new(config: &UpstreamConfig, max_header_bytes: usize) -> Self {
        if config.insecure && config.url.scheme() == "https" {
            let host = config.url.host_str().unwrap_or_default();
            tracing::warn!(host, "any certificate of this camera is accepted (insecure: true)");
        }
        Self {
            url: config.url.clone(),
            headers: config.headers.clone(),
            insecure: config.insecure,
            connect_timeout: config.connect_timeout,
            head_timeout: config.head_timeout,
            max_header_bytes,
            auth: Authorizer::new(config.login.clone(), config.auth),
            login_unused: false,
            cookies: CookieJar::default(),
            idle: None,
        }
    }

    /// Adds a parameter to the query of the configured URL, unless it has one of that name.
    pub fn add_query(&mut self, name: &str, value: &str) {
        if !self.url.query_pairs().any(|(key, _)| key == name) {
            self.url.query_pairs_mut().append_pair(name, value);
        }
    }

    /// Closes the kept connection, if there is one.
    pub fn disconnect(&mut self) {
        self.idle = None;
    }

    /// Requests the configured URL, with `headers` besides the configured ones. Redirects are followed and
    /// challenges answered; the caller checks any other status.
    ///
    /// # Errors
    /// Any failure up to the end of the head.
    pub async fn get(&mut self, headers: &[(&str, &str)]) -> Result<Response<'_>, SourceError> {
        let mut target = RequestTarget::configured(&self.url)?;
        self.auth.begin_request(!self.is_connected_to(&target));
        for _ in 0..=MAX_REDIRECTS {
            let mut exchange = self.get_authorized(&target, headers).await?;
            if target.trusted {
                self.cookies.store(&exchange.headers("set-cookie"));
            }
            let Some(next) = target.redirected(exchange.status(), exchange.header("location"))? else {
                return Ok(Response::new(exchange, self.login_unused, &mut self.idle));
            };
            if next.origin == target.origin {
                self.idle = exchange.drain(self.head_timeout).await;
            }
            target = next;
        }
        Err(SourceError::Redirect {
            host: target.origin.authority(),
            reason: "too often: give the URL it ends at, if there is one",
        })
    }

    async fn get_authorized(
        &mut self,
        target: &RequestTarget,
        headers: &[(&str, &str)],
    ) -> Result<Exchange, SourceError> {
        loop {
            let mut exchange = self.request(target, headers).await?;
            if exchange.status() != 401 {
                return Ok(exchange);
            }
            let host = exchange.host.clone();
            if !target.trusted {
                return Err(SourceError::UnauthorizedElsewhere { host });
            }
            match self.auth.on_challenge(&exchange.headers("www-authenticate")) {
                Verdict::TryAgain => {}
                Verdict::Refused => return Err(SourceError::Unauthorized { host }),
                Verdict::Unanswerable(offered) => return Err(SourceError::UnknownScheme { host, offered }),
            }
            self.idle = exchange.drain(self.head_timeout).await;
        }
    }

    /// Sends one request and reads the head of its response. If a kept connection turns out to be closed, the
    /// request is sent once more, over a new one.
    async fn request(
        &mut self,
        target: &RequestTarget,
        headers: &[(&str, &str)],
    ) -> Result<Exchange, SourceError> {
        // A connection that cannot be used again is closed here, before another one is opened.
        if let Some(mut kept) = self.idle.take()
            && *kept.origin() == target.origin
            && kept.is_idle()
        {
            match self.send(kept, target, headers).await {
                Err(SendFailure::Closed) => {}
                Err(SendFailure::Failed(error)) => return Err(error),
                Ok(exchange) => return Ok(exchange),
            }
        }
        let opened = connect::connect(&target.origin, self.insecure, self.connect_timeout).await?;
        let sent = self.send(opened, target, headers).await;
        let host = || target.origin.authority();
        sent.map_err(|failure| match failure {
            SendFailure::Closed if self.login_unused => SourceError::ClosedUnasked { host: host() },
            SendFailure::Closed => SourceError::Head { host: host(), source: HeadError::NoAnswer },
            SendFailure::Failed(error) => error,
        })
    }

    async fn send(
        &mut self,
        connection: CameraConnection,
        target: &RequestTarget,
        headers: &[(&str, &str)],
    ) -> Result<Exchange, SendFailure> {
        let mut all = headers.to_vec();
        let mut authorization = Authorization::None;
        // A configured cookie replaces the camera's: two `Cookie` headers are invalid (RFC 6265, 5.4).
        let configured = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("cookie"));
        let cookies = self.cookies.header().filter(|_| target.trusted && !configured);
        if target.trusted {
            all.extend(cookies.iter().map(|cookies| ("cookie", cookies.as_str())));
            all.extend(self.headers.iter().map(|(name, value)| (name.as_str(), value.reveal())));
            authorization = self.auth.authorization(path_and_query(&target.url));
        }
        let has_login = target.trusted && self.auth.login().is_some();
        self.login_unused = has_login && authorization == Authorization::None;
        let request = Request { url: &target.url, headers: all, login: self.auth.login(), authorization };
        Exchange::start(connection, request, self.max_header_bytes, self.head_timeout).await
    }

    fn is_connected_to(&self, target: &RequestTarget) -> bool {
        self.idle.as_ref().is_some_and(|kept| *kept.origin() == target.origin)
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}
