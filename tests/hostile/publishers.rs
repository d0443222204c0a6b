//! Publishers that guess, flood and stuff.

use futures_util::{
    FutureExt,
    future::{join_all, select_all},
};
use serde_json::Value;
use testkit::{
    fixture::{ADMIN, Fixture, until},
    numbered_pictures::{number_of, numbered},
    raw_client::{Client, TIMEOUT},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

use crate::decompression_bombs;

const TOP: &str =
    "server: {trusted_proxies: 127.0.0.1}\nlimits: {max_frame_bytes: 1MiB, max_frame_pixels: 1000000}";
/// Settings that do not limit uploads by stream and address, only all bytes.
const CROWDED: &str = "server: {trusted_proxies: 127.0.0.1}
limits: {max_upload_bytes: 8MiB, max_uploads_per_stream: 1000, max_uploads_per_address: none}";
const STREAMS: &str = "  inbox: {source: {type: push, token: none}}
  guarded: {source: {type: push, token: kept-in-a-test}}
  other: {source: {type: push, token: none}}
";

/// A body being gathered, a picture being decoded, and what connections cost.
const MEMORY_KIB: u64 = 24 * 1024;

#[tokio::test]
async fn wrong_tokens_at_speed_are_slowed_and_counted_and_the_right_one_goes_on() {
    const GUESSES: usize = 500;
    let mut fixture = Fixture::serving(TOP, STREAMS).await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            let mut guessing = JoinSet::new();
            for n in 0..GUESSES {
                let address = fixture.address();
                guessing.spawn(async move {
                    let token = format!("Bearer guess-{n}");
                    let headers = [("Authorization", token.as_str()), ("X-Forwarded-For", "192.0.2.66")];
                    let answer =
                        Client::ask(address, "POST", "/streams/guarded/frame", &headers, &numbered(0)).await;
                    answer.head.status
                });
                if n % 50 == 0 {
                    let headers =
                        [("Authorization", "Bearer kept-in-a-test"), ("X-Forwarded-For", "192.0.2.7")];
                    let picture = numbered(n as u64);
                    let right =
                        Client::ask(address, "POST", "/streams/guarded/frame", &headers, &picture).await;
                    assert_eq!(right.head.status, 204);
                }
            }
            let statuses = guessing.join_all().await;
            let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
            assert_eq!(count(401) + count(429), GUESSES, "{statuses:?}");
            assert!(count(429) > GUESSES / 2, "most are not even looked at: {}", count(429));
            let refused = &fixture.all().await["refused"];
            assert_eq!(
                (&refused["unauthorized"], &refused["guessing"]),
                (&count(401).into(), &count(429).into())
            );
            assert_eq!(fixture.report("guarded").await["frames_in"], GUESSES / 50);
        })
        .await;
    let log = fixture.end();
    assert!(log.lines().count() < 100, "guesses do not fill the log:\n{log}");
}

/// Sends zeros for as long as they are taken, `total` at most; the status of the answer, if it came through.
async fn flood(fixture: &Fixture, head: &str, chunked: bool, total: usize) -> Option<u16> {
    let mut io = TcpStream::connect(fixture.address()).await.unwrap();
    io.write_all(head.as_bytes()).await.unwrap();
    let (mut from, mut to) = io.split();
    let piece = vec![0; 64 * 1024];
    let piece = if chunked { [b"10000\r\n", &piece[..], b"\r\n"].concat() } else { piece };
    let sending = async {
        for _ in 0..total / (64 * 1024) {
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
        // Nothing more, but the connection stays.
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    let reading = async {
        // A reset is an end, too.
        let _ = from.read_to_end(&mut answer).await;
    };
    let ended = async {
        tokio::select! {
            () = reading => {}
            () = sending => {}
        }
    };
    timeout(TIMEOUT, ended).await.expect("the relay lets go");
    std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}

#[tokio::test]
async fn bodies_of_a_hundred_megabytes_are_refused_in_the_memory_of_one_frame() {
    const TOTAL: usize = 100_000_000;
    let mut fixture = Fixture::serving(TOP, STREAMS).await;
    let sized = format!("Content-Length: {TOTAL}");
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            // Two feeds of one stream would see each other: one stream for each framing.
            let framings = [("inbox", sized.as_str(), false), ("other", "Transfer-Encoding: chunked", true)];
            let floods = framings.into_iter().flat_map(|(stream, framing, chunked)| {
                let targets = [(stream, "frame"), (stream, "feed"), ("guarded", "frame")];
                targets.map(|(stream, address)| async move {
                    let target = format!("/streams/{stream}/{address}");
                    let head = format!("POST {target} HTTP/1.1\r\nHost: test\r\n{framing}\r\n\r\n");
                    let status = flood(fixture, &head, chunked, TOTAL).await;
                    // Closing while bytes arrive may reset the connection before the answer is read.
                    let expected = status.is_none_or(|status| [401, 413, 415].contains(&status));
                    assert!(expected, "{target} {framing}: {status:?}");
                })
            });
            join_all(floods).await;
            for stream in ["inbox", "other"] {
                let dropped = fixture.report(stream).await["dropped"].clone();
                let counted = |reason: &str| dropped[reason].as_u64().unwrap();
                assert_eq!(counted("too_large") + counted("invalid"), 2, "{stream}: {dropped}");
            }
        })
        .await;
    fixture.end();
}

