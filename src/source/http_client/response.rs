//! A camera's answer: its head, and its body piece by piece.

use std::{fmt, time::Duration};

use awc::{
    ClientResponse,
    error::PayloadError,
    http::{StatusCode, Version, header},
};
use bytes::Bytes;
use futures_util::StreamExt;

use super::{
    body::{BodyDeadline, BodyReader, Framing},
    repaired_stream::Tap,
};
use crate::{
    media::multipart::content::{LOOKED_AT, MediaType, PageTitle},
    source::{Deadline, SourceError},
};

/// An error page is read up to here so that its connection can be used again; beyond, a new one is cheaper.
const MAX_DISCARDED_BYTES: usize = 64 * 1024;

/// Longest wait for a page's title: the stream is away meanwhile.
const TITLE_WITHIN: Duration = Duration::from_secs(1);

/// An answer whose head has come.
///
/// Dropping it closes the connection, unless its body was read to the end and the camera keeps connections.
pub struct Response {
    host: String,
    inner: ClientResponse,
    tap: Tap,
    /// Bytes of the body still to come, where the head said how many.
    missing: Option<u64>,
}

impl Response {
    pub(super) fn new(host: String, inner: ClientResponse, tap: Tap) -> Self {
        let length = inner.headers().get(header::CONTENT_LENGTH);
        let missing = length.and_then(|value| value.to_str().ok()?.parse().ok());
        Self { host, inner, tap, missing }
    }

    /// Host and port that answered.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.inner.status().as_u16()
    }

    /// `Content-Type`, as the camera wrote it.
    pub fn content_type(&self) -> Option<&str> {
        self.header("content-type")
    }

    /// A header's first value. Only those that framecast uses are kept: see
    /// [`crate::source::http_client::head_repair`].
    pub fn header(&self, name: &str) -> Option<&str> {
        self.inner.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// All values of a header.
    pub(super) fn headers(&self, name: &str) -> Vec<&str> {
        self.inner.headers().get_all(name).filter_map(|value| value.to_str().ok()).collect()
    }

    /// Whether the body ends only with the connection.
    pub fn is_close_delimited(&self) -> bool {
        self.inner.version() == Version::HTTP_10
    }

    /// The declared length of the body.
    pub fn content_length(&self) -> Option<u64> {
        self.header("content-length").and_then(|value| value.parse().ok())
    }

    /// The body, to be read without awc and its copies, for as long as it may be. To be called before a piece
    /// of it was read here. The connection ends with it.
    pub fn into_body(self) -> BodyReader {
        let framing = match self.content_length() {
            _ if self.is_close_delimited() => Framing::Close,
            Some(length) => Framing::Length(length),
            None if self.header("transfer-encoding").is_some() => Framing::chunked(),
            None => Framing::Length(0),
        };
        BodyReader::new(self.host, self.tap.take(), framing)
    }

    /// The next piece of the body; `None` at its end, which may come before the declared length: cameras that
    /// write some length over an endless stream close before it.
    ///
    /// # Errors
    /// [`SourceError::Late`] at the deadline, [`SourceError::Broken`] when the connection broke.
    pub async fn chunk(&mut self, deadline: BodyDeadline) -> Result<Option<Bytes>, SourceError> {
        match deadline.keep(&self.host, self.inner.next()).await? {
            Some(Ok(chunk)) => {
                self.missing = self.missing.map(|missing| missing.saturating_sub(chunk.len() as u64));
                Ok(Some(chunk))
            }
            None => Ok(None),
            Some(Err(PayloadError::Io(error) | PayloadError::Incomplete(Some(error)))) => {
                Err(self.broken(&error.to_string()))
            }
            Some(Err(error)) => Err(self.broken(&error.to_string())),
        }
    }

    /// The whole body, of at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Response::chunk`], and when the body ended before its declared length; [`SourceError::TooLarge`]
    /// as soon as the limit is passed, by the declared length or by the bytes themselves.
    pub async fn whole(mut self, limit: usize, deadline: BodyDeadline) -> Result<Bytes, SourceError> {
        let too_large = SourceError::TooLarge { host: self.host.clone(), limit };
        if self.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large);
        }
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(deadline).await? {
            if body.len() + chunk.len() > limit {
                return Err(too_large);
            }
            body.extend_from_slice(&chunk);
        }
        if self.missing.is_some_and(|missing| missing > 0) {
            return Err(self.broken("it was closed before the declared end of the picture"));
        }
        Ok(body.into())
    }

    /// Returns the title of the page in the answer, if it comes soon; for a reason that names it.
    pub async fn title(mut self, within: Duration) -> Option<PageTitle> {
        let html = self
            .content_type()
            .and_then(MediaType::named)
            .is_some_and(|media| matches!(media.as_str(), "text/html" | "application/xhtml+xml"));
        // Compressed bodies show no title.
        if !html || self.header("content-encoding").is_some_and(|coding| coding != "identity") {
            return None;
        }
        let deadline = BodyDeadline::new(Deadline::FirstFrame, within.min(TITLE_WITHIN));
        let mut page = Vec::new();
        while page.len() < LOOKED_AT
            && let Ok(Some(chunk)) = self.chunk(deadline).await
        {
            page.extend_from_slice(&chunk[..chunk.len().min(LOOKED_AT - page.len())]);
        }
        PageTitle::find(&page)
    }

    /// Reads what is left, when that is little and comes soon, so that the connection can be used again.
    pub(super) async fn discard(mut self, within: Duration) {
        let deadline = BodyDeadline::new(Deadline::Head, within);
        let mut left = MAX_DISCARDED_BYTES;
        while !self.is_close_delimited() {
            match self.chunk(deadline).await {
                Ok(Some(chunk)) if chunk.len() <= left => left -= chunk.len(),
                _ => break,
            }
        }
    }

    /// `404 Not Found`.
    pub fn status_text(&self) -> String {
        let reason = StatusCode::from_u16(self.status()).ok().and_then(|status| status.canonical_reason());
        reason.map_or_else(|| self.status().to_string(), |reason| format!("{} {reason}", self.status()))
    }

    fn broken(&self, reason: &str) -> SourceError {
        SourceError::Broken { host: self.host.clone(), reason: reason.to_owned() }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("host", &self.host)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
