//! A JPEG that is polled over HTTP: `type: snapshot`; with a [`Detection`] also a stream: `type: auto`.
//!
//! One connection is used where the camera keeps it, never two requests at once. A picture that did not
//! change (304, or the same bytes) is not published again. Kept out: conversion of other formats.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use tokio::{
    task::yield_now,
    time::{MissedTickBehavior, interval},
};

use super::{
    Bounds,
    detection::{CameraKind, Detection},
    mjpeg::{is_framecast, sender},
    response_kind::{DetectedBody, Expected, ResponseHead, detect_body},
};
use crate::{
    bus::{DropReason, Ingest},
    config::{Limits, UpstreamConfig},
    imaging::{convert::PictureLimits, cpu_pool::StreamQueue},
    media::{
        capture::{CaptureHeaders, Sender},
        jpeg::{JpegError, JpegInfo},
        multipart::{
            content_type::ContentKind,
            parser::{DiscardReason, ParseError, ParserEvents, Part, PartParser, Quirk},
        },
    },
    source::{
        error::{Deadline, SourceError},
        http_client::{BodyDeadline, HttpClient, Response},
        traits::Source,
    },
};

/// Number of consecutive broken pictures after which the source fails: otherwise the camera would be polled
/// at full rate forever, and the stream would seem live without showing a picture.
const MAX_BROKEN_IN_A_ROW: u32 = 10;

/// Minimum interval: below it, a camera that answers at once would be polled without a pause.
const MIN_INTERVAL: Duration = Duration::from_millis(1);

/// Interval of a camera that was found to be polled; also the default of `type: snapshot`.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);

/// Longest wait for data after a published picture, so that its connection can be used again. Cameras that
/// announce more than they send would take up the whole interval.
const KEEP_WITHIN: Duration = Duration::from_millis(250);

/// Longest wait for a second picture in the first response, by which a stream of bare JPEGs is told from a
/// snapshot whose end is not marked: a slower stream may as well be polled.
const SECOND_PICTURE_TIMEOUT: Duration = DEFAULT_INTERVAL;

/// A source that polls a JPEG URL.
#[derive(Debug)]
pub struct SnapshotSource {
    client: HttpClient,
    interval: Duration,
    bounds: Bounds,
    detection: Option<Detection>,
    /// The camera is asked for the numbers, times and JSON of its frames: it is another framecast.
    asks_meta: bool,
}

/// The newest picture and its validators, by which a change is detected.
#[derive(Debug, Default)]
struct LastPicture {
    picture: Option<Bytes>,
    etag: Option<String>,
    last_modified: Option<String>,
}

impl SnapshotSource {
    /// Creates a source that polls `upstream` each `interval`, counted from the start of one request to the
    /// start of the next. Ticks missed because a response took longer are skipped.
    pub fn new(upstream: UpstreamConfig, interval: Duration, limits: &Limits) -> Self {
        Self {
            client: HttpClient::new(&upstream, limits.max_header_bytes),
            interval,
            bounds: Bounds::new(&upstream, limits),
            detection: None,
            asks_meta: false,
        }
    }

    /// Creates a source that polls, unless the camera answers with a stream: then it shows that response.
    pub fn detecting(upstream: UpstreamConfig, detection: Detection, limits: &Limits) -> Self {
        Self { detection: Some(detection), ..Self::new(upstream, DEFAULT_INTERVAL, limits) }
    }

    /// Converts PNG parts of a stream in `queue`; otherwise they are skipped.
    #[must_use]
    pub fn with_converter(mut self, queue: StreamQueue, limits: PictureLimits) -> Self {
        self.bounds.converter = Some((queue, limits));
        self
    }

