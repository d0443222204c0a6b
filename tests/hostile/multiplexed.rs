//! Clients of HTTP/2 that mean harm: one connection of theirs could be ten thousand.

use futures_util::future::join_all;
use testkit::{
    attacks::frames::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE,
        fields, frame, get, nth, post,
    },
    fixture::{Fixture, until},
    numbered_pictures::long,
};

use crate::http2::{PADDED, Raw, cancel, field};

/// Far more than a connection's windows.
const LARGE: usize = 1_000_000;

/// A few frames, what connections cost, and what TLS and HTTP/2 keep for each.
const MEMORY_KIB: u64 = 32 * 1024;

/// Streams that a connection may have open at the same time (`src/web/server/http2/mod.rs`).
const MOST_STREAMS: usize = 256;

/// Frames in one write.
const AT_ONCE: usize = 500;

const WINDOW: u32 = 64 * 1024;

const WIDE: &str = "  wide: {viewer_timeout: 1s, source: {type: push, token: none}}\n";

async fn fixture() -> Fixture {
    let fixture = Fixture::secured("", WIDE).await;
    assert_eq!(fixture.push("wide", &long(LARGE)).await.head.status, 204);
    fixture
}

async fn wait_for_viewers(fixture: &Fixture, wanted: usize) {
    fixture.report_when("wide", |report| report["viewers"] == wanted).await;
}

/// Says `one` of each number, many in one go, until the relay lets go.
async fn flood(raw: &mut Raw, count: usize, one: impl Fn(usize) -> Vec<u8>) -> usize {
    for first in (0..count).step_by(AT_ONCE) {
        let some: Vec<u8> = (first..count.min(first + AT_ONCE)).flat_map(&one).collect();
        if raw.say(&some).await.is_err() {
            return first;
        }
    }
    count
}

/// CVE-2023-44487: asked for and cancelled at once, so that no bound on open streams is ever reached.
#[tokio::test]
async fn streams_that_are_asked_for_and_cancelled_by_the_thousand_cost_nothing() {
    const STREAMS: usize = 20_000;
    let mut fixture = fixture().await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            for target in ["/streams/wide", "/streams/wide/snapshot?width=32", "/healthz"] {
                let mut raw = Raw::begin(fixture.http2().await, WINDOW).await.reading();
                let one = |n| [get(nth(n), target), cancel(nth(n))].concat();
                let said = flood(&mut raw, STREAMS, one).await;
                let answered = raw.is_answered().await;
                eprintln!("{target}: {said} taken, the connection goes on: {answered}");
            }
            wait_for_viewers(fixture, 0).await;
        })
        .await;
    fixture.end();
}

#[tokio::test]
async fn ten_thousand_streams_at_once_are_a_bounded_number_of_viewers() {
    const STREAMS: usize = 10_000;
    let mut fixture = fixture().await;
    fixture
        .assert_survives(2 * MEMORY_KIB, async |fixture| {
            let mut raw = Raw::begin(fixture.http2().await, 0).await.reading();
            // A few too many are refused, and the others stay.
            flood(&mut raw, MOST_STREAMS + 44, |n| get(nth(n), "/streams/wide")).await;
            assert!(raw.is_answered().await);
            assert_eq!(raw.seen().count(RST_STREAM), 44);
            wait_for_viewers(fixture, MOST_STREAMS).await;
            // Thousands too many end the connection.
            flood(&mut raw, STREAMS, |n| get(nth(MOST_STREAMS + 44 + n), "/streams/wide")).await;
            raw.is_answered().await;
            let viewers = fixture.report("wide").await["viewers"].as_u64().unwrap() as usize;
            assert!(viewers <= MOST_STREAMS, "{viewers} viewers of one connection");
            // Uploads that never come, of another.
            let mut raw = Raw::begin(fixture.http2().await, 0).await.reading();
            flood(&mut raw, STREAMS, |n| post(nth(n), "/streams/wide/frame")).await;
            raw.is_answered().await;
            drop(raw);
            wait_for_viewers(fixture, 0).await;
        })
        .await;
    fixture.end();
}

#[tokio::test]
async fn requests_whose_answers_nobody_reads_are_no_longer_taken() {
    const REQUESTS: usize = 200_000;
    let mut fixture = fixture().await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            for target in ["/healthz", "/streams/nobody"] {
                let mut raw = Raw::begin(fixture.http2().await, WINDOW).await;
                let taken = flood(&mut raw, REQUESTS, |n| get(nth(n), target)).await;
                assert!(taken < REQUESTS, "all of them were taken");
            }
        })
        .await;
    fixture.end();
}

