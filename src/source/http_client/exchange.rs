//! One request and its response: sends the request, parses the head of the response, and holds the body.
//!
//! actix-http's client codec writes the request and parses the head, after
//! [`head_repair`](super::head_repair) has repaired it (`docs/adr/0028`). An exchange owns its connection, so
//! that there is never more than one request on it, and returns it after the body.

use std::{fmt, io, time::Duration};

use actix_http::{
    RequestHeadType, ResponseHead, Version,
    body::BodySize,
    error::{HttpError, ParseError},
    h1::{ClientCodec, Message},
    header,
};
use bytes::{Bytes, BytesMut};
use tokio::{io::AsyncReadExt, time::timeout};
use tokio_util::codec::{Decoder, Encoder};

use super::{
    body::{BodyDeadline, BodyFraming, BodyReader},
    connection::camera_connection::CameraConnection,
    head_repair::{HeadError, HeadReader, RepairedHead},
    request::Request,
};
use crate::source::error::{Deadline, SourceError};

/// Bytes of a head to read at a time.
const HEAD_READ_BYTES: usize = 2048;

/// Bytes of a body to read at a time where its length is not known.
const BODY_READ_BYTES: usize = 16 * 1024;

/// Maximum length of an error page that is read so that its connection can be used again; beyond, a new
/// connection is cheaper.
const MAX_DISCARDED_BYTES: usize = 64 * 1024;

/// A request whose response's head has been read. Dropping it closes the connection.
pub(super) struct Exchange {
    pub(super) host: String,
    pub(super) head: ResponseHead,
    /// The camera keeps the connection for another request.
    keep_alive: bool,
    body: BodyReader,
}

/// The error of a request without a response.
#[derive(Debug)]
pub(super) enum SendFailure {
    /// The connection had ended before the first byte of the response. If it was a kept one, another try is
    /// worth it.
    Closed,
    /// Any other error.
    Failed(SourceError),
}

