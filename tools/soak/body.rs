//! An answer to a viewer, read byte by byte: head, chunks, parts, closing delimiter. Nothing is tolerated
//! here.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::TcpStream,
    time::sleep,
};

/// Rate at which a slow viewer reads: about a third of a camera's stream.
const SLOW_BYTES_PER_S: f64 = 55_000.0;

/// A slow viewer's reads.
const SLOW_READ_BYTES: usize = 8 * 1024;

/// Longest line, and largest part, that may come.
const MAX_LINE: usize = 4096;
const MAX_PART: usize = 8 * 1024 * 1024;

const DELIMITER: &str = "--boundarydonotcross";

/// One part.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) jpeg: Vec<u8>,
    /// When the frame came, in microseconds of Unix time, as `X-Timestamp` says.
    pub(crate) came_us: u64,
}

/// The answer's body, its chunks put together.
pub(crate) struct Body {
    socket: BufReader<TcpStream>,
    chunked: bool,
    /// Of the present chunk.
    left: usize,
    slow: bool,
}

impl Body {
    pub(crate) fn new(socket: TcpStream, slow: bool) -> Self {
        let capacity = if slow { SLOW_READ_BYTES } else { 64 * 1024 };
        Self { socket: BufReader::with_capacity(capacity, socket), chunked: false, left: 0, slow }
    }

    /// Reads and checks the answer's head: that of HTTP/1.0 or 1.1, and whether chunks follow.
    pub(crate) async fn head(&mut self, version: &str, chunked: bool) -> io::Result<()> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.socket.read_line(&mut head).await? == 0 || head.len() > MAX_LINE {
                return Err(io::Error::other(format!("a broken head: {head:?}")));
            }
        }
        if head.starts_with(&format!("HTTP/{version} 404 ")) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let has = |line: &str| head.lines().any(|l| l.eq_ignore_ascii_case(line));
        self.chunked = has("transfer-encoding: chunked");
        let right = head.starts_with(&format!("HTTP/{version} 200 "))
            && has("content-type: multipart/x-mixed-replace;boundary=boundarydonotcross")
            && self.chunked == chunked
            && !head.to_ascii_lowercase().contains("content-length:");
        if right { Ok(()) } else { Err(io::Error::other(format!("a wrong head: {head:?}"))) }
    }

    /// Reads up to the first part.
    pub(crate) async fn first_delimiter(&mut self) -> io::Result<()> {
        self.expect_line(DELIMITER).await
    }

    /// The next part, read up to behind the delimiter that follows it; none at the closing delimiter.
    pub(crate) async fn part(&mut self) -> io::Result<Option<Part>> {
        let first = self.line().await?;
        if first.strip_prefix(DELIMITER) == Some("--") {
            self.nothing_follows().await?;
            return Ok(None);
        }
        if first != "Content-Type: image/jpeg" {
            return Err(io::Error::other(format!("a part starts with {first:?}")));
        }
        let second = self.line().await?;
        let length = second.strip_prefix("Content-Length: ").and_then(|value| value.parse().ok());
        let Some(length @ 1..=MAX_PART) = length else {
            return Err(io::Error::other(format!("a part goes on with {second:?}")));
        };
        let third = self.line().await?;
        let Some(came_us) = third.strip_prefix("X-Timestamp: ").and_then(microseconds) else {
            return Err(io::Error::other(format!("a part goes on with {third:?}")));
        };
        self.expect_line("").await?;
        let mut jpeg = Vec::with_capacity(length);
        self.exactly(length, &mut jpeg).await?;
        self.expect_line("").await?;
        self.expect_line(DELIMITER).await?;
        Ok(Some(Part { jpeg, came_us }))
    }

    async fn expect_line(&mut self, wanted: &str) -> io::Result<()> {
        let line = self.line().await?;
        if line == wanted {
            Ok(())
        } else {
            Err(io::Error::other(format!("{wanted:?} was expected, not {line:?}")))
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            if line.len() > MAX_LINE {
                return Err(io::Error::other("a line without end"));
            }
            self.exactly(1, &mut line).await?;
        }
        line.truncate(line.len() - 2);
        String::from_utf8(line).map_err(io::Error::other)
    }

    async fn exactly(&mut self, bytes: usize, into: &mut Vec<u8>) -> io::Result<()> {
        let mut wanted = bytes;
        while wanted > 0 {
            if self.chunked && self.left == 0 {
                self.left = self.chunk_size().await?;
                if self.left == 0 {
                    return Err(io::Error::other("the last chunk came without a closing delimiter"));
                }
            }
            let pause = self.slow && self.socket.buffer().is_empty();
            let here = self.socket.fill_buf().await?;
            if here.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if pause {
                sleep(Duration::from_secs_f64(here.len() as f64 / SLOW_BYTES_PER_S)).await;
            }
            let here = self.socket.buffer();
            let taken = here.len().min(wanted).min(if self.chunked { self.left } else { usize::MAX });
            into.extend_from_slice(&here[..taken]);
            self.socket.consume(taken);
            wanted -= taken;
            if self.chunked {
                self.left -= taken;
                if self.left == 0 {
                    self.chunk_end().await?;
                }
            }
        }
        Ok(())
    }

    async fn chunk_size(&mut self) -> io::Result<usize> {
        let mut line = String::new();
        self.socket.read_line(&mut line).await?;
        usize::from_str_radix(line.trim_end(), 16)
            .map_err(|_| io::Error::other(format!("no chunk size: {line:?}")))
    }

    async fn chunk_end(&mut self) -> io::Result<()> {
        let mut end = [0; 2];
        self.socket.read_exact(&mut end).await?;
        if &end == b"\r\n" { Ok(()) } else { Err(io::Error::other(format!("a chunk ends with {end:?}"))) }
    }

    async fn nothing_follows(&mut self) -> io::Result<()> {
        if self.chunked && self.chunk_size().await? == 0 {
            self.chunk_end().await?;
        }
        let mut rest = Vec::new();
        self.socket.read_to_end(&mut rest).await?;
        if rest.is_empty() {
            Ok(())
        } else {
            Err(io::Error::other(format!("{} bytes follow the end", rest.len())))
        }
    }
}

/// `1795371815.334375`: six digits behind the point.
fn microseconds(text: &str) -> Option<u64> {
    let (seconds, rest) = text.split_once('.').filter(|(_, rest)| rest.len() == 6)?;
    Some(seconds.parse::<u64>().ok()? * 1_000_000 + rest.parse::<u64>().ok()?)
}