/// Each frame alone is harmless, and asks for an answer.
#[tokio::test]
async fn floods_of_settings_and_pings_are_answered_or_end_their_connection() {
    const FRAMES: usize = 200_000;
    let kinds = [(SETTINGS, &[][..]), (PING, &[7; 8][..]), (WINDOW_UPDATE, &[0, 0, 0, 1][..])];
    let mut fixture = fixture().await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            for (kind, payload) in kinds {
                let mut raw = Raw::begin(fixture.http2().await, WINDOW).await.reading();
                flood(&mut raw, FRAMES, |_| frame(kind, 0, 0, payload)).await;
                // Pings that come faster than answers go are answered together.
                raw.is_answered().await;
                // And who does not take the answers.
                let mut raw = Raw::begin(fixture.http2().await, WINDOW).await;
                if kind != WINDOW_UPDATE {
                    let taken = flood(&mut raw, 10 * FRAMES, |_| frame(kind, 0, 0, payload)).await;
                    assert!(taken < 10 * FRAMES, "{kind}: all of them were taken");
                }
            }
        })
        .await;
    fixture.end();
}

#[tokio::test]
async fn headers_that_go_on_without_end_are_cut_off() {
    const FRAMES: usize = 20_000;
    let long = field("x-long", &"x".repeat(100)).repeat(100);
    let cases = [("full", long), ("empty", Vec::new()), ("a string without end", vec![b'x'; 16_000])];
    let mut fixture = fixture().await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            for (case, payload) in &cases {
                let mut raw = Raw::begin(fixture.http2().await, WINDOW).await.reading();
                let mut first = fields("GET", "/healthz");
                if case.starts_with("a string") {
                    // A literal value of 2^28 bytes begins.
                    first.extend(b"\x00\x01x\x7f\x81\xff\xff\x7f");
                }
                raw.say(&frame(HEADERS, END_STREAM, 1, &first)).await.unwrap();
                let mut taken = 0;
                while taken < FRAMES && raw.say(&frame(CONTINUATION, 0, 1, payload)).await.is_ok() {
                    taken += 1;
                }
                assert!(taken < FRAMES, "{case}: it is listened to without end");
                raw.ended().await;
            }
        })
        .await;
    let refused = &fixture.all().await["refused"];
    let ended = ["malformed", "flood"].map(|reason| refused[reason].as_u64().unwrap());
    assert_eq!(ended.iter().sum::<u64>(), cases.len() as u64, "{refused}");
    fixture.end();
}

/// A few bytes that name one another, and unfold to far more.
#[tokio::test]
async fn headers_that_unfold_are_refused() {
    // One of 4000 bytes into the table, which is then number 62; and again by one byte each.
    let large = [&b"\x40\x01x\x7f\xa1\x1e"[..], &[b'x'; 4000]].concat();
    let unfolding = [fields("GET", "/healthz"), large, vec![0x80 | 62; 10_000]].concat();
    // The smallest there are.
    let small = [fields("GET", "/healthz"), b"\x40\x01x\x00".to_vec(), vec![0x80 | 62; 400_000]].concat();
    // More names than a map of headers has room for.
    let names = (0..40_000).flat_map(|n| field(&format!("x{n}"), ""));
    let names: Vec<u8> = fields("GET", "/healthz").into_iter().chain(names).collect();
    let mut fixture = fixture().await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            for (case, block) in [("unfolding", unfolding), ("small", small), ("names", names)] {
                let mut raw = Raw::begin(fixture.http2().await, WINDOW).await.reading();
                for n in 0..20 {
                    let mut pieces = block.chunks(16_000).peekable();
                    let mut kind = (HEADERS, END_STREAM);
                    while let Some(piece) = pieces.next() {
                        let end = if pieces.peek().is_none() { END_HEADERS } else { 0 };
                        if raw.say(&frame(kind.0, kind.1 | end, nth(n), piece)).await.is_err() {
                            break;
                        }
                        kind = (CONTINUATION, 0);
                    }
                }
                raw.is_answered().await;
                let seen = raw.seen();
                assert_eq!(seen.data_bytes, 0, "{case}: {seen:?}");
            }
        })
        .await;
    fixture.end();
}