/// A decoder may take 13 bytes for each of the million pixels that are allowed, and 4 MiB besides; of that as
/// much may be kept by the allocator.
const DECODER_KIB: u64 = 28 * 1024;

#[tokio::test]
async fn pictures_that_unpack_without_end_are_refused_or_shown_in_bounded_memory() {
    let mut fixture = Fixture::serving(TOP, STREAMS).await;
    let mut bombs = decompression_bombs::pngs();
    bombs.push(("a GIF of a thousand large frames", decompression_bombs::gif()));
    bombs.push(("a JPEG of 65,535 x 65,535", decompression_bombs::sized(&numbered(1), 65_535, 65_535)));
    fixture
        .assert_survives(MEMORY_KIB + DECODER_KIB, async |fixture| {
            let (mut shown, mut refused) = (0, 0);
            for (name, bomb) in &bombs {
                assert!(bomb.len() < 1024 * 1024, "{name} is no bomb but large: {}", bomb.len());
                match fixture.push("inbox", bomb).await.head.status {
                    204 => shown += 1,
                    413 | 415 | 422 => refused += 1,
                    status => panic!("{name}: {status}"),
                }
            }
            let report = fixture.report("inbox").await;
            let dropped = report["dropped"].as_object().unwrap().values().filter_map(Value::as_u64);
            assert_eq!((&report["frames_in"], dropped.sum::<u64>()), (&shown.into(), refused), "{report}");
        })
        .await;
    fixture.end();
}

#[tokio::test]
async fn a_hundred_uploads_that_never_come_hold_little_and_are_counted_when_they_break() {
    const UPLOADS: usize = 100;
    let mut fixture = Fixture::serving(CROWDED, STREAMS).await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            let mut slow = Vec::new();
            for _ in 0..UPLOADS {
                let mut client = Client::connect(fixture.address()).await;
                client
                    .send(b"POST /streams/inbox/frame HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000\r\n\r\n")
                    .await;
                slow.push(client);
            }
            // A byte each, in turn.
            for byte in &numbered(1)[..20] {
                for client in &mut slow {
                    client.send(&[*byte]).await;
                }
            }
            assert_eq!(fixture.push("inbox", &numbered(7)).await.head.status, 204, "others push meanwhile");
            drop(slow);
            fixture.report_when("inbox", |report| report["dropped"]["invalid"] == UPLOADS).await;
        })
        .await;
    fixture.end();
}

/// As fast as they can be sent, which is faster than anybody watches.
#[tokio::test]
async fn ten_thousand_frames_in_one_go_are_counted_and_the_last_one_is_shown() {
    const FRAMES: u64 = 10_000;
    let streams = format!("{STREAMS}  thinned: {{max_fps: 10, source: {{type: push, token: none}}}}\n");
    let mut fixture = Fixture::serving(TOP, &streams).await;
    let feed: Vec<u8> = (1..=FRAMES).flat_map(numbered).collect();
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            for stream in ["inbox", "thinned"] {
                let target = format!("/streams/{stream}/feed");
                let headers = [("Content-Type", "video/x-motion-jpeg")];
                let answer = Client::ask(fixture.address(), "POST", &target, &headers, &feed).await;
                assert_eq!((answer.head.status, &answer.json()["frames"]), (200, &FRAMES.into()));
                let report = fixture.report(stream).await;
                let (shown, thinned) = (&report["frames_in"], &report["dropped"]["max_fps"]);
                assert_eq!(shown.as_u64().unwrap() + thinned.as_u64().unwrap(), FRAMES, "{report}");
            }
            let newest = Client::get(fixture.address(), "/streams/inbox/snapshot").await;
            assert_eq!(number_of(&newest.body), Some(FRAMES));
        })
        .await;
    fixture.end();
}

