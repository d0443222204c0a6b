//! Replays of the last seconds of a stream.

use std::time::Duration;

use testkit::{
    pictures::jpeg,
    raw_client::{Client, assert_problem},
    stream_client::{
        CLOSING, FIRST_DELIMITER, HEAD_AHEAD, IMG, NEXT_DELIMITER, PUSH_WITH_REPLAY, StreamViewer, push,
        report, report_when,
    },
};
use tokio::time::Instant;

use crate::TestRelay;

fn taken(timestamp: &str) -> f64 {
    timestamp.parse().expect("X-Timestamp is a number")
}

#[tokio::test]
async fn what_happened_is_played_in_order_with_its_own_times_and_then_ends() {
    let relay = TestRelay::with_pictures(PUSH_WITH_REPLAY, 5, Duration::from_millis(20)).await;
    for target in ["/streams/x/replay?speed=10", "/streams/x/replay?speed=10&chunked=0"] {
        let mut viewer = StreamViewer::join(relay.address(), target).await;
        assert_eq!(viewer.head.get("content-length"), None);
        assert_eq!(viewer.head.get("transfer-encoding").is_some(), !target.contains("chunked=0"));
        let mut times = Vec::new();
        for n in 1..=5 {
            let part = viewer.part().await;
            assert_eq!(part.jpeg, jpeg(n), "picture {n}");
            times.push(taken(part.get("X-Timestamp")));
        }
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 0.02), "{times:?}");
        assert_eq!(String::from_utf8_lossy(&viewer.body.rest().await), CLOSING);
    }
    report_when(&relay, "x", |report| report["viewers"] == 0).await;
}

#[tokio::test]
async fn a_replay_in_an_img_sends_each_parts_headers_with_the_picture_before() {
    let relay = TestRelay::with_pictures(PUSH_WITH_REPLAY, 2, Duration::from_millis(20)).await;
    let mut viewer = StreamViewer::ask_with(relay.address(), "/streams/x/replay?speed=10", IMG).await;
    let parts = [FIRST_DELIMITER, NEXT_DELIMITER, NEXT_DELIMITER].map(|delimiter| [delimiter, HEAD_AHEAD]);
    let parts = parts.map(|part| part.concat().into_bytes());
    let all = [&parts[0], &jpeg(1), &parts[1], &jpeg(2), &parts[2], CLOSING.as_bytes()].concat();
    assert!(viewer.body.rest().await == all, "other bytes");
}

#[tokio::test]
async fn the_pace_is_the_recorded_one_times_the_speed() {
    let relay = TestRelay::with_pictures(PUSH_WITH_REPLAY, 3, Duration::from_millis(200)).await;
    for (speed, at_least) in [("1", 400), ("0.5", 800), ("4", 100)] {
        let start = Instant::now();
        let mut viewer =
            StreamViewer::join(relay.address(), &format!("/streams/x/replay?speed={speed}")).await;
        for n in 1..=3 {
            assert_eq!(viewer.part().await.jpeg, jpeg(n));
        }
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(at_least), "{speed}: {took:?} is too soon");
        assert_eq!(String::from_utf8_lossy(&viewer.body.rest().await), CLOSING);
    }
}

#[tokio::test]
async fn only_the_last_seconds_that_were_asked_for_are_played() {
    let relay = TestRelay::with_pictures(PUSH_WITH_REPLAY, 3, Duration::from_millis(300)).await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/x/replay?seconds=0.2").await;
    assert_eq!(viewer.part().await.jpeg, jpeg(3), "seconds are counted back from the newest picture");
    assert_eq!(String::from_utf8_lossy(&viewer.body.rest().await), CLOSING);
}

#[tokio::test]
async fn a_replay_goes_on_with_the_present_for_those_who_ask_for_that() {
    let relay = TestRelay::with_pictures(PUSH_WITH_REPLAY, 2, Duration::from_millis(10)).await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/x/replay?speed=10&then=live").await;
    for n in 1..=2 {
        assert_eq!(viewer.part().await.jpeg, jpeg(n));
    }
    for n in [77, 78] {
        push(&relay, "x", &jpeg(n)).await;
        assert_eq!(viewer.part().await.jpeg, jpeg(n));
    }
    drop(relay);
    assert_eq!(String::from_utf8_lossy(&viewer.body.rest().await), CLOSING);
}