#[tokio::test]
async fn viewers_that_never_open_their_window_are_let_go() {
    const CONNECTIONS: usize = 10;
    const STREAMS: usize = 10;
    let mut fixture = fixture().await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            let mut stuck = Vec::new();
            for _ in 0..CONNECTIONS {
                let mut raw = Raw::begin(fixture.http2().await, 0).await.reading();
                flood(&mut raw, STREAMS, |n| get(nth(n), "/streams/wide")).await;
                stuck.push(raw);
            }
            wait_for_viewers(fixture, CONNECTIONS * STREAMS).await;
            while fixture.report("wide").await["viewers"] != 0 {
                assert_eq!(fixture.push("wide", &long(LARGE)).await.head.status, 204);
            }
            for raw in &stuck {
                assert_eq!(raw.seen().data_bytes, 0);
            }
        })
        .await;
    fixture.end();
}

#[tokio::test]
async fn a_window_of_one_byte_is_filled_byte_by_byte() {
    const BYTES: usize = 500;
    const VIEWERS: usize = 10;
    let mut fixture = Fixture::secured("", &WIDE.replace("1s", "1h")).await;
    fixture.push("wide", &long(LARGE)).await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            let sip = async |_| {
                let mut raw = Raw::begin(fixture.http2().await, 0).await.reading();
                raw.say(&get(1, "/streams/wide")).await.unwrap();
                for taken in 1..=BYTES {
                    raw.say(&frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])).await.unwrap();
                    raw.seen_when(|seen| seen.data_bytes == taken).await;
                }
                raw
            };
            let tiny = join_all((0..VIEWERS).map(sip)).await;
            for raw in &tiny {
                let seen = raw.seen();
                assert_eq!((seen.data_bytes, seen.largest_data), (BYTES, 1), "{seen:?}");
            }
            wait_for_viewers(fixture, tiny.len()).await;
            drop(tiny);
            wait_for_viewers(fixture, 0).await;
        })
        .await;
    fixture.end();
}

#[tokio::test]
async fn connections_that_break_off_within_a_frame_leave_nothing() {
    const STREAMS: usize = 20;
    let head = get(nth(STREAMS), "/streams/wide");
    let body = frame(DATA, 0, nth(STREAMS), &[0; 1000]);
    let update = frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]);
    let mut fixture = fixture().await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            for last in [&head, &body, &update] {
                for cut in (1..last.len()).step_by(last.len().div_ceil(20)) {
                    let mut raw = Raw::begin(fixture.http2().await, WINDOW).await.reading();
                    flood(&mut raw, STREAMS, |n| get(nth(n), "/streams/wide")).await;
                    raw.say(&post(nth(STREAMS), "/streams/wide/frame")).await.unwrap();
                    raw.say(&last[..cut]).await.unwrap();
                }
            }
            wait_for_viewers(fixture, 0).await;
        })
        .await;
    fixture.end();
}

/// Every frame type that there is, two that there are not, and what they carry: nothing, what belongs there,
/// too much.
const PAYLOADS: [&[u8]; 4] = [&[], &[0, 0, 0, 1], &[0, 0, 0, 1, 0, 0, 0, 1], &[7; 16_000]];

/// RUSTSEC-2026-0258: h2 0.3 kept each empty frame of a body, 100 MB of them as 2657 MB.
#[tokio::test]
async fn data_frames_without_data_hold_nothing() {
    const CONNECTIONS: usize = 64;
    const FRAMES: usize = 20_000;
    let bodies: [(u8, &[u8]); 4] = [(0, &[]), (PADDED, &[0]), (PADDED, &[255; 256]), (0, b"x")];
    let mut fixture = fixture().await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            for target in ["/login", "/streams/wide/frame"] {
                for (flags, payload) in bodies {
                    let flooding = async |_| {
                        let mut raw = Raw::begin(fixture.http2().await, 0).await.reading();
                        raw.say(&post(1, target)).await.unwrap();
                        flood(&mut raw, FRAMES, |_| frame(DATA, flags, 1, payload)).await;
                        raw
                    };
                    drop(join_all((0..CONNECTIONS).map(flooding)).await);
                }
            }
            wait_for_viewers(fixture, 0).await;
        })
        .await;
    assert!(fixture.all().await["refused"]["flood"].as_u64().unwrap() >= 2 * CONNECTIONS as u64);
    fixture.end();
}

