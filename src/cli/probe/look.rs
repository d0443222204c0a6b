//! Looks at a camera's body for a while, with the parser that the relay uses.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::ProbeArguments;
use crate::{
    config::Limits,
    frame::JpegInfo,
    multipart::{
        boundary::ContentKind,
        parser::{ParserLimits, Part, PartParser, Quirk},
    },
    source::{
        Deadline, SourceError,
        http::{BodyDeadline, Response},
    },
};

/// What was seen of the body.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) frames: u64,
    /// Frames that were the one before once more; they say nothing about the rate.
    pub(super) repeats: u64,
    pub(super) bytes: u64,
    pub(super) smallest: usize,
    pub(super) largest: usize,
    /// When the first frame came, and the last new one.
    pub(super) span: Option<(Instant, Instant)>,
    pub(super) sizes: Vec<(u16, u16)>,
    pub(super) info: Option<JpegInfo>,
    pub(super) quirks: Vec<(Quirk, u64)>,
    pub(super) discards: Vec<(&'static str, u64)>,
    /// Why there was no more to look at.
    pub(super) ended: Option<Ended>,
    multipart: bool,
    last: Bytes,
}

pub(super) enum Ended {
    /// The camera closed in an orderly way.
    Orderly,
    /// Anything else.
    Broken(String),
}

pub(super) async fn look(
    mut response: Response,
    kind: ContentKind,
    arguments: &ProbeArguments,
    limits: &Limits,
) -> Seen {
    let parser_limits =
        ParserLimits { max_frame_bytes: limits.max_frame_bytes, max_header_bytes: limits.max_header_bytes };
    let multipart = matches!(kind, ContentKind::Multipart { .. });
    let mut parser = PartParser::new(kind, parser_limits);
    let mut seen = Seen { multipart, ..Seen::default() };
    let deadline = BodyDeadline::new(Deadline::FirstFrame, Duration::from_secs(arguments.seconds));
    while seen.ended.is_none() && seen.frames < arguments.frames {
        match response.chunk(deadline).await {
            Ok(Some(chunk)) => {
                parser.push(&chunk);
                seen.take(&mut parser, PartParser::next_part, arguments.frames);
            }
            Ok(None) => {
                seen.ended = Some(Ended::Orderly);
                seen.take(&mut parser, PartParser::finish, arguments.frames);
            }
            Err(SourceError::Late { .. }) if seen.frames > 0 => break,
            Err(error) => seen.ended = Some(Ended::Broken(error.to_string())),
        }
    }
    if seen.is_snapshot() {
        // A picture of its own is no stream whose framing could be odd.
        seen.quirks.retain(|(quirk, _)| *quirk != Quirk::BareJpegs);
    }
    seen
}

impl Seen {
    /// One picture and nothing else: the URL of snapshots.
    pub(super) fn is_snapshot(&self) -> bool {
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
