//! `framecast probe` and the running sources give the same verdict about what a camera sends.

use std::time::Duration;

use framecast::source::{
    SourceError,
    camera::{
        detection::{CameraKind, Detection},
        probe::{ProbeLimits, ProbeReport, observe},
        snapshot::SnapshotSource,
    },
    http_client::HttpClient,
};
use testkit::{
    dialects::DIALECTS,
    fake_camera::{FakeCamera, Step},
};

use crate::source_runner::{HEAD, answer, config, jpeg, limits, snapshots, three, watch, watch_source};

/// A name, the bytes of the whole answer, and whether the camera leaves the connection open after them.
type Case = (String, Vec<u8>, bool);

fn every_answer() -> Vec<Case> {
    let mut cases = Vec::new();
    for dialect in DIALECTS {
        let kind = dialect.content_type.map(|kind| format!("Content-Type: {kind}\r\n")).unwrap_or_default();
        let head = format!("HTTP/1.1 200 OK\r\n{kind}Connection: close\r\n\r\n");
        cases.push((dialect.name.to_owned(), answer(&head, &(dialect.render)(&three())), false));
    }
    let page = b"<html><head><title>Log in</title></head></html>";
    for (name, kind, body) in [
        ("page", "text/html", &page[..]),
        ("page labelled a picture", "image/jpeg", page),
        ("words", "text/plain", b"please log in first"),
        ("JSON", "application/json", b"{\"error\": \"log in\"}"),
        ("PNG", "image/png", b"\x89PNG\r\n\x1a\n0123456789"),
        ("H.264", "video/h264", b"\0\0\0\x01\x67\x42\0\x1e\xab\x40\x50\x1e"),
        ("nothing", "image/jpeg", b""),
        ("nothing, no picture", "text/html", b""),
    ] {
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
        cases.push((name.to_owned(), answer(&head, body), false));
    }
    for kind in ["image/jpeg", "text/plain", "application/force-download"] {
        for surplus in [0, 32] {
            let length = jpeg(1).len() + surplus;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
            cases.push((format!("{kind}, {surplus} bytes missing"), answer(&head, &jpeg(1)), surplus > 0));
        }
    }
    for status in ["206 Partial Content", "404 Not Found", "503 Busy"] {
        let head = HEAD.replace("200 OK", status);
        cases.push((status.to_owned(), answer(&head, &crate::source_runner::body(&three())), false));
    }
    cases
}

/// A camera that answers the first request so, and ends the run of a source after it.
async fn camera(case: &Case) -> FakeCamera {
    let (_, bytes, open) = case.clone();
    FakeCamera::start(move |n| {
        if n > 0 {
            let gone = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
            return vec![Step::Request, Step::Send(gone.to_vec())];
        }
        let mut steps = vec![Step::Request, Step::Send(bytes.clone())];
        steps.extend(open.then_some(Step::Stall));
        steps
    })
    .await
}

async fn probed(case: &Case) -> Result<ProbeReport, SourceError> {
    let camera = camera(case).await;
    let mut client = HttpClient::new(&config(&camera.url("/")), limits().max_header_bytes);
    let response = client.get(&[]).await?;
    // Enough for the frames of a dialect, and short where a camera stalls with one.
    let probe_limits = ProbeLimits { frames: 3, within: Duration::from_millis(500) };
    observe(response, probe_limits, &limits()).await
}

#[actix_web::test]
async fn probe_and_source_agree_on_every_answer() {
    for case in every_answer() {
        let name = &case.0;
        let probed = probed(&case).await;
        let camera = camera(&case).await;
        let single = probed.as_ref().is_ok_and(ProbeReport::is_snapshot);
        let outcome = if single {
            watch_source(&mut snapshots(config(&camera.url("/")), Duration::from_millis(1))).await
        } else {
            watch(config(&camera.url("/"))).await
        };
        let frames = probed.as_ref().map_or(0, |seen| seen.frames);
        assert_eq!(frames > 0, !outcome.frames.is_empty(), "{name}: {probed:?}");
        let (camera, detection) = (self::camera(&case).await, Detection::default());
        let mut source = SnapshotSource::detecting(config(&camera.url("/")), detection.clone(), &limits());
        let found = watch_source(&mut source).await;
        let kind = if single { CameraKind::Snapshot } else { CameraKind::Mjpeg };
        assert_eq!(detection.kind(), (frames > 0).then_some(kind), "{name}: {probed:?}");
        assert!(found.frames == outcome.frames, "{name}: `type: auto` shows other frames");
        if let Err(refused) = &probed {
            let without_port = |text: &str| text.split_once(' ').map(|(_, rest)| rest.to_owned());
            for outcome in [outcome, found] {
                assert_eq!(without_port(&refused.to_string()), without_port(&outcome.error()), "{name}");
            }
        }
    }
}
