//! Cameras whose kind is found out: `type: auto`.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use framecast::source::camera::{
    detection::{CameraKind, Detection},
    snapshot::SnapshotSource,
};
use testkit::fake_camera::{FakeCamera, Reply, Step};

use crate::source_runner::{
    HEAD, Outcome, answer, body, config, config_with_login, jpeg, limits, three, watch_source,
};

const GONE: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

/// Runs a source once.
async fn detect(camera: &FakeCamera, detection: &Detection) -> Outcome {
    let config = config(&camera.url("/"));
    watch_source(&mut SnapshotSource::detecting(config, detection.clone(), &limits())).await
}

fn picture(n: u8) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg(n).len());
    answer(&head, &jpeg(n))
}

/// Starts a camera that sends `answers` on one connection each, and is gone after them.
async fn answering(answers: Vec<Vec<u8>>) -> FakeCamera {
    FakeCamera::start(move |n| {
        let bytes = answers.get(n).cloned().unwrap_or_else(|| GONE.to_vec());
        vec![Step::Request, Step::Send(bytes)]
    })
    .await
}

#[actix_web::test]
async fn a_stream_is_shown_from_the_response_that_told_it() {
    let bare = "HTTP/1.0 200 OK\r\nContent-Type: image/jpeg\r\n\r\n";
    for (name, stream) in [
        ("multipart", answer(HEAD, &body(&three()))),
        (
            "multipart by its bytes",
            answer("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n", &body(&three())),
        ),
        ("bare pictures", answer(bare, &three().concat())),
    ] {
        let (camera, detection) = (answering(vec![stream]).await, Detection::default());
        detect(&camera, &detection).await.assert_frames(&three(), name);
        assert_eq!(detection.kind(), Some(CameraKind::Mjpeg), "{name}");
        assert_eq!(camera.requests().len(), 1, "{name}: no other request");
    }
}

#[actix_web::test]
async fn a_stream_is_known_for_one_while_it_runs() {
    let one = body(&three()[..1]);
    let (camera, detection) = (
        FakeCamera::start(move |_| {
            // The head of the next part ends the first.
            let more = b"--cam\r\nContent-Type: image/jpeg\r\n\r\n";
            vec![Step::Request, Step::Send(answer(HEAD, &[&one[..], more].concat())), Step::Stall]
        })
        .await,
        Detection::default(),
    );
    let run = detect(&camera, &detection);
    let known = async {
        while detection.kind().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        outcome = run => panic!("it ended: {:?}", outcome.result),
        () = known => assert_eq!(detection.kind(), Some(CameraKind::Mjpeg)),
    }
}

#[actix_web::test]
async fn a_picture_is_shown_at_once_and_polled_from_then_on() {
    let close = b"HTTP/1.0 200 OK\r\n\r\n";
    for (name, first) in [
        ("with a length", picture(1)),
        ("until the connection closes", [&close[..], &jpeg(1)].concat()),
        ("in a multipart body that ends", answer(HEAD, &[&body(&three()[..1])[..], b"--cam--\r\n"].concat())),
    ] {
        let camera = answering(vec![first, picture(2), picture(3)]).await;
        let detection = Detection::default();
        let outcome = detect(&camera, &detection).await;
        outcome.assert_shown(&three(), name);
        assert!(outcome.error().contains("answered 404 Not Found"), "{name}: {}", outcome.error());
        assert_eq!(detection.kind(), Some(CameraKind::Snapshot), "{name}");
        assert_eq!(outcome.quirk("bare-jpegs"), 0, "{name}: a single picture is no quirk");
    }
}

/// Dahua's cameras announce more than they send, and leave the connection open.
#[actix_web::test]
async fn a_picture_that_is_shorter_than_announced_is_one() {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", jpeg(1).len() + 32);
    let short = answer(&head, &jpeg(1));
    let camera = FakeCamera::start(move |n| match n {
        0 => vec![Step::Request, Step::Send(short.clone()), Step::Stall],
        _ => vec![Step::Request, Step::Send(GONE.to_vec())],
    })
    .await;
    let detection = Detection::default();
    let outcome = detect(&camera, &detection).await;
    outcome.assert_shown(&[jpeg(1)], "once");
    assert_eq!((detection.kind(), outcome.quirk("short-body")), (Some(CameraKind::Snapshot), 1));
}

#[actix_web::test]
async fn a_camera_that_becomes_another_is_followed_after_a_reconnection() {
    let stream = || answer(HEAD, &body(&three()));
    let camera =
        answering(vec![stream(), picture(1), GONE.to_vec(), GONE.to_vec(), stream(), picture(2), stream()])
            .await;
    let detection = Detection::default();
    detect(&camera, &detection).await.assert_frames(&three(), "a stream");
    detect(&camera, &detection).await.assert_shown(&[jpeg(1)], "a picture, then errors");
    assert_eq!(detection.kind(), Some(CameraKind::Snapshot));
    detect(&camera, &detection).await.assert_frames(&three(), "a stream again");
    assert_eq!(detection.kind(), Some(CameraKind::Mjpeg));
    // It does not have to fail to be recognised.
    let after: Vec<_> = [jpeg(2)].into_iter().chain(three()).collect();
    detect(&camera, &detection).await.assert_frames(&after, "a stream in place of the next picture");
    assert_eq!(detection.kind(), Some(CameraKind::Mjpeg));
}

#[actix_web::test]
async fn a_page_is_no_camera_and_says_so() {
    let page = "<html><head><title>Log in</title></head></html>";
    let head = "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n";
    let camera = answering(vec![answer(head, page.as_bytes())]).await;
    let detection = Detection::default();
    let error = detect(&camera, &detection).await.error();
    let expected = "answered text/html (\"Log in\") where a multipart or JPEG body was expected";
    assert!(error.contains(expected), "{error}");
    assert_eq!((detection.kind(), camera.requests().len()), (None, 1));
}

#[actix_web::test]
async fn credentials_and_conditions_are_those_of_a_snapshot() {
    let asked = AtomicUsize::new(0);
    let camera = FakeCamera::answering(move |request| {
        let bytes = match (request.header("Authorization"), asked.fetch_add(1, SeqCst)) {
            (None, _) => {
                let head = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=cam\r\n";
                format!("{head}Content-Length: 0\r\n\r\n").into_bytes()
            }
            (_, 1) => {
                let length = jpeg(1).len();
                answer(
                    &format!("HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: {length}\r\n\r\n"),
                    &jpeg(1),
                )
            }
            (_, 2) => b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec(),
            _ => GONE.to_vec(),
        };
        Reply { bytes, close: false }
    })
    .await;
    let config = config_with_login(&camera.url("/"));
    let mut source = SnapshotSource::detecting(config, Detection::default(), &limits());
    watch_source(&mut source).await.assert_shown(&[jpeg(1)], "unchanged");
    let tags: Vec<_> =
        camera.requests().iter().map(|r| r.header("If-None-Match").map(str::to_owned)).collect();
    assert_eq!(tags[..3], [None, None, Some("\"a\"".to_owned())]);
}