#[tokio::test]
async fn floods_of_every_kind_of_frame_end_their_connection_or_are_answered() {
    const CONNECTIONS: usize = 16;
    const BYTES: usize = 1_000_000;
    let mut fixture = fixture().await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            for kind in (DATA..=12).chain([0x42, 0xff]) {
                let flooding = async |n: usize| {
                    let (payload, stream) = (PAYLOADS[n % PAYLOADS.len()], (n / PAYLOADS.len()) as u32 % 2);
                    let mut raw = Raw::begin(fixture.http2().await, 0).await;
                    if n < CONNECTIONS / 2 {
                        raw = raw.reading();
                    }
                    raw.say(&get(1, "/streams/wide")).await.unwrap();
                    let frame = frame(kind, 0, stream, payload);
                    flood(&mut raw, BYTES / frame.len(), |_| frame.clone()).await;
                    raw
                };
                drop(join_all((0..CONNECTIONS).map(flooding)).await);
            }
            wait_for_viewers(fixture, 0).await;
        })
        .await;
    assert!(fixture.all().await["refused"]["flood"].as_u64().unwrap() > 0);
    fixture.end();
}

/// Resets that come when the request is already being answered: h2 counts only those that come before.
#[tokio::test]
async fn what_is_cancelled_while_it_is_answered_holds_nothing() {
    const ROUNDS: usize = 100;
    const STREAMS: usize = 200;
    let mut fixture = fixture().await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            let mut raw = Raw::begin(fixture.http2().await, 0).await.reading();
            for round in 0..ROUNDS {
                let numbers = round * STREAMS..(round + 1) * STREAMS;
                let asked: Vec<u8> = numbers.clone().flat_map(|n| get(nth(n), "/streams/wide")).collect();
                let cancelled: Vec<u8> = numbers.flat_map(|n| cancel(nth(n))).collect();
                // Who is faster than the allowance is let go.
                if raw.say(&asked).await.is_err()
                    || !raw.is_answered().await
                    || raw.say(&cancelled).await.is_err()
                {
                    break;
                }
            }
            wait_for_viewers(fixture, 0).await;
        })
        .await;
    fixture.end();
}

/// 336 kB of requests for one answer of 300 kB held 1202 MB.
#[tokio::test]
async fn answers_that_are_the_same_for_all_are_held_once() {
    const CONNECTIONS: usize = 16;
    const REQUESTS: usize = 250;
    let mut fixture = fixture().await;
    for target in ["/api/openapi.json", "/page/dashboard.js", "/"] {
        fixture
            .assert_survives(MEMORY_KIB, async |fixture| {
                let asking = async |_| {
                    let mut raw = Raw::begin(fixture.http2().await, 0).await.reading();
                    flood(&mut raw, REQUESTS, |n| get(nth(n), target)).await;
                    // All are answered, and none is sent; those above what all connections may have open are
                    // refused.
                    raw.seen_when(|seen| seen.count(HEADERS) + seen.count(RST_STREAM) >= REQUESTS).await;
                    raw
                };
                drop(join_all((0..CONNECTIONS).map(asking)).await);
            })
            .await;
    }
    fixture.end();
}

/// Answers that are made for each request are charged to their connection, where further requests wait, and
/// to all.
#[tokio::test]
async fn answers_that_are_made_for_each_request_wait_or_are_refused() {
    const CONNECTIONS: usize = 64;
    const REQUESTS: usize = 250;
    let top = "limits: {max_unsent_bytes: 4MiB, max_unsent_bytes_per_connection: 256KiB}";
    let mut fixture = Fixture::secured(top, WIDE).await;
    assert_eq!(fixture.push("wide", &long(LARGE)).await.head.status, 204);
    for (window, reads) in [(0, true), (0x7fff_ffff, false)] {
        fixture
            .assert_survives(3 * MEMORY_KIB, async |fixture| {
                let asking = async |_| {
                    let mut raw = Raw::begin(fixture.http2().await, window).await;
                    if reads {
                        raw = raw.reading();
                    } else {
                        raw.say(&frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0, 0, 0])).await.unwrap();
                    }
                    flood(&mut raw, REQUESTS, |n| get(nth(n), "/metrics")).await;
                    raw
                };
                let held = join_all((0..CONNECTIONS).map(asking)).await;
                // A client that takes its answers gets them as soon as there is room, however long the others
                // stay.
                until("an answer that is taken", async || {
                    let answer = fixture.client().await.ask_here("GET", "/metrics", &[], b"").await;
                    if answer.head.status == 200 { Ok(()) } else { Err(answer.head.status.to_string()) }
                })
                .await;
                drop(held);
            })
            .await;
    }
    let answer = fixture.client().await.ask_here("GET", "/metrics", &[], b"").await;
    let refused = String::from_utf8(answer.body).unwrap();
    let line = refused.lines().find(|line| line.contains("budget_refused_total{budget=\"unsent\"}"));
    let count: f64 = line.and_then(|line| line.rsplit(' ').next()).unwrap().parse().unwrap();
    assert!(count > 0.0, "{line:?}");
    fixture.end();
}

