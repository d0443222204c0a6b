//! Sources that run only with viewers, and viewers of sources that are offline.

use testkit::{
    pictures::{HEIGHT, WIDTH, jpeg},
    raw_client::closed_port,
    stepped_camera::Camera,
    stream_client::{StreamViewer, push, report, report_when, wait_for_state},
};

use crate::TestRelay;

#[tokio::test]
async fn the_first_viewer_starts_the_source_and_the_last_one_stops_it() {
    let camera = Camera::start().await;
    let yaml = format!("streams: {{door: {{linger: 100ms, source: {}}}}}", camera.source());
    let relay = TestRelay::start(&yaml);
    assert_eq!(report(&relay, "door").await["state"], "idle");
    camera.assert_nobody_waits().await;
    for n in 1..=2 {
        let mut first = StreamViewer::join(relay.address(), "/streams/door").await;
        let mut line = camera.accept().await;
        let mut second = StreamViewer::join(relay.address(), "/streams/door").await;
        line.show(&jpeg(n)).await;
        // Not the picture of the time before.
        assert_eq!(first.part().await.jpeg, jpeg(n));
        assert_eq!(second.part().await.jpeg, jpeg(n));
        wait_for_state(&relay, "door", "live").await;
        camera.assert_nobody_waits().await;
        drop(first);
        report_when(&relay, "door", |report| report["viewers"] == 1).await;
        line.show(&jpeg(n + 10)).await;
        assert_eq!(second.after(&jpeg(n)).await.jpeg, jpeg(n + 10));
        drop(second);
        line.closed().await;
        wait_for_state(&relay, "door", "idle").await;
        camera.assert_nobody_waits().await;
    }
}

#[tokio::test]
async fn a_viewer_that_comes_within_the_linger_finds_the_source_running() {
    let (long, short) = (Camera::start().await, Camera::start().await);
    let yaml = format!(
        "streams: {{long: {{linger: 1h, source: {}}}, short: {{linger: 0s, source: {}}}}}",
        long.source(),
        short.source()
    );
    let relay = TestRelay::start(&yaml);
    let mut lines = Vec::new();
    for (stream, camera) in [("long", &long), ("short", &short)] {
        let mut first = StreamViewer::join(relay.address(), &format!("/streams/{stream}")).await;
        let mut line = camera.accept().await;
        line.show(&jpeg(1)).await;
        assert_eq!(first.part().await.jpeg, jpeg(1));
        lines.push(line);
        drop(first);
        report_when(&relay, stream, |report| report["viewers"] == 0).await;
    }
    // The one whose viewer left later is let go already.
    wait_for_state(&relay, "short", "idle").await;
    let mut second = StreamViewer::join(relay.address(), "/streams/long").await;
    assert_eq!(second.part().await.jpeg, jpeg(1));
    long.assert_nobody_waits().await;
}

#[tokio::test]
async fn a_stream_that_is_not_on_demand_runs_without_viewers() {
    let camera = Camera::start().await;
    let yaml = format!("streams: {{door: {{on_demand: false, linger: 0s, source: {}}}}}", camera.source());
    let relay = TestRelay::start(&yaml);
    let mut line = camera.accept().await;
    line.show(&jpeg(1)).await;
    wait_for_state(&relay, "door", "live").await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/door").await;
    assert_eq!(viewer.part().await.jpeg, jpeg(1));
    drop(viewer);
    report_when(&relay, "door", |report| report["viewers"] == 0).await;
    line.show(&jpeg(2)).await;
    report_when(&relay, "door", |report| report["frames_in"] == 2).await;
    assert_eq!(report(&relay, "door").await["state"], "live");
}

#[tokio::test]
async fn viewers_stay_while_the_source_reconnects() {
    let camera = Camera::start().await;
    let yaml = format!("streams: {{door: {{source: {}}}}}", camera.source());
    let relay = TestRelay::start(&yaml);
    let mut viewer = StreamViewer::join(relay.address(), "/streams/door").await;
    for n in 1..=3 {
        let mut line = camera.accept().await;
        line.show(&jpeg(n)).await;
        viewer.until(&jpeg(n)).await;
        camera.assert_nobody_waits().await;
    }
    let report = report(&relay, "door").await;
    assert_eq!((&report["reconnects"], &report["viewers"]), (&2.into(), &1.into()), "{report}");
}

