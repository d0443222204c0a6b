//! Streams with several sources: which one is shown, when the first is taken again, and what viewers see of
//! it.

use std::time::Duration;

use serde_json::Value;
use testkit::{
    pictures::jpeg,
    raw_client::closed_port,
    stepped_camera::{Camera, CameraConnection},
    stream_client::{StreamViewer, push, report, report_for_admin, report_when},
};
use tokio::time::interval;

use crate::TestRelay;

/// A camera of 100 pictures a second is back soon enough.
const CAMERA_INTERVAL: Duration = Duration::from_millis(10);

fn stream(more: &str, sources: &[String]) -> String {
    format!("streams: {{door: {{{more} source: [{}]}}}}", sources.join(", "))
}

/// Shows picture `n` again and again, until the relay lets go; never ends.
async fn go_on(line: &mut CameraConnection, n: u8) {
    let mut clock = interval(CAMERA_INTERVAL);
    let picture = jpeg(n);
    while line.try_to_show(&picture).await {
        clock.tick().await;
    }
    std::future::pending().await
}

fn states(report: &Value) -> Vec<&str> {
    let sources = report["sources"].as_array().expect("a stream with several sources lists them");
    sources.iter().map(|source| source["state"].as_str().unwrap()).collect()
}

/// A relay whose first camera has just failed, and whose second one is shown to a viewer.
async fn on_the_second(
    more: &str,
    first: &Camera,
    second: &Camera,
) -> (TestRelay, StreamViewer, CameraConnection) {
    let relay = TestRelay::start(&stream(more, &[first.source(), second.source()]));
    let mut viewer = StreamViewer::join(relay.address(), "/streams/door").await;
    // It closes before its first picture.
    drop(first.accept().await);
    let mut line = second.accept().await;
    line.show(&jpeg(2)).await;
    assert_eq!(viewer.part().await.jpeg, jpeg(2));
    (relay, viewer, line)
}

#[tokio::test]
async fn the_next_source_is_shown_at_once_when_the_first_fails() {
    let (first, second) = (Camera::start().await, Camera::start().await);
    let (relay, _viewing, _line) = on_the_second("", &first, &second).await;
    let report = report_when(&relay, "door", |report| report["state"] == "live").await;
    assert_eq!(states(&report)[1], "in_use", "{report}");
    assert_eq!((&report["switches"], &report["reconnects"]), (&1.into(), &0.into()), "{report}");
    let away = &report["sources"][0];
    assert_eq!(
        (&away["type"], &away["place"]),
        (&"mjpeg".into(), &Value::Null),
        "where it is is not for viewers"
    );
    let told = report_for_admin(&relay, "door").await;
    assert_eq!(told["sources"][0]["place"].as_str(), Some(&*first.address().to_string()));
    let reason = away["reason"].as_str().unwrap();
    assert!(reason.contains("closed the connection"), "{reason}");
    assert!(away["since"].is_number() && report["sources"][1]["since"].is_number(), "{report}");
}

#[tokio::test]
async fn a_camera_that_closes_after_its_pictures_is_asked_again_before_another_is() {
    let (first, second) = (Camera::start().await, Camera::start().await);
    let relay = TestRelay::start(&stream("", &[first.source(), second.source()]));
    let mut viewer = StreamViewer::join(relay.address(), "/streams/door").await;
    for n in 1..=2 {
        let mut line = first.accept().await;
        line.show(&jpeg(n)).await;
        viewer.until(&jpeg(n)).await;
    }
    second.assert_nobody_waits().await;
    assert_eq!(report(&relay, "door").await["switches"], 0);
}

#[tokio::test]
async fn the_first_source_is_tried_beside_the_second_and_shown_only_when_it_has_been_well() {
    let (first, second) = (Camera::start().await, Camera::start().await);
    let (relay, mut viewer, mut line) = on_the_second("failback_after: 1h,", &first, &second).await;
    let mut tried = first.accept().await;
    tried.show(&jpeg(1)).await;
    let report = report_when(&relay, "door", |report| report["sources"][0]["reason"].is_null()).await;
    assert_eq!(states(&report), ["tried", "in_use"], "{report}");
    line.show(&jpeg(3)).await;
    assert_eq!(viewer.after(&jpeg(2)).await.jpeg, jpeg(3), "what is tried is not shown");
    // It fails again: that is noted, and nothing else happens.
    drop(tried);
    drop(first.accept().await);
    report_when(&relay, "door", |report| states(report)[0] == "away").await;
    line.show(&jpeg(4)).await;
    assert_eq!(viewer.after(&jpeg(3)).await.jpeg, jpeg(4));
    second.assert_nobody_waits().await;
    first.assert_nobody_waits().await;
}

#[tokio::test]
async fn the_second_is_let_go_when_the_first_ones_picture_has_been_shown() {
    let (first, second) = (Camera::start().await, Camera::start().await);
    let (relay, mut viewer, mut line) = on_the_second("failback_after: 100ms,", &first, &second).await;
    let mut back = first.accept().await;
    // The second one's pictures come until the first of the first one does.
    let (seconds, firsts) = (jpeg(2), jpeg(1));
    tokio::select! {
        () = go_on(&mut back, 1) => {}
        () = go_on(&mut line, 2) => {}
        part = viewer.after(&seconds) => assert_eq!(part.jpeg, firsts),
    }
    line.closed().await;
    let report = report_when(&relay, "door", |report| report["switches"] == 2).await;
    assert_eq!((states(&report), &report["state"]), (vec!["in_use", "ready"], &"live".into()), "{report}");
    // The connection of the trial went on.
    first.assert_nobody_waits().await;
    second.assert_nobody_waits().await;
    back.show(&jpeg(5)).await;
    viewer.until(&jpeg(5)).await;
}

