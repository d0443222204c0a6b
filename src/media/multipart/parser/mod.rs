//! Splits the body of a camera's response into JPEGs.
//!
//! The JPEG's own segments decide where a frame ends, whatever delimiters and lengths say. So the same few
//! rules read every dialect of cameras (`tests/testkit/src/dialects.rs` writes them all), and a frame is
//! returned as soon as its last byte arrives, before the delimiter that follows it. Between two JPEGs lines
//! are read one by one: delimiters, headers, blank lines. Where a line is neither, the parser searches for
//! the next delimiter or SOI. `Content-Length` only helps to distinguish padding from truncated frames.
//!
//! No I/O. Each byte is examined a bounded number of times, however it arrives. The buffer holds at most one
//! frame, one head, and the bytes pushed last; memory is kept for about two frames as long as the last.

mod delimiter;
mod error;
mod events;
mod between_parts;
mod part_head;
mod jpeg_part;
mod other_parts;
mod png_part;
mod quirk;
mod resync;
mod buffer;
#[cfg(test)]
pub(crate) mod tests;

use bytes::{Buf, Bytes, BytesMut};
use delimiter::Delimiter;
pub use error::ParseError;
pub use events::{DiscardReason, ParserEvents};
use other_parts::OtherParts;
use part_head::PartHead;
pub use quirk::Quirk;

use super::{
    content_type::ContentKind,
    sniff::{BodyContent, MediaType, SNIFF_BYTES},
};
use crate::media::{
    capture::CaptureHeaders,
    jpeg::{JpegError, JpegInfo, Walk},
};

/// Number of `max_frame_bytes` without a frame after which reading a body ends with an error.
const FRAMELESS_LIMIT: u64 = 2;

/// The limits of the data that the parser may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParserLimits {
    /// Longest JPEG; longer ones are dropped.
    pub max_frame_bytes: usize,
    /// Longest delimiter and headers of one part.
    pub max_header_bytes: usize,
}

/// One picture cut from the body: SOI to EOI, not copied from the parser's buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The JPEG, from SOI to EOI.
    pub jpeg: Bytes,
    /// Content of the JPEG's segments.
    pub info: JpegInfo,
    /// The headers of the part that are about the picture.
    pub capture: CaptureHeaders,
}

/// The kind of the next bytes.
#[derive(Debug)]
enum State {
    /// Lines up to a JPEG's start.
    Gap,
    /// A JPEG from SOI on.
    Jpeg(Walk),
    /// A PNG, whose chunks were read up to this offset.
    Png { offset: usize },
    /// Any data, in which a delimiter is searched for, and SOI after so many bytes.
    Hunt { ignore_soi: usize },
}

/// Splits a body into parts. Push bytes, then call [`PartParser::next_part`] until it returns `None`.
#[derive(Debug)]
pub struct PartParser {
    limits: ParserLimits,
    multipart: bool,
    delimiter: Delimiter,
    buffer: BytesMut,
    /// The empty buffer of the last frame but one, to be reused.
    spare: BytesMut,
    state: State,
    head: PartHead,
    /// Number of bytes of an unfinished line that were searched for its end.
    scanned: usize,
    /// Number of bytes that the last part's length declares after its JPEG; below zero when more came.
    declared_rest: Option<i64>,
    /// Whether memory was reserved for the JPEG that is arriving.
    reserved: bool,
    frames: u64,
    /// Start markers that were skipped before the JPEG that is arriving.
    extra_sois: usize,
    last_len: usize,
    /// Width and height of the last frame, and how many smaller pictures behind it were skipped.
    last_size: (u16, u16),
    further: u8,
    /// Whether EOI was added to a frame of this body, and to the last one.
    adds_eoi: bool,
    added_eoi: bool,
    /// Whether the JPEG that is arriving was checked at the length that its part declares.
    checked: bool,
    ended: bool,
    /// Bytes skipped since the last frame, and the first of them.
    skipped: u64,
    seen: Vec<u8>,
    /// Whether data were too large since the last frame.
    too_large: bool,
    /// Whether other data than JPEGs, delimiters, headers and line ends were skipped.
    foreign: bool,
    takes_png: bool,
    png: Option<Bytes>,
    other_parts: OtherParts,
    events: ParserEvents,
}

impl PartParser {
    /// Returns a parser for one body of the announced `kind`. Whatever is announced, the body decides.
    pub fn new(kind: ContentKind, limits: ParserLimits) -> Self {
        let mut events = ParserEvents::default();
        if matches!(kind, ContentKind::Multipart { quoted: true, .. }) {
            events.quirk(Quirk::QuotedBoundary);
        }
        Self {
            limits,
            multipart: matches!(kind, ContentKind::Multipart { .. }),
            delimiter: Delimiter::new(&kind),
            buffer: BytesMut::new(),
            spare: BytesMut::new(),
            state: State::Gap,
            head: PartHead::default(),
            scanned: 0,
            declared_rest: None,
            reserved: false,
            frames: 0,
            extra_sois: 0,
            last_len: 0,
            last_size: (0, 0),
            further: 0,
            adds_eoi: false,
            added_eoi: false,
            checked: false,
            ended: false,
            skipped: 0,
            seen: Vec::new(),
            too_large: false,
            foreign: false,
            takes_png: false,
            png: None,
            other_parts: OtherParts::default(),
            events,
        }
    }

