//! Watches a stream as a strict client, pushes to it, and asks the API about it.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    in_process::{InProcess, Server},
    raw_client::{Body, Client, Head, TIMEOUT, header},
};

pub const FIRST_DELIMITER: &str = "--boundarydonotcross\r\n";
pub const NEXT_DELIMITER: &str = "\r\n--boundarydonotcross\r\n";
/// What a browser sends for an `<img>`.
pub const IMG: &str = "Sec-Fetch-Dest: image\r\n";

/// The headers that it gets ahead of each picture.
pub const HEAD_AHEAD: &str = "Content-Type: image/jpeg\r\n\r\n";

/// The delimiter behind the last frame has gone out before.
pub const CLOSING: &str = "--boundarydonotcross--\r\n";

/// One push stream called `x`.
pub const ONE_PUSH: &str = "streams: {x: {source: {type: push, token: none}}}";

/// A push stream `x` with a replay buffer.
pub const PUSH_WITH_REPLAY: &str = "streams: {x: {source: {type: push, token: none}, replay: 1m}}";

/// Interval at which a condition is checked while it is waited for.
pub const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// One part of a stream.
#[derive(Debug)]
pub struct Part {
    /// In the order and letter case in which they came.
    pub headers: Vec<(String, String)>,
    pub jpeg: Vec<u8>,
}

impl Part {
    /// A header's value, by its name in this letter case.
    pub fn get(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }
}

/// A viewer whose stream has begun.
pub struct StreamViewer {
    pub head: Head,
    pub body: Body,
}

impl StreamViewer {
    /// Asks over HTTP/1.1 and reads the head.
    pub async fn ask(address: SocketAddr, target: &str) -> Self {
        Self::ask_as(address, target, "HTTP/1.1").await
    }

    pub async fn ask_as(address: SocketAddr, target: &str, version: &str) -> Self {
        Self::over(Client::connect(address).await, target, version).await
    }

    pub async fn over(mut client: Client, target: &str, version: &str) -> Self {
        client.send(format!("GET {target} {version}\r\nHost: test\r\n\r\n").as_bytes()).await;
        Self::begun(client, target).await
    }

    /// Asks with these header lines, each ended by CRLF.
    pub async fn ask_with(address: SocketAddr, target: &str, lines: &str) -> Self {
        let mut client = Client::connect(address).await;
        client.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n{lines}\r\n").as_bytes()).await;
        Self::begun(client, target).await
    }

    /// Reads the head of the answer to a request that was sent.
    pub async fn begun(mut client: Client, target: &str) -> Self {
        let head = client.head().await;
        assert_eq!(head.status, 200, "{target}: {head:?}");
        Self { body: Body::after(&head, client), head }
    }

    /// Asks, and reads on to behind the first delimiter.
    pub async fn join(address: SocketAddr, target: &str) -> Self {
        let mut viewer = Self::ask(address, target).await;
        viewer.first_delimiter().await;
        viewer
    }

    /// Joins with the cookie of a session.
    pub async fn join_with(address: SocketAddr, target: &str, cookie: &str) -> Self {
        let mut viewer = Self::ask_with(address, target, &format!("Cookie: {cookie}\r\n")).await;
        viewer.first_delimiter().await;
        viewer
    }

    pub async fn first_delimiter(&mut self) {
        let first = self.body.exactly(FIRST_DELIMITER.len()).await;
        assert_eq!(String::from_utf8_lossy(&first), FIRST_DELIMITER, "the delimiter stands first");
    }

    /// A whole part, and the delimiter right behind it.
    pub async fn part(&mut self) -> Part {
        let head = self.body.text_until("\r\n\r\n").await;
        let headers: Vec<_> = head.split("\r\n").map(header).collect();
        let length = headers.iter().find(|(name, _)| name == "Content-Length");
        let length = length.unwrap_or_else(|| panic!("no Content-Length: {head:?}"));
        let jpeg = self.body.exactly(length.1.parse().expect("a length")).await;
        let behind = self.body.exactly(NEXT_DELIMITER.len()).await;
        assert_eq!(String::from_utf8_lossy(&behind), NEXT_DELIMITER, "the delimiter stands behind a frame");
        Part { headers, jpeg }
    }

    /// The next picture that is not `seen`, which may be repeated before.
    pub async fn after(&mut self, seen: &[u8]) -> Part {
        loop {
            let part = self.part().await;
            if part.jpeg != seen {
                return part;
            }
        }
    }

    /// Reads until this picture comes; others may stand before it.
    pub async fn until(&mut self, jpeg: &[u8]) {
        while self.part().await.jpeg != jpeg {}
    }
}

/// Pushes one picture.
pub async fn push(relay: &InProcess<impl Server>, stream: &str, jpeg: &[u8]) {
    let target = format!("/streams/{stream}/frame");
    let headers = [("Content-Type", "image/jpeg")];
    let answer = Client::ask(relay.address(), "POST", &target, &headers, jpeg).await;
    assert_eq!(answer.head.status, 204, "{}", String::from_utf8_lossy(&answer.body));
}

/// Returns the report of the API about a stream.
pub async fn report(relay: &InProcess<impl Server>, stream: &str) -> Value {
    let answer = Client::get(relay.address(), &format!("/api/streams/{stream}")).await;
    assert_eq!(answer.head.status, 200);
    answer.json()
}

/// Returns the API's report on a stream, as an administrator reads it.
pub async fn report_for_admin(relay: &InProcess<impl Server>, stream: &str) -> Value {
    let target = format!("/api/streams/{stream}");
    let bearer = [("Authorization", "Bearer admin-of-tests")];
    let answer = Client::ask(relay.address(), "GET", &target, &bearer, b"").await;
    assert_eq!(answer.head.status, 200);
    answer.json()
}

/// Asks about a stream until the answer is as wanted, and gives that.
pub async fn report_when(
    relay: &InProcess<impl Server>,
    stream: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    let start = Instant::now();
    loop {
        let report = report(relay, stream).await;
        if wanted(&report) {
            return report;
        }
        assert!(start.elapsed() < TIMEOUT, "waited in vain; at last it was {report}");
        sleep(POLL_INTERVAL).await;
    }
}

/// Waits until a stream is in this state.
pub async fn wait_for_state<S: Server>(relay: &InProcess<S>, stream: &str, state: &str) {
    S::wait_for_state(relay.registry(), stream, state).await;
}

/// Pushes one picture to the relay at an address.
pub async fn push_at(at: SocketAddr, stream: &str, jpeg: &[u8]) {
    let answer = Client::ask(at, "POST", &format!("/streams/{stream}/frame"), &[], jpeg).await;
    assert_eq!(answer.head.status, 204, "{}", String::from_utf8_lossy(&answer.body));
}