    /// Polls until the camera fails twice in a row, or before it gave its first picture. A camera that fails
    /// now and then (busy, rebooting its web server) and works otherwise is polled again after the interval.
    async fn poll(&mut self, ingest: &Ingest) -> Result<(), SourceError> {
        let mut last = LastPicture::default();
        let mut broken_in_a_row = 0;
        let mut worked = false;
        let mut ticks = interval(self.interval.max(MIN_INTERVAL));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let outcome = self.poll_once(ingest, &mut last).await;
            if matches!(outcome, Err(SourceError::TooLarge { .. })) {
                ingest.count_drop(DropReason::TooLarge);
            }
            match outcome {
                Ok(PollOutcome::Published) => (worked, broken_in_a_row) = (true, 0),
                Ok(PollOutcome::Unchanged) => worked = true,
                Ok(PollOutcome::StreamEnded) => return Ok(()),
                Ok(PollOutcome::Broken(host, error)) => {
                    broken_in_a_row += 1;
                    if broken_in_a_row >= MAX_BROKEN_IN_A_ROW {
                        return Err(SourceError::BrokenPictures { host, source: error });
                    }
                }
                Err(error) if worked && !matches!(error, SourceError::TooManyPixels { .. }) => {
                    tracing::debug!("asking again after the interval: {error}");
                    worked = false;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Requests the picture once and publishes it if it is new.
    async fn poll_once(
        &mut self,
        ingest: &Ingest,
        last: &mut LastPicture,
    ) -> Result<PollOutcome, SourceError> {
        let mut response = self.client.get(&last.conditions()).await?;
        if response.status() == 304 {
            return Ok(PollOutcome::Unchanged);
        }
        if self.detection.is_some() && !self.asks_meta && response.is_multipart() && is_framecast(&response) {
            drop(response);
            self.asks_meta = true;
            self.client.add_query("meta", "1");
            response = self.client.get(&last.conditions()).await?;
        }
        let stream_sender = sender(&response, self.asks_meta);
        let host = response.host().to_owned();
        let validators = (owned(response.header("etag")), owned(response.header("last-modified")));
        let headers = capture_headers(&response);
        let is_first = last.picture.is_none();
        let deadline = if is_first { self.bounds.first_frame() } else { self.bounds.next_frame() };
        let detection = self.detection.as_ref();
        let (part, mut parser) = match self.bounds.find(&mut response, deadline, detection, ingest).await {
            Ok(Found::Picture(part, parser)) => (part, parser),
            Ok(Found::Stream(body, detection)) => {
                let stream = self.bounds.stream((response, stream_sender), body, deadline, ingest);
                return Ok(match detection.watch(stream, ingest).await? {
                    CameraKind::Mjpeg => PollOutcome::StreamEnded,
                    CameraKind::Snapshot => PollOutcome::Published,
                });
            }
            Ok(Found::Broken(error)) => {
                response.drain(KEEP_WITHIN).await;
                return Ok(PollOutcome::Broken(host, error));
            }
            Err(error) => {
                response.drain(KEEP_WITHIN).await;
                return Err(error);
            }
        };
        let unchanged = last.picture.as_ref() == Some(&part.jpeg);
        if !unchanged {
            let JpegInfo { width, height, .. } = part.info;
            let fits = ingest.fits(&part.info);
            let picture = part.jpeg.clone();
            let sender = if headers.seq.is_some() { Sender::Framecast } else { Sender::Camera };
            ingest.push_part_of(Part { capture: headers, ..part }, sender);
            if !fits {
                return Err(SourceError::TooManyPixels { host, width, height });
            }
            *last = LastPicture { picture: Some(picture), etag: validators.0, last_modified: validators.1 };
        }
        if let Some(detection) = detection.filter(|_| is_first) {
            if let Some(part) = self.bounds.second_part(&mut response, &mut parser).await {
                detection.set(CameraKind::Mjpeg);
                // Viewers see each picture.
                yield_now().await;
                ingest.push_part_of(part, stream_sender);
                yield_now().await;
                let (body, deadline) = (Some(response.into_body()), self.bounds.next_frame());
                let sender = (host, stream_sender, None);
                self.bounds.continue_stream(sender, body, deadline, *parser, ingest).await?;
                return Ok(PollOutcome::StreamEnded);
            }
            detection.set(CameraKind::Snapshot);
        }
        // After the picture is published: the rest of the body may never come.
        if !response.is_multipart() && !response.drain(KEEP_WITHIN).await {
            ingest.count_quirk(Quirk::ShortBody, 1);
        }
        Ok(if unchanged { PollOutcome::Unchanged } else { PollOutcome::Published })
    }
}

impl Source for SnapshotSource {
    fn run<'a>(&'a mut self, ingest: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        Box::pin(async move {
            self.client.disconnect();
            let result = self.poll(ingest).await;
            self.client.disconnect();
            result
        })
    }
}

impl Bounds {
    /// Reads the response up to the end of its first picture, or, with a `detection`, up to the
    /// beginning of a multipart body.
    async fn find<'a>(
        &self,
        response: &mut Response<'_>,
        deadline: BodyDeadline,
        detection: Option<&'a Detection>,
        ingest: &Ingest,
    ) -> Result<Found<'a>, SourceError> {
        let expected = if detection.is_some() { Expected::Stream } else { Expected::Picture };
        let head = ResponseHead::read(response, expected)?;
        let host = response.host().to_owned();
        let max = self.parser_limits.max_frame_bytes;
        let too_large = || SourceError::TooLarge { host: host.clone(), limit: max };
        if !response.is_multipart() && response.content_length().is_some_and(|length| length > max as u64) {
            return Err(too_large());
        }
        let body = detect_body(&head, response, deadline).await?;
        if let (Some(detection), ContentKind::Multipart { .. }) = (detection, &body.kind) {
            return Ok(Found::Stream(body, detection));
        }
        let DetectedBody { kind, first, mut ended, .. } = body;
        let mut parser = PartParser::new(kind, self.parser_limits);
        parser.push(&first);
        let mut length = first.len();
        let found = loop {
            match if ended { parser.finish() } else { parser.next_part() } {
                Ok(Some(part)) => break Ok(part),
                Ok(None) => {}
                Err(ParseError::TooLarge { .. }) => return Err(too_large()),
                Err(error @ ParseError::Ended { bytes: 0, .. }) => return Err(head.no_pictures(error)),
                Err(_) if response.is_cut_off() => {
                    let reason = "it was closed before the declared end of the picture".to_owned();
                    return Err(SourceError::Broken { host, reason });
                }
                Err(ParseError::Ended { cause: Some(error), .. }) => break Err(error),
                Err(error) if error.media().is_some() => return Err(head.no_pictures(error)),
                Err(_) => break Err(JpegError::NoSoi),
            }
            let piece = response.chunk(deadline).await?;
            ended = piece.is_none();
            let piece = piece.unwrap_or_default();
            length += piece.len();
            // Room for a part's head, which is no part of the picture.
            if length > max + self.parser_limits.max_header_bytes {
                return Err(too_large());
            }
            parser.push(&piece);
        };
        count(&parser.take_events(), found.is_err(), ingest);
        Ok(match found {
            Ok(part) => Found::Picture(part, Box::new(parser)),
            Err(error) => Found::Broken(error),
        })
    }

