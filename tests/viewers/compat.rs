//! The routes that clients of go2rtc, motion, WebcamXP and frigate use.

use serde_json::json;
use testkit::{
    pictures::{HEIGHT, WIDTH, jpeg},
    raw_client::{Client, TIMEOUT, assert_problem, closed_port},
    stepped_camera::Camera,
    stream_client::{StreamViewer, push, report_when, wait_for_state},
};
use tokio::time::timeout;

use crate::TestRelay;

/// Two streams that show pictures 1 and 2.
async fn two_streams() -> TestRelay {
    let relay = TestRelay::start(
        "
streams:
  door: {title: Door, source: {type: push, token: none}}
  yard: {source: {type: push, token: none}}
",
    );
    for (n, name) in [(1, "door"), (2, "yard")] {
        push(&relay, name, &jpeg(n)).await;
        wait_for_state(&relay, name, "live").await;
    }
    relay
}

/// Width and height of a JPEG with one baseline frame.
fn size_of(jpeg: &[u8]) -> (u16, u16) {
    let frame = framecast::media::frame::Frame::from_jpeg(jpeg.to_vec().into()).unwrap();
    (frame.width(), frame.height())
}

#[tokio::test]
async fn cameras_are_counted_from_1_as_their_programs_do() {
    let relay = two_streams().await;
    for (target, n) in [
        ("/1/stream", 1),
        ("/2/stream", 2),
        ("/2/mjpg/stream", 2),
        ("/cam_1.mjpg", 1),
        ("/cam_2.mjpg", 2),
        ("/api/stream.mjpeg?src=yard", 2),
    ] {
        let mut viewer = StreamViewer::join(relay.address(), target).await;
        assert_eq!(viewer.part().await.jpeg, jpeg(n), "{target}");
    }
    for (target, n) in [
        ("/1/current", 1),
        ("/2/static/stream", 2),
        ("/cam_2.jpg", 2),
        ("/api/frame.jpeg?src=door", 1),
        ("/api/door/latest.jpg", 1),
    ] {
        let answer = Client::get(relay.address(), target).await;
        assert_eq!((answer.head.status, &answer.body), (200, &jpeg(n)), "{target}");
        assert_eq!(answer.head.get("x-frigate-offline"), None, "{target}");
    }
    for target in ["/3/stream", "/3/current", "/cam_3.mjpg", "/cam_99999999999999999999999.jpg"] {
        assert_problem(&Client::get(relay.address(), target).await, 404);
    }
}

#[tokio::test]
async fn number_0_is_all_cameras_in_one_picture() {
    let relay = two_streams().await;
    let picture = Client::get(relay.address(), "/0/current").await;
    assert_eq!((picture.head.status, size_of(&picture.body)), (200, (1920, 1080)));
    let mut viewer = StreamViewer::join(relay.address(), "/0/stream").await;
    assert_eq!(size_of(&viewer.part().await.jpeg), (1920, 1080));
    let without = TestRelay::start("server: {mosaic: false}\nstreams: {a: {source: {type: pattern}}}");
    assert_problem(&Client::get(without.address(), "/0/stream").await, 404);
}

#[tokio::test]
async fn a_stream_that_is_called_cam_1_is_that_one() {
    let relay = TestRelay::start(
        "streams: {door: {source: {type: push, token: none}}, cam_1: {source: {type: push, token: none}}}",
    );
    push(&relay, "cam_1", &jpeg(5)).await;
    wait_for_state(&relay, "cam_1", "live").await;
    assert_eq!(Client::get(relay.address(), "/cam_1.jpg").await.body, jpeg(5));
    assert_eq!(Client::get(relay.address(), "/cam_2.jpg").await.body, jpeg(5));
}

