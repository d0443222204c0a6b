//! Streams that show other streams' pictures.

use bytes::Bytes;
use framecast::media::frame::Frame;
use testkit::{
    raw_client::{Client, assert_problem},
    stepped_camera::Camera,
    stream_client::{StreamViewer, push, report, report_when, wait_for_state},
};

use super::scene::{COLOURED, GRAY, PLAIN};
use crate::TestRelay;

#[tokio::test]
async fn a_rendition_without_transforms_is_the_very_bytes() {
    let relay = TestRelay::start(
        "streams: {copy: {source: {type: rendition, of: door}}, door: {source: {type: push, token: none}}}",
    );
    push(&relay, "door", PLAIN).await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/copy").await;
    assert_eq!(viewer.part().await.jpeg, PLAIN);
    push(&relay, "door", COLOURED[2].1).await;
    viewer.until(COLOURED[2].1).await;
}

#[tokio::test]
async fn a_rendition_is_scaled_and_so_is_one_of_it() {
    let relay = TestRelay::start(
        "streams:
  tiny: {source: {type: rendition, of: small}, transform: [{scale: {width: 40}}, {grayscale: true}]}
  small: {source: {type: rendition, of: door}, transform: [{scale: {width: 160}}]}
  door: {source: {type: push, token: none}}",
    );
    push(&relay, "door", PLAIN).await;
    let mut small = StreamViewer::join(relay.address(), "/streams/small").await;
    let mut tiny = StreamViewer::join(relay.address(), "/streams/tiny").await;
    for (viewer, size, components) in [(&mut small, (160, 120), 3), (&mut tiny, (40, 30), 1)] {
        let frame = Frame::from_jpeg(Bytes::from(viewer.part().await.jpeg)).unwrap();
        assert_eq!((frame.width(), frame.height()), size);
        assert_eq!(frame.info().components, components);
    }
    let door = report(&relay, "door").await;
    assert_eq!(door["size"]["width"], 320, "the origin is as it was: {door}");
}

#[tokio::test]
async fn an_origin_runs_while_somebody_watches_its_rendition() {
    let camera = Camera::start().await;
    let relay = TestRelay::start(&format!(
        "streams: {{small: {{linger: 0s, source: {{type: rendition, of: door}}, transform: [{{scale: \
         {{width: 100}}}}]}}, door: {{linger: 0s, source: {}}}}}",
        camera.source()
    ));
    assert_eq!(report(&relay, "door").await["state"], "idle");
    camera.assert_nobody_waits().await;
    for _ in 0..2 {
        let mut viewer = StreamViewer::join(relay.address(), "/streams/small").await;
        let mut line = camera.accept().await;
        line.show(PLAIN).await;
        let frame = Frame::from_jpeg(Bytes::from(viewer.part().await.jpeg)).unwrap();
        assert_eq!((frame.width(), frame.height()), (100, 75));
        wait_for_state(&relay, "small", "live").await;
        assert_eq!(report(&relay, "door").await["viewers"], 0, "a rendition is no viewer");
        drop(viewer);
        line.closed().await;
        wait_for_state(&relay, "door", "idle").await;
    }
}

#[tokio::test]
async fn twenty_viewers_of_a_rendition_cost_one_encode_a_frame() {
    let relay = TestRelay::start(
        "streams:
  small: {linger: 0s, source: {type: rendition, of: door}, transform: [{scale: {width: 160}}]}
  door: {source: {type: push, token: none}}",
    );
    // Others of the scene have the same pixels, so that one could not be told from the next.
    let mut pictures = COLOURED[..3].iter().map(|(_, jpeg)| *jpeg).chain([GRAY]);
    push(&relay, "door", pictures.next().unwrap()).await;
    let mut viewers = Vec::new();
    for _ in 0..20 {
        let mut viewer = StreamViewer::join(relay.address(), "/streams/small").await;
        let first = viewer.part().await.jpeg;
        viewers.push((viewer, first));
    }
    let mut shown = 1;
    for picture in pictures {
        push(&relay, "door", picture).await;
        shown += 1;
        for (viewer, seen) in &mut viewers {
            *seen = viewer.after(seen).await.jpeg;
        }
        assert!(viewers.iter().all(|(_, seen)| *seen == viewers[0].1), "all see the same");
    }
    let small = report(&relay, "small").await;
    assert_eq!(small["made"], serde_json::json!({"passed": 0, "lossless": 0, "encoded": shown}), "{small}");
    assert!(small["frames_out"].as_u64() >= Some(20 * shown), "{small}");
    let door = report(&relay, "door").await;
    assert_eq!(door["made"]["encoded"], 0, "what is only passed on is not encoded: {door}");
}

#[tokio::test]
async fn a_cameras_own_transforms_stand_before_its_bus() {
    let relay =
        TestRelay::start("streams: {door: {source: {type: push, token: none}, transform: [{rotate: 90}]}}");
    push(&relay, "door", PLAIN).await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/door").await;
    let frame = Frame::from_jpeg(Bytes::from(viewer.part().await.jpeg)).unwrap();
    assert_eq!((frame.width(), frame.height()), (240, 320));
}

#[tokio::test]
async fn a_picture_that_cannot_be_transformed_is_counted_and_the_next_is_shown() {
    let relay = TestRelay::start(
        "streams: {door: {source: {type: push, token: none}, transform: [{crop: {x: 250, width: 9, height: \
         9}}]}}",
    );
    // Held sideways it is 240 pixels wide without its EXIF data.
    let narrow = super::scene::transformed(PLAIN, "transform: [{rotate: 90}]").unwrap();
    let refused = Client::ask(relay.address(), "POST", "/streams/door/frame", &[], narrow.jpeg()).await;
    assert_problem(&refused, 422);
    report_when(&relay, "door", |report| report["dropped"]["invalid"] == 1).await;
    push(&relay, "door", PLAIN).await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/door").await;
    let frame = Frame::from_jpeg(Bytes::from(viewer.part().await.jpeg)).unwrap();
    assert_eq!((frame.width(), frame.height()), (9, 9));
}
