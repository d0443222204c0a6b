//! Repairs the head of a camera's answer: bytes in, a head that awc understands out. Pure.
//!
//! awc 3.11 refuses a head with a malformed line, takes an HTTP/1.1 answer with neither length nor chunking for empty,
//! and gives up at a repeated `Content-Length`. Cameras send all of these, so the head is read leniently and written
//! anew: only the lines that anybody here reads, and a status line whose version says how the body ends (awc reads an
//! HTTP/1.0 body without a length to the end of the connection, as RFC 9112 section 6.3 wants it for 1.1 too).

use bytes::{BufMut, Bytes, BytesMut};

/// Lines passed on. awc refuses more than 96 lines, and D-Link sends long lists of its own; nobody reads those.
const PASSED_ON: [&str; 7] =
    ["content-type", "content-encoding", "www-authenticate", "location", "etag", "last-modified", "server"];

/// Lines passed on at most, which keeps below awc's 96 when `www-authenticate` is repeated without end.
const MAX_LINES: usize = 64;

/// Enough bytes to know that a peer does not speak HTTP, even when it never ends its line.
const PROTOCOL_LENGTH: usize = 4;

/// Why a head cannot be repaired.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The connection ended before the first byte.
    #[error("closed the connection without an answer")]
    NoAnswer,
    /// The connection ended inside the head.
    #[error("closed the connection inside the head of its answer")]
    Truncated,
    /// The first line is not one of HTTP.
    #[error("does not answer in HTTP: is this the right port, and http or https as it should be?")]
    NotHttp,
    /// Longer than the limit.
    #[error("sent a response head of more than {limit} bytes (max_header_bytes)")]
    TooLong {
        /// The limit.
        limit: usize,
    },
}

/// Collects a head from pieces of any size.
#[derive(Debug)]
pub(super) struct HeadReader {
    raw: BytesMut,
    line_start: usize,
    limit: usize,
    answer: Option<Answer>,
}

/// A repaired head and whatever came of the body with it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repaired {
    /// Both, one after the other.
    pub(super) answer: Bytes,
    /// Where in it the body begins.
    pub(super) head_len: usize,
}

/// What the lines said so far.
#[derive(Debug)]
struct Answer {
    status: u16,
    keep_alive: bool,
    length: Option<u64>,
    chunked: bool,
    multipart: bool,
    lines: Vec<(&'static str, Vec<u8>)>,
    /// The last line was one that is passed on: a folded line goes on with it.
    may_fold: bool,
}

impl HeadReader {
    /// Refuses heads of more than `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { raw: BytesMut::new(), line_start: 0, limit, answer: None }
    }

    /// Takes more bytes. Once the head is whole, gives it out.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Option<Repaired>, HeadError> {
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
                None => self.answer = Some(Answer::from_status_line(line).ok_or(HeadError::NotHttp)?),
                // A camera that forgets the blank line goes straight on with its first delimiter.
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

    /// The connection ended: what that means here.
    pub(super) fn finish(&self) -> HeadError {
        if self.raw.is_empty() { HeadError::NoAnswer } else { HeadError::Truncated }
    }

    fn next_line_end(&self) -> Option<usize> {
        let at = memchr::memchr(b'\n', &self.raw[self.line_start..])?;
        Some(self.line_start + at + 1)
    }

    /// Looks at a line before its end has come: whether it is SOI, in place of the blank line that a camera forgot.
    fn picture_begins(&self) -> Result<bool, HeadError> {
        // What lies beyond the limit does not count, however much came at once.
        let line = &self.raw[self.line_start..self.raw.len().min(self.limit)];
        let blank = line.starts_with(b"\n") || line.starts_with(b"\r\n");
        match &self.answer {
            None if line.len() >= PROTOCOL_LENGTH && !blank && !speaks_http(line) => Err(HeadError::NotHttp),
            None => Ok(false),
            Some(_) => Ok(line.starts_with(&[0xff, 0xd8])),
        }
    }

    fn take_head(&mut self, body_start: usize) -> Option<Repaired> {
        let answer = self.answer.take()?;
        let mut out = BytesMut::with_capacity(self.raw.len() + 64);
        answer.write(&mut out);
        let head_len = out.len();
        out.put_slice(&self.raw[body_start..]);
        Some(Repaired { answer: out.freeze(), head_len })
    }
}

/// How the body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    None,
    Chunked,
    Length(u64),
    Close,
}

