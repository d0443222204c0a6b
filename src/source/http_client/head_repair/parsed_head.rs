//! Parses the lines of a head, and writes the head that replaces it.

use bytes::{BufMut, BytesMut};

/// Names of the headers that are kept. actix-http refuses more than 96 lines, and D-Link sends long lists
/// that nothing reads.
const PASSED_ON: [&str; 15] = [
    "content-type",
    "content-encoding",
    "www-authenticate",
    "location",
    "etag",
    "last-modified",
    "server",
    "set-cookie",
    "x-framecast",
    "x-framecast-parts",
    "x-timestamp",
    "x-capture-time",
    "x-framecast-seq",
    "x-framecast-time-source",
    "x-framecast-meta",
];

/// Maximum number of kept headers, below actix-http's 96 even when `www-authenticate` is repeated without
/// end.
const MAX_LINES: usize = 64;

/// The values of the lines parsed so far.
#[derive(Debug)]
pub(super) struct ParsedHead {
    status: u16,
    keep_alive: bool,
    length: Option<u64>,
    chunked: bool,
    /// The content type is multipart.
    pub(super) multipart: bool,
    lines: Vec<(&'static str, Vec<u8>)>,
    /// The last line was kept, so that a folded line continues it.
    may_fold: bool,
}

/// The framing of the body: the way its end is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeadFraming {
    None,
    Chunked,
    Length(u64),
    Close,
}

impl ParsedHead {
    /// Parses a status line: `HTTP/1.1 200 OK`, `HTTP/1.0 200`, `ICY 200 OK`, `HTTP 200`.
    pub(super) fn from_status_line(line: &[u8]) -> Option<Self> {
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

    /// Returns whether it is an interim response such as `100 Continue`, before the final one.
    pub(super) fn is_interim(&self) -> bool {
        self.status < 200 && self.status != 101
    }

    pub(super) fn add_line(&mut self, line: &[u8]) {
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

    fn framing(&self) -> HeadFraming {
        match self.length {
            _ if matches!(self.status, 101 | 204 | 304) => HeadFraming::None,
            _ if self.chunked => HeadFraming::Chunked,
            // A stream of length 0 is a stream whose camera had to write some number.
            Some(0) if self.multipart => HeadFraming::Close,
            Some(length) => HeadFraming::Length(length),
            None => HeadFraming::Close,
        }
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        let framing = self.framing();
        let version = if framing == HeadFraming::Close { "1.0" } else { "1.1" };
        out.put_slice(format!("HTTP/{version} {} \r\n", self.status).as_bytes());
        for (name, value) in &self.lines {
            out.put_slice(name.as_bytes());
            out.put_slice(b": ");
            out.put_slice(value);
            out.put_slice(b"\r\n");
        }
        match framing {
            HeadFraming::Chunked => out.put_slice(b"transfer-encoding: chunked\r\n"),
            HeadFraming::Length(length) => out.put_slice(format!("content-length: {length}\r\n").as_bytes()),
            HeadFraming::None | HeadFraming::Close => {}
        }
        if !self.keep_alive || framing == HeadFraming::Close {
            out.put_slice(b"connection: close\r\n");
        }
        out.put_slice(b"\r\n");
    }
}

/// Returns whether a line begins as a status line does.
pub(super) fn speaks_http(line: &[u8]) -> bool {
    line.len() >= 3 && (line[..3].eq_ignore_ascii_case(b"ICY") || starts_with_http(line))
}

fn starts_with_http(line: &[u8]) -> bool {
    line.len() >= 4 && line[..4].eq_ignore_ascii_case(b"HTTP")
}

/// Parses `12` or `12, 12`: returns the last value that is a number.
fn last_length(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    let number = |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten();
    text.split(',').rev().find_map(|part| number(part.trim()))
}

fn has_token(value: &[u8], token: &[u8]) -> bool {
    value.split(|&b| b == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
}

/// Removes control characters, which actix-http refuses and which mean nothing in a value.
fn visible(value: &[u8]) -> impl Iterator<Item = u8> {
    value.iter().copied().filter(|&b| b == b'\t' || (b >= b' ' && b != 0x7f))
}