    /// Waits shortly for another picture in a response that had one.
    async fn second_part(&self, response: &mut Response<'_>, parser: &mut PartParser) -> Option<Part> {
        let deadline = BodyDeadline::new(Deadline::NextFrame, SECOND_PICTURE_TIMEOUT.min(self.frame_timeout));
        loop {
            if let Some(part) = parser.next_part().ok()? {
                return Some(part);
            }
            match response.chunk(deadline).await {
                Ok(Some(piece)) => parser.push(&piece),
                Ok(None) => return parser.finish().ok()?,
                Err(_) => return None,
            }
        }
    }
}

/// Counts the events of one response. Quirks of the framing are left out: a single picture has none.
fn count(events: &ParserEvents, broken: bool, ingest: &Ingest) {
    let of_pictures = [Quirk::NoHuffmanTables, Quirk::MissingEoi, Quirk::FurtherPictures];
    for (quirk, times) in events.quirks().filter(|(quirk, _)| of_pictures.contains(quirk)) {
        ingest.count_quirk(quirk, times);
    }
    if broken {
        ingest.bus().stats().count_discard(DiscardReason::Invalid, 1);
        ingest.count_drop(DropReason::Invalid);
    }
}

/// The content of a response.
enum Found<'a> {
    /// A picture, and the parser of what follows it.
    Picture(Part, Box<PartParser>),
    /// A multipart body, where one is taken.
    Stream(DetectedBody, &'a Detection),
    /// No whole JPEG.
    Broken(JpegError),
}

/// The outcome of one request.
enum PollOutcome {
    /// A new picture was published.
    Published,
    /// The camera answered 304, or sent the same bytes.
    Unchanged,
    /// The camera closed a stream.
    StreamEnded,
    /// The response holds no whole JPEG; the host, and the error.
    Broken(String, JpegError),
}

impl LastPicture {
    fn conditions(&self) -> Vec<(&str, &str)> {
        let etag = self.etag.as_deref().map(|etag| ("if-none-match", etag));
        let date = self.last_modified.as_deref().map(|date| ("if-modified-since", date));
        etag.into_iter().chain(date).collect()
    }
}

/// Reads what the head of a response says about its picture.
fn capture_headers(response: &Response<'_>) -> CaptureHeaders {
    let mut headers = CaptureHeaders::default();
    for name in
        ["x-timestamp", "x-capture-time", "x-framecast-seq", "x-framecast-time-source", "x-framecast-meta"]
    {
        headers.read(name.as_bytes(), response.header(name).unwrap_or_default().as_bytes());
    }
    headers
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}