#[tokio::test]
async fn viewers_of_a_source_that_is_away_see_the_placeholder_until_it_is_back() {
    let camera = Camera::start().await;
    let yaml = format!("streams: {{door: {{source: {}}}}}", camera.source());
    let relay = TestRelay::start(&yaml);
    let mut viewer = StreamViewer::join(relay.address(), "/streams/door?extra_headers=1").await;
    // It accepts and says nothing.
    let mut line = camera.accept().await;
    let placeholder = viewer.part().await;
    assert_eq!(placeholder.get("X-UStreamer-Online"), "false");
    line.show(&jpeg(1)).await;
    let picture = viewer.after(&placeholder.jpeg).await;
    assert_eq!((picture.get("X-UStreamer-Online"), &picture.jpeg), ("true", &jpeg(1)));
    // It closes, and is silent when it is asked again: the placeholder has the size of what was seen last.
    drop(line);
    let mut line = camera.accept().await;
    let placeholder = viewer.after(&jpeg(1)).await;
    assert_eq!(placeholder.get("X-UStreamer-Online"), "false");
    assert_eq!(placeholder.get("X-UStreamer-Width"), WIDTH.to_string());
    // No side is drawn smaller than 64 pixels, where no letter could be read.
    assert_eq!(placeholder.get("X-UStreamer-Height"), HEIGHT.max(64).to_string());
    line.show(&jpeg(2)).await;
    viewer.until(&jpeg(2)).await;
}

#[tokio::test]
async fn without_a_placeholder_the_first_viewer_waits_for_the_first_picture() {
    let (plain, with) = (Camera::start().await, Camera::start().await);
    let yaml = format!(
        "streams: {{plain: {{placeholder: false, source: {}}}, with: {{source: {}}}}}",
        plain.source(),
        with.source()
    );
    let relay = TestRelay::start(&yaml);
    let mut waiting = StreamViewer::join(relay.address(), "/streams/plain?extra_headers=1").await;
    let mut line = plain.accept().await;
    // The other stream's placeholder tells when this one's would have come.
    let mut other = StreamViewer::join(relay.address(), "/streams/with?extra_headers=1").await;
    assert_eq!(other.part().await.get("X-UStreamer-Online"), "false");
    line.show(&jpeg(1)).await;
    let part = waiting.part().await;
    assert_eq!((part.get("X-UStreamer-Online"), &part.jpeg), ("true", &jpeg(1)));
}

#[tokio::test]
async fn a_source_that_fails_is_the_state_of_its_own_stream_only() {
    let nobody = closed_port().await;
    let yaml = format!(
        "
streams:
  broken: {{on_demand: false, source: {{type: mjpeg, url: \"http://user:s3cret@{nobody}/\"}}}}
  garbage: {{source: {{type: push, token: none}}}}
  good: {{source: {{type: push, token: none}}}}
"
    );
    let relay = TestRelay::start(&yaml);
    push(&relay, "good", &jpeg(1)).await;
    wait_for_state(&relay, "good", "live").await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/good").await;
    let broken = report_when(&relay, "broken", |report| report["state"] == "waiting").await;
    let reason = broken["reason"].as_str().expect("a reason");
    assert!(!reason.is_empty() && !broken.to_string().contains("s3cret"), "{broken}");
    assert!(broken["next_try_in_s"].is_number(), "{broken}");
    let garbage = report(&relay, "garbage").await;
    assert_eq!((&garbage["state"], &garbage["next_try_in_s"]), (&"waiting".into(), &().into()), "{garbage}");
    push(&relay, "good", &jpeg(2)).await;
    viewer.until(&jpeg(2)).await;
    assert_eq!(report(&relay, "good").await["state"], "live");
}

#[tokio::test]
async fn the_placeholder_has_the_style_that_was_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("offline.jpg");
    std::fs::write(&image, jpeg(9)).unwrap();
    let image = format!("{{image: {}, label: false}}", image.display());
    let mut seen = Vec::new();
    for style in ["card", "last", &image] {
        let camera = Camera::start().await;
        let yaml = format!("streams: {{door: {{placeholder: {style}, source: {}}}}}", camera.source());
        let relay = TestRelay::start(&yaml);
        let mut viewer = StreamViewer::join(relay.address(), "/streams/door?extra_headers=1").await;
        let mut line = camera.accept().await;
        line.show(&jpeg(1)).await;
        viewer.until(&jpeg(1)).await;
        drop(line);
        // It is silent when it is asked again.
        let mut line = camera.accept().await;
        let placeholder = viewer.after(&jpeg(1)).await;
        assert_eq!(placeholder.get("X-UStreamer-Online"), "false", "{style}");
        assert_eq!(placeholder.get("X-UStreamer-Width"), WIDTH.to_string(), "{style}");
        seen.push(placeholder.jpeg);
        line.show(&jpeg(2)).await;
        viewer.until(&jpeg(2)).await;
    }
    assert!(seen[0] != seen[1] && seen[1] != seen[2] && seen[0] != seen[2], "three styles, three pictures");
}
