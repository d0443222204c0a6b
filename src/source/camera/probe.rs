//! Examines what a camera sends for a while, with the client and the parser that the relay uses. Keeps only
//! the last picture and counters.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    parser_limits,
    response_kind::{DetectedBody, Expected, ResponseHead, detect_body},
};
use crate::{
    config::{Environment, Limits, RtspConfig, SourceConfig, UpstreamConfig, parse},
    imaging::convert::{PictureLimits, conversion_size},
    media::{
        jpeg::JpegInfo,
        multipart::{
            content_type::ContentKind,
            parser::{ParseError, Part, PartParser, Quirk},
        },
    },
    source::{
        error::{Deadline, SourceError},
        http_client::{BodyDeadline, Response},
    },
};

/// The bounds of a probe.
#[derive(Debug, Clone, Copy)]
pub struct ProbeLimits {
    /// Maximum number of frames.
    pub frames: u64,
    /// Maximum duration.
    pub within: Duration,
}

/// The observed properties of a body.
#[derive(Debug, Default)]
pub struct ProbeReport {
    /// Number of whole pictures.
    pub frames: u64,
    /// Number of frames equal to the previous one; they say nothing about the rate.
    pub repeats: u64,
    /// Size of all frames together.
    pub bytes: u64,
    /// Size of the smallest frame.
    pub smallest: usize,
    /// Size of the largest frame.
    pub largest: usize,
    /// Arrival times of the first frame and of the last new one.
    pub span: Option<(Instant, Instant)>,
    /// Widths and heights, each pair once.
    pub sizes: Vec<(u16, u16)>,
    /// Properties of the last JPEG.
    pub info: Option<JpegInfo>,
    /// Quirks of the camera, each with its count.
    pub quirks: Vec<(Quirk, u64)>,
    /// Data skipped between frames, by reason, each with its count.
    pub discards: Vec<(&'static str, u64)>,
    /// The reason why the body ended before the bounds were reached.
    pub ended: Option<BodyEnd>,
    /// The last frame's bytes.
    pub last: Bytes,
    single: bool,
}

/// The end of a body before the bounds of the probe were reached.
#[derive(Debug)]
pub enum BodyEnd {
    /// The camera closed the connection in an orderly way.
    Orderly,
    /// Anything else, in words.
    Broken(String),
}

/// Parses a camera's URL as the configuration does.
///
/// # Errors
/// The mistakes in the URL, without the URL.
pub fn upstream(url: &str, insecure: bool) -> Result<UpstreamConfig, String> {
    match source(url, &format!("type: mjpeg, insecure: {insecure}"))? {
        SourceConfig::Mjpeg(upstream) => Ok(upstream),
        _ => Err("the URL cannot be used".to_owned()),
    }
}

/// Returns whether a URL is of an RTSP camera.
pub fn is_rtsp(url: &str) -> bool {
    url.split_once("://").is_some_and(|(scheme, _)| matches!(scheme, "rtsp" | "rtsps"))
}

/// Parses an RTSP camera's URL as the configuration does.
///
/// # Errors
/// The mistakes in the URL, without the URL.
pub fn rtsp(url: &str) -> Result<RtspConfig, String> {
    match source(url, "type: rtsp")? {
        SourceConfig::Rtsp(camera) => Ok(camera),
        _ => Err("the URL cannot be used".to_owned()),
    }
}

fn source(url: &str, keys: &str) -> Result<SourceConfig, String> {
    // Through JSON, which is YAML: any character of the URL stays what it is; `$` is not a variable here.
    let url = serde_json::to_string(&url.replace("${", "$${")).expect("a text is always JSON");
    let yaml = format!("streams: {{probe: {{source: {{{keys}, url: {url}}}}}}}");
    let config = parse(&yaml, "URL", &Environment::default()).map_err(|mistakes| {
        let messages: Vec<_> = mistakes.mistakes().iter().map(|mistake| mistake.message.clone()).collect();
        format!("the URL cannot be used: {}", messages.join("; "))
    })?;
    let source = config.streams.into_iter().next().and_then(|stream| stream.sources.into_iter().next());
    source.ok_or_else(|| "the URL cannot be used".to_owned())
}

/// Examines a response, as the sources of type `mjpeg` and `snapshot` do.
///
/// # Errors
/// The status or the type of an answer that holds no pictures: the reason that a source would have.
pub async fn observe(
    mut response: Response<'_>,
    bounds: ProbeLimits,
    limits: &Limits,
) -> Result<ProbeReport, SourceError> {
    let head = ResponseHead::read(&response, Expected::Stream)?;
    let deadline = BodyDeadline::new(Deadline::FirstFrame, bounds.within);
    let DetectedBody { kind, first, mut ended, .. } = detect_body(&head, &mut response, deadline).await?;
    let multipart = matches!(kind, ContentKind::Multipart { .. });
    let declared = response.content_length();
    let mut parser = PartParser::new(kind, parser_limits(limits)).with_png();
    let mut report = ProbeReport::default();
    let frame_limits = (bounds.frames, limits.into());
    parser.push(&first);
    loop {
        let mut failed = report.collect(&mut parser, PartParser::next_part, frame_limits);
        if ended {
            report.ended.get_or_insert(BodyEnd::Orderly);
            failed = failed.or(report.collect(&mut parser, PartParser::finish, frame_limits));
        }
        if let Some(error) = failed.filter(|_| report.frames == 0) {
            return Err(head.no_pictures(error));
        }
        if report.ended.is_some() || report.frames >= bounds.frames {
            break;
        }
        match response.chunk(deadline).await {
            Ok(Some(chunk)) => parser.push(&chunk),
            Ok(None) => ended = true,
            Err(SourceError::Late { .. }) if report.frames > 0 => break,
            Err(error @ SourceError::Late { .. }) => match parser.other_media() {
                Some(media) => {
                    return Err(SourceError::OtherParts { host: response.host().to_owned(), media });
                }
                None => report.ended = Some(BodyEnd::Broken(error.to_string())),
            },
            Err(error) => report.ended = Some(BodyEnd::Broken(error.to_string())),
        }
    }
    let whole = declared.is_some_and(|declared| report.bytes <= declared);
    let is_orderly = matches!(report.ended, Some(BodyEnd::Orderly));
    report.single = report.frames == 1 && (is_orderly || !multipart && whole);
    if report.single {
        // The framing of a single picture is not a quirk.
        report.quirks.retain(|(quirk, _)| *quirk != Quirk::BareJpegs);
        if response.is_cut_off() {
            add(&mut report.quirks, Quirk::ShortBody, 1);
        }
    }
    Ok(report)
}

impl ProbeReport {
    /// Returns whether the answer is one picture and nothing else: the URL of snapshots.
    pub fn is_snapshot(&self) -> bool {
        self.single
    }

