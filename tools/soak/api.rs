//! Requests to framecast over HTTP.

use std::{fmt, io, net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// Token of the administrator.
pub(crate) const ADMIN_TOKEN: &str = "soaked-to-the-skin";

/// An answer is here within this, or the relay hangs.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Longest answer that is read: metrics of all streams are some 200 kB.
const MAX_ANSWER: usize = 2 * 1024 * 1024;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// Its JSON; null if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Tasks that run, by what they are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tasks {
    connections: u64,
    streams: u64,
    work: u64,
}

impl Tasks {
    /// Returns the current metrics.
    pub(crate) async fn now(address: SocketAddr) -> io::Result<Self> {
        let metrics = ask(address, "GET", "/metrics", "").await?.body;
        let of = |kind: &str| {
            let series = format!("framecast_tasks{{kind=\"{kind}\"}} ");
            let value = metrics.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok());
            value.ok_or_else(|| io::Error::other(format!("the metrics have no {series}")))
        };
        Ok(Self { connections: of("connection")?, streams: of("stream")?, work: of("work")? })
    }

    /// Whether nothing of it is more than in `base`.
    pub(crate) fn is_within(self, base: Self) -> bool {
        self.connections <= base.connections && self.streams <= base.streams && self.work <= base.work
    }
}

impl fmt::Display for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, streams, work } = self;
        write!(f, "{connections}+{streams}+{work}")
    }
}

/// One request, as an administrator, over a connection of its own.
pub(crate) async fn ask(address: SocketAddr, method: &str, route: &str, body: &str) -> io::Result<Answer> {
    let mut socket = BufReader::new(TcpStream::connect(address).await?);
    let length = body.len();
    let request = format!(
        "{method} {route} HTTP/1.1\r\nHost: soak\r\nConnection: close\r\nAuthorization: Bearer \
         {ADMIN_TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).await?;
    let text = answer(&mut socket).await?;
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no answer: {text}")))?;
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    Ok(Answer { status, body })
}

/// Head and body of an answer as text, whatever its status.
pub(crate) async fn answer(socket: &mut BufReader<TcpStream>) -> io::Result<String> {
    timeout(ANSWER_WITHIN, async {
        let mut text = String::new();
        let mut length = 0;
        while !text.ends_with("\r\n\r\n") {
            let start = text.len();
            if socket.read_line(&mut text).await? == 0 || text.len() > MAX_ANSWER {
                return Err(io::Error::other(format!("the answer broke off: {text:?}")));
            }
            if let Some((name, value)) = text[start..].split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut body = vec![0; MAX_ANSWER.min(length)];
        socket.read_exact(&mut body).await?;
        Ok(text + &String::from_utf8_lossy(&body))
    })
    .await?
}