#[tokio::test]
async fn a_first_source_that_is_on_trial_steps_in_when_the_second_fails() {
    let (first, second) = (Camera::start().await, Camera::start().await);
    let (relay, mut viewer, line) = on_the_second("failback_after: 1h,", &first, &second).await;
    let mut tried = first.accept().await;
    tried.show(&jpeg(1)).await;
    report_when(&relay, "door", |report| report["sources"][0]["reason"].is_null()).await;
    // Its orderly end is not its failure yet, but then it refuses.
    drop(line);
    drop(second.accept().await);
    let firsts = jpeg(1);
    tokio::select! {
        () = go_on(&mut tried, 1) => {}
        () = viewer.until(&firsts) => {}
    }
    let report = report_when(&relay, "door", |report| report["switches"] == 2).await;
    assert_eq!(states(&report)[0], "in_use", "{report}");
    first.assert_nobody_waits().await;
}

#[tokio::test]
async fn all_of_them_are_let_go_with_the_last_viewer_and_the_next_does_not_wait_for_the_one_that_is_away() {
    let (first, second) = (Camera::start().await, Camera::start().await);
    let (relay, viewer, line) = on_the_second("linger: 0s, failback_after: 1h,", &first, &second).await;
    let mut tried = first.accept().await;
    tried.show(&jpeg(1)).await;
    report_when(&relay, "door", |report| report["sources"][0]["reason"].is_null()).await;
    drop(tried);
    drop(first.accept().await);
    report_when(&relay, "door", |report| states(report)[0] == "away").await;
    drop(viewer);
    line.closed().await;
    let idle = report_when(&relay, "door", |report| report["state"] == "idle").await;
    assert_eq!(states(&idle), ["away", "ready"], "{idle}");
    let mut next = StreamViewer::join(relay.address(), "/streams/door").await;
    let mut line = second.accept().await;
    line.show(&jpeg(6)).await;
    assert_eq!(next.part().await.jpeg, jpeg(6));
}

#[tokio::test]
async fn when_all_are_away_the_reason_names_each() {
    let (one, two) = (closed_port().await, closed_port().await);
    let source = |address| format!("{{type: mjpeg, url: \"http://user:s3cret@{address}/video?key=t0ken\"}}");
    let relay = TestRelay::start(&stream("on_demand: false,", &[source(one), source(two)]));
    let report = report_when(&relay, "door", |report| {
        report["state"] == "waiting"
            && report["reason"].as_str().is_some_and(|reason| reason.contains("; 2: "))
    })
    .await;
    let reason = report["reason"].as_str().unwrap();
    assert!(reason.starts_with("1: cannot connect to the camera: connection refused"), "{reason}");
    assert!(reason.contains("; 2: cannot connect to the camera: connection refused"), "{reason}");
    let told = report_for_admin(&relay, "door").await;
    let detailed = told["reason"].as_str().unwrap_or("it is tried again just now");
    if told["state"] == "waiting" {
        assert!(detailed.starts_with(&format!("1: cannot connect to {one}")), "{detailed}");
        assert!(detailed.contains(&format!("; 2: cannot connect to {two}")), "{detailed}");
    }
    assert!(report["next_try_in_s"].is_number(), "{report}");
    assert!(!report.to_string().contains("s3cret") && !report.to_string().contains("t0ken"), "{report}");
}

#[tokio::test]
async fn a_program_and_a_pattern_stand_in_for_a_camera() {
    let address = closed_port().await;
    let camera = format!("{{type: mjpeg, url: \"http://{address}/\"}}");
    let program = "{type: exec, command: [\"false\"]}".to_owned();
    let relay = TestRelay::start(&stream("", &[camera, program, "{type: pattern}".to_owned()]));
    let _viewing = StreamViewer::join(relay.address(), "/streams/door").await;
    let report = report_when(&relay, "door", |report| report["state"] == "live").await;
    assert_eq!((states(&report)[2], report["source"].as_str()), ("in_use", Some("pattern")), "{report}");
    let reason = report["sources"][1]["reason"].as_str().unwrap_or("tried again just now");
    let ended = reason.starts_with("the program for its pictures ended");
    assert!(ended || reason.starts_with("tried"), "{reason}");
}

#[tokio::test]
async fn a_pushed_stream_is_followed_while_somebody_pushes_and_a_picture_shown_otherwise() {
    let relay = TestRelay::start(
        "
streams:
  inbox: {source: {type: push, token: none}}
  door:
    failback_after: 0s
    source:
      - {type: rendition, of: inbox, frame_timeout: 500ms}
      - {type: images, path: 'builtin:demo', fps: 20}
",
    );
    let mut viewer = StreamViewer::join(relay.address(), "/streams/door").await;
    let offline = viewer.part().await.jpeg;
    let silent = report_when(&relay, "door", |report| states(report)[1] == "in_use").await;
    assert_ne!(offline, jpeg(1), "{silent}");
    let pushing = async {
        let mut clock = interval(CAMERA_INTERVAL);
        loop {
            clock.tick().await;
            push(&relay, "inbox", &jpeg(1)).await;
        }
    };
    let pushed = jpeg(1);
    tokio::select! {
        () = pushing => {}
        () = viewer.until(&pushed) => {}
    }
    // Nobody pushes any more.
    let report = report_when(&relay, "door", |report| states(report)[1] == "in_use").await;
    let reason =
        report["sources"][0]["reason"].as_str().unwrap_or("the source stream has had no new frame for 0.5 s");
    assert!(reason.contains("no new frame"), "{reason}");
    assert_ne!(viewer.after(&jpeg(1)).await.jpeg, jpeg(1));
}