    /// Adds the frames that `next` returns, up to `max` in all.
    fn collect(
        &mut self,
        parser: &mut PartParser,
        next: fn(&mut PartParser) -> Result<Option<Part>, ParseError>,
        (max, limits): (u64, PictureLimits),
    ) -> Option<ParseError> {
        let mut failed = None;
        while self.frames < max {
            match next(parser) {
                Ok(Some(Part { jpeg, info, .. })) => {
                    self.frame(jpeg, (info.width, info.height));
                    self.info = Some(info);
                }
                Ok(None) => match parser.take_png() {
                    Some(png) => self.png(png, limits),
                    None => break,
                },
                Err(error) => {
                    self.ended = Some(BodyEnd::Broken(error.to_string()));
                    failed = Some(error);
                    break;
                }
            }
        }
        let events = parser.take_events();
        events.quirks().for_each(|(quirk, times)| add(&mut self.quirks, quirk, times));
        events.discards().for_each(|(why, times)| add(&mut self.discards, why.describe(), times));
        failed
    }

    /// Returns the rates of new frames and of bytes per second; none for a single frame.
    pub fn rates(&self) -> Option<(f64, f64)> {
        let span = self.span.map_or(Duration::ZERO, |(first, last)| last - first).as_secs_f64();
        let new = self.frames - self.repeats;
        (new > 1 && span > 0.0).then(|| ((new - 1) as f64 / span, self.bytes as f64 / span))
    }

    /// Returns why there is nothing to show, about the camera at `host`.
    pub fn no_picture(&self, host: &str) -> String {
        match &self.ended {
            Some(BodyEnd::Broken(why)) => format!("{host} sent no picture: {why}"),
            _ => format!("{host} sent no picture"),
        }
    }

    /// Adds a PNG part, if a source would convert it. It is not converted here, so it is not shown.
    fn png(&mut self, png: Bytes, limits: PictureLimits) {
        if let Ok(Some(size)) = conversion_size(&png, limits, None) {
            let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
            self.frame(png, (side(size.width), side(size.height)));
        }
    }

    fn frame(&mut self, jpeg: Bytes, size: (u16, u16)) {
        let bytes = jpeg.len();
        self.smallest = if self.frames == 0 { bytes } else { self.smallest.min(bytes) };
        self.largest = self.largest.max(bytes);
        self.frames += 1;
        self.bytes += bytes as u64;
        if jpeg == self.last {
            self.repeats += 1;
        } else {
            let now = Instant::now();
            self.span = Some((self.span.map_or(now, |(first, _)| first), now));
        }
        self.last = jpeg;
        if !self.sizes.contains(&size) {
            self.sizes.push(size);
        }
    }
}

fn add<T: PartialEq>(counts: &mut Vec<(T, u64)>, what: T, times: u64) {
    match counts.iter_mut().find(|(known, _)| *known == what) {
        Some((_, count)) => *count += times,
        None => counts.push((what, times)),
    }
}