impl Answer {
    /// `HTTP/1.1 200 OK`, `HTTP/1.0 200`, `ICY 200 OK`, `HTTP 200`.
    fn from_status_line(line: &[u8]) -> Option<Self> {
        let mut words = line.split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty());
        let protocol = words.next().filter(|word| speaks_http(word))?;
        let status = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
        let version = protocol.split(|&b| b == b'/').nth(1);
        (100..=999).contains(&status).then(|| Self {
            status,
            keep_alive: version.is_some_and(|version| version != b"1.0" && version != b"0.9"),
            length: None,
            chunked: false,
            multipart: false,
            lines: Vec::new(),
            may_fold: false,
        })
    }

    /// `100 Continue` and its like announce the answer; they are not it.
    fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }

    fn add_line(&mut self, line: &[u8]) {
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if let Some((_, value)) = self.lines.last_mut().filter(|_| self.may_fold) {
                value.push(b' ');
                value.extend(visible(line.trim_ascii()));
            }
            return;
        }
        self.may_fold = false;
        // GoAhead sends lines without a colon.
        let Some(colon) = memchr::memchr(b':', line) else { return };
        let name = line[..colon].trim_ascii().to_ascii_lowercase();
        let value = line[colon + 1..].trim_ascii();
        match name.as_slice() {
            b"content-length" => self.length = last_length(value).or(self.length),
            b"transfer-encoding" => self.chunked |= has_token(value, b"chunked"),
            b"connection" | b"proxy-connection" => self.connection(value),
            name => self.pass_on(name, value),
        }
    }

    fn connection(&mut self, value: &[u8]) {
        if has_token(value, b"close") {
            self.keep_alive = false;
        } else if has_token(value, b"keep-alive") {
            self.keep_alive = true;
        }
    }

    fn pass_on(&mut self, name: &[u8], value: &[u8]) {
        let Some(name) = PASSED_ON.into_iter().find(|known| known.as_bytes() == name) else { return };
        if name == "content-type" {
            self.multipart = value.len() >= 9 && value[..9].eq_ignore_ascii_case(b"multipart");
        }
        if self.lines.len() < MAX_LINES {
            self.lines.push((name, visible(value).collect()));
            self.may_fold = true;
        }
    }

    fn framing(&self) -> Framing {
        match self.length {
            _ if matches!(self.status, 101 | 204 | 304) => Framing::None,
            _ if self.chunked => Framing::Chunked,
            // A stream of length 0 is a stream whose camera had to write some number.
            Some(0) if self.multipart => Framing::Close,
            Some(length) => Framing::Length(length),
            None => Framing::Close,
        }
    }

    fn write(&self, out: &mut BytesMut) {
        let framing = self.framing();
        let version = if framing == Framing::Close { "1.0" } else { "1.1" };
        out.put_slice(format!("HTTP/{version} {} \r\n", self.status).as_bytes());
        for (name, value) in &self.lines {
            out.put_slice(name.as_bytes());
            out.put_slice(b": ");
            out.put_slice(value);
            out.put_slice(b"\r\n");
        }
        match framing {
            Framing::Chunked => out.put_slice(b"transfer-encoding: chunked\r\n"),
            Framing::Length(length) => out.put_slice(format!("content-length: {length}\r\n").as_bytes()),
            Framing::None | Framing::Close => {}
        }
        if !self.keep_alive || framing == Framing::Close {
            out.put_slice(b"connection: close\r\n");
        }
        out.put_slice(b"\r\n");
    }
}

fn speaks_http(line: &[u8]) -> bool {
    line.len() >= 3 && (line[..3].eq_ignore_ascii_case(b"ICY") || starts_with_http(line))
}

fn starts_with_http(line: &[u8]) -> bool {
    line.len() >= 4 && line[..4].eq_ignore_ascii_case(b"HTTP")
}

/// `12`, or `12, 12`: the last that is a number.
fn last_length(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    let number = |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten();
    text.split(',').rev().find_map(|part| number(part.trim()))
}

