//! Uploads that take their time.

use testkit::raw_client::Client;

use crate::{
    TestRelay,
    publisher::{INBOX, answer, assert_refused, jpeg, jpeg_of_size, shown, start},
};

#[tokio::test]
async fn a_publisher_that_waits_for_100_continue_gets_it() {
    let relay = start();
    let mut client = Client::connect(relay.address()).await;
    let picture = jpeg_of_size(1, 300, 300);
    let head = format!(
        "PUT {INBOX} HTTP/1.1\r\nHost: t\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        picture.len()
    );
    client.send(head.as_bytes()).await;
    assert_eq!(client.head().await.status, 100);
    client.send(&picture).await;
    assert_eq!(answer(&mut client).await.head.status, 204);
    assert_eq!(shown(relay.address(), "inbox").await, picture);
}

#[tokio::test]
async fn a_large_picture_in_chunks_is_taken_too() {
    let relay = TestRelay::start("streams: {inbox: {source: {type: push, token: none}}}");
    let at = relay.address();
    let picture = jpeg_of_size(1, 2000, 2000);
    let mut upload = crate::publisher::Feed::begin(at, INBOX, Some("image/jpeg")).await;
    for piece in picture.chunks(50_000) {
        upload.send(piece).await;
    }
    assert_eq!(upload.end().await.head.status, 204);
    assert_eq!(shown(at, "inbox").await, picture);
}

/// Python's requests and other simple clients read nothing before they have written everything.
#[tokio::test]
async fn a_refusal_reaches_a_publisher_that_sends_all_of_its_20_mb_before_it_reads() {
    let relay = start();
    for target in [INBOX, "/streams/guarded/frame", "/streams/nobody/feed"] {
        let mut client = Client::connect(relay.address()).await;
        let length = 20_000_000;
        let head = format!("POST {target} HTTP/1.1\r\nHost: t\r\nContent-Length: {length}\r\n\r\n");
        client.send(head.as_bytes()).await;
        client.send(&vec![0xFF; length]).await;
        let answer = answer(&mut client).await;
        assert_refused(&answer, answer.head.status);
        assert_eq!(answer.head.get("connection"), Some("close"));
        client.rest().await;
    }
}

#[tokio::test]
async fn a_refusal_comes_while_the_publisher_still_sends() {
    let relay = start();
    let mut client = Client::connect(relay.address()).await;
    let head = format!("POST {INBOX} HTTP/1.1\r\nHost: t\r\nContent-Length: 20000000\r\n\r\n");
    client.send(head.as_bytes()).await;
    client.send(&jpeg(1)).await;
    assert!(assert_refused(&answer(&mut client).await, 413).contains("max_frame_bytes"));
}
