//! An MJPEG stream over HTTP: `type: mjpeg`.
//!
//! One run is one connection: it requests the URL, parses the body and publishes the frames unchanged. It
//! ends when the camera closes, fails when the camera is late or sends no pictures, and leaves reconnecting
//! to the stream's actor.

use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use tokio::task::yield_now;

use crate::{
    bus::Sink,
    config::{Limits, UpstreamConfig},
    media::multipart::{
        boundary::ContentKind,
        parser::{ParseError, ParserLimits, PartParser},
    },
    source::{
        Deadline, Source, SourceError,
        http_client::{BodyDeadline, BodyReader, HttpClient, Response},
    },
};

/// Number of consecutive oversized pictures after which the source ends: that many are no accident.
const MAX_OVERSIZED_IN_A_ROW: u32 = 10;

/// Content that the URL should return.
const EXPECTED: &str = "a multipart or JPEG body";

/// A camera's MJPEG stream.
#[derive(Debug)]
pub struct UpstreamSource {
    client: HttpClient,
    first_frame_timeout: Duration,
    frame_timeout: Duration,
    parser_limits: ParserLimits,
}

impl UpstreamSource {
    /// Creates a source that requests the URL of `config` at each run.
    pub fn new(config: UpstreamConfig, limits: &Limits) -> Self {
        Self {
            client: HttpClient::new(&config, limits.max_header_bytes),
            first_frame_timeout: config.first_frame_timeout,
            frame_timeout: config.frame_timeout,
            parser_limits: ParserLimits {
                max_frame_bytes: limits.max_frame_bytes,
                max_header_bytes: limits.max_header_bytes,
            },
        }
    }

    async fn stream(&mut self, sink: &Sink) -> Result<(), SourceError> {
        let response = self.client.get(&[]).await?;
        let kind = match content_kind(&response) {
            Ok(kind) => kind,
            Err(SourceError::ContentType { host, content_type, expected, what, .. }) => {
                let title = response.title(self.first_frame_timeout).await;
                return Err(SourceError::ContentType { host, content_type, title, expected, what });
            }
            Err(error) => return Err(error),
        };
        let mut parser = PartParser::new(kind, self.parser_limits);
        let host = response.host().to_owned();
        let body = response.into_body();
        let result = self.frames(&host, body, &mut parser, sink).await;
        if matches!(result, Err(BodyError::Source(_))) {
            // Whole frames are published; a frame that was cut off by a lost connection or a stall is
            // counted.
            while let Ok(Some(part)) = parser.finish() {
                sink.part(part);
            }
        }
        sink.parsed(&parser.take_events());
        result.map_err(|error| match error {
            BodyError::Source(error) => error,
            BodyError::Parse(ParseError::Ended { bytes: 0, .. }) => SourceError::Empty { host },
            BodyError::Parse(source) => SourceError::NoPictures { host, source },
        })
    }

    async fn frames(
        &self,
        host: &str,
        mut body: BodyReader,
        parser: &mut PartParser,
        sink: &Sink,
    ) -> Result<(), BodyError> {
        let mut deadline = BodyDeadline::new(Deadline::FirstFrame, self.first_frame_timeout);
        // A frame was published and no other task of this thread has run since. A camera that always has
        // bytes ready must not keep the thread from viewers and other cameras. (Bytes without frames are
        // bounded by tokio's own budget for reads.)
        let mut unseen = false;
        let mut oversized = 0;
        while body.read_into(parser.space(), deadline).await? > 0 {
            unseen &= !body.waited();
            while let Some(part) = parser.next_part()? {
                if std::mem::replace(&mut unseen, true) {
                    yield_now().await;
                }
                if sink.takes(&part.info) {
                    deadline = BodyDeadline::new(Deadline::NextFrame, self.frame_timeout);
                    oversized = 0;
                } else {
                    oversized += 1;
                }
                let (width, height) = (part.info.width, part.info.height);
                sink.part(part);
                if oversized > MAX_OVERSIZED_IN_A_ROW {
                    let host = host.to_owned();
                    return Err(SourceError::TooManyPixels { host, width, height }.into());
                }
            }
            sink.parsed(&parser.take_events());
        }
        while let Some(part) = parser.finish()? {
            yield_now().await;
            sink.part(part);
        }
        Ok(())
    }
}

impl Source for UpstreamSource {
    fn run<'a>(&'a mut self, sink: &'a Sink) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        Box::pin(async move {
            // A cancelled run may have left its connection.
            self.client.disconnect();
            let result = self.stream(sink).await;
            self.client.disconnect();
            result
        })
    }
}

enum BodyError {
    Source(SourceError),
    Parse(ParseError),
}

impl From<SourceError> for BodyError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<ParseError> for BodyError {
    fn from(error: ParseError) -> Self {
        Self::Parse(error)
    }
}

/// Checks by the head alone whether the response can be a stream: a login page would otherwise be searched
/// for JPEGs.
fn content_kind(response: &Response<'_>) -> Result<ContentKind, SourceError> {
    let host = || response.host().to_owned();
    if response.status() != 200 {
        return Err(SourceError::Status { host: host(), status: response.status_text() });
    }
    let refuse = |content_type: String| SourceError::ContentType {
        host: host(),
        content_type,
        title: None,
        expected: EXPECTED,
        what: "stream's",
    };
    // It was not requested.
    if let Some(coding) = response.header("content-encoding").filter(|coding| *coding != "identity") {
        return Err(refuse(format!("a body compressed with {coding}")));
    }
    match ContentKind::from_header(response.content_type()) {
        ContentKind::Other(content_type) => Err(refuse(content_type)),
        kind => Ok(kind),
    }
}