#[tokio::test]
async fn sizes_are_asked_for_in_each_programs_own_words() {
    let relay = TestRelay::start("streams: {bars: {source: {type: pattern, size: 640x480}}}");
    for (target, wanted) in [
        ("/api/frame.jpeg?src=bars&w=320", (320, 240)),
        ("/api/frame.jpeg?src=bars&height=240", (320, 240)),
        ("/api/frame.jpeg?src=bars&w=160&h=160&rotate=90", (120, 160)),
        ("/api/frame.jpeg?src=bars&rotate=-90", (480, 640)),
        ("/api/bars/latest.jpg?height=120&quality=50", (160, 120)),
        ("/api/bars/latest.jpg?h=240", (320, 240)),
    ] {
        let answer = Client::get(relay.address(), target).await;
        assert_eq!((answer.head.status, size_of(&answer.body)), (200, wanted), "{target}");
    }
    let mut half = StreamViewer::join(relay.address(), "/1/substream").await;
    assert_eq!(size_of(&half.part().await.jpeg), (320, 240));
    for target in ["/api/frame.jpeg?src=bars&w=x", "/api/frame.jpeg", "/api/frame.jpeg?src=bars&cache=soon"] {
        assert_problem(&Client::get(relay.address(), target).await, 400);
    }
    assert_problem(&Client::get(relay.address(), "/api/frame.jpeg?src=nope").await, 404);
    assert_problem(&Client::get(relay.address(), "/api/nope/latest.jpg").await, 404);
}

#[tokio::test]
async fn a_feed_comes_by_go2rtcs_address() {
    let relay = TestRelay::start("streams: {inbox: {source: {type: push, token: s3cret}}}");
    let parts: Vec<u8> = (1..=3)
        .flat_map(|n| {
            let jpeg = jpeg(n);
            let head =
                format!("--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: {}\r\n\r\n", jpeg.len());
            [head.into_bytes(), jpeg, b"\r\n".to_vec()].concat()
        })
        .collect();
    let bearer = [("Authorization", "Bearer s3cret")];
    let target = "/api/stream.mjpeg?dst=inbox";
    let answer = Client::ask(relay.address(), "POST", target, &bearer, &parts).await;
    assert_eq!((answer.head.status, answer.json()), (200, json!({"frames": 3})));
    assert_eq!(Client::get(relay.address(), "/inbox.jpg").await.body, jpeg(3));
    assert_problem(&Client::ask(relay.address(), "POST", target, &[], &parts).await, 401);
    assert_problem(&Client::ask(relay.address(), "POST", "/api/stream.mjpeg", &bearer, &parts).await, 400);
}

#[tokio::test]
async fn go2rtcs_list_of_streams_has_its_shape() {
    let relay = two_streams().await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/door").await;
    viewer.part().await;
    let all = Client::get(relay.address(), "/go2rtc/api/streams").await.json();
    let names: Vec<_> = all.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["door", "yard"]);
    assert_eq!(all["door"]["producers"][0]["url"], "push:");
    assert_eq!(all["door"]["consumers"].as_array().map(Vec::len), Some(1));
    let one = Client::get(relay.address(), "/api/streams?src=yard").await.json();
    assert_eq!(one["consumers"], json!([]));
    assert_problem(&Client::get(relay.address(), "/api/streams?src=nope").await, 404);
    assert!(Client::get(relay.address(), "/api/streams").await.json()["streams"].is_array(), "ours");
}

#[tokio::test]
async fn a_camera_that_is_away_has_a_newest_picture_that_says_so() {
    let address = closed_port().await;
    let yaml = format!(
        "streams: {{door: {{on_demand: false, source: {{type: mjpeg, url: \"http://{address}/\"}}}}}}"
    );
    let relay = TestRelay::start(&yaml);
    report_when(&relay, "door", |report| report["state"] == "waiting").await;
    // In between the source is tried again.
    let offline = timeout(TIMEOUT, async {
        loop {
            let answer = Client::get(relay.address(), "/api/door/latest.jpg?height=72").await;
            if answer.head.status == 200 {
                return answer;
            }
        }
    })
    .await
    .unwrap();
    assert_eq!(offline.head.get("x-frigate-offline"), Some("true"));
    assert_eq!(size_of(&offline.body), (128, 72));
}

#[tokio::test]
async fn a_kept_picture_answers_while_the_camera_is_away() {
    let camera = Camera::start().await;
    let yaml = format!("streams: {{door: {{placeholder: none, source: {}}}}}", camera.source());
    let relay = TestRelay::start(&yaml);
    let mut viewer = StreamViewer::join(relay.address(), "/streams/door").await;
    let mut line = camera.accept().await;
    line.show(&jpeg(1)).await;
    viewer.until(&jpeg(1)).await;
    drop(line);
    drop(camera.accept().await);
    drop(camera);
    report_when(&relay, "door", |report| report["state"] == "waiting").await;
    let kept = Client::get(relay.address(), "/api/frame.jpeg?src=door&cache=1h&w=32").await;
    assert_eq!((kept.head.status, size_of(&kept.body)), (200, (WIDTH / 2, HEIGHT / 2)));
}
