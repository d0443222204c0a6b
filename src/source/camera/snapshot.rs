//! A JPEG that is polled over HTTP: `type: snapshot`.
//!
//! One connection is used where the camera keeps it, never two requests at once. A picture that did not
//! change (304, or the same bytes) is not published again. Kept out: conversion of other formats.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    bus::{DropReason, Sink},
    config::{Limits, UpstreamConfig},
    media::multipart::content::{MediaType, PageTitle},
    source::{
        Deadline, Source, SourceError,
        http_client::{BodyDeadline, HttpClient, Response},
    },
};

/// Number of consecutive broken pictures after which the source fails: otherwise the camera would be polled
/// at full rate forever, and the stream would look live with nothing to see.
const MAX_BROKEN_IN_A_ROW: u32 = 10;

/// Minimum interval: below it, a camera that answers at once would be polled without a pause.
const MIN_INTERVAL: Duration = Duration::from_millis(1);

/// Content that the URL should return.
const EXPECTED: &str = "a JPEG picture";

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
    max_frame_bytes: usize,
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
                max_frame_bytes: limits.max_frame_bytes,
            },
        }
    }

    async fn poll(&mut self, sink: &Sink) -> Result<(), SourceError> {
        let mut last = LastPicture::default();
        let mut broken_in_a_row = 0;
        let mut ticks = interval(self.interval.max(MIN_INTERVAL));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let response = self.client.get(&last.conditions()).await?;
            if response.status() == 304 {
                continue;
            }
            let host = response.host().to_owned();
            let validators = (owned(response.header("etag")), owned(response.header("last-modified")));
            let picture = self.bounds.picture(response, last.picture.is_none()).await?;
            if last.picture.as_ref() == Some(&picture) {
                continue;
            }
            match sink.jpeg(picture.clone()) {
                Ok(info) if !sink.takes(&info) => {
                    return Err(SourceError::TooManyPixels { host, width: info.width, height: info.height });
                }
                Ok(_) => {
                    broken_in_a_row = 0;
                    last = LastPicture {
                        picture: Some(picture),
                        etag: validators.0,
                        last_modified: validators.1,
                    };
                }
                Err(error) => {
                    broken_in_a_row += 1;
                    if broken_in_a_row >= MAX_BROKEN_IN_A_ROW {
                        return Err(SourceError::BrokenPictures { host, source: error });
                    }
                }
            }
        }
    }
}

impl Source for SnapshotSource {
    fn run<'a>(&'a mut self, sink: &'a Sink) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        Box::pin(async move {
            self.client.disconnect();
            let result = self.poll(sink).await;
            if matches!(result, Err(SourceError::TooLarge { .. })) {
                sink.dropped(DropReason::TooLarge);
            }
            self.client.disconnect();
            result
        })
    }
}

impl Bounds {
    /// Reads the picture in `response`, and rejects anything else.
    async fn picture(self, response: Response<'_>, first: bool) -> Result<Bytes, SourceError> {
        if response.status() != 200 {
            let (host, status) = (response.host().to_owned(), response.status_text());
            return Err(SourceError::Status { host, status });
        }
        let refuse = |host: &str, content_type: &str, title| SourceError::ContentType {
            host: host.to_owned(),
            content_type: content_type.to_owned(),
            title,
            expected: EXPECTED,
            what: "picture's",
        };
        let announced = response.content_type().unwrap_or_default().to_ascii_lowercase();
        // A stream would never end, and a page is not worth reading.
        if announced.starts_with("text/") || announced.starts_with("multipart/") {
            let host = response.host().to_owned();
            let title = response.title(self.first_frame_timeout).await;
            return Err(refuse(&host, announced.split(';').next().unwrap_or_default(), title));
        }
        // It was not requested.
        if let Some(coding) = response.header("content-encoding").filter(|coding| *coding != "identity") {
            return Err(refuse(response.host(), &format!("a picture compressed with {coding}"), None));
        }
        let host = response.host().to_owned();
        let deadline = if first {
            BodyDeadline::new(Deadline::FirstFrame, self.first_frame_timeout)
        } else {
            BodyDeadline::new(Deadline::NextFrame, self.frame_timeout)
        };
        let picture = response.whole(self.max_frame_bytes, deadline).await?;
        match MediaType::sniffed(&picture) {
            Some(format) => Err(refuse(&host, format.as_str(), PageTitle::find(&picture))),
            None => Ok(picture),
        }
    }
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
