//! Takes the body of a camera's answer apart into JPEGs.
//!
//! The JPEG's own segments decide where a frame ends, whatever delimiters and lengths say: so every dialect that
//! cameras speak (`tests/support/dialects.rs` writes them all) is read by the same few rules, and a frame is given out
//! with its last byte, not with the delimiter behind it. Between two JPEGs lines are read one by one: delimiters,
//! headers, blank lines. Where neither makes sense, the parser hunts for the next delimiter or SOI. `Content-Length`
//! only helps to tell padding and torn frames apart.
//!
//! No I/O. Each byte is looked at a bounded number of times, however it arrives. The buffer holds at most one frame,
//! one head, and what was pushed last; room is kept for about two frames as long as the last.

mod delimiter;
mod events;
mod head;
mod quirk;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;

use super::boundary::ContentKind;
use crate::frame::{JpegError, JpegInfo, Progress, Walk};
use delimiter::Delimiter;
use head::Head;

pub use events::{Discard, Events};
pub use quirk::Quirk;

/// Room beyond what the next frame is expected to take: a TLS record, and what most reads of a socket give.
const READ_BYTES: usize = 16 * 1024;

/// Room that [`PartParser::space`] promises. With less a read is not worth its call.
const LEAST_ROOM: usize = 4 * 1024;

/// The next frame is expected to be longer than the last by this part of it, at most.
const GROWTH: usize = 8;

/// A buffer so many times larger than needed is given back: it was a much larger frame's.
const MUCH_LARGER: usize = 4;

/// Most memory that is set aside for a frame on the word of its `Content-Length` alone; larger ones grow as they come.
const TRUSTED_LENGTH: usize = 1024 * 1024;

/// A body in which so many times `max_frame_bytes` pass without a frame is given up.
const FRAMELESS_LIMIT: u64 = 2;

/// Bytes quoted in an error: enough to recognise `<!DOCTYPE html>` or a PNG.
const QUOTED_BYTES: usize = 48;

/// Newlines that may follow padding before it counts as wrong.
const NEWLINES_AFTER_PADDING: i64 = 4;

/// What the parser may hold.
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
    /// The JPEG.
    pub jpeg: Bytes,
    /// What its segments say.
    pub info: JpegInfo,
}

/// Why a body is given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Too many bytes passed without a frame.
    #[error(
        "no JPEG in {bytes} bytes, which start with \"{seen}\"; JPEGs, or multipart with JPEG parts, are expected"
    )]
    NoFrame {
        /// How many.
        bytes: u64,
        /// Their first ones, escaped.
        seen: String,
    },
    /// The same, because what came was larger than allowed.
    #[error(
        "frames are larger than max_frame_bytes ({limit}); raise it, or lower the camera's resolution or quality"
    )]
    TooLarge {
        /// `max_frame_bytes`.
        limit: usize,
    },
    /// The body ended before its first frame was whole.
    #[error("the body ended after {bytes} bytes without a whole JPEG; it starts with \"{seen}\"{}", .cause.as_ref().map(|cause| format!("; {cause}")).unwrap_or_default())]
    Ended {
        /// How long it was.
        bytes: u64,
        /// Its first bytes, escaped.
        seen: String,
        /// What was wrong with the last JPEG that began in it.
        cause: Option<JpegError>,
    },
}

/// What the next bytes are.
#[derive(Debug)]
enum State {
    /// Lines, or a JPEG's start.
    Gap,
    /// A JPEG, from SOI.
    Jpeg(Walk),
    /// Anything. A delimiter is looked for, and SOI once so many bytes have passed.
    Hunt { ignore_soi: usize },
}

