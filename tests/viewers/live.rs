//! All tiles of a page over one WebSocket.

use std::time::SystemTime;

use serde_json::{Value, json};
use testkit::{
    pictures::jpeg,
    raw_client::Client,
    stepped_camera::Camera,
    stream_client::{push, report, report_when, wait_for_state},
    web_socket::{ServerMessage, WebSocket, ask},
};

use crate::TestRelay;

const TWO_PUSHES: &str =
    "streams: {x: {source: {type: push, token: none}}, y: {source: {type: push, token: none}}}";

/// One picture of a subscription.
#[derive(Debug)]
struct Picture {
    id: u32,
    seq: u32,
    time: f64,
    jpeg: Vec<u8>,
}

/// A page.
struct Page(WebSocket);

impl Page {
    async fn open(relay: &TestRelay) -> Self {
        Self(WebSocket::open(relay.address(), "/api/live").await)
    }

    async fn subscribe(&mut self, id: u32, stream: &str) {
        self.0.say(json!({"type": "subscribe", "id": id, "stream": stream})).await;
    }

    async fn ack(&mut self, picture: &Picture) {
        self.0.say(json!({"type": "ack", "id": picture.id, "seq": picture.seq})).await;
    }

    async fn picture(&mut self) -> Picture {
        self.0.until(picture).await
    }

    /// The next message of this type.
    async fn told(&mut self, kind: &str) -> Value {
        self.0.until(|got| json_of(got, kind)).await
    }

    /// Two reports come, and no picture before the second: whatever was to be sent would have been.
    async fn no_picture(&mut self) {
        for _ in 0..2 {
            let next = self.0.until(|got| picture(got).map(Err).or_else(|| json_of(got, "report").map(Ok)));
            if let Err(picture) = next.await {
                panic!("no picture was due, and number {} of {} came", picture.seq, picture.id);
            }
        }
    }
}

fn picture(got: &ServerMessage) -> Option<Picture> {
    let ServerMessage::Binary(bytes) = got else { return None };
    let (header, jpeg) = bytes.split_at(16);
    Some(Picture {
        id: u32::from_be_bytes(header[..4].try_into().unwrap()),
        seq: u32::from_be_bytes(header[4..8].try_into().unwrap()),
        time: f64::from_be_bytes(header[8..].try_into().unwrap()),
        jpeg: jpeg.to_vec(),
    })
}

fn json_of(got: &ServerMessage, kind: &str) -> Option<Value> {
    match got {
        ServerMessage::Json(json) if json["type"] == kind => Some(json.clone()),
        _ => None,
    }
}

#[tokio::test]
async fn a_page_gets_the_very_bytes_of_the_streams_it_subscribes_to() {
    let relay = TestRelay::start(TWO_PUSHES);
    push(&relay, "x", &jpeg(1)).await;
    let mut page = Page::open(&relay).await;
    page.subscribe(7, "x").await;
    let first = page.picture().await;
    assert_eq!((first.id, first.seq, first.jpeg == jpeg(1)), (7, 1, true));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((0.0..60.0).contains(&(now - first.time)), "{} is not just now", first.time);
    page.subscribe(8, "y").await;
    push(&relay, "y", &jpeg(2)).await;
    let second = page.picture().await;
    assert_eq!((second.id, second.jpeg == jpeg(2)), (8, true));
    push(&relay, "x", &jpeg(3)).await;
    let third = page.picture().await;
    assert_eq!((third.id, third.seq, third.jpeg == jpeg(3)), (7, 2, true));
}