    /// Adds bytes of the body.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// Returns the number of bytes that wait for more.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Returns the number of bytes of memory in use: the buffer, and what is kept for reuse.
    pub fn held(&self) -> usize {
        self.buffer.capacity() + self.spare.capacity()
    }

    /// Returns the events since the last call.
    pub fn take_events(&mut self) -> ParserEvents {
        std::mem::take(&mut self.events)
    }

    /// Returns the next whole JPEG; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`ParseError`] after so many bytes without a frame that none can be expected, and on every later call.
    pub fn next_part(&mut self) -> Result<Option<Part>, ParseError> {
        loop {
            if self.skipped > FRAMELESS_LIMIT.saturating_mul(self.limits.max_frame_bytes as u64) {
                return Err(self.frameless());
            }
            if let Some(media) = self.other_media()
                && self.other_parts.is_video_stream()
            {
                return Err(ParseError::OtherParts { media });
            }
            let step = match self.state {
                State::Gap => self.gap(),
                State::Jpeg(_) => self.jpeg(),
                State::Png { offset } => self.png(offset),
                State::Hunt { ignore_soi } => self.hunt(ignore_soi),
            };
            match step {
                Step::Continue => {}
                Step::NeedMore => return Ok(None),
                Step::Part(part) => return Ok(Some(part)),
            }
        }
    }

    /// Returns the frames that are left after the end of the body, then `None`.
    ///
    /// # Errors
    /// As [`PartParser::next_part`], and when the whole body held no frame.
    pub fn finish(&mut self) -> Result<Option<Part>, ParseError> {
        self.ended = true;
        loop {
            if let Some(part) = self.next_part()? {
                return Ok(Some(part));
            }
            if !matches!(self.state, State::Jpeg(_)) {
                break;
            }
            // A broken length may have made the walk wait for bytes beyond whole frames.
            let len = self.buffer.len();
            if let Step::Part(part) = self.recover(len, JpegError::Truncated { len }) {
                return Ok(Some(part));
            }
        }
        if matches!(self.state, State::Png { .. }) {
            self.events.discard(DiscardReason::Invalid);
        }
        let left = self.buffer.len();
        self.foreign |= !self.buffer.trim_ascii().is_empty();
        self.skip(left);
        if self.frames > 0 {
            return Ok(None);
        }
        if let Some(media) = self.other_media() {
            return Err(ParseError::OtherParts { media });
        }
        Err(ParseError::Ended {
            bytes: self.skipped,
            content: self.content(),
            cause: self.events.last_error.clone(),
        })
    }

    /// Returns whether the body so far is no more than delimiters, part heads and line ends, and not empty:
    /// some publishers send each of their buffers as a body of its own.
    pub fn is_between_parts(&self) -> bool {
        let only_lines = self.seen.len() as u64 == self.skipped && self.seen.trim_ascii().is_empty();
        let is_begun = self.skipped > 0 && (self.head.delimiter || only_lines);
        is_begun && self.frames == 0 && !self.foreign && matches!(self.state, State::Gap)
    }

    /// Returns the type of the parts that came in place of the first picture; `None` after one.
    pub fn other_media(&self) -> Option<MediaType> {
        self.other_parts.media().filter(|_| self.frames == 0)
    }

    /// Returns the type and title of a body without pictures; a multipart body is none of these.
    fn content(&self) -> BodyContent {
        let is_multipart = self.delimiter.was_found() || self.head.headers;
        if is_multipart { BodyContent::default() } else { BodyContent::from_bytes(&self.seen) }
    }

    fn frameless(&self) -> ParseError {
        if self.too_large {
            return ParseError::TooLarge { limit: self.limits.max_frame_bytes };
        }
        match self.other_media() {
            Some(media) => ParseError::OtherParts { media },
            None => ParseError::NoFrame { bytes: self.skipped, content: self.content() },
        }
    }

    /// Discards bytes that are no picture.
    fn skip(&mut self, bytes: usize) {
        let quoted = bytes.min(SNIFF_BYTES - self.seen.len());
        self.seen.extend_from_slice(&self.buffer[..quoted]);
        self.buffer.advance(bytes);
        self.skipped += bytes as u64;
        self.scanned = 0;
        self.declared_rest = self.declared_rest.map(|owed| owed.saturating_sub_unsigned(bytes as u64));
        if let State::Hunt { ignore_soi } = &mut self.state {
            *ignore_soi = ignore_soi.saturating_sub(bytes);
        }
    }

    fn hunt_from(&mut self, bytes: usize, ignore_soi: usize) -> Step {
        self.skip(bytes);
        self.foreign = true;
        // A declared length is trusted up to the longest allowed frame.
        self.state = State::Hunt { ignore_soi: ignore_soi.min(self.limits.max_frame_bytes) };
        Step::Continue
    }

    fn read_lines(&mut self, resynced: bool) -> Step {
        self.state = State::Gap;
        self.head = PartHead::after_jpeg(resynced);
        Step::Continue
    }
}

/// The result of one step of the parser.
enum Step {
    /// The parser can take another step.
    Continue,
    /// More bytes are needed.
    NeedMore,
    /// A whole JPEG was found.
    Part(Part),
}
