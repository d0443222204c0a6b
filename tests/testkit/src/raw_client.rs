//! A strict HTTP client that reads byte by byte: exact line ends, exact lengths, chunk by chunk.

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// A bound on what hangs; far from what anything here takes.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// Longer heads are a mistake of the server.
const MAX_HEAD: usize = 16 * 1024;

/// A status line and headers, names in the letter case they were sent in.
#[derive(Debug, Clone)]
pub struct Head {
    pub version: String,
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

impl Head {
    fn parse(text: &str) -> Self {
        let mut lines = text.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let mut words = status_line.splitn(3, ' ');
        let version = words.next().unwrap_or_default().to_owned();
        let status = words.next().and_then(|word| word.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {status_line:?}"));
        Self { version, status, headers: lines.map(header).collect() }
    }

    /// A header's value, by its name in any case; panics when there are several.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} stands more than once: {:?}", self.headers);
        value
    }

    /// Returns the authentication schemes that a 401 offers, in order.
    pub fn offered_schemes(&self) -> Vec<&str> {
        let challenges =
            self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
        challenges.filter_map(|(_, challenge)| challenge.split(' ').next()).collect()
    }

    fn is_chunked(&self) -> bool {
        self.get("transfer-encoding").is_some_and(|coding| coding == "chunked")
    }
}

/// `Name: value`, with exactly one blank.
pub fn header(line: &str) -> (String, String) {
    let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no header: {line:?}"));
    assert!(value == value.trim() && !name.contains([' ', '\t']), "blanks where none belong: {line:?}");
    (name.to_owned(), value.to_owned())
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub head: Head,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}

/// One connection.
pub struct Client {
    io: Box<dyn Io>,
    unread: Vec<u8>,
}

/// A stream of bytes: a socket, or TLS on one.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl<T: Io + 'static> From<Box<T>> for Client {
    fn from(io: Box<T>) -> Self {
        Self { io, unread: Vec::new() }
    }
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.expect("the relay listens"))
    }

    /// Over a socket that was opened in the test's own way.
    pub fn over(io: TcpStream) -> Self {
        io.set_nodelay(true).expect("the socket is open");
        Box::new(io).into()
    }

    /// Sends a whole request and reads the whole answer; nothing may follow it. `HEAD` answers have no body.
    pub async fn ask(
        address: SocketAddr,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        Self::connect(address).await.ask_here(method, target, headers, body).await
    }

    /// Sends a request over this connection.
    pub async fn ask_here(
        mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        if !body.is_empty() {
            lines += &format!("Content-Length: {}\r\n", body.len());
        }
        let head = format!("{method} {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{lines}\r\n");
        self.send(&[head.as_bytes(), body].concat()).await;
        let head = self.head().await;
        let bodiless = method == "HEAD" || head.status == 204 || head.status == 304;
        let body = if bodiless {
            Vec::new()
        } else {
            let length = head.get("content-length").expect("a finite answer has its length");
            self.exactly(length.parse().expect("a length")).await
        };
        assert_eq!(self.rest().await, b"", "nothing follows the answer to {method} {target}");
        Answer { head, body }
    }

    pub async fn get(address: SocketAddr, target: &str) -> Answer {
        Self::ask(address, "GET", target, &[], b"").await
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).await.expect("the relay reads");
    }

    /// A response's head.
    pub async fn head(&mut self) -> Head {
        Head::parse(&self.text_until("\r\n\r\n").await)
    }

    /// A text and its end, without the end.
    pub async fn text_until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|bytes| bytes == end.as_bytes()) {
                let text: Vec<u8> = self.unread.drain(..at + end.len()).take(at).collect();
                return String::from_utf8(text).expect("a head is text");
            }
            assert!(self.unread.len() < MAX_HEAD, "{end:?} does not come: {:?}", start_of(&self.unread));
            assert!(self.more().await, "the end came before {end:?}: {:?}", start_of(&self.unread));
        }
    }

    pub async fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length {
            assert!(self.more().await, "the end came {} bytes too soon", length - self.unread.len());
        }
        self.unread.drain(..length).collect()
    }

    /// Reads exactly `length` bytes; none when the connection is closed before the first byte.
    pub async fn exactly_or_end(&mut self, length: usize) -> Option<Vec<u8>> {
        if self.unread.is_empty() && !self.more().await {
            return None;
        }
        Some(self.exactly(length).await)
    }

    /// All that comes until the connection is closed.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.unread)
    }

    /// False at the end.
    async fn more(&mut self) -> bool {
        let reading = timeout(TIMEOUT, self.io.read_buf(&mut self.unread)).await;
        let read = reading.unwrap_or_else(|_| panic!("nothing came for {} s", TIMEOUT.as_secs()));
        match read {
            Ok(read) => read > 0,
            // The relay let go of us with bytes of ours unread, or of its own unsent.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("the connection broke: {error}"),
        }
    }
}