#[tokio::test]
async fn what_a_page_has_not_drawn_paces_it_and_the_newest_comes_next() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    let mut page = Page::open(&relay).await;
    page.subscribe(1, "x").await;
    let first = page.picture().await;
    push(&relay, "x", &jpeg(2)).await;
    let second = page.picture().await;
    for n in 3..=6 {
        push(&relay, "x", &jpeg(n)).await;
    }
    page.no_picture().await;
    page.ack(&first).await;
    let newest = page.picture().await;
    assert_eq!((newest.seq, newest.jpeg == jpeg(6)), (6, true), "not what queued");
    assert_eq!(report(&relay, "x").await["skipped"], 3, "and what it missed is counted");
    // Of those two, the later word counts for both.
    page.ack(&newest).await;
    for n in 7..=8 {
        push(&relay, "x", &jpeg(n)).await;
        assert_eq!(page.picture().await.jpeg, jpeg(n));
    }
    // Words about pictures that were never sent change nothing.
    page.ack(&second).await;
    push(&relay, "x", &jpeg(9)).await;
    page.no_picture().await;
}

/// Checks that a page that reads nothing has no influence on this one.
#[tokio::test]
async fn a_page_that_draws_nothing_delays_no_other() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    let mut dead = Page::open(&relay).await;
    let mut alive = Page::open(&relay).await;
    dead.subscribe(1, "x").await;
    alive.subscribe(1, "x").await;
    for n in 2..=20 {
        let picture = alive.picture().await;
        assert_eq!(picture.jpeg, jpeg(n - 1));
        alive.ack(&picture).await;
        push(&relay, "x", &jpeg(n)).await;
    }
}

#[tokio::test]
async fn a_rate_that_was_asked_for_is_kept_with_the_newest_picture() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    let mut page = Page::open(&relay).await;
    // One in ten seconds: no second one in the time of two reports.
    page.0.say(json!({"type": "subscribe", "id": 1, "stream": "x", "fps": 0.1})).await;
    let first = page.picture().await;
    page.ack(&first).await;
    push(&relay, "x", &jpeg(2)).await;
    page.no_picture().await;
}

#[tokio::test]
async fn a_source_runs_while_a_page_is_subscribed_and_no_longer() {
    let camera = Camera::start().await;
    let relay = TestRelay::start(&format!("streams: {{door: {{linger: 0s, source: {}}}}}", camera.source()));
    let mut page = Page::open(&relay).await;
    assert_eq!(page.told("report").await["streams"][0]["state"], "idle");
    camera.assert_nobody_waits().await;
    page.subscribe(1, "door").await;
    let mut line = camera.accept().await;
    line.show(&jpeg(1)).await;
    assert_eq!(page.picture().await.jpeg, jpeg(1));
    assert_eq!(report(&relay, "door").await["viewers"], 0, "a page is no viewer");
    page.0.say(json!({"type": "unsubscribe", "id": 1})).await;
    line.closed().await;
    wait_for_state(&relay, "door", "idle").await;
    // And again, when the page goes without a word.
    page.subscribe(2, "door").await;
    let mut line = camera.accept().await;
    line.show(&jpeg(2)).await;
    assert_eq!(page.picture().await.jpeg, jpeg(2));
    drop(page);
    line.closed().await;
    wait_for_state(&relay, "door", "idle").await;
}

#[tokio::test]
async fn a_page_is_told_what_all_streams_are_doing_and_how_late_its_pictures_are() {
    let relay = TestRelay::start(TWO_PUSHES);
    let mut page = Page::open(&relay).await;
    let first = page.told("report").await;
    let names: Vec<_> = first["streams"].as_array().unwrap().iter().map(|s| s["name"].clone()).collect();
    assert_eq!(names, ["x", "y"]);
    assert_eq!(first["latency_s"], json!({}));
    page.subscribe(5, "x").await;
    push(&relay, "x", &jpeg(1)).await;
    let picture = page.picture().await;
    page.ack(&picture).await;
    let found = page.0.until(|got| {
        let report = json_of(got, "report")?;
        (report["streams"][0]["state"] == "live" && report["latency_s"]["5"].is_f64()).then_some(report)
    });
    let told = found.await;
    assert_eq!(told["streams"][0]["frames_in"], 1);
    assert_eq!(told["streams"][1]["state"], "waiting");
}