/// Begins an upload for each of `targets` and sends `sent` of its body, all at once, until all but `held` are
/// refused. They stay as they are for as long as what is returned lives.
async fn never_end(
    fixture: &Fixture,
    targets: &[String],
    length: usize,
    sent: &[u8],
    held: usize,
) -> JoinSet<()> {
    let mut uploads = JoinSet::new();
    for (n, target) in targets.iter().enumerate() {
        let (address, sent) = (fixture.address(), sent.to_vec());
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 192.0.2.{n}\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        uploads.spawn(async move {
            let mut io = TcpStream::connect(address).await.unwrap();
            // What is refused may be reset before all of it is sent.
            let _ = io.write_all(&[head.as_bytes(), &sent].concat()).await;
            let mut answer = Vec::new();
            let _ = io.read_to_end(&mut answer).await;
            let text = String::from_utf8_lossy(&answer);
            assert!(answer.is_empty() || text.starts_with("HTTP/1.1 503"), "{text}");
            assert!(answer.is_empty() || text.to_lowercase().contains("retry-after: "), "{text}");
            std::future::pending::<()>().await;
        });
    }
    let wanted = targets.len() - held;
    until(&format!("{wanted} refused uploads"), async || {
        let refused = fixture.all().await["refused"]["uploads"].clone();
        if refused.as_u64().unwrap_or_default() >= wanted as u64 { Ok(()) } else { Err(refused.to_string()) }
    })
    .await;
    uploads
}

/// The bytes that all may hold together of the 8 MiB of [`CROWDED`] without a credential, and the bodies'
/// last pieces.
const CROWD_KIB: u64 = 6 * 1024;

/// While others hold all that is there for those without a credential, these get through.
async fn others_get_through(fixture: &Fixture) {
    let token = [("Authorization", "Bearer kept-in-a-test")];
    let pushed = Client::ask(fixture.address(), "POST", "/streams/guarded/frame", &token, &numbered(3)).await;
    assert_eq!(pushed.head.status, 204, "{pushed:?}");
    let token = [("Authorization", &*format!("Bearer {ADMIN}"))];
    let settings = br#"{"source": {"type": "push", "token": "none"}}"#;
    let added = Client::ask(fixture.address(), "PUT", "/api/streams/added", &token, settings).await;
    assert!([200, 201, 409].contains(&added.head.status), "read, whether it may be or not: {added:?}");
    let login = Client::ask(fixture.address(), "POST", "/login", &[], b"name=a&password=b").await;
    assert_eq!(login.head.status, 401, "{login:?}");
}

#[tokio::test]
async fn pictures_that_never_end_hold_their_share_of_memory_and_no_more() {
    let mut fixture = Fixture::serving(CROWDED, STREAMS).await;
    let targets = vec!["/streams/inbox/frame".to_owned(); 20];
    fixture
        .assert_survives(MEMORY_KIB + CROWD_KIB, async |fixture| {
            let uploads = never_end(fixture, &targets, 4_000_000, &vec![0xff; 3_900_000], 1).await;
            others_get_through(fixture).await;
            drop(uploads);
            fixture.report_when("inbox", |report| report["dropped"]["invalid"] == 1).await;
            assert_eq!(fixture.push("inbox", &numbered(7)).await.head.status, 204, "there is room again");
        })
        .await;
    fixture.end();
}

#[tokio::test]
async fn points_that_never_end_hold_their_share_of_memory_and_no_more() {
    let streams = format!("{STREAMS}  load: {{source: {{type: chart, series: [cpu], token: none}}}}\n");
    let mut fixture = Fixture::serving(CROWDED, &streams).await;
    let targets = vec!["/streams/load/points".to_owned(); 60];
    fixture
        .assert_survives(MEMORY_KIB + CROWD_KIB, async |fixture| {
            let uploads = never_end(fixture, &targets, 1_000_000, &vec![b' '; 999_000], 4).await;
            others_get_through(fixture).await;
            drop(uploads);
        })
        .await;
    fixture.end();
}

#[tokio::test]
async fn feeds_whose_picture_never_ends_hold_their_share_of_memory_and_no_more() {
    let names: Vec<_> = (0..20).map(|n| format!("feed-{n}")).collect();
    let pushed = |name| format!("  {name}: {{source: {{type: push, token: none}}}}\n");
    let streams: String = STREAMS.to_owned() + &names.iter().map(pushed).collect::<String>();
    let mut fixture = Fixture::serving(CROWDED, &streams).await;
    let targets: Vec<_> = names.iter().map(|name| format!("/streams/{name}/feed")).collect();
    // A picture of comments.
    let mut endless = vec![0xff, 0xd8];
    for _ in 0..30 {
        endless.extend([0xff, 0xfe, 0xff, 0xff]);
        endless.extend(vec![0; 0xffff - 2]);
    }
    fixture
        .assert_survives(MEMORY_KIB + CROWD_KIB, async |fixture| {
            let uploads = never_end(fixture, &targets, 1_000_000_000, &endless, 2).await;
            others_get_through(fixture).await;
            drop(uploads);
        })
        .await;
    fixture.end();
}

