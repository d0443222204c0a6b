//! A JPEG that is polled over HTTP: `type: snapshot`.
//!
//! One connection is used where the camera keeps it, never two requests at once. A picture that did not
//! change (304, or the same bytes) is not published again. Kept out: conversion of other formats.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    parser_limits,
    response_kind::{DetectedBody, Expected, ResponseHead, detect_body},
};
use crate::{
    bus::{DropReason, Ingest},
    config::{Limits, UpstreamConfig},
    media::{
        jpeg::{JpegError, JpegInfo},
        multipart::parser::{DiscardReason, ParseError, ParserEvents, ParserLimits, Part, PartParser, Quirk},
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

/// Longest wait for data after a published picture, so that its connection can be used again. Cameras that
/// announce more than they send would take up the whole interval.
const KEEP_WITHIN: Duration = Duration::from_millis(250);

/// A source that polls a JPEG URL.
#[derive(Debug)]
pub struct SnapshotSource {
    client: HttpClient,
    interval: Duration,
    bounds: Bounds,
}

/// Bounds of one picture.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    first_frame_timeout: Duration,
    frame_timeout: Duration,
    parser_limits: ParserLimits,
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
            bounds: Bounds {
                first_frame_timeout: upstream.first_frame_timeout,
                frame_timeout: upstream.frame_timeout,
                parser_limits: parser_limits(limits),
            },
        }
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
        let host = response.host().to_owned();
        let validators = (owned(response.header("etag")), owned(response.header("last-modified")));
        let part = match self.bounds.picture(&mut response, last.picture.is_none(), ingest).await {
            Ok(Ok(part)) => part,
            Ok(Err(error)) => {
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
            ingest.push_part(part);
            if !fits {
                return Err(SourceError::TooManyPixels { host, width, height });
            }
            *last = LastPicture { picture: Some(picture), etag: validators.0, last_modified: validators.1 };
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
    /// Reads the response up to the end of its first picture; the inner error is about the picture itself.
    async fn picture(
        self,
        response: &mut Response<'_>,
        first: bool,
        ingest: &Ingest,
    ) -> Result<Result<Part, JpegError>, SourceError> {
        let head = ResponseHead::read(response, Expected::Picture)?;
        let deadline = if first {
            BodyDeadline::new(Deadline::FirstFrame, self.first_frame_timeout)
        } else {
            BodyDeadline::new(Deadline::NextFrame, self.frame_timeout)
        };
        let host = response.host().to_owned();
        let max = self.parser_limits.max_frame_bytes;
        let too_large = || SourceError::TooLarge { host: host.clone(), limit: max };
        if !response.is_multipart() && response.content_length().is_some_and(|length| length > max as u64) {
            return Err(too_large());
        }
        let DetectedBody { kind, first, mut ended } = detect_body(&head, response, deadline).await?;
        let mut parser = PartParser::new(kind, self.parser_limits);
        parser.push(&first);
        let mut length = first.len();
        let found = loop {
            match if ended { parser.finish() } else { parser.next_part() } {
                Ok(Some(part)) => break Ok(part),
                Ok(None) => {}
                Err(ParseError::TooLarge { .. }) => return Err(too_large()),
                Err(ParseError::Ended { bytes: 0, .. }) => return Err(SourceError::Empty { host }),
                Err(_) if response.is_cut_off() => {
                    let reason = "it was closed before the declared end of the picture".to_owned();
                    return Err(SourceError::Broken { host, reason });
                }
                Err(ParseError::Ended { cause: Some(error), .. }) => break Err(error),
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
        Ok(found)
    }
}

/// Counts the events of one response. Quirks of the framing are left out: a single picture has none.
fn count(events: &ParserEvents, broken: bool, ingest: &Ingest) {
    for (quirk, times) in events.quirks().filter(|(quirk, _)| *quirk == Quirk::NoHuffmanTables) {
        ingest.count_quirk(quirk, times);
    }
    if broken {
        ingest.bus().stats().count_discard(DiscardReason::Invalid, 1);
        ingest.count_drop(DropReason::Invalid);
    }
}

/// The outcome of one request.
enum PollOutcome {
    /// A new picture was published.
    Published,
    /// The camera answered 304, or sent the same bytes.
    Unchanged,
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

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}
