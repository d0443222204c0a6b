//! The routes that clients of ustreamer use, and its cures for browsers on our own.

use testkit::{
    pictures::{HEIGHT, WIDTH, jpeg},
    raw_client::{Client, header},
    stream_client::{FIRST_DELIMITER, NEXT_DELIMITER, StreamViewer, push, wait_for_state},
};

use crate::TestRelay;

#[tokio::test]
async fn the_stream_is_the_default_one() {
    let relay = TestRelay::start(
        "
server: {default_stream: b}
streams:
  a: {source: {type: push, token: none}}
  b: {source: {type: push, token: none}}
",
    );
    push(&relay, "a", &jpeg(1)).await;
    push(&relay, "b", &jpeg(2)).await;
    wait_for_state(&relay, "b", "live").await;
    for target in ["/stream", "/stream?dual_final_frames=1", "/video_feed"] {
        assert_eq!(StreamViewer::join(relay.address(), target).await.part().await.jpeg, jpeg(2), "{target}");
    }
    assert_eq!(Client::get(relay.address(), "/snapshot").await.body, jpeg(2));
}

#[tokio::test]
async fn the_first_stream_is_the_default_one_if_none_was_named() {
    let relay = TestRelay::start(
        "
streams:
  z: {source: {type: push, token: none}}
  a: {source: {type: push, token: none}}
",
    );
    push(&relay, "z", &jpeg(1)).await;
    push(&relay, "a", &jpeg(2)).await;
    for target in ["/stream", "/video_feed", "/?action=stream"] {
        assert_eq!(StreamViewer::join(relay.address(), target).await.part().await.jpeg, jpeg(1), "{target}");
    }
}

#[tokio::test]
async fn the_cookie_has_the_viewers_key() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    for (target, key) in
        [("/stream?key=pikvm-1", "pikvm-1"), ("/stream", "0"), ("/stream?key=a%0d%0ab", "ab")]
    {
        let viewer = StreamViewer::ask(relay.address(), target).await;
        let cookie = viewer.head.get("set-cookie").expect("a cookie");
        let rest = cookie.strip_prefix(&format!("stream_client={key}/")).expect(cookie);
        let (id, attributes) = rest.split_once("; ").expect(cookie);
        assert!(!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{cookie}");
        assert_eq!(attributes, "path=/; max-age=30");
    }
    assert_eq!(StreamViewer::ask(relay.address(), "/streams/x").await.head.get("set-cookie"), None);
}

#[tokio::test]
async fn extra_headers_tell_about_the_stream() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    for target in ["/stream?extra_headers=1", "/streams/x?extra_headers=1"] {
        let mut viewer = StreamViewer::join(relay.address(), target).await;
        let part = viewer.part().await;
        let names: Vec<_> = part.headers.iter().map(|(name, _)| name.as_str()).collect();
        let (usual, extra) = names.split_at(3);
        assert_eq!(usual, ["Content-Type", "Content-Length", "X-Timestamp"], "{target}");
        let expected = ["Online", "Dropped", "Width", "Height", "Client-FPS", "Latency"];
        assert_eq!(extra, expected.map(|name| format!("X-UStreamer-{name}")), "{target}");
        for (name, value) in
            [("Online", "true".to_owned()), ("Width", WIDTH.to_string()), ("Height", HEIGHT.to_string())]
        {
            assert_eq!(part.get(&format!("X-UStreamer-{name}")), value, "{target}");
        }
        part.get("X-UStreamer-Dropped").parse::<u64>().unwrap();
        part.get("X-UStreamer-Client-FPS").parse::<u64>().unwrap();
        part.get("X-UStreamer-Latency").parse::<f64>().unwrap();
        assert_eq!(part.jpeg, jpeg(1));
    }
    let part = StreamViewer::join(relay.address(), "/stream").await.part().await;
    assert_eq!(part.headers.len(), 3, "only who asks for them gets them");
}

/// The headers of a part that comes later.
fn assert_headers_ahead(text: &str) {
    let headers: Vec<_> = text.split("\r\n").map(header).collect();
    let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Content-Type", "X-Timestamp"], "no length: nobody knows it yet");
    assert_eq!(headers[0].1, "image/jpeg");
}

#[tokio::test]
async fn headers_can_be_sent_ahead_of_their_picture() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    let mut viewer = StreamViewer::ask(relay.address(), "/stream?advance_headers=1").await;
    viewer.first_delimiter().await;
    assert_headers_ahead(&viewer.body.text_until("\r\n\r\n").await);
    for picture in [jpeg(1), jpeg(1)] {
        assert_eq!(viewer.body.exactly(picture.len()).await, picture);
        assert_eq!(viewer.body.text_until("\r\n--boundarydonotcross\r\n").await, "");
        assert_headers_ahead(&viewer.body.text_until("\r\n\r\n").await);
    }
}

/// Checks that the announcement of the next picture comes in one piece with the present picture, not with the
/// next.
#[tokio::test]
async fn headers_sent_ahead_do_not_wait_for_their_picture() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    let mut viewer = StreamViewer::ask(relay.address(), "/streams/x?advance_headers=1").await;
    let first = String::from_utf8(viewer.body.chunk().await).unwrap();
    let headers = first.strip_prefix(FIRST_DELIMITER).expect(&first);
    assert_headers_ahead(headers.strip_suffix("\r\n\r\n").expect(headers));
    let second = viewer.body.chunk().await;
    let behind = second.strip_prefix(&jpeg(1)[..]).expect("the picture");
    let behind = std::str::from_utf8(behind).unwrap();
    let headers = behind.strip_prefix(NEXT_DELIMITER).expect(behind);
    assert_headers_ahead(headers.strip_suffix("\r\n\r\n").expect(headers));
}

#[tokio::test]
async fn pictures_can_be_left_out_for_measuring() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    let mut viewer = StreamViewer::join(relay.address(), "/stream?zero_data=1").await;
    for _ in 0..2 {
        let part = viewer.part().await;
        assert_eq!((part.get("Content-Length"), &part.jpeg), ("0", &Vec::new()));
    }
}

#[tokio::test]
async fn the_state_has_ustreamers_shape() {
    let relay = TestRelay::start("streams: {x: {max_fps: 15, source: {type: push, token: none}}}");
    let before = Client::get(relay.address(), "/state").await.json();
    assert_eq!(before["ok"], true);
    assert_eq!(before["result"]["source"]["online"], false);
    push(&relay, "x", &jpeg(1)).await;
    wait_for_state(&relay, "x", "live").await;
    let _viewing = StreamViewer::ask(relay.address(), "/stream").await;
    let state = Client::get(relay.address(), "/state").await.json();
    let result = &state["result"];
    assert!(result["instance_id"].is_string(), "{state}");
    assert!(result["encoder"]["type"].is_string() && result["encoder"]["quality"].is_u64(), "{state}");
    let source = &result["source"];
    assert_eq!(source["resolution"], serde_json::json!({"width": WIDTH, "height": HEIGHT}));
    assert_eq!((&source["online"], &source["desired_fps"]), (&true.into(), &15.into()), "{state}");
    assert!(source["captured_fps"].is_u64(), "{state}");
    let stream = &result["stream"];
    assert!(stream["queued_fps"].is_u64() && stream["clients_stat"].is_object(), "{state}");
    assert_eq!(stream["clients"], 1, "{state}");
}
