//! Everything that is not a picture: problems, HEAD, health, the API.

use serde_json::{Value, json};
use testkit::{
    pictures::{HEIGHT, WIDTH, jpeg},
    raw_client::{Client, Head, assert_problem},
    stream_client::{ONE_PUSH, StreamViewer, push, wait_for_state},
};

use crate::TestRelay;

#[tokio::test]
async fn an_unknown_stream_is_a_problem_that_names_it() {
    let relay = TestRelay::start(ONE_PUSH);
    for target in [
        "/streams/door",
        "/streams/door/snapshot",
        "/door",
        "/door.mjpg",
        "/door.jpg",
        "/view/door",
        "/api/streams/door",
    ] {
        let answer = Client::get(relay.address(), target).await;
        assert_problem(&answer, 404);
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains("door"), "{target}: {detail}");
    }
    for target in ["/streams/%2e%2e", "/no/such/place", "/streams/", "/streams/x/else"] {
        assert_problem(&Client::get(relay.address(), target).await, 404);
    }
}

#[tokio::test]
async fn a_method_that_is_not_for_an_address_is_refused_with_those_that_are() {
    let relay = TestRelay::start(ONE_PUSH);
    for (method, target, allowed) in [
        ("POST", "/streams/x", "GET, HEAD"),
        ("DELETE", "/streams/x", "GET, HEAD"),
        ("PUT", "/x.jpg", "GET, HEAD"),
        ("POST", "/api/events", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("GET", "/streams/x/frame", "POST, PUT"),
        ("DELETE", "/streams/x/feed", "POST, PUT"),
    ] {
        let answer = Client::ask(relay.address(), method, target, &[], b"").await;
        assert_problem(&answer, 405);
        assert_eq!(answer.head.get("allow"), Some(allowed), "{method} {target}");
    }
}

/// Returns the headers without those that differ from one answer to the next.
fn lasting(head: &Head) -> Vec<(String, String)> {
    let mut headers: Vec<_> =
        head.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
    headers.retain(|(name, _)| name != "date" && name != "set-cookie");
    headers.sort();
    headers
}

#[tokio::test]
async fn head_answers_like_get_without_the_body() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    for target in [
        "/",
        "/page/base.css",
        "/view/x",
        "/healthz",
        "/readyz",
        "/api/streams/none",
        "/streams/x/snapshot",
        "/x.jpg",
        "/snapshot",
        "/state",
        "/program.json",
        "/input_0.json",
        "/output_0.json",
        "/?action=snapshot",
        "/?action=command",
        "/?action=stream_9",
    ] {
        let get = Client::get(relay.address(), target).await;
        let head = Client::ask(relay.address(), "HEAD", target, &[], b"").await;
        assert_eq!(head.head.status, get.head.status, "{target}");
        assert_eq!(lasting(&head.head), lasting(&get.head), "{target}");
    }
}

#[tokio::test]
async fn head_of_the_api_answers_like_get_without_the_body() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    for target in ["/api/streams", "/api/streams/x"] {
        let get = Client::get(relay.address(), target).await;
        let head = Client::ask(relay.address(), "HEAD", target, &[], b"").await;
        assert_eq!(head.head.status, 200, "{target}");
        // The length changes with the numbers.
        let but_length = |head: &Head| {
            let mut headers = lasting(head);
            headers.retain(|(name, _)| name != "content-length");
            headers
        };
        assert_eq!(but_length(&head.head), but_length(&get.head), "{target}");
        assert!(head.head.get("content-length").is_some(), "{target}");
    }
}

#[tokio::test]
async fn head_of_a_stream_ends_at_once_and_counts_no_viewer() {
    let relay =
        TestRelay::start("{limits: {max_viewers: 1}, streams: {x: {source: {type: push, token: none}}}}");
    push(&relay, "x", &jpeg(1)).await;
    for target in ["/streams/x", "/x.mjpg", "/video_feed", "/?action=stream", "/stream", "/x?format=raw"] {
        let head = Client::ask(relay.address(), "HEAD", target, &[], b"").await;
        assert_eq!(head.head.status, 200, "{target}");
        let mut viewer = StreamViewer::ask(relay.address(), target).await;
        assert_eq!(lasting(&head.head), lasting(&viewer.head), "{target}");
        viewer.body.exactly(1).await;
        drop(viewer);
        testkit::stream_client::report_when(&relay, "x", |report| report["viewers"] == 0).await;
    }
}

#[tokio::test]
async fn health_is_told() {
    let relay = TestRelay::start(ONE_PUSH);
    let live = Client::get(relay.address(), "/healthz").await;
    assert_eq!((live.head.status, live.json()["status"].as_str()), (200, Some("ok")));
    let ready = Client::get(relay.address(), "/readyz").await;
    assert_eq!((ready.head.status, ready.json()["status"].as_str()), (200, Some("ready")));
    for answer in [&live, &ready] {
        assert_eq!(answer.head.get("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn the_api_tells_what_each_stream_does() {
    let yaml = "
server: {default_stream: y}
streams:
  y: {title: The Yard, source: {type: push, token: s3cret}}
  x: {source: {type: push, token: none}}
";
    let relay = TestRelay::start(yaml);
    push(&relay, "x", &jpeg(1)).await;
    wait_for_state(&relay, "x", "live").await;
    push(&relay, "x", &jpeg(2)).await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/x").await;
    viewer.part().await;
    let refused = Client::ask(relay.address(), "POST", "/streams/x/frame", &[], b"no picture").await;
    assert!((400..500).contains(&refused.head.status), "{refused:?}");
    let all = Client::get(relay.address(), "/api/streams").await;
    assert_eq!(all.head.get("content-type"), Some("application/json"));
    let text = String::from_utf8(all.body.clone()).unwrap();
    assert!(!text.contains("s3cret"), "{text}");
    let all = all.json();
    assert_eq!(all["default_stream"], "y");
    assert_eq!(all["version"], env!("CARGO_PKG_VERSION"));
    assert!(all["uptime_s"].is_u64());
    let names: Vec<_> = all["streams"].as_array().unwrap().iter().map(|stream| &stream["name"]).collect();
    assert_eq!(names, ["y", "x"], "in the order of the configuration");
    let bytes = jpeg(1).len() + jpeg(2).len();
    assert_members(
        &all["streams"][1],
        &json!({
            "name": "x", "title": "x", "source": "push", "push": "open", "state": "live", "reason": null,
            "next_try_in_s": null, "frames_in": 2, "bytes_in": bytes, "viewers": 1, "skipped": 0,
            "reconnects": 0, "size": {"width": WIDTH, "height": HEIGHT}, "frame_bytes": jpeg(2).len(),
        }),
    );
    assert_eq!(all["streams"][1]["dropped"]["invalid"], 1);
    for number in ["since", "fps_in", "frame_age_s", "frames_out", "bytes_out"] {
        assert!(all["streams"][1][number].is_number(), "{number} of {all}");
    }
    assert_members(
        &all["streams"][0],
        &json!({
            "name": "y", "title": "The Yard", "push": "token", "state": "waiting",
            "reason": "no picture has been pushed yet", "frames_in": 0, "size": null, "frame_age_s": null,
        }),
    );
    let one = Client::get(relay.address(), "/api/streams/y").await.json();
    assert_members(&one, &json!({"name": "y", "state": "waiting", "viewers": 0}));
}

#[track_caller]
fn assert_members(object: &Value, expected: &Value) {
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&object[key], value, "{key} of {object}");
    }
}
