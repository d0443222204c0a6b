//! Number, capture time and JSON of a frame, along every way that it takes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use testkit::{
    fake_camera::{FakeCamera, Step},
    pictures::jpeg,
    raw_client::{Answer, Body, Client, assert_problem},
    stream_client::{PUSH_WITH_REPLAY, Part, StreamViewer, wait_for_state},
    web_socket::{ServerMessage, WebSocket},
};

use crate::TestRelay;

const SEQ: &str = "X-Framecast-Seq";
const TIME: &str = "X-Capture-Time";
const SOURCE: &str = "X-Framecast-Time-Source";
const META: &str = "X-Framecast-Meta";

/// Pushes a picture with headers beside it.
async fn push(relay: &TestRelay, n: u8, headers: &[(&str, &str)]) -> Answer {
    Client::ask(relay.address(), "POST", "/streams/x/frame", headers, &jpeg(n)).await
}

async fn snapshot(relay: &TestRelay, target: &str) -> Answer {
    let answer = Client::get(relay.address(), target).await;
    assert_eq!(answer.head.status, 200, "{target}: {}", String::from_utf8_lossy(&answer.body));
    answer
}

/// The four headers of a snapshot.
async fn facts(relay: &TestRelay, target: &str) -> [Option<String>; 4] {
    let answer = snapshot(relay, target).await;
    [SEQ, TIME, SOURCE, META].map(|name| answer.head.get(&name.to_ascii_lowercase()).map(str::to_owned))
}

fn expected(seq: u64, time: &str, source: &str, meta: Option<&str>) -> [Option<String>; 4] {
    [Some(seq.to_string()), Some(time.to_owned()), Some(source.to_owned()), meta.map(str::to_owned)]
}

fn has(part: &Part, name: &str) -> bool {
    part.headers.iter().any(|(header, _)| header == name)
}

fn part_facts(part: &Part) -> [Option<String>; 4] {
    [SEQ, TIME, SOURCE, META].map(|name| has(part, name).then(|| part.get(name).to_owned()))
}

#[tokio::test]
async fn what_a_publisher_says_of_a_picture_stands_on_snapshots_and_where_it_is_asked_for() {
    let relay = TestRelay::start(PUSH_WITH_REPLAY);
    let meta = r#"{"boxes": [{"x":1,"y":2,"w":3,"h":4,"label":"cat"}]}"#;
    let time = "2026-11-30T12:00:00.250000Z";
    let answer = push(&relay, 1, &[(TIME, "2026-11-30T13:00:00.25+01:00"), (META, meta)]).await;
    assert_eq!((answer.head.status, answer.head.get("x-framecast-seq")), (204, Some("1")));
    let all = expected(1, time, "push", Some(meta));
    assert_eq!(facts(&relay, "/streams/x/snapshot").await, all);
    assert_eq!(facts(&relay, "/x.jpg?quality=50").await, all);
    for target in ["/streams/x?meta=1", "/streams/x?meta=1&quality=50", "/?action=stream&meta=1"] {
        let mut viewer = StreamViewer::join(relay.address(), target).await;
        let part = viewer.part().await;
        assert_eq!(part_facts(&part), all, "{target}");
        assert_eq!(part.headers.len(), 7, "{target}: {:?}", part.headers);
    }
    let mut replay = StreamViewer::join(relay.address(), "/streams/x/replay?meta=1").await;
    assert_eq!(part_facts(&replay.part().await), all);
    for target in ["/streams/x", "/streams/x/replay"] {
        let mut plain = StreamViewer::join(relay.address(), target).await;
        assert_eq!(plain.part().await.headers.len(), 3, "{target}");
    }
    let answer = push(&relay, 2, &[("X-Timestamp", "1700000000.5")]).await;
    assert_eq!(answer.head.get("x-framecast-seq"), Some("2"));
    let second = expected(2, "2023-11-14T22:13:20.500000Z", "push", None);
    assert_eq!(facts(&relay, "/streams/x/snapshot").await, second);
}