/// The error of an exchange, without the camera's name.
#[derive(Debug, thiserror::Error)]
enum ExchangeError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Head(#[from] HeadError),
    #[error(transparent)]
    Parse(#[from] ParseError),
    #[error(transparent)]
    Request(#[from] HttpError),
}

impl Exchange {
    /// Sends `request` and waits, for at most `within`, for the head of its response, of at most
    /// `max_header_bytes`.
    pub(super) async fn start(
        connection: CameraConnection,
        request: Request<'_>,
        max_header_bytes: usize,
        within: Duration,
    ) -> Result<Self, SendFailure> {
        let host = connection.origin().authority();
        match timeout(within, exchange(connection, request, max_header_bytes)).await {
            Ok(Ok(exchange)) => Ok(exchange),
            Ok(Err(error)) => Err(failure(host, error)),
            Err(_) => Err(SendFailure::Failed(SourceError::late(&host, Deadline::Head, within))),
        }
    }

    /// Returns the status code.
    pub(super) fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    /// Returns a header's first value, of those that [`head_repair`](super::head_repair) keeps.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns all values of a header.
    pub(super) fn headers(&self, name: &str) -> Vec<&str> {
        self.head.headers.get_all(name).filter_map(|value| value.to_str().ok()).collect()
    }

    /// Returns whether the body ends only with the connection.
    pub(super) fn is_close_delimited(&self) -> bool {
        self.head.version == Version::HTTP_10
    }

    /// Returns the declared length of the body.
    pub(super) fn content_length(&self) -> Option<u64> {
        content_length(&self.head)
    }

    /// Reads the next piece of the body; `None` at its end, which may come before the declared length: some
    /// cameras declare a length for an endless stream, and close the connection before it.
    pub(super) async fn chunk(&mut self, deadline: BodyDeadline) -> Result<Option<Bytes>, SourceError> {
        let mut piece = BytesMut::with_capacity(BODY_READ_BYTES);
        let count = self.body.read_into(&mut piece, deadline).await?;
        Ok((count > 0).then(|| piece.freeze()))
    }

    /// Reads the whole body, of at most `limit` bytes.
    pub(super) async fn whole(&mut self, limit: usize, deadline: BodyDeadline) -> Result<Bytes, SourceError> {
        let too_large = || SourceError::TooLarge { host: self.host.clone(), limit };
        let length = self.content_length();
        if length.is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut body = BytesMut::with_capacity(length.unwrap_or(0) as usize);
        loop {
            if length.is_none() {
                body.reserve(BODY_READ_BYTES);
            }
            if self.body.read_into(&mut body, deadline).await? == 0 {
                break;
            }
            if body.len() > limit {
                return Err(too_large());
            }
        }
        if self.body.is_cut_off() {
            let reason = "it was closed before the declared end of the picture".to_owned();
            return Err(SourceError::Broken { host: self.host.clone(), reason });
        }
        Ok(body.freeze())
    }

    /// Reads the rest of the body, if it is short and comes soon, and returns the connection if it can be
    /// used again.
    pub(super) async fn drain(&mut self, within: Duration) -> Option<CameraConnection> {
        let deadline = BodyDeadline::new(Deadline::Head, within);
        let mut left = MAX_DISCARDED_BYTES;
        while !self.is_close_delimited() {
            match self.chunk(deadline).await {
                Ok(Some(chunk)) if chunk.len() <= left => left -= chunk.len(),
                Ok(None) => return self.release(),
                _ => break,
            }
        }
        None
    }

    /// Returns whether bytes of the declared length are still missing.
    pub(super) fn is_cut_off(&self) -> bool {
        self.body.is_cut_off()
    }

    /// Returns the connection, if the body was read to its end and the camera keeps connections.
    pub(super) fn release(&mut self) -> Option<CameraConnection> {
        if self.keep_alive { self.body.release() } else { None }
    }

    /// Returns the body, which closes the connection at its end.
    pub(super) fn into_body(self) -> BodyReader {
        self.body
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("host", &self.host).finish_non_exhaustive()
    }
}

async fn exchange(
    mut connection: CameraConnection,
    request: Request<'_>,
    max_header_bytes: usize,
) -> Result<Exchange, ExchangeError> {
    let mut codec = ClientCodec::default();
    let mut bytes = BytesMut::new();
    let head = RequestHeadType::from(request.into_head()?);
    codec.encode(Message::Item((head, BodySize::Sized(0))), &mut bytes)?;
    connection.write(&bytes).await?;
    let RepairedHead { answer, head_len } = read_head(&mut connection, max_header_bytes).await?;
    let head = codec.decode(&mut BytesMut::from(&answer[..head_len]))?.ok_or(HeadError::Truncated)?;
    let host = connection.origin().authority();
    let body = BodyReader::new(host.clone(), connection, answer.slice(head_len..), framing(&head));
    Ok(Exchange { host, head, keep_alive: codec.keep_alive(), body })
}

async fn read_head(connection: &mut CameraConnection, limit: usize) -> Result<RepairedHead, ExchangeError> {
    let mut reader = HeadReader::new(limit);
    let mut piece = BytesMut::with_capacity(HEAD_READ_BYTES);
    loop {
        piece.clear();
        if connection.read_buf(&mut piece).await? == 0 {
            return Err(reader.finish().into());
        }
        if let Some(repaired) = reader.push(&piece)? {
            return Ok(repaired);
        }
    }
}

fn content_length(head: &ResponseHead) -> Option<u64> {
    head.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Returns how the end of the body is marked, according to a repaired head.
fn framing(head: &ResponseHead) -> BodyFraming {
    match content_length(head) {
        _ if head.version == Version::HTTP_10 => BodyFraming::Close,
        Some(length) => BodyFraming::Length(length),
        None if head.headers.contains_key(header::TRANSFER_ENCODING) => BodyFraming::chunked(),
        None => BodyFraming::Length(0),
    }
}

fn failure(host: String, error: ExchangeError) -> SendFailure {
    match error {
        ExchangeError::Head(HeadError::NoAnswer) => SendFailure::Closed,
        ExchangeError::Head(source) => SendFailure::Failed(SourceError::Head { host, source }),
        ExchangeError::Io(error) if has_ended(&error) => SendFailure::Closed,
        other => SendFailure::Failed(SourceError::Broken { host, reason: other.to_string() }),
    }
}

fn has_ended(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
}
