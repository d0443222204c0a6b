//! Who watches: the list for administrators.

use serde_json::Value;
use testkit::{
    pictures::jpeg,
    raw_client::Client,
    stream_client::{PUSH_WITH_REPLAY, StreamViewer, push, report, report_when},
    web_socket::WebSocket,
};

use crate::TestRelay;

async fn viewers(relay: &TestRelay, route: &str) -> Vec<Value> {
    let admin = [("Authorization", "Bearer admin-of-tests")];
    let answer = Client::ask(relay.address(), "GET", route, &admin, b"").await;
    answer.json()["viewers"].as_array().unwrap().clone()
}

/// The list, once it is as wanted.
async fn viewers_when(relay: &TestRelay, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    loop {
        let now = viewers(relay, "/api/viewers").await;
        if wanted(&now) {
            return now;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn each_viewer_is_in_the_list_with_what_it_was_given_until_it_goes() {
    let relay = TestRelay::with_pictures(PUSH_WITH_REPLAY, 2, std::time::Duration::from_millis(5)).await;
    assert!(viewers(&relay, "/api/viewers").await.is_empty());
    let mut stream = StreamViewer::join(relay.address(), "/x.mjpg?chunked=0&secret=hunter2").await;
    let picture = stream.part().await.jpeg;
    let mut socket = WebSocket::open(relay.address(), "/api/ws?src=x").await;
    socket.text(r#"{"type":"mjpeg"}"#).await;
    viewers_when(&relay, |now| now.len() == 2).await;
    let mut replay = StreamViewer::join(relay.address(), "/streams/x/replay?speed=0.1").await;
    replay.part().await;
    let now = viewers_when(&relay, |now| {
        now.len() == 3 && now.iter().all(|viewer| viewer["frames"].as_u64().unwrap() > 0)
    });
    let now = now.await;
    let kinds: Vec<_> = now.iter().map(|viewer| viewer["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["stream", "web_socket", "replay"], "in the order in which they came");
    let numbers: Vec<_> = now.iter().map(|viewer| viewer["id"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    assert!(now.iter().all(|viewer| viewer["stream"] == "x" && viewer["client"] == "127.0.0.1"), "{now:?}");
    assert_eq!((&now[0]["path"], &now[0]["protocol"]), (&"/x.mjpg?chunked=0".into(), &"HTTP/1.1".into()));
    assert!(now[0]["bytes"].as_u64().unwrap() >= picture.len() as u64);
    drop((stream, socket));
    let left = viewers_when(&relay, |now| now.len() == 1).await;
    assert_eq!((&left[0]["kind"], &left[0]["id"]), (&"replay".into(), &numbers[2].into()));
    drop(replay);
    viewers_when(&relay, <[Value]>::is_empty).await;
}

#[tokio::test]
async fn who_watches_is_for_administrators() {
    let relay = TestRelay::start(PUSH_WITH_REPLAY);
    for route in ["/api/viewers", "/api/streams/x/viewers"] {
        assert_eq!(Client::get(relay.address(), route).await.head.status, 401, "{route}");
    }
    assert!(viewers(&relay, "/api/streams/x/viewers").await.is_empty());
    let admin = [("Authorization", "Bearer admin-of-tests")];
    let unknown = Client::ask(relay.address(), "GET", "/api/streams/y/viewers", &admin, b"").await;
    assert_eq!(unknown.head.status, 404);
}

#[tokio::test]
async fn the_publisher_whose_feed_is_shown_has_a_number_of_its_own() {
    let relay = TestRelay::start(PUSH_WITH_REPLAY);
    let feed = async || {
        let mut publisher = Client::connect(relay.address()).await;
        let head = "POST /streams/x/feed HTTP/1.1\r\nHost: x\r\nContent-Type: \
            image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n";
        publisher.send(head.as_bytes()).await;
        publisher
    };
    let first = feed().await;
    let one = report_when(&relay, "x", |report| report["source_id"].is_u64()).await["source_id"].as_u64();
    let second = feed().await;
    let two =
        report_when(&relay, "x", |report| report["source_id"].as_u64() > one).await["source_id"].clone();
    drop(first);
    // The one that was replaced takes nothing away.
    push(&relay, "x", &jpeg(1)).await;
    assert_eq!(report(&relay, "x").await["source_id"], two);
    drop(second);
    report_when(&relay, "x", |report| report["source_id"].is_null()).await;
}
