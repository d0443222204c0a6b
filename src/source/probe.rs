//! Looks at what a camera sends for a while, with the client and the parser that the relay uses. Nothing is
//! kept but the last picture and what is counted.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    Deadline, SourceError,
    http_client::{BodyDeadline, Response},
};
use crate::{
    config::{Environment, Limits, SourceConfig, UpstreamConfig, parse},
    media::{
        jpeg::JpegInfo,
        multipart::{
            boundary::ContentKind,
            content::{LOOKED_AT, PageTitle},
            parser::{ParserLimits, Part, PartParser, Quirk},
        },
    },
};

/// For how long to look.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// At so many frames.
    pub frames: u64,
    /// For so long at most.
    pub within: Duration,
}

/// The observed properties of the body.
#[derive(Debug, Default)]
pub struct Seen {
    /// Whole pictures.
    pub frames: u64,
    /// Frames that were the one before once more; they say nothing about the rate.
    pub repeats: u64,
    /// Of all frames together.
    pub bytes: u64,
    /// The smallest frame, in bytes.
    pub smallest: usize,
    /// The largest.
    pub largest: usize,
    /// When the first frame came, and the last new one.
    pub span: Option<(Instant, Instant)>,
    /// Widths and heights, each pair once.
    pub sizes: Vec<(u16, u16)>,
    /// About the last frame.
    pub info: Option<JpegInfo>,
    /// Quirks of the camera, each with its count.
    pub quirks: Vec<(Quirk, u64)>,
    /// Data that were left out between frames, by reason, each with its count.
    pub discards: Vec<(&'static str, u64)>,
    /// Why there was no more to look at.
    pub ended: Option<Ended>,
    /// The last frame's bytes.
    pub last: Bytes,
    /// The title of a page that was sent in place of pictures.
    pub title: Option<PageTitle>,
    multipart: bool,
}

/// The reason why a body ended before there was enough of it.
#[derive(Debug)]
pub enum Ended {
    /// The camera closed in an orderly way.
    Orderly,
    /// Anything else, in words.
    Broken(String),
}

/// A camera's URL, checked as the configuration checks it.
///
/// # Errors
/// What is wrong with it, without showing it.
pub fn upstream(url: &str, insecure: bool) -> Result<UpstreamConfig, String> {
    // Through JSON, which is YAML: any character of the URL stays what it is; `$` is not a variable here.
    let url = serde_json::to_string(&url.replace("${", "$${")).expect("a text is always JSON");
    let yaml = format!("streams: {{probe: {{source: {{type: mjpeg, url: {url}, insecure: {insecure}}}}}}}");
    let config = parse(&yaml, "URL", &Environment::default()).map_err(|mistakes| {
        let messages: Vec<_> = mistakes.mistakes().iter().map(|mistake| mistake.message.clone()).collect();
        format!("the URL cannot be used: {}", messages.join("; "))
    })?;
    match config.streams.into_iter().next().and_then(|stream| stream.sources.into_iter().next()) {
        Some(SourceConfig::Mjpeg(upstream)) => Ok(upstream),
        _ => Err("the URL cannot be used".to_owned()),
    }
}

/// Looks at an answer's body, of which `kind` is what its head says.
pub async fn look(mut response: Response, kind: ContentKind, patience: Patience, limits: &Limits) -> Seen {
    let parser_limits =
        ParserLimits { max_frame_bytes: limits.max_frame_bytes, max_header_bytes: limits.max_header_bytes };
    let multipart = matches!(kind, ContentKind::Multipart { .. });
    let mut parser = PartParser::new(kind, parser_limits);
    let mut seen = Seen { multipart, ..Seen::default() };
    let deadline = BodyDeadline::new(Deadline::FirstFrame, patience.within);
    let mut first_bytes = Vec::new();
    while seen.ended.is_none() && seen.frames < patience.frames {
        match response.chunk(deadline).await {
            Ok(Some(chunk)) => {
                let room = LOOKED_AT - first_bytes.len();
                first_bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
                parser.push(&chunk);
                seen.take(&mut parser, PartParser::next_part, patience.frames);
            }
            Ok(None) => {
                seen.ended = Some(Ended::Orderly);
                seen.take(&mut parser, PartParser::finish, patience.frames);
            }
            Err(SourceError::Late { .. }) if seen.frames > 0 => break,
            Err(error) => seen.ended = Some(Ended::Broken(error.to_string())),
        }
    }
    seen.title = Some(&first_bytes).filter(|_| seen.frames == 0).and_then(|page| PageTitle::find(page));
    if seen.is_snapshot() {
        // A picture of its own is no stream whose framing could be odd.
        seen.quirks.retain(|(quirk, _)| *quirk != Quirk::BareJpegs);
    }
    seen
}

impl Seen {
    /// One picture and nothing else: the URL of snapshots.
    pub fn is_snapshot(&self) -> bool {
        self.frames == 1 && !self.multipart && matches!(self.ended, Some(Ended::Orderly))
    }

    /// Takes what `next` finds, up to `most` frames in all.
    fn take<E: std::fmt::Display>(
        &mut self,
        parser: &mut PartParser,
        next: fn(&mut PartParser) -> Result<Option<Part>, E>,
        most: u64,
    ) {
        while self.frames < most {
            match next(parser) {
                Ok(Some(part)) => self.frame(part),
                Ok(None) => break,
                Err(error) => {
                    self.ended = Some(Ended::Broken(error.to_string()));
                    break;
                }
            }
        }
        let events = parser.take_events();
        events.quirks().for_each(|(quirk, times)| add(&mut self.quirks, quirk, times));
        events.discards().for_each(|(why, times)| add(&mut self.discards, why.describe(), times));
    }

    /// New frames a second, and bytes a second of all; none of a single one.
    pub fn rates(&self) -> Option<(f64, f64)> {
        let span = self.span.map_or(Duration::ZERO, |(first, last)| last - first).as_secs_f64();
        let new = self.frames - self.repeats;
        (new > 1 && span > 0.0).then(|| ((new - 1) as f64 / span, self.bytes as f64 / span))
    }

    /// Why there is nothing to show, in words, about the camera at `host` that announced `kind`.
    pub fn no_picture(&self, host: &str, kind: &ContentKind) -> String {
        match (kind, &self.ended) {
            (ContentKind::Other(announced), _) => {
                let title = self.title.as_ref().map(|title| format!(" (\"{title}\")")).unwrap_or_default();
                format!(
                    "{host} answered {announced}{title}, which holds no picture: is this the stream's URL?"
                )
            }
            (_, Some(Ended::Broken(why))) => format!("{host} sent no picture: {why}"),
            _ => format!("{host} sent no picture"),
        }
    }

    fn frame(&mut self, Part { jpeg, info }: Part) {
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
        let size = (info.width, info.height);
        if !self.sizes.contains(&size) {
            self.sizes.push(size);
        }
        self.info = Some(info);
    }
}

fn add<T: PartialEq>(counts: &mut Vec<(T, u64)>, what: T, times: u64) {
    match counts.iter_mut().find(|(known, _)| *known == what) {
        Some((_, count)) => *count += times,
        None => counts.push((what, times)),
    }
}