#[tokio::test]
async fn a_subscription_of_the_same_id_replaces_the_one_before() {
    let relay = TestRelay::start(TWO_PUSHES);
    push(&relay, "x", &jpeg(1)).await;
    push(&relay, "y", &jpeg(2)).await;
    let mut page = Page::open(&relay).await;
    page.subscribe(1, "x").await;
    assert_eq!(page.picture().await.jpeg, jpeg(1));
    page.subscribe(1, "y").await;
    assert_eq!(page.picture().await.jpeg, jpeg(2));
    push(&relay, "x", &jpeg(3)).await;
    page.no_picture().await;
}

#[tokio::test]
async fn what_cannot_be_subscribed_to_is_said_and_the_rest_goes_on() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    let mut page = Page::open(&relay).await;
    page.subscribe(1, "nope").await;
    let error = page.told("error").await;
    assert_eq!(error["id"], 1);
    assert!(error["detail"].as_str().unwrap().contains("there is no stream \"nope\""), "{error}");
    page.0.say(json!({"type": "subscribe", "id": 2, "stream": "x", "fps": 0})).await;
    assert_eq!(page.told("error").await["id"], 2);
    for id in 0..256 {
        page.subscribe(id, "x").await;
    }
    page.subscribe(256, "x").await;
    let error = loop {
        let next = page.0.until(|got| picture(got).map(Err).or_else(|| json_of(got, "error").map(Ok)));
        match next.await {
            Ok(error) => break error,
            // Drawn, so that the next one may come.
            Err(picture) => page.ack(&picture).await,
        }
    };
    assert_eq!(error["id"], 256, "{error}");
    // In place of another there is room.
    page.subscribe(255, "x").await;
    assert_eq!(page.picture().await.jpeg, jpeg(1));
}