fn has_token(value: &[u8], token: &[u8]) -> bool {
    value.split(|&b| b == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
}

/// Control characters are refused by awc and mean nothing in a value.
fn visible(value: &[u8]) -> impl Iterator<Item = u8> {
    value.iter().copied().filter(|&b| b == b'\t' || (b >= b' ' && b != 0x7f))
}

fn trim_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 1024;

    /// The repaired answer, after checking that every way of cutting the input in two gives the same.
    fn repaired(raw: &[u8]) -> String {
        let whole = HeadReader::new(LIMIT).push(raw).unwrap().expect("the head is whole").answer;
        for cut in 0..raw.len() {
            let mut reader = HeadReader::new(LIMIT);
            let mut out = BytesMut::new();
            for piece in [&raw[..cut], &raw[cut..]] {
                match out.is_empty().then(|| reader.push(piece).unwrap()).flatten() {
                    Some(head) => out.extend_from_slice(&head.answer),
                    None if !out.is_empty() => out.extend_from_slice(piece),
                    None => {}
                }
            }
            assert_eq!(out, whole, "cut at {cut}");
        }
        let mut reader = HeadReader::new(LIMIT);
        let mut out = BytesMut::new();
        for byte in raw {
            if !out.is_empty() {
                out.put_u8(*byte);
            } else if let Some(head) = reader.push(&[*byte]).unwrap() {
                out.extend_from_slice(&head.answer);
            }
        }
        assert_eq!(out, whole, "byte by byte");
        String::from_utf8_lossy(&whole).into_owned()
    }

    #[test]
    fn an_answer_delimited_by_close_becomes_http_1_0() {
        let raw = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=x\r\n\r\n--x\r\n";
        assert_eq!(
            repaired(raw),
            "HTTP/1.0 200 \r\ncontent-type: multipart/x-mixed-replace;boundary=x\r\nconnection: close\r\n\r\n--x\r\n"
        );
    }

    #[test]
    fn lengths_and_chunking_stay() {
        assert_eq!(
            repaired(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
            "HTTP/1.1 200 \r\ncontent-length: 3\r\n\r\nabc"
        );
        assert_eq!(
            repaired(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 3\r\n\r\n0\r\n"),
            "HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n0\r\n"
        );
    }

    #[test]
    fn lines_without_a_colon_and_bare_newlines_are_no_obstacle() {
        assert_eq!(
            repaired(b"HTTP/1.1 200 OK\nno colon here\nContent-Type : image/jpeg\nContent-Length: 2\n\nab"),
            "HTTP/1.1 200 \r\ncontent-type: image/jpeg\r\ncontent-length: 2\r\n\r\nab"
        );
        assert_eq!(
            repaired(b"\r\nHTTP/1.0 200 OK\r\nContent-Length: 2\n\r\nab"),
            "HTTP/1.1 200 \r\ncontent-length: 2\r\nconnection: close\r\n\r\nab"
        );
    }

    #[test]
    fn odd_status_lines_are_read() {
        for odd in ["ICY 200 OK", "HTTP/1.0 200", "HTTP/1.1  200  Fine", "HTTP 200 OK", "http/1.0 200 \u{fc}"]
        {
            let raw = format!("{odd}\r\n\r\nbody");
            assert_eq!(repaired(raw.as_bytes()), "HTTP/1.0 200 \r\nconnection: close\r\n\r\nbody", "{odd}");
        }
    }

    #[test]
    fn content_lengths_are_the_last_valid_one() {
        for (lines, length) in [
            ("Content-Length: 7\r\nContent-Length: 9\r\n", 9),
            ("Content-Length:   0012\r\n", 12),
            ("Content-Length: 5, 5\r\n", 5),
            ("Content-Length: 4\r\nContent-Length: many\r\n", 4),
            ("Content-Length: 4294967296\r\n", 4_294_967_296_u64),
        ] {
            let out = repaired(format!("HTTP/1.1 200 OK\r\n{lines}\r\n").as_bytes());
            assert_eq!(out, format!("HTTP/1.1 200 \r\ncontent-length: {length}\r\n\r\n"));
        }
        let nonsense = repaired(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n");
        assert_eq!(nonsense, "HTTP/1.0 200 \r\nconnection: close\r\n\r\n");
    }

    #[test]
    fn a_stream_of_length_zero_runs_to_the_end_of_the_connection() {
        let raw =
            b"HTTP/1.1 200 OK\r\nContent-Type: Multipart/x-mixed-replace\r\nContent-Length: 0\r\n\r\n--";
        assert!(repaired(raw).starts_with("HTTP/1.0 200 \r\n"));
        let empty = repaired(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 0\r\n\r\n");
        assert!(empty.contains("content-length: 0\r\n"));
    }

    #[test]
    fn answers_without_a_body_never_wait_for_one() {
        let raw = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\nETag: \"a\"\r\n\r\n";
        assert_eq!(repaired(raw), "HTTP/1.1 304 \r\netag: \"a\"\r\n\r\n");
    }

    #[test]
    fn interim_answers_are_skipped_and_folded_lines_joined() {
        let raw = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: multipart/mixed;\r\n\tboundary=x\r\nContent-Length: 0\r\n\r\n";
        assert!(repaired(raw).contains("content-type: multipart/mixed; boundary=x\r\n"));
    }

    #[test]
    fn a_missing_blank_line_is_found_at_the_delimiter_or_the_picture() {
        let raw =
            b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\n--x\r\nContent-Length: 2\r\n";
        assert!(repaired(raw).ends_with("\r\n\r\n--x\r\nContent-Length: 2\r\n"));
        let raw = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\xff\xd8\xff";
        let out = HeadReader::new(LIMIT).push(raw).unwrap().unwrap().answer;
        assert!(out.ends_with(b"\r\n\r\n\xff\xd8\xff"));
        let with_newline = [&raw[..], b"\xe0 \n and more"].concat();
        let out = HeadReader::new(LIMIT).push(&with_newline).unwrap().unwrap().answer;
        assert!(out.ends_with(b"\r\n\r\n\xff\xd8\xff\xe0 \n and more"));
    }

    #[test]
    fn heads_are_bounded_however_they_come() {
        let mut line_without_end = HeadReader::new(LIMIT);
        assert!(line_without_end.push(b"HTTP/1.1 200 ").unwrap().is_none());
        let too_long = Err(HeadError::TooLong { limit: LIMIT });
        assert_eq!(line_without_end.push(&[b'x'; LIMIT]), too_long);
        let many_lines = format!("HTTP/1.1 200 OK\r\n{}", "X-A: b\r\n".repeat(LIMIT));
        assert_eq!(HeadReader::new(LIMIT).push(many_lines.as_bytes()), too_long);
    }

    #[test]
    fn other_protocols_are_told_apart_at_once() {
        for other in [&b"RTSP/1.0 200 OK\r\n"[..], b"SSH-2.0-OpenSSH", b"\x15\x03\x01\x00\x02", b"<html>"] {
            assert_eq!(HeadReader::new(LIMIT).push(other), Err(HeadError::NotHttp));
        }
        assert_eq!(HeadReader::new(LIMIT).finish(), HeadError::NoAnswer);
        let mut reader = HeadReader::new(LIMIT);
        assert_eq!(reader.push(b"HTTP/1.1 200 OK\r\nContent-"), Ok(None));
        assert_eq!(reader.finish(), HeadError::Truncated);
    }

    fn fragment() -> impl Strategy<Value = Vec<u8>> {
        let known: Vec<&[u8]> = vec![
            b"HTTP/1.1 200 OK",
            b"HTTP/1.1 100 ",
            b"ICY 200",
            b"\r\n",
            b"\n",
            b"\r",
            b"\r\n\r\n",
            b"Content-Type: multipart/x-mixed-replace",
            b"content-length: 12",
            b"Location",
            b": ",
            b"--x",
            b"\xff\xd8",
            b" ",
            b"\0",
            b"www-authenticate: Basic",
        ];
        prop_oneof![
            8 => prop::sample::select(known).prop_map(<[u8]>::to_vec),
            1 => prop::collection::vec(any::<u8>(), 0..40),
        ]
    }

    /// What comes of these pieces: the head with all bytes behind it, nothing yet, or the first error.
    fn outcome<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Option<Vec<u8>>, HeadError> {
        let mut reader = HeadReader::new(100);
        let mut out: Option<Vec<u8>> = None;
        for piece in pieces {
            match &mut out {
                Some(out) => out.extend_from_slice(piece),
                None => out = reader.push(piece)?.map(|head| head.answer.to_vec()),
            }
        }
        Ok(out)
    }

    proptest! {
        #[test]
        fn whatever_comes_gives_the_same_however_it_is_cut(
            fragments in prop::collection::vec(fragment(), 0..24),
            size in 1_usize..30,
        ) {
            let raw = fragments.concat();
            let whole = outcome(std::iter::once(&raw[..]));
            prop_assert_eq!(&outcome(raw.chunks(1)), &whole);
            prop_assert_eq!(&outcome(raw.chunks(size)), &whole);
            if let Ok(Some(answer)) = whole {
                // What we write is what awc's own parser takes.
                let mut headers = [httparse::EMPTY_HEADER; 96];
                let parsed = httparse::Response::new(&mut headers).parse(&answer);
                prop_assert!(matches!(parsed, Ok(httparse::Status::Complete(_))), "{:?}", parsed);
            }
        }
    }
}
