//! Viewers that take what they can get, or nothing.

use std::net::SocketAddr;

use testkit::{
    control_stream::CONTROL_STREAM,
    fixture::{Fixture, until},
    numbered_pictures::long,
    raw_client::{Client, TIMEOUT},
    web_socket::{ServerMessage, WebSocket},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Duration, sleep},
};

/// Far more than what the kernel takes for a viewer with a small window.
const LARGE: usize = 1_000_000;

/// A few frames, and what connections cost.
const MEMORY_KIB: u64 = 32 * 1024;

/// The rhythm of a viewer that reads byte by byte, and of one that sends so.
const BETWEEN_BYTES: Duration = Duration::from_millis(20);

const WIDE: &str = "  wide: {viewer_timeout: 1s, source: {type: push, token: none}}\n";

/// Connects and takes little ahead.
async fn narrow(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(address).await.unwrap()
}

async fn ask(io: &mut TcpStream, target: &str) {
    io.write_all(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes()).await.unwrap();
}

async fn wait_for_viewers(fixture: &Fixture, stream: &str, wanted: usize) {
    fixture.report_when(stream, |report| report["viewers"] == wanted).await;
}

#[tokio::test]
async fn viewers_that_never_read_hold_no_frames_of_their_own_and_are_let_go() {
    const VIEWERS: usize = 100;
    let mut fixture = Fixture::serving("", WIDE).await;
    fixture.push("wide", &long(LARGE)).await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            let mut stuck = Vec::new();
            for _ in 0..VIEWERS {
                let mut io = narrow(fixture.address()).await;
                ask(&mut io, "/streams/wide").await;
                stuck.push(io);
            }
            wait_for_viewers(fixture, "wide", VIEWERS).await;
            while fixture.report("wide").await["viewers"] != 0 {
                assert_eq!(fixture.push("wide", &long(LARGE)).await.head.status, 204);
            }
        })
        .await;
    fixture.end();
}

#[tokio::test]
async fn viewers_that_read_byte_by_byte_skip_to_the_newest_frame() {
    const VIEWERS: usize = 30;
    let mut fixture = Fixture::serving("", &WIDE.replace("1s", "1h")).await;
    fixture.push("wide", &long(LARGE)).await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            let mut sipping = tokio::task::JoinSet::new();
            for _ in 0..VIEWERS {
                let mut io = narrow(fixture.address()).await;
                ask(&mut io, "/streams/wide").await;
                sipping.spawn(async move {
                    while io.read(&mut [0]).await.is_ok_and(|read| read > 0) {
                        sleep(BETWEEN_BYTES).await;
                    }
                });
            }
            wait_for_viewers(fixture, "wide", VIEWERS).await;
            for _ in 0..20 {
                assert_eq!(fixture.push("wide", &long(LARGE)).await.head.status, 204);
            }
            assert_eq!(fixture.report("wide").await["viewers"], VIEWERS, "slow is no reason to go");
            sipping.shutdown().await;
            wait_for_viewers(fixture, "wide", 0).await;
        })
        .await;
    fixture.end();
}

#[tokio::test]
async fn viewers_that_break_off_in_the_middle_of_a_frame_leave_nothing_behind() {
    const VIEWERS: usize = 100;
    let mut fixture = Fixture::serving("", &WIDE.replace("1s", "1h")).await;
    fixture.push("wide", &long(LARGE)).await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            for _ in 0..VIEWERS {
                let mut io = narrow(fixture.address()).await;
                ask(&mut io, "/streams/wide").await;
                io.read_exact(&mut [0; 2000]).await.unwrap();
                // RST, not FIN.
                socket2::SockRef::from(&io).set_linger(Some(Duration::ZERO)).unwrap();
            }
            wait_for_viewers(fixture, "wide", 0).await;
        })
        .await;
    fixture.end();
}

#[tokio::test]
async fn viewers_that_close_their_own_half_are_no_viewers_any_more() {
    const VIEWERS: usize = 50;
    let mut fixture = Fixture::serving("", WIDE).await;
    fixture.push("wide", &long(1000)).await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            let mut halves = Vec::new();
            for _ in 0..VIEWERS {
                let mut io = TcpStream::connect(fixture.address()).await.unwrap();
                ask(&mut io, "/streams/wide").await;
                io.read_exact(&mut [0; 100]).await.unwrap();
                io.shutdown().await.unwrap();
                halves.push(io);
            }
            wait_for_viewers(fixture, "wide", 0).await;
            for mut io in halves {
                // Its end comes, or the connection breaks: both are an end.
                let _ = io.read_to_end(&mut Vec::new()).await;
            }
        })
        .await;
    fixture.end();
}