#[tokio::test]
async fn without_a_time_that_can_be_true_it_is_that_of_the_arrival() {
    let relay = TestRelay::start(PUSH_WITH_REPLAY);
    let ahead = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 2 * 86_400;
    for time in ["12.5", "soon", "946684799", &ahead.to_string(), "1700000000000"] {
        assert_eq!(push(&relay, 1, &[("X-Capture-Time", time)]).await.head.status, 204);
        let answer = snapshot(&relay, "/streams/x/snapshot").await;
        assert_eq!(answer.head.get("x-framecast-time-source"), Some("arrival"), "{time}");
        let taken: jiff::Timestamp = answer.head.get("x-capture-time").unwrap().parse().unwrap();
        let stamp: f64 = answer.head.get("x-timestamp").unwrap().parse().unwrap();
        assert!((taken.as_microsecond() as f64 / 1e6 - stamp).abs() < 1e-3, "{taken} {stamp}");
    }
}

#[tokio::test]
async fn json_that_cannot_belong_to_a_frame_is_refused_and_named() {
    let relay = TestRelay::start(PUSH_WITH_REPLAY);
    let long = format!("\"{}\"", "a".repeat(4095));
    for (meta, reason) in [("{", "X-Framecast-Meta is wrong: it is not JSON"), (&*long, "4097 bytes")] {
        let answer = push(&relay, 1, &[(META, meta)]).await;
        assert_problem(&answer, 400);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(reason), "{detail}");
    }
    let longest = format!("\"{}\"", "a".repeat(4094));
    assert_eq!(push(&relay, 1, &[(META, &longest)]).await.head.status, 204);
    let all = facts(&relay, "/streams/x/snapshot").await;
    assert_eq!((all[0].as_deref(), all[3].as_deref()), (Some("1"), Some(&*longest)));
    assert_eq!(push(&relay, 1, &[(META, "{\"a\":\"T\u{fc}r\"}")]).await.head.status, 204);
    assert_eq!(facts(&relay, "/streams/x/snapshot").await[3].as_deref(), Some(r#"{"a":"T\u00fcr"}"#));
}

async fn event(events: &mut Body) -> Value {
    loop {
        let event = events.text_until("\n\n").await;
        if let Some((id, data)) = event.split_once("\ndata: ") {
            let data: Value = serde_json::from_str(data.trim_end()).unwrap();
            assert_eq!(id, format!("id: {}", data["seq"]));
            return data;
        }
    }
}

#[tokio::test]
async fn events_tell_of_each_frame_and_of_json_that_comes_later() {
    let yaml = "streams: {x: {replay: 1m, source: {type: push, token: s3cret}}}";
    let relay = TestRelay::start(yaml);
    let bearer = ("Authorization", "Bearer s3cret");
    let post = async |seq: &str, headers: &[(&str, &str)], body: &[u8]| {
        Client::ask(relay.address(), "POST", &format!("/streams/x/meta/{seq}"), headers, body).await
    };
    assert_eq!(push(&relay, 1, &[bearer, ("X-Timestamp", "1700000000")]).await.head.status, 204);
    let head = Client::ask(relay.address(), "HEAD", "/streams/x/meta", &[], b"").await.head;
    assert_eq!((head.status, head.get("content-type")), (200, Some("text/event-stream")));
    let viewer = StreamViewer::ask(relay.address(), "/streams/x/meta").await;
    assert_eq!(viewer.head.get("content-type"), Some("text/event-stream"));
    let mut events = viewer.body;
    let first = event(&mut events).await;
    assert_eq!(first["seq"], 1);
    assert_eq!(first["capture_time"], "2023-11-14T22:13:20.000000Z");
    assert_eq!((&first["time_source"], &first["meta"]), (&json!("push"), &Value::Null));
    assert!(first["arrival"].is_string() && first["timestamp"].is_number(), "{first}");
    assert_eq!(push(&relay, 2, &[bearer, (META, "[2]")]).await.head.status, 204);
    assert_eq!(event(&mut events).await["meta"], json!([2]));
    assert_eq!(post("1", &[bearer], b"{\"boxes\":\n []}").await.head.status, 204);
    let late = event(&mut events).await;
    assert_eq!((&late["seq"], &late["meta"]), (&json!(1), &json!({"boxes": []})));
    let mut replay = StreamViewer::join(relay.address(), "/streams/x/replay?meta=1").await;
    assert_eq!(replay.part().await.get(META), "{\"boxes\": []}");
    // What is refused, and why.
    assert_eq!(post("1", &[], b"{}").await.head.status, 401);
    for (seq, body, status) in [("3", "{}", 404), ("0", "{}", 404), ("1", "{", 400)] {
        assert_problem(&post(seq, &[bearer], body.as_bytes()).await, status);
    }
    assert_problem(&post("1", &[bearer], &[b' '; 5000]).await, 413);
    let status = Client::ask(relay.address(), "GET", "/streams/none/meta", &[], b"").await.head.status;
    assert_eq!(status, 404);
}

/// A camera whose parts have these headers.
async fn camera(parts: Vec<(u8, String)>) -> FakeCamera {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=b\r\n\r\n";
    let mut bytes = head.as_bytes().to_vec();
    for (n, headers) in parts {
        bytes.extend(format!("--b\r\nContent-Type: image/jpeg\r\n{headers}\r\n").as_bytes());
        bytes.extend(jpeg(n));
        bytes.extend(b"\r\n");
    }
    FakeCamera::start(move |_| vec![Step::Request, Step::Send(bytes.clone()), Step::Stall]).await
}

#[tokio::test]
async fn a_cameras_time_is_kept_and_its_other_claims_only_if_the_stream_says_so() {
    let claims = "X-Timestamp: 1700000000.25\r\nX-Framecast-Seq: 7\r\nX-Framecast-Meta: {}\r\n";
    let camera = camera(vec![(1, claims.to_owned())]).await;
    for (more, seq, meta, query) in [("", 1, None, "/"), ("meta: true, ", 7, Some("{}"), "/?meta=1")] {
        let relay = TestRelay::start(&format!(
            "streams: {{cam: {{{more}source: {{type: mjpeg, url: \"http://{}/\"}}}}}}",
            camera.address()
        ));
        let all = expected(seq, "2023-11-14T22:13:20.250000Z", "camera", meta);
        assert_eq!(facts(&relay, "/streams/cam/snapshot").await, all, "{more}");
        assert_eq!(camera.requests().last().unwrap().target(), query);
    }
}

#[tokio::test]
async fn timestamps_are_those_of_the_capture_if_the_stream_says_so_and_never_go_back() {
    let relay = TestRelay::start("streams: {x: {timestamps: capture, source: {type: push, token: none}}}");
    let mut viewer = None;
    for (n, (time, stamp)) in [
        ("1700000000.5", "1700000000.500000"),
        ("1700000001.25", "1700000001.250000"),
        ("1699999000", "1700000001.250000"),
        ("1700000001.24", "1700000001.250000"),
        ("1700000002", "1700000002.000000"),
        // A clock that was a day ahead: its times were wrong.
        ("1699910000", "1699910000.000000"),
        ("1699910001", "1699910001.000000"),
    ]
    .into_iter()
    .enumerate()
    {
        let n = n as u8 + 1;
        push(&relay, n, &[("X-Timestamp", time)]).await;
        if viewer.is_none() {
            viewer = Some(StreamViewer::join(relay.address(), "/streams/x").await);
        }
        let viewer = viewer.as_mut().unwrap();
        let mut part = viewer.part().await;
        while part.jpeg != jpeg(n) {
            part = viewer.part().await;
        }
        assert_eq!(part.get("X-Timestamp"), stamp, "{time}");
        let answer = snapshot(&relay, "/streams/x/snapshot?quality=50").await;
        assert_eq!(answer.head.get("x-timestamp"), Some(stamp));
        assert_eq!(answer.head.get("x-framecast-seq"), Some(&*n.to_string()));
        let capture: jiff::Timestamp = answer.head.get("x-capture-time").unwrap().parse().unwrap();
        assert_eq!(capture.as_microsecond() as f64 / 1e6, time.parse::<f64>().unwrap(), "unchanged");
    }
}

#[tokio::test]
async fn a_picture_that_comes_too_soon_has_no_number() {
    let relay = TestRelay::start("streams: {x: {max_fps: 0.01, source: {type: push, token: none}}}");
    assert_eq!(push(&relay, 1, &[]).await.head.get("x-framecast-seq"), Some("1"));
    let second = push(&relay, 2, &[]).await;
    assert_eq!((second.head.status, second.head.get("x-framecast-seq")), (202, None));
}

/// A second framecast finds out by itself whom it asks, and offline images are no frames of the camera.
#[tokio::test]
async fn a_second_framecast_shows_the_same_frames() {
    let first =
        TestRelay::start("streams: {x: {replay: 1m, source: {type: push, token: none}, placeholder: card}}");
    let second = TestRelay::start(&format!(
        "streams:\n  all: {{replay: 1m, source: {{type: mjpeg, url: \"http://{0}/streams/x\"}}}}\n  still: \
         {{source: {{type: snapshot, url: \"http://{0}/x.jpg\", interval: 10ms}}}}\n",
        first.address()
    ));
    for n in 1..=3 {
        push(&first, n, &[("X-Timestamp", "1700000000"), (META, "{\"a\": 1}")]).await;
    }
    let all = expected(3, "2023-11-14T22:13:20.000000Z", "push", Some("{\"a\": 1}"));
    for target in ["/streams/all/snapshot", "/streams/still/snapshot"] {
        // They come from one to the other.
        while facts(&second, target).await[0] != all[0] {}
        assert_eq!(facts(&second, target).await, all);
    }
    let mut viewer = StreamViewer::join(second.address(), "/streams/all?meta=1").await;
    push(&first, 4, &[]).await;
    while part_facts(&viewer.part().await)[0].as_deref() != Some("4") {}
    // JSON that comes later comes with the next repeat, which is no frame of its own.
    let late = Client::ask(first.address(), "POST", "/streams/x/meta/4", &[], b"[4]").await;
    assert_eq!(late.head.status, 204);
    while part_facts(&viewer.part().await)[3].as_deref() != Some("[4]") {}
    let mut replay = StreamViewer::join(second.address(), "/streams/all/replay?meta=1&speed=10").await;
    let mut last = 0;
    while last < 4 {
        let seq: u64 = replay.part().await.get(SEQ).parse().unwrap();
        assert!(seq > last, "{seq} after {last}");
        last = seq;
    }
    wait_for_state(&second, "all", "live").await;
}

#[tokio::test]
async fn the_frames_of_several_streams_that_are_nearest_to_a_time() {
    let relay = TestRelay::start(
        "streams:\n  a: {replay: 1m, source: {type: push, token: none}}\n  b: {source: {type: push, token: \
         none}}\n  c: {source: {type: push, token: none}}\n",
    );
    for (stream, n, time) in [("a", 1, "1700000000"), ("a", 2, "1700000010"), ("b", 3, "1700000003.5")] {
        let target = format!("/streams/{stream}/frame");
        let answer = Client::ask(relay.address(), "POST", &target, &[("X-Timestamp", time)], &jpeg(n)).await;
        assert_eq!(answer.head.status, 204);
    }
    let ask = async |query: &str| snapshot(&relay, &format!("/snapshots?{query}")).await;
    for (at, seq, off) in
        [("1700000004", 1, -4000.0), ("1700000006", 2, 4000.0), ("1700000010.25", 2, -250.0)]
    {
        let answer = ask(&format!("of=a,b&at={at}")).await.json();
        let [a, b] = &answer["streams"].as_array().unwrap()[..] else { panic!("{answer}") };
        assert_eq!((&a["stream"], &a["seq"]), (&json!("a"), &json!(seq)), "{at}");
        assert_eq!(a["difference_ms"].as_f64(), Some(off), "{at}");
        assert_eq!((&b["stream"], &b["seq"]), (&json!("b"), &json!(1)));
        assert_eq!(answer["spread_ms"].as_f64(), Some(if seq == 1 { 3500.0 } else { 6500.0 }));
        let picture = snapshot(&relay, &format!("/{}", a["url"].as_str().unwrap())).await;
        assert_eq!(picture.body, jpeg(seq), "{at}");
    }
    let newest = ask("of=a").await.json();
    assert_eq!(newest["streams"][0]["seq"], 2);
    let accept = [("Accept", "multipart/mixed")];
    let mixed = Client::ask(relay.address(), "GET", "/snapshots?of=b,a&at=1700000000", &accept, b"").await;
    let text = String::from_utf8_lossy(&mixed.body).into_owned();
    assert_eq!(mixed.head.get("content-type"), Some("multipart/mixed;boundary=boundarydonotcross"));
    assert_eq!(text.matches("X-Framecast-Seq: 1\r\n").count(), 2);
    assert!(text.contains("X-Framecast-Stream: b\r\nX-Framecast-Difference-Ms: 3500\r\n"), "{text}");
    assert!(text.ends_with("\r\n--boundarydonotcross--\r\n"));
    let none = ask("of=c,b").await.json();
    assert!(none["streams"][0]["error"].is_string() && none["streams"][1]["seq"] == 1, "{none}");
    let many = vec!["a"; 17].join(",");
    for (query, status) in [("", 400), (&*format!("of={many}"), 400), ("of=a&at=soon", 400), ("of=a,z", 404)]
    {
        assert_problem(&Client::get(relay.address(), &format!("/snapshots?{query}")).await, status);
    }
    for (seq, status) in [("3", 404), ("x", 400)] {
        let target = format!("/streams/a/snapshot?seq={seq}");
        assert_problem(&Client::get(relay.address(), &target).await, status);
    }
}

/// Only where it is asked for: the dashboard's messages stay as they are.
#[tokio::test]
async fn web_sockets_tell_of_each_picture_before_it_comes() {
    let relay = TestRelay::start(PUSH_WITH_REPLAY);
    push(&relay, 1, &[("X-Timestamp", "1700000000"), (META, "[1]")]).await;
    for target in ["/api/live", "/api/ws?src=x"] {
        for meta in [false, true] {
            let and = if target.contains('?') { '&' } else { '?' };
            let query = if meta { format!("{and}meta=1") } else { String::new() };
            let mut socket = WebSocket::open(relay.address(), &format!("{target}{query}")).await;
            let subscribe = json!({"type": "subscribe", "id": 1, "stream": "x"});
            let is_live = target == "/api/live";
            socket.say(if is_live { subscribe } else { json!({"type": "mjpeg"}) }).await;
            let mut told = None;
            let jpeg = loop {
                match socket.next().await {
                    ServerMessage::Json(message) if message["type"] == "frame" => told = Some(message),
                    ServerMessage::Binary(bytes) => break bytes,
                    ServerMessage::Close(code) => panic!("{target}: closed with {code}"),
                    _ => {}
                }
            };
            assert!(jpeg.ends_with(&testkit::pictures::jpeg(1)));
            let facts =
                told.map(|told| (told["seq"].clone(), told["time_source"].clone(), told["meta"].clone()));
            assert_eq!(facts, meta.then(|| (json!(1), json!("push"), json!([1]))), "{target}{query}");
        }
    }
}

#[tokio::test]
async fn a_clips_lines_name_its_pictures() {
    let relay = TestRelay::start(PUSH_WITH_REPLAY);
    for n in 1..=2 {
        push(&relay, n, &[("X-Timestamp", "1700000000"), (META, "[1]")]).await;
    }
    let lines = snapshot(&relay, "/streams/x/clip?format=jsonl").await;
    assert_eq!(lines.head.get("content-type"), Some("application/x-ndjson"));
    let zip = snapshot(&relay, "/streams/x/clip?format=zip").await.body;
    let lines: Vec<Value> = lines
        .body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    for (n, line) in lines.iter().enumerate() {
        assert_eq!(
            (&line["seq"], &line["time_source"], &line["meta"]),
            (&json!(n + 1), &json!("push"), &json!([1]))
        );
        let file = line["file"].as_str().unwrap().as_bytes();
        assert!(zip.windows(file.len()).any(|name| name == file), "{line}");
    }
}

#[derive(Debug, Clone, Copy)]
enum Link {
    Pass,
    Gray,
    Strip,
    Framecast,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Stream,
    Rendition,
}

/// One frame as it was seen at the end of a chain.
#[derive(Debug, PartialEq)]
struct Seen {
    facts: [Option<String>; 4],
    timestamp: String,
}

/// Builds a chain from a push stream `x`, pushes pictures with these capture times (seconds; none: unknown),
/// and returns what snapshots of `x` and a viewer at the end of the chain saw of each, and a replay there.
async fn through(links: &[Link], end: End, times: &[Option<u32>]) -> (Vec<Seen>, Vec<Seen>, Vec<Seen>) {
    let mut relays: Vec<TestRelay> = Vec::new();
    let mut yaml = "streams:\n  x: {timestamps: capture, source: {type: push, token: none}}\n".to_owned();
    let mut last = "x".to_owned();
    for (n, link) in links.iter().enumerate() {
        let name = format!("s{n}");
        let more = match link {
            Link::Pass => String::new(),
            Link::Gray => ", transform: [{grayscale: true}]".to_owned(),
            Link::Strip => ", strip_metadata: true".to_owned(),
            Link::Framecast => {
                relays.push(TestRelay::start(&yaml));
                let at = relays.last().unwrap().address();
                yaml = format!(
                    "streams:\n  {name}: {{timestamps: capture, replay: 1m, source: {{type: mjpeg, url: \
                     \"http://{at}/streams/{last}\"}}}}\n"
                );
                last = name;
                continue;
            }
        };
        yaml += &format!(
            "  {name}: {{timestamps: capture, replay: 1m, source: {{type: rendition, of: {last}}}{more}}}\n"
        );
        last = name;
    }
    relays.push(TestRelay::start(&yaml));
    let (first, end_relay) = (&relays[0], relays.last().unwrap());
    let query = match end {
        End::Stream => "?meta=1",
        End::Rendition => "?meta=1&quality=40",
    };
    let mut viewer = StreamViewer::ask(end_relay.address(), &format!("/streams/{last}{query}")).await;
    viewer.first_delimiter().await;
    let (mut origin, mut seen) = (Vec::new(), Vec::new());
    for (n, time) in times.iter().enumerate() {
        let time = time.map(|seconds| (1_700_000_000 + u64::from(seconds)).to_string());
        let mut headers = vec![(META, "{\"n\": 1}")];
        headers.extend(time.as_deref().map(|time| ("X-Timestamp", time)));
        let pushed = push(first, n as u8 + 1, &headers).await;
        let seq = pushed.head.get("x-framecast-seq").unwrap().to_owned();
        let answer = snapshot(first, "/streams/x/snapshot").await;
        let get = |name: &str| answer.head.get(&name.to_ascii_lowercase()).map(str::to_owned);
        origin
            .push(Seen { facts: [SEQ, TIME, SOURCE, META].map(get), timestamp: get("x-timestamp").unwrap() });
        loop {
            let part = viewer.part().await;
            let facts = part_facts(&part);
            if facts[0].as_deref() == Some(&*seq) {
                seen.push(Seen { facts, timestamp: part.get("X-Timestamp").to_owned() });
                break;
            }
        }
    }
    let mut replayed = Vec::new();
    if !links.is_empty() {
        let target = format!("/streams/{last}/replay?meta=1&speed=10");
        let mut replay = StreamViewer::join(end_relay.address(), &target).await;
        for _ in times {
            let part = replay.part().await;
            replayed.push(Seen { facts: part_facts(&part), timestamp: part.get("X-Timestamp").to_owned() });
        }
    }
    // The last of a chain first: it would see the others end.
    while relays.pop().is_some() {}
    (origin, seen, replayed)
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 8, max_shrink_iters: 8, failure_persistence: None, ..Default::default() })]

    /// Whatever a frame goes through, its number, capture time and JSON stay; the numbers grow by one, and
    /// `X-Timestamp` never goes back, whatever the publisher's clock does.
    #[test]
    fn a_frame_stays_the_same_along_any_chain(
        links in proptest::collection::vec(
            proptest::sample::select(vec![Link::Pass, Link::Gray, Link::Strip, Link::Framecast]), 0..4),
        end in proptest::sample::select(vec![End::Stream, End::Rendition]),
        times in proptest::collection::vec(proptest::option::of(0u32..80_000), 2..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let chain = async {
            tokio::time::timeout(Duration::from_secs(60), through(&links, end, &times)).await.unwrap()
        };
        let (origin, seen, replayed) = runtime.block_on(chain);
        for (n, (first, last)) in origin.iter().zip(&seen).enumerate() {
            assert_eq!(first.facts[0], Some((n + 1).to_string()), "grows by one");
            assert_eq!(first.facts, last.facts, "{links:?} {end:?}");
            if let Some(Some(seconds)) = times.get(n) {
                let time = UNIX_EPOCH + Duration::from_secs(1_700_000_000 + u64::from(*seconds));
                let time = format!("{:.6}", jiff::Timestamp::try_from(time).unwrap());
                assert_eq!(last.facts[1].as_deref(), Some(&*time), "the publisher's time");
            }
        }
        let stamps = |all: &[Seen]| all.iter().map(|one| one.timestamp.parse::<f64>().unwrap()).collect();
        for all in [&origin, &seen, &replayed] {
            let stamps: Vec<f64> = stamps(all);
            let goes_back = |pair: &[f64]| pair[1] < pair[0] && pair[0] - pair[1] <= 86_400.0;
            assert!(!stamps.windows(2).any(goes_back), "{stamps:?}");
        }
        if !links.is_empty() {
            let facts = |all: &[Seen]| all.iter().map(|one| one.facts.clone()).collect::<Vec<_>>();
            assert_eq!(facts(&replayed), facts(&seen));
        }
    }
}