#[tokio::test]
async fn a_replay_in_progress_ends_in_order_when_the_relay_does() {
    let relay = TestRelay::with_pictures(PUSH_WITH_REPLAY, 2, Duration::from_millis(700)).await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/x/replay?speed=0.1").await;
    assert_eq!(viewer.part().await.jpeg, jpeg(1));
    drop(relay);
    assert_eq!(String::from_utf8_lossy(&viewer.body.rest().await), CLOSING);
}

#[tokio::test]
async fn one_who_looks_at_the_past_is_a_viewer_like_any_other_for_the_limits() {
    let yaml = format!("limits: {{max_viewers_per_stream: 1}}\n{PUSH_WITH_REPLAY}");
    let relay = TestRelay::with_pictures(&yaml, 2, Duration::from_millis(700)).await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/x/replay?speed=0.1").await;
    viewer.part().await;
    let now = report(&relay, "x").await;
    assert_eq!((&now["viewers"], &now["replay"]["viewers"]), (&1.into(), &1.into()));
    for target in ["/streams/x/replay", "/streams/x/clip", "/streams/x"] {
        assert_problem(&Client::get(relay.address(), target).await, 503);
    }
    drop(viewer);
    report_when(&relay, "x", |report| report["viewers"] == 0 && report["replay"]["viewers"] == 0).await;
    assert_eq!(Client::get(relay.address(), "/streams/x/clip").await.head.status, 200);
}

#[tokio::test]
async fn nonsense_is_refused_and_what_is_missing_is_named() {
    let relay = TestRelay::with_pictures(
        "streams: {x: {source: {type: push, token: none}, replay: 1m}, plain: {source: {type: push, token: \
         none}}}",
        0,
        Duration::ZERO,
    )
    .await;
    for wrong in [
        "replay?speed=0",
        "replay?speed=11",
        "replay?speed=-1",
        "replay?speed=fast",
        "replay?speed=NaN",
        "replay?seconds=0",
        "replay?seconds=-5",
        "replay?seconds=1e9",
        "replay?seconds=99999999999999999999",
        "replay?seconds=",
        "replay?then=dead",
        "clip?format=mp4",
        "clip?seconds=x",
    ] {
        assert_problem(&Client::get(relay.address(), &format!("/streams/x/{wrong}")).await, 400);
    }
    for what in ["replay", "clip"] {
        let refused = Client::get(relay.address(), &format!("/streams/plain/{what}")).await;
        assert_problem(&refused, 409);
        assert!(refused.json()["detail"].to_string().contains("replay: 30s"), "{:?}", refused.json());
        assert_problem(&Client::get(relay.address(), &format!("/streams/nope/{what}")).await, 404);
        assert_problem(&Client::get(relay.address(), &format!("/streams/x/{what}")).await, 503);
    }
    assert_eq!(report(&relay, "plain").await["replay"], serde_json::Value::Null);
    let report = report(&relay, "x").await;
    assert_eq!(report["replay"]["frames"], 0);
}

#[tokio::test]
async fn a_stream_with_replay_runs_while_nobody_watches() {
    let relay = TestRelay::start("streams: {bars: {source: {type: pattern, fps: 20}, replay: 10s}}");
    let kept = report_when(&relay, "bars", |report| report["replay"]["frames"].as_u64() >= Some(3)).await;
    assert_eq!(kept["viewers"], 0);
    assert!(kept["replay"]["bytes"].as_u64() > Some(0) && kept["replay"]["span_s"].as_f64() > Some(0.0));
}

#[tokio::test]
async fn head_of_a_replay_and_a_clip_is_the_head_alone_and_no_viewer() {
    let relay = TestRelay::with_pictures(PUSH_WITH_REPLAY, 2, Duration::from_millis(1)).await;
    let clip = Client::ask(relay.address(), "HEAD", "/streams/x/clip?format=zip", &[], b"").await;
    let whole = Client::get(relay.address(), "/streams/x/clip?format=zip").await;
    assert_eq!(clip.head.get("content-length"), whole.head.get("content-length"));
    let replay = Client::ask(relay.address(), "HEAD", "/streams/x/replay", &[], b"").await;
    assert_eq!(replay.head.status, 200);
    assert_eq!(
        replay.head.get("content-type"),
        Some("multipart/x-mixed-replace;boundary=boundarydonotcross")
    );
}