/// The head's deadline is the server's; each of these is closed, however busy it seems.
#[tokio::test]
async fn heads_that_come_byte_by_byte_are_not_waited_for() {
    const CLIENTS: usize = 200;
    let mut fixture = Fixture::serving("", "").await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            let mut slow = tokio::task::JoinSet::new();
            for _ in 0..CLIENTS {
                let mut io = TcpStream::connect(fixture.address()).await.unwrap();
                slow.spawn(async move {
                    io.write_all(b"GET /streams/control HTTP/1.1\r\nHost: test\r\nX-Slow: ").await.unwrap();
                    let (mut from, mut to) = io.split();
                    let drip = async {
                        while to.write_all(b"a").await.is_ok() {
                            sleep(BETWEEN_BYTES * 10).await;
                        }
                    };
                    let mut answer = Vec::new();
                    tokio::select! {
                        _ = from.read_to_end(&mut answer) => {}
                        () = drip => {}
                    }
                    answer
                });
            }
            for answer in slow.join_all().await {
                let answer = String::from_utf8_lossy(&answer);
                assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
            }
        })
        .await;
    fixture.end();
}

#[tokio::test]
async fn a_thousand_renditions_are_asked_for_and_eight_are_made() {
    const ASKED: usize = 1000;
    const MOST: usize = 8;
    let mut fixture = Fixture::serving(&format!("limits: {{max_renditions: {MOST}}}"), "").await;
    fixture
        .assert_survives(2 * MEMORY_KIB, async |fixture| {
            let mut joined = Vec::new();
            for n in 0..ASKED {
                let target = format!("/streams/control?quality={}&fps={}", 10 + n % 80, 1 + n / 80);
                let mut client = Client::connect(fixture.address()).await;
                client.send(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes()).await;
                match client.head().await.status {
                    200 => joined.push(client),
                    status => assert_eq!(status, 503, "{target}"),
                }
            }
            // Qualities that hardly differ are one rendition, which is joined.
            let renditions = &fixture.all().await["renditions"];
            let refused = ASKED - joined.len();
            assert!(refused > ASKED / 2, "{refused} were refused");
            assert_eq!((&renditions["running"], &renditions["refused"]), (&MOST.into(), &refused.into()));
            drop(joined);
            until("no rendition", async || {
                let running = fixture.all().await["renditions"]["running"].clone();
                if running == 0 { Ok(()) } else { Err(running.to_string()) }
            })
            .await;
        })
        .await;
    fixture.end();
}

/// A dashboard with 50 tiles beside viewers of as many renditions as there may be, and more of both.
#[tokio::test]
async fn tiles_take_no_rendition_from_viewers_nor_viewers_from_tiles() {
    const TILES: usize = 50;
    let streams =
        (0..=TILES).map(|n| format!("  cam{n}: {{source: {{type: pattern, size: 320x240, fps: 2}}}}\n"));
    let top = format!("limits: {{max_tile_renditions: {TILES}, max_renditions: 2}}");
    let fixture = Fixture::serving(&top, &streams.collect::<String>()).await;
    let when = async |tiles: usize, refused: usize, viewers: usize| {
        until("the renditions", async || {
            let all = fixture.all().await;
            let expected = |running: usize, most: usize, refused: usize| {
                serde_json::json!({"running": running, "most": most, "refused": refused})
            };
            let is = (&all["tile_renditions"], &all["renditions"]["running"]);
            let wanted = (&expected(tiles, TILES, refused), &viewers.into());
            if is == wanted { Ok(()) } else { Err(format!("{is:?}")) }
        })
        .await;
    };
    let mut page = WebSocket::open(fixture.address(), "/api/live").await;
    let subscribe = async |page: &mut WebSocket, id: usize| {
        let stream = format!("cam{id}");
        page.say(serde_json::json!({"type": "subscribe", "id": id, "stream": stream, "width": 160})).await;
        loop {
            let binary = |got: &ServerMessage| match got {
                ServerMessage::Binary(bytes) => Some(bytes.clone()),
                _ => None,
            };
            let picture = page.until(binary).await;
            let word = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
            page.say(serde_json::json!({"type": "ack", "id": word(0), "seq": word(4)})).await;
            if word(0) as usize == id {
                return framecast::media::jpeg::inspect(&picture[16..]).expect("it is a picture").width;
            }
        }
    };
    // Viewers first: their renditions leave room for all tiles.
    let mut viewers = Vec::new();
    for (n, status) in [(0, 200), (1, 200), (2, 503)] {
        let mut client = Client::connect(fixture.address()).await;
        let request = format!("GET /streams/cam{n}?width=160 HTTP/1.1\r\nHost: test\r\n\r\n");
        client.send(request.as_bytes()).await;
        assert_eq!(client.head().await.status, status, "viewer {n}");
        viewers.push(client);
    }
    for n in 0..TILES {
        assert_eq!(subscribe(&mut page, n).await, 160, "tile {n}");
    }
    when(TILES, 0, 2).await;
    assert_eq!(subscribe(&mut page, TILES).await, 320, "one more gets the stream's own pictures");
    when(TILES, 1, 2).await;
    // And tiles leave room for viewers.
    drop(viewers);
    when(TILES, 1, 0).await;
    let mut client = Client::connect(fixture.address()).await;
    client.send(b"GET /streams/cam3?width=160 HTTP/1.1\r\nHost: test\r\n\r\n").await;
    assert_eq!(client.head().await.status, 200);
    drop((client, page));
    when(0, 1, 0).await;
    fixture.end();
}

