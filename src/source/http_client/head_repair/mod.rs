//! Repairs the head of a camera's response: bytes in, a head that actix-http accepts out. Pure.
//!
//! actix-http 3.20 refuses a head with a malformed line, treats an HTTP/1.1 response with neither length nor
//! chunking as empty, and fails at a repeated `Content-Length`. Cameras send all of these, so the head is
//! parsed leniently and rewritten: only the headers that framecast uses, and a status line whose version says
//! how the body ends (actix-http reads an HTTP/1.0 body without a length to the end of the connection, as RFC
//! 9112 section 6.3 requires for 1.1 too).

mod parsed_head;
#[cfg(test)]
mod tests;

use bytes::{BufMut, Bytes, BytesMut};
use parsed_head::{ParsedHead, speaks_http};

/// Number of bytes that show whether a peer uses HTTP, even when its line never ends.
const PROTOCOL_LENGTH: usize = 4;

/// An error in a head that cannot be repaired.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The connection ended before the first byte.
    #[error("closed the connection without an answer")]
    NoAnswer,
    /// The connection ended inside the head.
    #[error("closed the connection inside the head of its answer")]
    Truncated,
    /// The first line is not a status line.
    #[error("does not answer in HTTP: is this the right port, and http or https as it should be?")]
    NotHttp,
    /// The head is longer than the limit.
    #[error("sent a response head of more than {limit} bytes (max_header_bytes)")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
}

/// Collects a head from pieces of any size.
#[derive(Debug)]
pub(super) struct HeadReader {
    raw: BytesMut,
    line_start: usize,
    limit: usize,
    answer: Option<ParsedHead>,
}

/// A repaired head, and the bytes of the body that were read with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RepairedHead {
    /// Both, one after the other.
    pub(super) answer: Bytes,
    /// The offset of the body.
    pub(super) head_len: usize,
}

impl HeadReader {
    /// Creates a reader that refuses heads of more than `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { raw: BytesMut::new(), line_start: 0, limit, answer: None }
    }

    /// Takes more bytes. Returns the repaired head once it is complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Option<RepairedHead>, HeadError> {
        self.raw.extend_from_slice(bytes);
        loop {
            if self.picture_begins()? {
                return Ok(self.take_head(self.line_start));
            }
            let Some(end) = self.next_line_end() else { break };
            if end > self.limit {
                return Err(HeadError::TooLong { limit: self.limit });
            }
            let start = std::mem::replace(&mut self.line_start, end);
            let line = trim_end(&self.raw[start..end]);
            match &mut self.answer {
                None if line.is_empty() => {}
                None => self.answer = Some(ParsedHead::from_status_line(line).ok_or(HeadError::NotHttp)?),
                // A camera that omits the blank line continues with its first delimiter.
                Some(answer) if answer.multipart && line.starts_with(b"--") => {
                    return Ok(self.take_head(start));
                }
                Some(answer) if line.is_empty() => {
                    if !answer.is_interim() {
                        return Ok(self.take_head(end));
                    }
                    self.answer = None;
                }
                Some(answer) => answer.add_line(line),
            }
        }
        if self.raw.len() > self.limit { Err(HeadError::TooLong { limit: self.limit }) } else { Ok(None) }
    }

    /// Returns the error for a connection that ended here.
    pub(super) fn finish(&self) -> HeadError {
        if self.raw.is_empty() { HeadError::NoAnswer } else { HeadError::Truncated }
    }

    fn next_line_end(&self) -> Option<usize> {
        let at = memchr::memchr(b'\n', &self.raw[self.line_start..])?;
        Some(self.line_start + at + 1)
    }

    /// Returns whether the current line begins with SOI, in place of the empty line that the camera omitted.
    /// Does not wait for the end of the line.
    fn picture_begins(&self) -> Result<bool, HeadError> {
        // Bytes beyond the limit are ignored, however many came at once.
        let line = &self.raw[self.line_start..self.raw.len().min(self.limit)];
        let blank = line.starts_with(b"\n") || line.starts_with(b"\r\n");
        match &self.answer {
            None if line.len() >= PROTOCOL_LENGTH && !blank && !speaks_http(line) => Err(HeadError::NotHttp),
            None => Ok(false),
            Some(_) => Ok(line.starts_with(&[0xff, 0xd8])),
        }
    }

    fn take_head(&mut self, body_start: usize) -> Option<RepairedHead> {
        let answer = self.answer.take()?;
        let mut out = BytesMut::with_capacity(self.raw.len() + 64);
        answer.write(&mut out);
        let head_len = out.len();
        out.put_slice(&self.raw[body_start..]);
        Some(RepairedHead { answer: out.freeze(), head_len })
    }
}

fn trim_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
