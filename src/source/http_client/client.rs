//! The client of one camera: one connection at a time, challenges answered, redirects followed.

use std::{fmt, time::Duration};

use url::Url;

use super::{
    auth::{Authorization, Authorizer},
    connect,
    connection::{Line, Request, SendFailure, digest_uri},
    head_repair,
    redirect::{MAX_REDIRECTS, Target},
    response::Response,
};
use crate::{
    config::{Secret, UpstreamConfig},
    source::error::SourceError,
};

/// Asks one camera, over one connection at a time.
pub struct HttpClient {
    url: Url,
    headers: Vec<(String, Secret)>,
    insecure: bool,
    connect_timeout: Duration,
    head_timeout: Duration,
    max_header_bytes: usize,
    auth: Authorizer,
    line: Option<Line>,
}

impl HttpClient {
    /// A client that has not connected yet.
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
            auth: Authorizer::new(config.login.clone()),
            line: None,
        }
    }

    /// Closes the connection, if there is one. Does so at once; a [`Response`] still held has its own end.
    pub fn disconnect(&mut self) {
        self.line = None;
    }

    /// Asks for the configured URL, with `headers` besides the configured ones; redirects are followed and
    /// challenges answered. Other statuses are the caller's to judge.
    ///
    /// An earlier [`Response`] must have been read to its end or dropped.
    ///
    /// # Errors
    /// Everything that can go wrong up to the end of the head.
    pub async fn get(&mut self, headers: &[(&str, &str)]) -> Result<Response, SourceError> {
        let mut target = Target::configured(&self.url)?;
        self.auth.begin(!self.is_connected_to(&target));
        for _ in 0..=MAX_REDIRECTS {
            let response = self.get_authorized(&target, headers).await?;
            let Some(next) = target.redirected(response.status(), response.header("location"))? else {
                return Ok(response);
            };
            if next.origin == target.origin {
                response.discard(self.head_timeout).await;
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
        target: &Target,
        headers: &[(&str, &str)],
    ) -> Result<Response, SourceError> {
        loop {
            let response = self.ask(target, headers).await?;
            if response.status() != 401 {
                return Ok(response);
            }
            let host = response.host().to_owned();
            if !target.trusted {
                return Err(SourceError::UnauthorizedElsewhere { host });
            }
            if !self.auth.challenged(&response.headers("www-authenticate")) {
                return Err(SourceError::Unauthorized { host });
            }
            response.discard(self.head_timeout).await;
        }
    }

    /// One request and the head of its answer. A kept connection may have been closed by the camera at the
    /// same moment: then it is asked once more, over a new one.
    async fn ask(&mut self, target: &Target, headers: &[(&str, &str)]) -> Result<Response, SourceError> {
        let host = target.origin.authority();
        if self.is_connected_to(target) {
            match self.send(target, headers).await {
                Err(SendFailure::Gone) => {}
                Err(SendFailure::Failed(error)) => return Err(error),
                Ok(response) => return Ok(response),
            }
        }
        self.disconnect();
        let transport = connect::dial(&target.origin, self.insecure, self.connect_timeout).await?;
        self.line = Some(Line::new(target.origin.clone(), transport, self.max_header_bytes));
        self.send(target, headers).await.map_err(|failure| match failure {
            SendFailure::Gone => SourceError::Head { host, source: head_repair::HeadError::NoAnswer },
            SendFailure::Failed(error) => error,
        })
    }

    async fn send(&mut self, target: &Target, headers: &[(&str, &str)]) -> Result<Response, SendFailure> {
        let Some(line) = &self.line else { return Err(SendFailure::Gone) };
        let mut all = headers.to_vec();
        let mut authorization = Authorization::None;
        if target.trusted {
            all.extend(self.headers.iter().map(|(name, value)| (name.as_str(), value.reveal())));
            authorization = self.auth.authorization(digest_uri(&target.url));
        }
        let request = Request { url: &target.url, headers: all, login: self.auth.login(), authorization };
        let answer = line.send(request, self.head_timeout).await?;
        Ok(Response::new(target.origin.authority(), answer, line.tap()))
    }

    fn is_connected_to(&self, target: &Target) -> bool {
        self.line.as_ref().is_some_and(|line| line.leads_to(&target.origin))
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}