/// Begins an upload that sends a part of its picture.
async fn begun(fixture: &Fixture, stream: &str, headers: &str) -> Client {
    let mut client = fixture.client().await;
    let head = format!(
        "POST /streams/{stream}/frame HTTP/1.1\r\nHost: t\r\n{headers}\r\nContent-Length: 1000000\r\n\r\n"
    );
    client.send(head.as_bytes()).await;
    client.send(&numbered(1)[..20]).await;
    client
}

#[tokio::test]
async fn streams_and_addresses_have_few_uploads_and_credentials_have_room_of_their_own() {
    let open = "{source: {type: push, token: none}}";
    let streams = format!("{STREAMS}  third: {open}\n  fourth: {open}\n");
    let mut fixture = Fixture::serving(TOP, &streams).await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            let status = async |stream: &'static str, headers: &[(&str, &str)]| {
                let target = format!("/streams/{stream}/frame");
                let answer = Client::ask(fixture.address(), "POST", &target, headers, &numbered(5)).await;
                (answer.head.status, answer.head.get("retry-after").is_some())
            };
            let (here, there) = (("X-Forwarded-For", "2001:db8::1"), ("X-Forwarded-For", "192.0.2.1"));
            let mut slow = Vec::new();
            for n in 0..16 {
                // Of one subscriber, whatever its address.
                let stream = if n < 8 { "inbox" } else { "third" };
                slow.push(begun(fixture, stream, &format!("X-Forwarded-For: 2001:db8::{n:x}")).await);
            }
            let mut many = Vec::new();
            for n in 0..8 {
                many.push(begun(fixture, "other", &format!("X-Forwarded-For: 198.51.100.{n}")).await);
            }
            let full = async |stream: &'static str, from| {
                until(&format!("{stream} to be full"), async || match status(stream, &[from]).await {
                    (503, true) => Ok(()),
                    other => Err(format!("{other:?}")),
                })
                .await;
            };
            full("other", there).await;
            // The address has 16.
            full("fourth", here).await;
            assert_eq!(status("fourth", &[there]).await.0, 204);
            let token = ("Authorization", "Bearer kept-in-a-test");
            assert_eq!(status("guarded", &[here, token]).await.0, 204);
            assert_eq!(status("inbox", &[there]).await.0, 204, "who has all places leaves one to another");
            let answers = slow[..8].iter_mut().map(|upload| Box::pin(upload.head()));
            let (ended, _, others) = select_all(answers).await;
            assert_eq!((ended.status, ended.get("retry-after").is_some()), (503, true));
            for other in others {
                assert!(other.now_or_never().is_none(), "the others go on");
            }
            // Whoever is slow makes room at last.
            until("a place in other", async || {
                let (status, _) = status("other", &[there]).await;
                if status == 204 { Ok(()) } else { Err(status.to_string()) }
            })
            .await;
        })
        .await;
    fixture.end();
}

#[tokio::test]
async fn heads_do_not_keep_what_came_behind_them() {
    const UPLOADS: usize = 200;
    let mut fixture = Fixture::serving(TOP, STREAMS).await;
    // As large as what is read of a connection at a time, and refused at once: nobody has the token.
    let body = vec![0; 250_000];
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            let mut uploads = Vec::new();
            for n in 0..UPLOADS {
                let mut client = fixture.client().await;
                let head = format!(
                    "POST /streams/guarded/frame HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 192.0.2.{n}\r\n\
                     Content-Length: 2000000\r\n\r\n"
                );
                client.send(&[head.as_bytes(), &body].concat()).await;
                assert_eq!(client.head().await.status, 401);
                uploads.push(client);
            }
        })
        .await;
    fixture.end();
}

/// One check of a password takes 19 MiB.
const ARGON2_KIB: u64 = 20 * 1024;

#[tokio::test]
async fn wrong_passwords_of_many_addresses_are_checked_in_the_memory_of_one() {
    const GUESSES: usize = 48;
    const AT_ONCE: usize = 12;
    let nobodys =
        "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGlzIGhlcmU$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let top = format!(
        "{TOP}\nauth: {{anonymous: all, users: {{alice: {{password_hash: '{nobodys}', role: view}}}}}}"
    );
    let mut fixture = Fixture::serving(&top, STREAMS).await;
    fixture
        .assert_survives(ARGON2_KIB + 12 * 1024, async |fixture| {
            let mut guessing = JoinSet::new();
            for n in 0..GUESSES {
                if n >= AT_ONCE {
                    guessing.join_next().await.unwrap().unwrap();
                }
                let address = fixture.address();
                guessing.spawn(async move {
                    let from = format!("192.0.2.{n}");
                    let headers = [("X-Forwarded-For", from.as_str())];
                    let body = format!("name=user-{n}&password=guess");
                    let answer = Client::ask(address, "POST", "/login", &headers, body.as_bytes());
                    assert_eq!(answer.await.head.status, 401);
                });
            }
            guessing.join_all().await;
        })
        .await;
    fixture.end();
}