/// The body of an endless answer, without its transfer coding.
pub struct Body {
    client: Client,
    coding: Coding,
}

enum Coding {
    Raw,
    Chunked {
        /// Decoded bytes that were not read yet.
        decoded: Vec<u8>,
    },
}

impl Body {
    /// Returns the body that follows this head.
    pub fn after(head: &Head, client: Client) -> Self {
        let coding = if head.is_chunked() { Coding::Chunked { decoded: Vec::new() } } else { Coding::Raw };
        Self { client, coding }
    }

    /// Returns the client below the transfer coding.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// The next chunk of a chunked body that was read only chunk by chunk so far; empty at the end, behind
    /// which nothing may stand.
    pub async fn chunk(&mut self) -> Vec<u8> {
        let size = self.client.text_until("\r\n").await;
        let length = usize::from_str_radix(&size, 16).unwrap_or_else(|_| panic!("no chunk size: {size:?}"));
        let chunk = self.client.exactly(length).await;
        assert_eq!(self.client.exactly(2).await, b"\r\n", "a chunk ends with a line end");
        if chunk.is_empty() {
            assert_eq!(self.client.rest().await, b"", "nothing follows the last chunk");
        }
        chunk
    }

    pub async fn exactly(&mut self, length: usize) -> Vec<u8> {
        loop {
            match &mut self.coding {
                Coding::Raw => return self.client.exactly(length).await,
                Coding::Chunked { decoded } if decoded.len() >= length => {
                    return decoded.drain(..length).collect();
                }
                Coding::Chunked { .. } => {
                    let chunk = self.chunk().await;
                    assert!(!chunk.is_empty(), "the last chunk came too soon");
                    self.decoded().extend(chunk);
                }
            }
        }
    }

    pub async fn text_until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            assert!(text.len() < MAX_HEAD, "{end:?} does not come: {:?}", start_of(&text));
            text.extend(self.exactly(1).await);
        }
        text.truncate(text.len() - end.len());
        String::from_utf8(text).expect("a head is text")
    }

    /// All that comes until the answer ends, in the way of its coding.
    pub async fn rest(&mut self) -> Vec<u8> {
        if matches!(self.coding, Coding::Raw) {
            return self.client.rest().await;
        }
        loop {
            let chunk = self.chunk().await;
            if chunk.is_empty() {
                return std::mem::take(self.decoded());
            }
            self.decoded().extend(chunk);
        }
    }

    fn decoded(&mut self) -> &mut Vec<u8> {
        match &mut self.coding {
            Coding::Chunked { decoded } => decoded,
            Coding::Raw => unreachable!("only asked for chunks"),
        }
    }
}

fn start_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned()
}

/// Problem JSON as RFC 9457 has it.
#[track_caller]
pub fn assert_problem(answer: &Answer, status: u16) {
    assert_eq!(answer.head.status, status, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.head.get("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    assert_eq!(problem["status"], status, "{problem}");
    for member in ["type", "title", "detail"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member} of {problem}");
    }
}

/// An address where nobody listens.
pub async fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}
