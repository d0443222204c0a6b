//! A camera's response: its head, and its body piece by piece.

use std::{fmt, time::Duration};

use actix_http::StatusCode;
use bytes::Bytes;

use super::{
    body::{BodyDeadline, BodyReader},
    connection::camera_connection::CameraConnection,
    exchange::Exchange,
};
use crate::{media::multipart::content_type::ContentKind, source::error::SourceError};

/// A response whose head has been read.
///
/// Dropping it closes the connection, unless its body was read to the end and the camera keeps connections.
pub struct Response<'a> {
    exchange: Exchange,
    /// The client's slot for the connection, once the body has been read.
    idle: &'a mut Option<CameraConnection>,
    login_unused: bool,
}

impl<'a> Response<'a> {
    pub(super) fn new(
        exchange: Exchange,
        login_unused: bool,
        idle: &'a mut Option<CameraConnection>,
    ) -> Self {
        let mut response = Self { exchange, idle, login_unused };
        // There may be no body, as in a 304.
        response.release();
        response
    }

    /// Returns host and port of the server that answered.
    pub fn host(&self) -> &str {
        &self.exchange.host
    }

    /// Returns the status code.
    pub fn status(&self) -> u16 {
        self.exchange.status()
    }

    /// Returns `Content-Type`, as the camera wrote it.
    pub fn content_type(&self) -> Option<&str> {
        self.header("content-type")
    }

    /// Returns a header's first value. Only those that framecast uses are kept: see
    /// [`head_repair`](super::head_repair).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.exchange.header(name)
    }

    /// Returns whether the body ends only with the connection.
    pub fn is_close_delimited(&self) -> bool {
        self.exchange.is_close_delimited()
    }

    /// Returns the declared length of the body.
    pub fn content_length(&self) -> Option<u64> {
        self.exchange.content_length()
    }

    /// Returns the body, for a stream. What was read of it before is not in it. The connection
    /// ends with it.
    pub fn into_body(self) -> BodyReader {
        self.exchange.into_body()
    }

    /// Reads the next piece of the body; `None` at its end, which may come before the declared length: some
    /// cameras declare a length for an endless stream, and close the connection before it.
    ///
    /// # Errors
    /// [`SourceError::Late`] at the deadline, [`SourceError::Broken`] when the connection broke.
    pub async fn chunk(&mut self, deadline: BodyDeadline) -> Result<Option<Bytes>, SourceError> {
        let chunk = self.exchange.chunk(deadline).await?;
        if chunk.is_none() {
            self.release();
        }
        Ok(chunk)
    }

    /// Reads the whole body, of at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Response::chunk`], and when the body ended before its declared length; [`SourceError::TooLarge`]
    /// as soon as the limit is passed, by the declared length or by the bytes themselves.
    pub async fn whole(mut self, limit: usize, deadline: BodyDeadline) -> Result<Bytes, SourceError> {
        let body = self.exchange.whole(limit, deadline).await?;
        self.release();
        Ok(body)
    }

    /// Reads what is left, if it is short and comes soon, so that the connection can be used again. Returns
    /// whether the body was as long as its declared length, if it had one.
    pub async fn drain(&mut self, within: Duration) -> bool {
        if let Some(connection) = self.exchange.drain(within).await {
            *self.idle = Some(connection);
        }
        !self.is_cut_off()
    }

    /// Returns whether the head declares a multipart body, which may never end.
    pub fn is_multipart(&self) -> bool {
        matches!(ContentKind::from_header(self.content_type()), ContentKind::Multipart { .. })
    }

    /// Returns whether bytes of the declared length are still missing.
    pub fn is_cut_off(&self) -> bool {
        self.exchange.is_cut_off()
    }

    /// Returns the status with its reason phrase: `404 Not Found`.
    pub fn status_text(&self) -> String {
        let reason = StatusCode::from_u16(self.status()).ok().and_then(|status| status.canonical_reason());
        reason.map_or_else(|| self.status().to_string(), |reason| format!("{} {reason}", self.status()))
    }

    /// Returns the error of a status that is no success.
    pub fn status_error(&self) -> SourceError {
        let (host, status) = (self.host().to_owned(), self.status_text());
        SourceError::Status { host, status, login_unused: self.login_unused }
    }

    /// Gives the connection back to the client, if it can be used again.
    fn release(&mut self) {
        if let Some(connection) = self.exchange.release() {
            *self.idle = Some(connection);
        }
    }
}

impl fmt::Debug for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("host", &self.host())
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
