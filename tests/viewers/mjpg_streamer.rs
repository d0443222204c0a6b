//! The routes that clients of mjpg-streamer use.

use serde_json::json;
use testkit::{
    pictures::{HEIGHT, WIDTH, jpeg},
    raw_client::{Client, assert_problem},
    stream_client::{StreamViewer, push, wait_for_state},
};

use crate::TestRelay;

/// Two streams, the second one the default.
async fn two_streams() -> TestRelay {
    let relay = TestRelay::start(
        "
server: {default_stream: second}
streams:
  zeroth: {title: Zero, source: {type: push, token: none}}
  second: {title: One, source: {type: push, token: none}}
",
    );
    push(&relay, "zeroth", &jpeg(10)).await;
    push(&relay, "second", &jpeg(11)).await;
    wait_for_state(&relay, "zeroth", "live").await;
    wait_for_state(&relay, "second", "live").await;
    relay
}

#[tokio::test]
async fn streams_are_counted_from_0_in_the_order_of_the_configuration() {
    let relay = two_streams().await;
    for (action, n) in [
        ("/?action=stream_0", 10),
        ("/?action=stream_1", 11),
        ("/?action=stream", 11),
        ("/?action=stream&ignored.mjpg", 11),
        ("/?action=stream_0&ignored.mjpg", 10),
        ("/?dummy=1&action=stream", 11),
    ] {
        let mut viewer = StreamViewer::join(relay.address(), action).await;
        assert_eq!(viewer.part().await.jpeg, jpeg(n), "{action}");
    }
    for (action, n) in [
        ("/?action=snapshot_0", 10),
        ("/?action=snapshot_1", 11),
        ("/?action=snapshot", 11),
        ("/?action=snapshot&n=1699999999.jpg", 11),
        ("/?action=snapshot_0&ignored.jpg", 10),
    ] {
        assert_eq!(Client::get(relay.address(), action).await.body, jpeg(n), "{action}");
    }
}

/// The plugin sends its request as a C string, with the NUL byte at its end.
#[tokio::test]
async fn input_https_own_request_and_other_bytes_after_the_head_do_not_end_the_stream() {
    let relay = two_streams().await;
    const HEAD: &[u8] = b"GET /?action=stream HTTP/1.0\r\n\r\n";
    for (with_head, later) in [
        (&b"\0"[..], &b""[..]),
        (b"\r\n", b""),
        (b"\r\n\0\0", b""),
        (b"what is no request\r\n\r\n", b""),
        (b"", b"\0"),
        (b"", b"\r\n"),
        (b"\0", b"what is no request\r\n\r\n"),
        (HEAD, b"\0"),
    ] {
        let mut client = Client::connect(relay.address()).await;
        client.send(&[HEAD, with_head].concat()).await;
        let mut viewer = StreamViewer::begun(client, "the stream").await;
        viewer.first_delimiter().await;
        push(&relay, "second", &jpeg(0)).await;
        viewer.until(&jpeg(0)).await;
        viewer.body.client().send(later).await;
        for n in 1..=3 {
            push(&relay, "second", &jpeg(n)).await;
            viewer.until(&jpeg(n)).await;
        }
    }
    let mut client = Client::connect(relay.address()).await;
    client.send(b"GET /?action=snapshot HTTP/1.0\r\n\r\n\0").await;
    assert_eq!(client.head().await.status, 200);
    assert_eq!(client.rest().await, jpeg(3));
}

#[tokio::test]
async fn actions_that_cannot_be_done_are_refused_each_in_its_way() {
    let relay = two_streams().await;
    for (action, status) in [
        ("/?action=command&dest=0&plugin=0&id=1&group=1&value=2", 501),
        ("/?action=command_0", 501),
        ("/?action=take", 501),
        ("/?action=take&filename=x.jpg", 501),
        ("/?action=stream_2", 404),
        ("/?action=snapshot_99999999999999999999", 400),
        ("/?action=dance", 400),
        ("/?action=stream_x", 400),
        ("/?action=", 400),
    ] {
        assert_problem(&Client::get(relay.address(), action).await, status);
    }
}

#[tokio::test]
async fn the_json_files_describe_inputs_and_the_output() {
    let relay = two_streams().await;
    let program = Client::get(relay.address(), "/program.json").await.json();
    let names: Vec<_> = program["inputs"].as_array().unwrap().iter().map(|input| &input["name"]).collect();
    assert_eq!(names, ["Zero", "One"]);
    assert_eq!(program["outputs"].as_array().map(Vec::len), Some(1));
    for number in 0..2 {
        let input = Client::get(relay.address(), &format!("/input_{number}.json")).await.json();
        assert_eq!(input["controls"], json!([]));
        assert_eq!(input["formats"][0]["resolutions"]["0"], format!("{WIDTH}x{HEIGHT}"));
    }
    let output = Client::get(relay.address(), "/output_0.json").await.json();
    assert_eq!(output["controls"], json!([]));
    assert_problem(&Client::get(relay.address(), "/input_2.json").await, 404);
    assert_problem(&Client::get(relay.address(), "/output_1.json").await, 404);
}
