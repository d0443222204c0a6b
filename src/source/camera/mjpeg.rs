//! An MJPEG stream over HTTP: `type: mjpeg`.
//!
//! One run is one connection: it requests the URL, parses the body and publishes the frames unchanged; PNG
//! parts are converted. It
//! ends when the camera closes, fails when the camera is late or sends no pictures, and leaves reconnecting
//! to the stream's actor.

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use tokio::task::yield_now;

use super::{
    Bounds,
    response_kind::{DetectedBody, Expected, ResponseHead, detect_body},
};
use crate::{
    bus::{DropReason, Ingest},
    config::{Limits, UpstreamConfig},
    imaging::{
        PoolError,
        convert::{PictureError, PictureLimits, conversion_size, to_frame},
        cpu_pool::StreamQueue,
    },
    media::{
        capture::Sender,
        multipart::parser::{ParseError, PartParser},
    },
    source::{
        error::SourceError,
        http_client::{BodyDeadline, BodyReader, HttpClient, Response},
        traits::Source,
    },
};

/// Number of consecutive oversized pictures after which the source ends: that many are no accident.
const MAX_OVERSIZED_IN_A_ROW: u32 = 10;

/// A camera's MJPEG stream.
#[derive(Debug)]
pub struct MjpegSource {
    client: HttpClient,
    bounds: Bounds,
    /// The camera is asked for the numbers, times and JSON of its frames.
    asks_meta: bool,
}

impl MjpegSource {
    /// Creates a source that requests the URL of `config` at each run.
    pub fn new(config: UpstreamConfig, limits: &Limits) -> Self {
        Self {
            client: HttpClient::new(&config, limits.max_header_bytes),
            bounds: Bounds::new(&config, limits),
            asks_meta: false,
        }
    }

    /// Asks the camera for the numbers, times and JSON of its frames, as another framecast gives them.
    #[must_use]
    pub fn with_meta(mut self) -> Self {
        self.ask_meta();
        self
    }

    fn ask_meta(&mut self) {
        self.asks_meta = true;
        self.client.add_query("meta", "1");
    }

    /// Converts PNG parts in `queue`; otherwise they are skipped.
    #[must_use]
    pub fn with_converter(mut self, queue: StreamQueue, limits: PictureLimits) -> Self {
        self.bounds.converter = Some((queue, limits));
        self
    }

    async fn stream(&mut self, ingest: &Ingest) -> Result<(), SourceError> {
        let mut response = self.client.get(&[]).await?;
        if !self.asks_meta && is_framecast(&response) {
            drop(response);
            self.ask_meta();
            response = self.client.get(&[]).await?;
        }
        let sender = sender(&response, self.asks_meta);
        let head = ResponseHead::read(&response, Expected::Stream)?;
        let deadline = self.bounds.first_frame();
        let body = detect_body(&head, &mut response, deadline).await?;
        self.bounds.stream((response, sender), body, deadline, ingest).await
    }
}

/// Returns whether the response is that of a framecast that can give more with its frames.
pub(super) fn is_framecast(response: &Response<'_>) -> bool {
    response.header("x-framecast") == Some("1")
}

/// Returns who has sent a response, and so which of its headers are believed.
pub(super) fn sender(response: &Response<'_>, asks_meta: bool) -> Sender {
    match (response.header("x-framecast-parts"), asks_meta) {
        (Some("meta"), _) => Sender::Framecast,
        (_, true) => Sender::AnnotatedCamera,
        (_, false) => Sender::Camera,
    }
}

