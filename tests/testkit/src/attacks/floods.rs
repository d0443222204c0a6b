//! Floods of one type of HTTP/2 frame (RFC 9113, section 6).

use std::{io, net::Ipv4Addr, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};

use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PRIORITY, PUSH_PROMISE, RST_STREAM,
    SETTINGS, UNKNOWN, WINDOW_UPDATE, fields, frame, get, nth, post,
};
use super::{LOCALHOST, PAUSE, wire::Target};

/// All types of frame, and an unknown one.
pub const KINDS: [(&str, u8); 11] = [
    ("data", DATA),
    ("headers", HEADERS),
    ("priority", PRIORITY),
    ("rst-stream", RST_STREAM),
    ("settings", SETTINGS),
    ("push-promise", PUSH_PROMISE),
    ("ping", PING),
    ("goaway", GOAWAY),
    ("window-update", WINDOW_UPDATE),
    ("continuation", CONTINUATION),
    ("unknown", UNKNOWN),
];

/// Numbers of concurrent connections, one after the other.
const CONNECTIONS: [u32; 3] = [1, 16, 64];

/// Frames in one write.
const BATCH: u32 = 200;

/// Floods with one type of frame, without and with payload, over 1, 16 and 64 connections, for equal parts of
/// `length`. Half of the connections read what they receive; all of them have closed windows.
pub async fn run(kind: u8, target: &Target, length: Duration) {
    let phases = 2 * u32::try_from(CONNECTIONS.len()).expect("they are few");
    for with_payload in [false, true] {
        for connections in CONNECTIONS {
            let deadline = Instant::now() + length / phases;
            let mut attackers = JoinSet::new();
            for number in 0..connections {
                let target = target.clone();
                attackers.spawn(timeout_at(deadline, async move {
                    loop {
                        // The relay may end the connection.
                        let _ended = flood(&target, kind, with_payload, number % 2 == 0).await;
                        sleep(PAUSE).await;
                    }
                }));
            }
            while attackers.join_next().await.is_some() {}
        }
    }
}

/// Floods over one connection until the relay ends it.
pub(super) async fn flood(target: &Target, kind: u8, with_payload: bool, is_read: bool) -> io::Result<()> {
    let from: Ipv4Addr = LOCALHOST;
    let mut connection = target.http2(from, 0, is_read).await?;
    // A request with a body, and one whose answer is blocked: streams 1 and 3.
    connection.send(&post(1, "/streams/inbox/frame")).await?;
    connection.send(&get(3, "/api/openapi.json")).await?;
    if kind == CONTINUATION {
        connection.send(&frame(HEADERS, END_STREAM, 5, &fields("GET", "/healthz"))).await?;
    }
    let mut next = 3;
    loop {
        let mut batch = Vec::new();
        for _ in 0..BATCH {
            batch.extend(one(kind, with_payload, &mut next));
        }
        connection.send(&batch).await?;
    }
}

/// One frame, or a request and its end.
fn one(kind: u8, with_payload: bool, next: &mut usize) -> Vec<u8> {
    let payload = |payload: &[u8]| if with_payload { payload.to_vec() } else { Vec::new() };
    let mut new_stream = || {
        *next += 1;
        nth(*next)
    };
    match kind {
        // With payload, the stream's window soon ends it.
        DATA => frame(DATA, 0, 1, &payload(&[0; 64])),
        // Requests with a large answer; without payload the block is empty, which is not a request.
        HEADERS => frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            new_stream(),
            &payload(&fields("GET", "/api/openapi.json")),
        ),
        PRIORITY => frame(PRIORITY, 0, new_stream(), &payload(&[0, 0, 0, 1, 16])),
        RST_STREAM => {
            let stream = new_stream();
            [get(stream, "/api/openapi.json"), frame(RST_STREAM, 0, stream, &payload(&[0, 0, 0, 8]))].concat()
        }
        // INITIAL_WINDOW_SIZE: 0.
        SETTINGS => frame(SETTINGS, 0, 0, &payload(&[0, 4, 0, 0, 0, 0])),
        PUSH_PROMISE => frame(PUSH_PROMISE, END_HEADERS, 1, &payload(&[0, 0, 0, 2, 0x82])),
        PING => frame(PING, 0, 0, &payload(&[7; 8])),
        GOAWAY => frame(GOAWAY, 0, 0, &payload(&[0; 8])),
        WINDOW_UPDATE => frame(WINDOW_UPDATE, 0, 0, &payload(&[0, 0, 0, 1])),
        CONTINUATION => frame(CONTINUATION, 0, 5, &payload(b"\0\x06x-long\x0512345")),
        _ => frame(UNKNOWN, 0, 0, &payload(&[0; 64])),
    }
}
