//! Viewers that read slowly, or not at all, or leave.

use std::net::SocketAddr;

use testkit::{
    pictures::{jpeg, large_jpeg},
    raw_client::Client,
    stream_client::{CLOSING, StreamViewer, push, report, report_when, wait_for_state},
};
use tokio::net::TcpSocket;

use crate::TestRelay;

/// Far more than what the kernel takes for a viewer with a small window.
const LARGE: usize = 2_000_000;

/// A client that takes little ahead.
async fn narrow_client(address: SocketAddr) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    Client::over(socket.connect(address).await.unwrap())
}

/// The system gives up on such a connection too, but later: the patient stream's viewer, stuck before, shows
/// that it was not the system.
#[tokio::test]
async fn a_viewer_that_never_reads_does_not_delay_others_and_is_let_go() {
    let relay = TestRelay::start(
        "
streams:
  x: {viewer_timeout: 1s, source: {type: push, token: none}}
  patient: {viewer_timeout: 1h, source: {type: push, token: none}}
",
    );
    push(&relay, "patient", &large_jpeg(0, LARGE)).await;
    push(&relay, "x", &large_jpeg(0, LARGE)).await;
    let waited_for = narrow_client(relay.address()).await;
    let _waited_for = StreamViewer::over(waited_for, "/streams/patient", "HTTP/1.1").await;
    let mut good = StreamViewer::join(relay.address(), "/streams/x").await;
    let stuck = narrow_client(relay.address()).await;
    let mut stuck = StreamViewer::over(stuck, "/streams/x", "HTTP/1.1").await;
    assert_eq!(report(&relay, "x").await["viewers"], 2);
    for n in 1..=10 {
        push(&relay, "x", &large_jpeg(n, LARGE)).await;
        assert!(good.after(&large_jpeg(n - 1, LARGE)).await.jpeg == large_jpeg(n, LARGE));
    }
    report_when(&relay, "x", |report| report["viewers"] == 1).await;
    assert_eq!(report(&relay, "patient").await["viewers"], 1);
    let got = stuck.body.client().rest().await;
    assert!(got.len() < LARGE, "the connection was closed in the middle of a picture");
    push(&relay, "x", &jpeg(77)).await;
    good.until(&jpeg(77)).await;
}

#[tokio::test]
async fn a_slow_viewer_skips_to_the_newest_picture_and_what_it_missed_is_counted() {
    const PICTURES: u8 = 20;
    let relay = TestRelay::live_push(&large_jpeg(0, LARGE)).await;
    let mut good = StreamViewer::join(relay.address(), "/streams/x").await;
    let slow = narrow_client(relay.address()).await;
    let mut slow = StreamViewer::over(slow, "/streams/x", "HTTP/1.1").await;
    for n in 1..=PICTURES {
        push(&relay, "x", &large_jpeg(n, LARGE)).await;
        assert!(good.after(&large_jpeg(n - 1, LARGE)).await.jpeg == large_jpeg(n, LARGE));
    }
    slow.first_delimiter().await;
    let pictures: Vec<_> = (0..=PICTURES).map(|n| large_jpeg(n, LARGE)).collect();
    let mut seen = vec![];
    while seen.last() != Some(&usize::from(PICTURES)) {
        let part = slow.part().await;
        let number = pictures.iter().position(|picture| *picture == part.jpeg).expect("a whole picture");
        assert!(seen.last().is_none_or(|&last| last <= number), "back to {number} behind {seen:?}");
        seen.push(number);
    }
    seen.dedup();
    // Mostly picture 0, unless the machine was slow to send it before the next one came.
    assert_eq!(seen.len(), 2, "the one that was on its way, then the newest: {seen:?}");
    assert_eq!(report(&relay, "x").await["skipped"], usize::from(PICTURES) - seen[0] - 1);
}

#[tokio::test]
async fn a_shutdown_in_the_middle_of_a_picture_ends_picture_and_answer() {
    for target in ["/streams/x", "/streams/x?chunked=0"] {
        let mut relay = TestRelay::live_push(&large_jpeg(0, LARGE)).await;
        let mut viewer = StreamViewer::over(narrow_client(relay.address()).await, target, "HTTP/1.1").await;
        viewer.first_delimiter().await;
        let head = viewer.body.text_until("\r\n\r\n").await;
        assert!(head.contains("Content-Length"), "{head}");
        relay.begin_stop();
        let picture = large_jpeg(0, LARGE);
        assert!(viewer.body.exactly(picture.len()).await == picture, "{target}");
        // The picture may have been repeated meanwhile.
        let rest = viewer.body.rest().await;
        let end = format!("\r\n--boundarydonotcross\r\n{CLOSING}");
        assert!(rest.ends_with(end.as_bytes()), "{target}: {} bytes without the end", rest.len());
    }
}

#[tokio::test]
async fn a_viewer_that_leaves_is_noticed_without_a_new_picture() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/x").await;
    viewer.part().await;
    assert_eq!(report(&relay, "x").await["viewers"], 1);
    drop(viewer);
    report_when(&relay, "x", |report| report["viewers"] == 0).await;
}

#[tokio::test]
async fn a_viewer_of_a_stream_without_pictures_that_leaves_is_noticed() {
    let relay = TestRelay::start("streams: {x: {placeholder: false, source: {type: push, token: none}}}");
    wait_for_state(&relay, "x", "waiting").await;
    let viewer = StreamViewer::join(relay.address(), "/streams/x").await;
    assert_eq!(report(&relay, "x").await["viewers"], 1);
    drop(viewer);
    report_when(&relay, "x", |report| report["viewers"] == 0).await;
}

/// actix-http keeps what comes behind a request; with its buffer full it polls itself without a pause, and a
/// viewer would cost a core for as long as it stays.
#[tokio::test]
async fn a_viewer_that_floods_its_connection_with_requests_is_let_go() {
    let relay = TestRelay::start("streams: {x: {source: {type: push, token: none}}}");
    push(&relay, "x", &jpeg(1)).await;
    let mut client = tokio::net::TcpStream::connect(relay.address()).await.unwrap();
    let request = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: here\r\n\r\n");
    let flood = request("/streams/x") + &request("/healthz").repeat(12_000);
    let (mut from, mut to) = client.split();
    let sending = tokio::io::AsyncWriteExt::write_all(&mut to, flood.as_bytes());
    let mut buffer = vec![0; 65_536];
    let reading = async {
        // Closed or reset: either is an end.
        while let Ok(1..) = tokio::io::AsyncReadExt::read(&mut from, &mut buffer).await {}
    };
    let ended = tokio::time::timeout(testkit::raw_client::TIMEOUT, async { tokio::join!(sending, reading) });
    assert!(ended.await.is_ok(), "it is still served");
    report_when(&relay, "x", |report| report["viewers"] == 0).await;
}