/// Takes a body apart. Push bytes, then call [`PartParser::next_part`] until it gives `None`.
#[derive(Debug)]
pub struct PartParser {
    limits: ParserLimits,
    multipart: bool,
    delimiter: Delimiter,
    buffer: BytesMut,
    /// Empty. What the last frame but one was cut from, to be used again.
    spare: BytesMut,
    state: State,
    head: Head,
    /// How much of an unfinished line was searched for its end.
    scanned: usize,
    /// Bytes that the last part's length promised behind its JPEG; below zero when more came.
    owed: Option<i64>,
    /// Room was made for the JPEG that is arriving.
    reserved: bool,
    frames: u64,
    last_len: usize,
    /// Bytes skipped since the last frame, and the first of them.
    skipped: u64,
    seen: Vec<u8>,
    /// Something was too large since the last frame.
    too_large: bool,
    events: Events,
}

impl PartParser {
    /// A parser for one body of the announced `kind`. Whatever is announced, the body decides.
    pub fn new(kind: ContentKind, limits: ParserLimits) -> Self {
        let mut events = Events::default();
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
            head: Head::default(),
            scanned: 0,
            owed: None,
            reserved: false,
            frames: 0,
            last_len: 0,
            skipped: 0,
            seen: Vec::with_capacity(QUOTED_BYTES),
            too_large: false,
            events,
        }
    }

    /// Adds bytes of the body.
    pub fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The buffer, to read into instead of [`PartParser::push`], with room at its end: for the rest of the frame that is
    /// arriving, or for the whole next one, so far as that can be known. Bytes may only be added.
    pub fn space(&mut self) -> &mut BytesMut {
        let len = self.buffer.len();
        let rest = match self.state {
            State::Jpeg(_) => self.expected_len().saturating_sub(len),
            State::Gap | State::Hunt { .. } => {
                let next = self.last_len + self.last_len / GROWTH;
                next.min(self.limits.max_frame_bytes)
            }
        };
        let room = rest + READ_BYTES;
        if self.buffer.capacity() > MUCH_LARGER * (len + room) {
            self.spare = BytesMut::new();
            self.make_room(room);
            self.spare = BytesMut::new();
        } else if self.buffer.capacity() - len < rest.max(LEAST_ROOM) {
            // A frame that has outgrown what was expected may go on doing so; doubling keeps copying in bounds.
            self.make_room(room.max(if rest == 0 { len } else { 0 }));
        }
        &mut self.buffer
    }

    /// Moves on to other memory with so much room behind what is in the buffer. That is the memory of the frame before
    /// the last, if nobody holds it any more: fresh memory costs a page fault every 4 KiB.
    fn make_room(&mut self, room: usize) {
        let needed = self.buffer.len() + room;
        let mut next = std::mem::take(&mut self.spare);
        if !next.try_reclaim(needed) {
            next = BytesMut::with_capacity(needed);
        }
        next.extend_from_slice(&self.buffer);
        self.spare = std::mem::replace(&mut self.buffer, next);
        self.spare.clear();
    }

    /// How long the JPEG that is arriving will be.
    fn expected_len(&self) -> usize {
        let promised = self.head.length.unwrap_or_default().min(TRUSTED_LENGTH);
        promised.max(self.last_len).min(self.limits.max_frame_bytes)
    }

    /// Bytes that wait for more.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// What was noticed since the last call.
    pub fn take_events(&mut self) -> Events {
        std::mem::take(&mut self.events)
    }

    /// The next whole JPEG; `None` when more bytes are needed.
    ///
    /// # Errors
    /// When so much has passed without a frame that none can be expected; so does every later call.
    pub fn next_part(&mut self) -> Result<Option<Part>, ParseError> {
        loop {
            if self.skipped > FRAMELESS_LIMIT.saturating_mul(self.limits.max_frame_bytes as u64) {
                return Err(self.frameless());
            }
            let step = match self.state {
                State::Gap => self.gap(),
                State::Jpeg(_) => self.jpeg(),
                State::Hunt { ignore_soi } => self.hunt(ignore_soi),
            };
            match step {
                Step::On => {}
                Step::More => return Ok(None),
                Step::Part(part) => return Ok(Some(part)),
            }
        }
    }

    /// The body has ended: the frames that are left, then `None`.
    ///
    /// # Errors
    /// As [`PartParser::next_part`], and when the whole body held no frame.
    pub fn finish(&mut self) -> Result<Option<Part>, ParseError> {
        loop {
            if let Some(part) = self.next_part()? {
                return Ok(Some(part));
            }
            if !matches!(self.state, State::Jpeg(_)) {
                break;
            }
            // A broken length may have made the walk wait for bytes beyond whole frames.
            let len = self.buffer.len();
            self.broken(len, JpegError::Truncated { len });
        }
        let left = self.buffer.len();
        self.skip(left);
        if self.frames > 0 {
            return Ok(None);
        }
        Err(ParseError::Ended {
            bytes: self.skipped,
            seen: self.quoted(),
            cause: self.events.last_error.clone(),
        })
    }

    fn frameless(&self) -> ParseError {
        if self.too_large {
            return ParseError::TooLarge { limit: self.limits.max_frame_bytes };
        }
        ParseError::NoFrame { bytes: self.skipped, seen: self.quoted() }
    }

    fn quoted(&self) -> String {
        self.seen.escape_ascii().to_string()
    }

    /// Throws bytes away that are no picture.
    fn skip(&mut self, bytes: usize) {
        let quoted = bytes.min(QUOTED_BYTES - self.seen.len());
        self.seen.extend_from_slice(&self.buffer[..quoted]);
        self.buffer.advance(bytes);
        self.skipped += bytes as u64;
        self.scanned = 0;
        self.owed = self.owed.map(|owed| owed.saturating_sub_unsigned(bytes as u64));
        if let State::Hunt { ignore_soi } = &mut self.state {
            *ignore_soi = ignore_soi.saturating_sub(bytes);
        }
    }

    fn hunt_from(&mut self, bytes: usize, ignore_soi: usize) -> Step {
        self.skip(bytes);
        // A promise is kept no longer than a frame may be.
        self.state = State::Hunt { ignore_soi: ignore_soi.min(self.limits.max_frame_bytes) };
        Step::On
    }

    fn read_lines(&mut self, resynced: bool) -> Step {
        self.state = State::Gap;
        self.head = Head::after_jpeg(resynced);
        Step::On
    }

    /// Between JPEGs: one line, some padding, or a JPEG's start.
    fn gap(&mut self) -> Step {
        let Some(&first) = self.buffer.first() else { return Step::More };
        let second = self.buffer.get(1).copied();
        match (first, second) {
            (b'\r' | 0xff, None) => Step::More,
            (0xff, Some(0xd8)) => self.begin_jpeg(),
            (b'\r', Some(b'\n')) => self.blank_line(2),
            (b'\r' | b'\n', _) => self.blank_line(1),
            // Drivers align their buffers with either.
            (0, _) | (0xff, Some(0xff)) if !self.head.open() => {
                self.skip(1);
                Step::On
            }
            _ if self.head.expects_body() && !self.delimiter.may_start(&self.buffer) => self.other_part(),
            _ => self.line(),
        }
    }

    fn blank_line(&mut self, bytes: usize) -> Step {
        if self.head.open() {
            self.head.count_line(&self.buffer[..bytes]);
            self.head.complete = true;
        }
        self.head.newline = true;
        self.skip(bytes);
        Step::On
    }

    /// A part that is not a JPEG: its length, if true, keeps the hunt from what its data may look like.
    fn other_part(&mut self) -> Step {
        self.events.quirk(Quirk::OtherPart);
        self.events.discard(Discard::NotJpeg);
        let length = self.head.length.unwrap_or_default();
        self.hunt_from(1, length.saturating_sub(1))
    }

    fn line(&mut self) -> Step {
        let Some((line_len, ended_len)) = self.find_line() else {
            if self.buffer.len() + self.head.bytes <= self.limits.max_header_bytes {
                return Step::More;
            }
            return self.junk();
        };
        if ended_len + self.head.bytes > self.limits.max_header_bytes {
            return self.junk();
        }
        let line = &self.buffer[..line_len];
        if let Some(met) = self.delimiter.meet(line) {
            if self.head.headers {
                self.events.quirk(Quirk::EmptyPart);
            }
            if let Some(quirk) = met.quirk {
                self.events.quirk(quirk);
            }
            self.head = Head::after_delimiter(met.closing);
        } else if !self.head.header(line) {
            if !self.head.open() {
                return self.junk();
            }
            self.head.ignore_line();
        }
        self.settle_owed();
        self.head.count_line(&self.buffer[..ended_len]);
        self.skip(ended_len);
        Step::On
    }

    /// The next line's length, without and with its end. A JPEG's start also ends a line.
    fn find_line(&mut self) -> Option<(usize, usize)> {
        loop {
            let Some(found) = memchr::memchr2(b'\n', 0xff, &self.buffer[self.scanned..]) else {
                self.scanned = self.buffer.len();
                return None;
            };
            let at = self.scanned + found;
            match (self.buffer[at], self.buffer.get(at + 1)) {
                (b'\n', _) => {
                    let bare = self.buffer[..at].strip_suffix(b"\r").map_or(at, <[u8]>::len);
                    return Some((bare, at + 1));
                }
                (_, Some(0xd8)) => return Some((at, at)),
                (_, Some(_)) => self.scanned = at + 1,
                (_, None) => {
                    self.scanned = at;
                    return None;
                }
            }
        }
    }

    /// What stands here is neither delimiter nor header.
    fn junk(&mut self) -> Step {
        if self.head.open() {
            self.events.quirk(Quirk::LongPartHeaders);
            self.events.discard(Discard::LongHeaders);
        }
        let padding = self.owed.and_then(|owed| usize::try_from(owed).ok()).unwrap_or_default();
        // At least one byte, or the hunt would find the same place again.
        self.hunt_from(1, padding.saturating_sub(1))
    }

    /// What follows the last frame has been found: was its length true?
    fn settle_owed(&mut self) {
        let Some(owed) = self.owed.take() else { return };
        let padded = (-NEWLINES_AFTER_PADDING..=0).contains(&owed);
        self.events.quirk(if padded { Quirk::PaddedPart } else { Quirk::BadContentLength });
    }

    fn begin_jpeg(&mut self) -> Step {
        self.reserved = false;
        self.state = State::Jpeg(Walk::default());
        Step::On
    }

    fn jpeg(&mut self) -> Step {
        let State::Jpeg(walk) = &mut self.state else { return Step::On };
        let progress = walk.advance(&self.buffer);
        let offset = walk.offset();
        let max_len = self.limits.max_frame_bytes;
        match progress {
            Ok(Progress::NeedMore) => self.await_jpeg(),
            Ok(Progress::Done(info)) => {
                if let Some(error) = self.cut_within(info.len) {
                    self.broken(info.len, error)
                } else if info.len > max_len {
                    self.discard_too_large();
                    self.skip(info.len);
                    self.read_lines(true)
                } else {
                    Step::Part(self.publish(info))
                }
            }
            Err(error) => self.broken(offset, error),
        }
    }

    /// The next part begins where the length says that this one ends, and that is before `end`: it was cut.
    fn cut_within(&self, end: usize) -> Option<JpegError> {
        let len = self.head.length.filter(|&length| length < end)?;
        self.delimiter.stands_at(&self.buffer[len..end]).then_some(JpegError::Truncated { len })
    }

    fn await_jpeg(&mut self) -> Step {
        let len = self.buffer.len();
        if let Some(error) = self.cut_within(len) {
            return self.broken(len, error);
        }
        if len > self.limits.max_frame_bytes {
            self.discard_too_large();
            return self.resync(len);
        }
        if !self.reserved {
            self.reserved = true;
            let expected = self.expected_len();
            // What is already there is not copied for the sake of a little more room.
            if self.buffer.capacity() < expected {
                self.make_room((expected + READ_BYTES).saturating_sub(len));
            }
        }
        Step::More
    }

    fn publish(&mut self, info: JpegInfo) -> Part {
        let naked = !self.head.resynced && !self.head.delimiter;
        if naked && let Some(quirk) = self.undelimited() {
            self.events.quirk(quirk);
        }
        for quirk in self.head.quirks(info.len) {
            self.events.quirk(quirk);
        }
        if !info.has_huffman_tables {
            self.events.quirk(Quirk::NoHuffmanTables);
        }
        let jpeg = self.buffer.split_to(info.len).freeze();
        let promised = match self.owed.take() {
            Some(owed) if !self.head.headers => Some(owed),
            _ => self.head.length.map(|length| i64::try_from(length).unwrap_or(i64::MAX)),
        };
        self.owed =
            promised.map(|length| length.saturating_sub_unsigned(info.len as u64)).filter(|&owed| owed > 0);
        self.frames += 1;
        self.last_len = info.len;
        self.skipped = 0;
        self.seen.clear();
        self.too_large = false;
        self.read_lines(false);
        Part { jpeg, info }
    }

    /// Which quirk it is that no delimiter stands before this JPEG.
    fn undelimited(&self) -> Option<Quirk> {
        let first = self.frames == 0;
        Some(match (self.head.headers, self.delimiter.met()) {
            (true, _) | (false, false) if first && (self.multipart || self.head.headers) => {
                Quirk::FirstDelimiterMissing
            }
            (true, _) => Quirk::DelimiterMissing,
            (false, false) => Quirk::BareJpegs,
            (false, true) if self.head.newline => Quirk::DelimiterMissing,
            (false, true) => Quirk::SeveralJpegsInPart,
        })
    }

    fn discard_too_large(&mut self) {
        self.events.discard(Discard::TooLarge);
        self.too_large = true;
    }

    /// The JPEG at the buffer's start is no good from `offset` on.
    fn broken(&mut self, offset: usize, error: JpegError) -> Step {
        self.events.discard(Discard::Invalid);
        if let Some(found) = self.delimiter_before(offset) {
            let len = self.buffer[..found].trim_ascii_end().len();
            self.events.last_error = Some(JpegError::Truncated { len });
        } else if matches!(error, JpegError::NewSoi { .. }) {
            self.events.last_error = Some(error);
            self.skip(offset);
            return self.read_lines(true);
        } else {
            self.events.last_error = Some(error);
        }
        self.resync(offset)
    }

    fn delimiter_before(&self, offset: usize) -> Option<usize> {
        self.delimiter.find(&self.buffer[2..offset]).map(|found| 2 + found)
    }

    /// Goes on at the first delimiter before `offset`, else hunts from there. Nothing else before it is trusted: a
    /// damaged frame may hold a thumbnail.
    fn resync(&mut self, offset: usize) -> Step {
        self.owed = None;
        if let Some(found) = self.delimiter_before(offset) {
            self.skip(found);
            return self.read_lines(false);
        }
        // A delimiter may stand across the offset.
        let skipped = (offset + 1).saturating_sub(self.delimiter.len().max(1)).max(2);
        let length = self.head.length.unwrap_or_default();
        self.hunt_from(skipped, length.saturating_sub(skipped))
    }

    fn hunt(&mut self, ignore_soi: usize) -> Step {
        const SOI_AND_MARKER: &[u8] = &[0xff, 0xd8, 0xff];
        let from = ignore_soi.min(self.buffer.len());
        let soi = memmem::find(&self.buffer[from..], SOI_AND_MARKER).map(|at| from + at);
        let before = soi.unwrap_or(self.buffer.len());
        if let Some(found) = self.delimiter.find(&self.buffer[..before]) {
            self.skip(found);
            return self.read_lines(false);
        }
        if let Some(found) = soi {
            self.skip(found);
            self.owed = None;
            return self.read_lines(true);
        }
        let kept = self.delimiter.len().max(SOI_AND_MARKER.len()) - 1;
        let passed = self.buffer.len().saturating_sub(kept);
        self.skip(passed);
        Step::More
    }
}

/// What one step of the parser gave.
enum Step {
    On,
    More,
    Part(Part),
}

#[cfg(test)]
mod tests;