/// Each is a picture of its own to make; the pool takes what it can, and says so to the others.
#[tokio::test]
async fn hundreds_of_snapshots_that_differ_are_made_or_refused() {
    const ASKED: usize = 300;
    let mut fixture = Fixture::serving("", "").await;
    fixture
        .assert_survives(2 * MEMORY_KIB, async |fixture| {
            let mut asking = tokio::task::JoinSet::new();
            for n in 0..ASKED {
                let target = format!("/streams/control/snapshot?width={}", 1000 + n);
                let address = fixture.address();
                asking.spawn(async move { Client::get(address, &target).await.head.status });
            }
            let statuses = asking.join_all().await;
            assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
            assert!(statuses.contains(&200));
        })
        .await;
    fixture.end();
}

/// A client's frame: final, masked by zeros (RFC 6455, section 5.2).
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length => frame.extend([&[0x80 | 127][..], &(length as u64).to_be_bytes()].concat()),
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

async fn web_socket(address: SocketAddr, target: &str) -> TcpStream {
    let mut io = narrow(address).await;
    let head = format!(
        "GET {target} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    io.write_all(head.as_bytes()).await.unwrap();
    io.read_exact(&mut [0; 12]).await.unwrap();
    io
}

const TEXT: u8 = 1;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Upper bound of the memory for a page, twice over in buffers of actix, and its one picture.
const PAGE_KIB: u64 = 4 * 1024;

/// Opens `PAGES` connections that say all this and read nothing, while pictures come.
async fn pages_that_say(target: &str, said: &[u8]) {
    const PAGES: u64 = 30;
    let mut fixture = Fixture::serving("", WIDE).await;
    fixture.push("wide", &long(LARGE)).await;
    fixture
        .assert_survives(MEMORY_KIB + PAGES * PAGE_KIB, async |fixture| {
            let mut pages = Vec::new();
            for _ in 0..PAGES {
                pages.push(web_socket(fixture.address(), target).await);
            }
            for _ in 0..20 {
                for io in &pages {
                    // What does not fit is not said: nobody waits for those who do not read.
                    let _ = io.try_write(said);
                }
                assert_eq!(fixture.push("wide", &long(LARGE)).await.head.status, 204);
            }
        })
        .await;
    fixture.end();
}

/// They also say that they have drawn what they never took.
#[tokio::test]
async fn pages_that_subscribe_without_end_and_never_read_hold_little() {
    let mut said = Vec::new();
    for id in 0..10 {
        let subscribe = format!(r#"{{"type":"subscribe","id":{id},"stream":"wide"}}"#);
        said.extend(frame(TEXT, subscribe.as_bytes()));
        for seq in 1..10 {
            said.extend(frame(TEXT, format!(r#"{{"type":"ack","id":{id},"seq":{seq}}}"#).as_bytes()));
        }
        said.extend(frame(PING, b"x"));
    }
    pages_that_say("/api/live", &said).await;
}

#[tokio::test]
async fn clients_that_answer_pings_they_never_saw_hold_little() {
    let said = [frame(TEXT, br#"{"type":"mjpeg"}"#), frame(PONG, b"picture").repeat(50)].concat();
    pages_that_say("/api/ws?src=wide", &said).await;
}

#[tokio::test]
async fn messages_that_are_none_end_their_own_connection() {
    let mut fragments = frame(TEXT, b"{");
    fragments[0] = TEXT;
    let mut unmasked = frame(TEXT, b"{}");
    unmasked[1] &= 0x7f;
    let mut huge = frame(TEXT, &[b'x'; 200]);
    huge[2..10].copy_from_slice(&u64::MAX.to_be_bytes());
    let cases = [
        ("more than is ever said", frame(TEXT, &[b' '; 100_000])),
        ("a length of 64 bits", huge),
        ("not JSON", frame(TEXT, b"<html>")),
        ("not UTF-8", frame(TEXT, b"\xff\xfe")),
        ("binary", frame(2, b"{}")),
        ("fragments", fragments),
        ("no mask", unmasked),
        ("an opcode that there is not", frame(7, b"x")),
        ("a long ping", frame(PING, &[0; 200])),
        ("deep JSON", frame(TEXT, &[b'['; 4000])),
    ];
    let mut fixture = Fixture::serving("", "").await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            for (case, bytes) in &cases {
                let mut io = web_socket(fixture.address(), "/api/live").await;
                // It may be closed before all of it is sent.
                let _ = io.write_all(bytes).await;
                let ended = tokio::time::timeout(TIMEOUT, async {
                    while io.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {}
                });
                assert!(ended.await.is_ok(), "{case}: it goes on");
            }
        })
        .await;
    fixture.end();
}

#[tokio::test]
async fn web_sockets_that_ping_without_end_hold_little() {
    const SOCKETS: usize = 100;
    const PINGS: usize = 10_000;
    let mut fixture = Fixture::serving("", "").await;
    // Empty, masked (RFC 6455, 5.2).
    let pings = [0x89, 0x80, 1, 2, 3, 4].repeat(PINGS);
    fixture
        .assert_survives(24 * 1024, async |fixture| {
            let mut sockets = Vec::new();
            for n in 0..SOCKETS {
                let target =
                    if n % 2 == 0 { "/api/live".to_owned() } else { format!("/api/ws?src={CONTROL_STREAM}") };
                let mut client = fixture.client().await;
                let head = format!(
                    "GET {target} HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                );
                client.send(head.as_bytes()).await;
                assert_eq!(client.head().await.status, 101);
                sockets.push(client);
            }
            for client in &mut sockets {
                // As many as the kernel takes without a reader.
                client.send(&pings).await;
            }
            for client in &mut sockets {
                // An answer: the first of them were parsed.
                client.exactly(2).await;
            }
        })
        .await;
    fixture.end();
}

/// Each may hold the frame that was the newest when it came, for an hour. 48 of them held 48 frames.
#[tokio::test]
async fn viewers_that_stop_within_a_frame_hold_a_bounded_number_of_frames() {
    const ROUNDS: usize = 6;
    const VIEWERS: usize = 8;
    let streams = "  wide: {viewer_timeout: 1h, source: {type: push, token: none}}\n";
    let mut fixture = Fixture::serving("limits: {max_unsent_bytes: 8MiB}", streams).await;
    fixture
        // The allocator gives back freed memory within seconds, and rounds come faster than that.
        .assert_survives(MEMORY_KIB * 3 / 2, async |fixture| {
            let mut stuck = Vec::new();
            for round in 0..ROUNDS {
                for n in 0..VIEWERS {
                    let picture = long(LARGE + round * VIEWERS + n);
                    assert_eq!(fixture.push("wide", &picture).await.head.status, 204);
                    let mut client = Client::over(narrow(fixture.address()).await);
                    client.send(b"GET /streams/wide HTTP/1.1\r\nHost: test\r\n\r\n").await;
                    client.head().await;
                    stuck.push(client);
                }
                // Those for whose frames there is no memory are disconnected after a second.
                fixture.report_when("wide", |report| report["viewers"].as_u64().unwrap() <= 8).await;
            }
            drop(stuck);
            wait_for_viewers(fixture, "wide", 0).await;
        })
        .await;
    fixture.end();
}