/// A connection whose answers nobody reads: its further requests wait for room, and are refused when none
/// comes.
#[tokio::test]
async fn a_connection_with_too_much_unread_is_refused_further_answers() {
    const REQUESTS: usize = 200;
    let top = "limits: {max_unsent_bytes: 64MiB, max_unsent_bytes_per_connection: 64KiB}";
    let fixture = Fixture::secured(top, WIDE).await;
    let metrics = async || {
        let answer = fixture.client().await.ask_here("GET", "/metrics", &[], b"").await;
        String::from_utf8(answer.body).unwrap()
    };
    let value = |metrics: &str, name: &str| -> f64 {
        let line = metrics.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let mut raw = Raw::begin(fixture.http2().await, 0).await.reading();
    flood(&mut raw, REQUESTS, |n| get(nth(n), "/metrics")).await;
    until("its bound", async || {
        let used = value(&metrics().await, "framecast_memory_budget_used_bytes{budget=\"unsent\"}");
        if used >= 65536.0 { Ok(()) } else { Err(format!("{used} bytes are held")) }
    })
    .await;
    until("a refusal", async || {
        let refused = fixture.all().await["refused"]["unsent"].clone();
        if refused.as_u64() > Some(0) { Ok(()) } else { Err(refused.to_string()) }
    })
    .await;
    drop(raw);
    fixture.end();
}

/// Unread answers over HTTP/1.1, where each connection holds one.
#[tokio::test]
async fn requests_in_a_row_whose_answers_nobody_reads_hold_a_buffer_each() {
    const CONNECTIONS: usize = 64;
    const REQUESTS: usize = 250;
    let mut fixture = fixture().await;
    for target in ["/api/openapi.json", "/streams/wide/snapshot"] {
        fixture
            .assert_survives(2 * MEMORY_KIB, async |fixture| {
                let request = format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n");
                let asking = async |_| {
                    let mut client = fixture.client().await;
                    client.send(request.repeat(REQUESTS).as_bytes()).await;
                    client
                };
                let held = join_all((0..CONNECTIONS).map(asking)).await;
                fixture.report("wide").await;
                drop(held);
            })
            .await;
    }
    fixture.end();
}

/// Bodies that are begun by the hundred and never read to their end, a byte a frame.
#[tokio::test]
async fn unread_bodies_hold_a_window_each() {
    const CONNECTIONS: usize = 64;
    const STREAMS: usize = 60;
    let mut fixture = fixture().await;
    fixture
        .assert_survives(2 * MEMORY_KIB, async |fixture| {
            let uploading = async |_| {
                let mut raw = Raw::begin(fixture.http2().await, 0).await.reading();
                flood(&mut raw, STREAMS, |n| post(nth(n), "/streams/wide/frame")).await;
                flood(&mut raw, 30 * STREAMS, |n| frame(DATA, 0, nth(n % STREAMS), b"x")).await;
                raw
            };
            drop(join_all((0..CONNECTIONS).map(uploading)).await);
        })
        .await;
    fixture.end();
}

/// HPACK makes long heads of few bytes: the 256 requests of a connection could hold 16 MB of them.
#[tokio::test]
async fn the_heads_of_open_requests_are_bounded_together() {
    const CONNECTIONS: usize = 16;
    let pad = field("x-pad", &"x".repeat(120)).repeat(200);
    let block: Vec<u8> = fields("GET", "/streams/wide/snapshot?wait=next").into_iter().chain(pad).collect();
    let request = |n| {
        let (first, rest) = block.split_at(16_000);
        let first = frame(HEADERS, END_STREAM, nth(n), first);
        [first, frame(CONTINUATION, END_HEADERS, nth(n), rest)].concat()
    };
    let mut fixture = fixture().await;
    fixture
        .assert_survives(2 * MEMORY_KIB, async |fixture| {
            let asking = async |_| {
                let mut raw = Raw::begin(fixture.http2().await, 0).await.reading();
                flood(&mut raw, MOST_STREAMS, request).await;
                raw
            };
            let held = join_all((0..CONNECTIONS).map(asking)).await;
            fixture.all().await;
            drop(held);
        })
        .await;
    assert!(fixture.all().await["refused"]["headers"].as_u64().unwrap() > 0);
    fixture.end();
}
