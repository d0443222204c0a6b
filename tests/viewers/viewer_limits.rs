//! More viewers than there is room for.

use testkit::{
    raw_client::{Answer, Client, assert_problem},
    stream_client::{StreamViewer, report_when},
};

use crate::TestRelay;

async fn refused(relay: &TestRelay, stream: &str) -> Answer {
    let answer = Client::get(relay.address(), &format!("/streams/{stream}")).await;
    assert_problem(&answer, 503);
    let seconds: u32 = answer.head.get("retry-after").expect("Retry-After").parse().expect("seconds");
    assert!(seconds > 0);
    answer
}

#[tokio::test]
async fn one_stream_takes_only_so_many_viewers() {
    let relay = TestRelay::start(
        "
limits: {max_viewers_per_stream: 2}
streams:
  x: {source: {type: push, token: none}}
  y: {source: {type: push, token: none}}
",
    );
    let first = StreamViewer::join(relay.address(), "/streams/x").await;
    let _second = StreamViewer::join(relay.address(), "/streams/x").await;
    let detail = refused(&relay, "x").await.json()["detail"].to_string();
    assert!(detail.contains("limits.max_viewers_per_stream"), "{detail}");
    let _elsewhere = StreamViewer::join(relay.address(), "/streams/y").await;
    drop(first);
    report_when(&relay, "x", |report| report["viewers"] == 1).await;
    StreamViewer::join(relay.address(), "/streams/x").await;
}

#[tokio::test]
async fn all_streams_together_take_only_so_many_viewers() {
    let relay = TestRelay::start(
        "
limits: {max_viewers: 2}
streams:
  x: {source: {type: push, token: none}}
  y: {source: {type: push, token: none}}
",
    );
    let first = StreamViewer::join(relay.address(), "/streams/x").await;
    let _second = StreamViewer::join(relay.address(), "/streams/y").await;
    for stream in ["x", "y"] {
        let detail = refused(&relay, stream).await.json()["detail"].to_string();
        assert!(detail.contains("limits.max_viewers "), "{detail}");
    }
    drop(first);
    report_when(&relay, "x", |report| report["viewers"] == 0).await;
    StreamViewer::join(relay.address(), "/streams/y").await;
}
