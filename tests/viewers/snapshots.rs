//! One picture.

use testkit::{
    pictures::{HEIGHT, WIDTH, jpeg},
    raw_client::{Client, assert_problem, closed_port},
    stepped_camera::Camera,
    stream_client::{ONE_PUSH, StreamViewer, push, wait_for_state},
};
use tokio::join;

use crate::TestRelay;

#[tokio::test]
async fn a_snapshot_is_the_newest_picture_with_its_headers() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    push(&relay, "x", &jpeg(2)).await;
    let timestamp = {
        let mut viewer = StreamViewer::join(relay.address(), "/streams/x").await;
        viewer.part().await.get("X-Timestamp").to_owned()
    };
    for target in ["/streams/x/snapshot", "/x.jpg", "/snapshot", "/?action=snapshot", "/?action=snapshot_0"] {
        let answer = Client::get(relay.address(), target).await;
        assert_eq!((answer.head.status, &answer.body), (200, &jpeg(2)), "{target}");
        for (name, value) in [
            ("content-type", "image/jpeg"),
            ("content-length", &jpeg(2).len().to_string()),
            ("x-timestamp", &timestamp),
            ("cache-control", "no-store, no-cache, must-revalidate, pre-check=0, post-check=0, max-age=0"),
            ("pragma", "no-cache"),
            ("expires", "Mon, 3 Jan 2000 12:34:56 GMT"),
            ("access-control-allow-origin", "*"),
            ("x-ustreamer-online", "true"),
            ("x-ustreamer-width", &WIDTH.to_string()),
            ("x-ustreamer-height", &HEIGHT.to_string()),
        ] {
            assert_eq!(answer.head.get(name), Some(value), "{name} of {target}");
        }
    }
}

#[tokio::test]
async fn a_known_picture_is_not_sent_again() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    let first = Client::get(relay.address(), "/x.jpg").await;
    let etag = first.head.get("etag").expect("an ETag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    for known in [etag.clone(), format!("\"other\", {etag}"), format!("W/{etag}"), "*".to_owned()] {
        let headers = [("If-None-Match", known.as_str())];
        let same = Client::ask(relay.address(), "GET", "/x.jpg", &headers, b"").await;
        assert_eq!(same.head.status, 304, "If-None-Match: {known}");
        assert_eq!(same.head.get("etag"), Some(etag.as_str()));
    }
    push(&relay, "x", &jpeg(2)).await;
    let headers = [("If-None-Match", etag.as_str())];
    let new = Client::ask(relay.address(), "GET", "/x.jpg", &headers, b"").await;
    assert_eq!((new.head.status, &new.body), (200, &jpeg(2)));
    assert_ne!(new.head.get("etag"), Some(etag.as_str()));
}

#[tokio::test]
async fn a_snapshot_can_wait_for_the_next_picture() {
    let relay = TestRelay::live_push(&jpeg(0)).await;
    let mut waiting = Client::connect(relay.address()).await;
    waiting.send(b"GET /streams/x/snapshot?wait=next HTTP/1.1\r\nHost: test\r\n\r\n").await;
    // Pushes go on until one of them comes after the request.
    let pushing = async {
        for n in 1.. {
            push(&relay, "x", &jpeg(n % 200 + 1)).await;
        }
    };
    let head = tokio::select! {
        head = waiting.head() => head,
        () = pushing => unreachable!("it goes on for ever"),
    };
    assert_eq!(head.status, 200);
    let picture = waiting.exactly(head.get("content-length").unwrap().parse().unwrap()).await;
    assert_ne!(picture, jpeg(0), "that one was there before");
}

#[tokio::test]
async fn waiting_for_a_picture_is_bounded() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    let silent = Camera::start().await;
    let yaml = format!("streams: {{door: {{source: {}}}}}", silent.source());
    let with_silent_camera = TestRelay::start(&yaml);
    let (no_next, no_first) = join!(
        Client::get(relay.address(), "/streams/x/snapshot?wait=next"),
        Client::get(with_silent_camera.address(), "/streams/door/snapshot"),
    );
    assert_problem(&no_next, 503);
    assert_problem(&no_first, 503);
}

#[tokio::test]
async fn a_snapshot_of_an_idle_stream_starts_its_source() {
    let camera = Camera::start().await;
    let yaml = format!("streams: {{door: {{linger: 0s, source: {}}}}}", camera.source());
    let relay = TestRelay::start(&yaml);
    let asked = Client::get(relay.address(), "/door.jpg");
    let shown = async {
        let mut line = camera.accept().await;
        line.show(&jpeg(1)).await;
        line
    };
    let (answer, line) = join!(asked, shown);
    assert_eq!((answer.head.status, answer.body), (200, jpeg(1)));
    line.closed().await;
    wait_for_state(&relay, "door", "idle").await;
}

#[tokio::test]
async fn without_a_picture_the_answer_says_why() {
    let nobody = closed_port().await;
    let yaml = format!(
        "
streams:
  x: {{source: {{type: push, token: none}}}}
  away: {{on_demand: false, source: {{type: mjpeg, url: \"http://user:s3cret@{nobody}/\"}}}}
"
    );
    let relay = TestRelay::start(&yaml);
    for (stream, reason) in [("x", "no picture has been pushed yet"), ("away", "refused")] {
        wait_for_state(&relay, stream, "waiting").await;
        let answer = Client::get(relay.address(), &format!("/streams/{stream}/snapshot")).await;
        assert_problem(&answer, 503);
        let detail = answer.json()["detail"].as_str().expect("a detail").to_owned();
        assert!(detail.contains(reason) && detail.contains(stream), "{detail}");
        assert!(!detail.contains("s3cret"), "{detail}");
    }
}

/// A picture of the past, or one that says why there is none, is no snapshot.
#[tokio::test]
async fn the_placeholder_is_never_a_snapshot() {
    let relay = TestRelay::start(ONE_PUSH);
    let mut viewer = StreamViewer::join(relay.address(), "/streams/x?extra_headers=1").await;
    assert_eq!(viewer.part().await.get("X-UStreamer-Online"), "false");
    assert_problem(&Client::get(relay.address(), "/x.jpg").await, 503);
}
