//! The relay ends.

use std::net::SocketAddr;

use testkit::{
    binary::Framecast,
    pictures::{jpeg, large_jpeg},
    raw_client::Client,
    stepped_camera::Camera,
    stream_client::{CLOSING, ONE_PUSH, StreamViewer, report_when},
};

use crate::TestRelay;

#[tokio::test]
async fn each_viewer_gets_the_closing_delimiter_and_the_end_of_its_answer() {
    let mut relay = TestRelay::live_push(&jpeg(1)).await;
    let mut viewers = Vec::new();
    for target in ["/streams/x", "/streams/x?chunked=0", "/stream", "/?action=stream"] {
        let mut viewer = StreamViewer::join(relay.address(), target).await;
        viewer.part().await;
        viewer.part().await;
        viewers.push((target, viewer));
    }
    relay.begin_stop();
    for (target, viewer) in &mut viewers {
        // Reading a chunked answer to its end panics when its last chunk is missing.
        let rest = viewer.body.rest().await;
        assert!(rest.ends_with(CLOSING.as_bytes()), "{target}: {:?}", String::from_utf8_lossy(&rest));
    }
}

#[tokio::test]
async fn the_delimiter_behind_the_last_picture_does_not_wait_for_the_end() {
    let mut relay = TestRelay::live_push(&jpeg(1)).await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/x?chunked=0").await;
    viewer.body.text_until("\r\n\r\n").await;
    assert_eq!(viewer.body.exactly(jpeg(1).len()).await, jpeg(1));
    relay.begin_stop();
    let rest = viewer.body.rest().await;
    let end = format!("\r\n--boundarydonotcross\r\n{CLOSING}");
    assert!(rest.ends_with(end.as_bytes()), "{:?}", String::from_utf8_lossy(&rest));
}

#[tokio::test]
async fn a_viewer_that_still_waits_for_its_first_picture_is_let_go_too() {
    let mut relay = TestRelay::start("streams: {x: {placeholder: false, source: {type: push, token: none}}}");
    let mut viewer = StreamViewer::join(relay.address(), "/streams/x").await;
    relay.begin_stop();
    assert_eq!(viewer.body.rest().await, CLOSING.as_bytes());
}

#[tokio::test]
async fn the_raw_format_just_ends() {
    let mut relay = TestRelay::live_push(&jpeg(1)).await;
    let mut viewer = StreamViewer::ask(relay.address(), "/streams/x?format=raw").await;
    assert_eq!(viewer.body.exactly(jpeg(1).len()).await, jpeg(1));
    relay.begin_stop();
    let rest = viewer.body.rest().await;
    assert!(rest.chunks(jpeg(1).len()).all(|picture| picture == jpeg(1)), "something else at the end");
}

#[tokio::test]
async fn the_camera_is_let_go() {
    let camera = Camera::start().await;
    let yaml = format!("streams: {{door: {{source: {}}}}}", camera.source());
    let mut relay = TestRelay::start(&yaml);
    let mut viewer = StreamViewer::join(relay.address(), "/streams/door").await;
    let mut line = camera.accept().await;
    line.show(&jpeg(1)).await;
    viewer.part().await;
    relay.begin_stop();
    line.closed().await;
    assert!(viewer.body.rest().await.ends_with(CLOSING.as_bytes()));
}

/// Nothing that a client does may hold the program back: one that reads nothing, one that says nothing, one
/// that stopped in the middle of its request.
#[tokio::test]
async fn sigterm_ends_the_program_in_peace_whatever_its_clients_do() {
    let framecast = Framecast::serve(ONE_PUSH);
    let address: SocketAddr =
        framecast.url("").trim_end_matches('/').trim_start_matches("http://").parse().unwrap();
    let picture = large_jpeg(1, 7_000_000);
    let pushed = Client::ask(address, "POST", "/streams/x/frame", &[], &picture).await;
    assert_eq!(pushed.head.status, 204);
    let mut watching = StreamViewer::join(address, "/streams/x").await;
    watching.part().await;
    let _reads_nothing = StreamViewer::ask(address, "/streams/x").await;
    let _says_nothing = Client::connect(address).await;
    let mut stopped = Client::connect(address).await;
    stopped.send(b"POST /streams/x/frame HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\nhalf").await;
    let end = tokio::task::spawn_blocking(|| framecast.end_cleanly());
    let rest = watching.body.rest().await;
    assert!(rest.ends_with(CLOSING.as_bytes()), "no closing delimiter");
    end.await.unwrap();
}

/// Streams of one relay end together with it, not with another one's.
#[tokio::test]
async fn two_relays_in_one_process_do_not_disturb_each_other() {
    let (first, second) = (TestRelay::live_push(&jpeg(1)).await, TestRelay::live_push(&jpeg(2)).await);
    let mut viewer = StreamViewer::join(second.address(), "/streams/x").await;
    drop(first);
    assert_eq!(viewer.part().await.jpeg, jpeg(2));
    report_when(&second, "x", |report| report["state"] == "live").await;
}