#[tokio::test]
async fn what_is_not_understood_ends_the_connection_with_a_reason() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    for (wrong, code) in [
        ("nonsense".to_owned(), 1008),
        (r#"{"type":"dance"}"#.to_owned(), 1008),
        // Quoted, it would be longer than a close frame may be.
        (format!(r#"{{"type":"{}"}}"#, "x".repeat(3000)), 1008),
        (r#"{"type":"subscribe","id":1,"stream":"x","more":1}"#.to_owned(), 1008),
    ] {
        let mut page = Page::open(&relay).await;
        page.0.text(&wrong).await;
        assert_eq!(page.0.closed().await, code, "{wrong}");
    }
    let mut page = Page::open(&relay).await;
    page.0.text(&"x".repeat(5000)).await;
    page.0.until(|got| matches!(got, ServerMessage::Close(_) | ServerMessage::End).then_some(())).await;
}

#[tokio::test]
async fn only_own_pages_may_connect_and_only_by_a_web_socket() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    let client = async || Client::connect(relay.address()).await;
    let (head, _client) = ask(client().await, "/api/live", "Origin: http://evil.example\r\n").await;
    assert_eq!(head.status, 403);
    let (head, _client) = ask(client().await, "/api/live", "Origin: http://test\r\n").await;
    assert_eq!(head.status, 101);
    let answer = Client::get(relay.address(), "/api/live").await;
    assert_eq!(answer.head.status, 426);
    assert_eq!(answer.head.get("upgrade"), Some("websocket"));
}

#[tokio::test]
async fn more_pages_than_allowed_are_refused_until_one_goes() {
    let relay = TestRelay::start(&format!("limits: {{max_live_connections: 1}}\n{TWO_PUSHES}"));
    let page = Page::open(&relay).await;
    let (head, _client) = ask(Client::connect(relay.address()).await, "/api/live", "").await;
    assert_eq!((head.status, head.get("retry-after")), (503, Some("5")));
    drop(page);
    loop {
        let (head, _client) = ask(Client::connect(relay.address()).await, "/api/live", "").await;
        match head.status {
            101 => break,
            status => assert_eq!(status, 503, "until the relay has seen that the page went"),
        }
    }
}

#[tokio::test]
async fn pages_are_told_when_the_relay_stops() {
    let mut relay = TestRelay::live_push(&jpeg(1)).await;
    let mut page = Page::open(&relay).await;
    page.subscribe(1, "x").await;
    page.picture().await;
    relay.begin_stop();
    assert_eq!(page.0.closed().await, 1001);
}

/// The pattern is 640 pixels wide; two tiles of nearly the same size are one encoding.
#[tokio::test]
async fn pages_that_show_a_stream_in_about_the_same_size_share_one_rendition() {
    let relay =
        TestRelay::start("streams: {bars: {linger: 0s, source: {type: pattern, size: 640x360, fps: 10}}}");
    let mut pages = [Page::open(&relay).await, Page::open(&relay).await];
    for (page, (width, height)) in pages.iter_mut().zip([(300, 169), (318, 179)]) {
        let wish = json!({"type": "subscribe", "id": 1, "stream": "bars", "width": width, "height": height});
        page.0.say(wish).await;
        let picture = page.picture().await;
        let info = framecast::media::jpeg::inspect(&picture.jpeg).unwrap();
        assert!((300..=320).contains(&info.width), "{} pixels wide", info.width);
    }
    assert_eq!(report(&relay, "bars").await["renditions"].as_array().unwrap().len(), 1);
    // Full size is the stream itself.
    pages[0].subscribe(2, "bars").await;
    let wide = |got: &ServerMessage| picture(got).filter(|picture| picture.id == 2);
    let full = pages[0].0.until(wide).await;
    assert_eq!(framecast::media::jpeg::inspect(&full.jpeg).unwrap().width, 640);
    drop(pages);
    wait_for_state(&relay, "bars", "idle").await;
    report_when(&relay, "bars", |report| report["renditions"].as_array().unwrap().is_empty()).await;
}

/// go2rtc's clients acknowledge nothing; pings behind the pictures do it for them.
#[tokio::test]
async fn go2rtcs_clients_get_pictures_and_only_the_newest() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    let mut socket = WebSocket::open(relay.address(), "/api/ws?src=x").await;
    socket.say(json!({"type": "webrtc/offer", "value": "v=0"})).await;
    let error = socket.until(|got| json_of(got, "error")).await;
    assert_eq!(error["value"], "webrtc/offer: framecast has mjpeg only");
    socket.say(json!({"type": "mjpeg"})).await;
    socket.until(|got| json_of(got, "mjpeg")).await;
    let bytes =
        |got: &ServerMessage| if let ServerMessage::Binary(bytes) = got { Some(bytes.clone()) } else { None };
    let ping = |got: &ServerMessage| match got {
        ServerMessage::Ping(payload) if !payload.is_empty() => Some(payload.clone()),
        _ => None,
    };
    assert_eq!(socket.until(bytes).await, jpeg(1));
    let behind = socket.until(ping).await;
    report_when(&relay, "x", |report| report["viewers"] == 1).await;
    push(&relay, "x", &jpeg(2)).await;
    assert_eq!(socket.until(bytes).await, jpeg(2));
    socket.until(ping).await;
    for n in 3..=5 {
        push(&relay, "x", &jpeg(n)).await;
    }
    socket.pong(&behind).await;
    assert_eq!(socket.until(bytes).await, jpeg(5));
    drop(socket);
    report_when(&relay, "x", |report| report["viewers"] == 0).await;
}

/// It would hold a connection without being a viewer, and only viewers are limited in number.
#[tokio::test]
async fn go2rtcs_socket_that_asks_for_no_pictures_is_closed() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    let mut silent = WebSocket::open(relay.address(), "/api/ws?src=x").await;
    let mut other = WebSocket::open(relay.address(), "/api/ws?src=x").await;
    other.say(json!({"type": "webrtc/offer", "value": "v=0"})).await;
    other.until(|got| json_of(got, "error")).await;
    silent.closed().await;
    other.closed().await;
}

#[tokio::test]
async fn go2rtcs_socket_needs_a_stream_that_is_there() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    for (target, status) in [("/api/ws", 400), ("/api/ws?src=nope", 404)] {
        let (head, _client) = ask(Client::connect(relay.address()).await, target, "").await;
        assert_eq!(head.status, status, "{target}");
    }
}