impl Bounds {
    /// Publishes the frames of a response, of whose body the beginning is known.
    pub(super) async fn stream(
        &self,
        (response, sender): (Response<'_>, Sender),
        DetectedBody { head, kind, first, ended }: DetectedBody,
        deadline: BodyDeadline,
        ingest: &Ingest,
    ) -> Result<(), SourceError> {
        let host = response.host().to_owned();
        let mut parser = PartParser::new(kind, self.parser_limits);
        if self.converter.is_some() {
            parser = parser.with_png();
        }
        parser.push(&first);
        let body = (!ended).then(|| response.into_body());
        self.continue_stream((host, sender, Some(head)), body, deadline, parser, ingest).await
    }

    /// Publishes the frames of a body, of which the parser may already hold the beginning. `None` means that
    /// the body has ended there.
    pub(super) async fn continue_stream(
        &self,
        (host, sender, head): (String, Sender, Option<ResponseHead>),
        body: Option<BodyReader>,
        deadline: BodyDeadline,
        mut parser: PartParser,
        ingest: &Ingest,
    ) -> Result<(), SourceError> {
        let result = self.frames((&host, sender), body, deadline, &mut parser, ingest).await;
        if matches!(result, Err(BodyError::Source(_))) {
            // Whole frames are published; a frame that was cut off by a lost connection or a stall is
            // counted.
            while let Ok(Some(part)) = parser.finish() {
                ingest.push_part_of(part, sender);
            }
        }
        ingest.count_events(&parser.take_events());
        result.map_err(|error| match (error, parser.other_media(), head) {
            (BodyError::Source(SourceError::Late { .. }), Some(media), _) => {
                SourceError::OtherParts { host, media }
            }
            (BodyError::Source(error), ..) => error,
            (BodyError::Parse(error), _, Some(head)) => head.no_pictures(error),
            (BodyError::Parse(source), _, None) => SourceError::NoPictures { host, source },
        })
    }

    async fn frames(
        &self,
        (host, sender): (&str, Sender),
        mut body: Option<BodyReader>,
        mut deadline: BodyDeadline,
        parser: &mut PartParser,
        ingest: &Ingest,
    ) -> Result<(), BodyError> {
        // A frame was published and no other task of this thread has run since. A camera that always has
        // bytes ready must not keep the thread from viewers and other cameras. (Bytes without frames are
        // bounded by tokio's own budget for reads.)
        let mut unseen = false;
        let mut oversized = 0;
        loop {
            while let Some(part) = parser.next_part()? {
                if std::mem::replace(&mut unseen, true) {
                    yield_now().await;
                }
                if ingest.fits(&part.info) {
                    deadline = self.next_frame();
                    oversized = 0;
                } else {
                    oversized += 1;
                }
                let (width, height) = (part.info.width, part.info.height);
                ingest.push_part_of(part, sender);
                if oversized > MAX_OVERSIZED_IN_A_ROW {
                    let host = host.to_owned();
                    return Err(SourceError::TooManyPixels { host, width, height }.into());
                }
            }
            ingest.count_events(&parser.take_events());
            if let Some(png) = parser.take_png() {
                if self.convert(png, ingest).await {
                    deadline = self.next_frame();
                }
                continue;
            }
            let Some(body) = &mut body else { break };
            if body.read_into(parser.buffer_mut(), deadline).await? == 0 {
                break;
            }
            unseen &= !body.waited();
        }
        while let Some(part) = parser.finish()? {
            yield_now().await;
            ingest.push_part_of(part, sender);
        }
        Ok(())
    }
}

impl Bounds {
    /// Converts a PNG and publishes it. Returns whether it could be. Meanwhile nothing is read.
    async fn convert(&self, png: Bytes, ingest: &Ingest) -> bool {
        let Some((queue, limits)) = &self.converter else { return false };
        let limits = *limits;
        let converted = match conversion_size(&png, limits, None) {
            Ok(Some(size)) => queue.run(size.bytes, move || to_frame(png, limits)).await,
            // The parser found a PNG's signature.
            Ok(None) => return false,
            Err(error) => Ok(Err(error)),
        };
        let (reason, error) = match converted {
            Ok(Ok(frame)) => {
                ingest.push_frame(frame);
                return true;
            }
            Ok(Err(error @ PictureError::TooLarge { .. })) => (DropReason::TooLarge, error.to_string()),
            Ok(Err(error)) => (DropReason::Unreadable, error.to_string()),
            Err(error @ PoolError::Memory { .. }) => (DropReason::TooLarge, error.to_string()),
            Err(error) => (DropReason::Busy, error.to_string()),
        };
        tracing::debug!("a PNG part was dropped: {error}");
        ingest.count_drop(reason);
        false
    }
}

impl Source for MjpegSource {
    fn run<'a>(&'a mut self, ingest: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        Box::pin(async move {
            // A cancelled run may have left its connection.
            self.client.disconnect();
            let result = self.stream(ingest).await;
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
