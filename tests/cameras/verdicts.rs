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
    binary::Framecast,
    dialects::DIALECTS,
    fake_camera::{FakeCamera, Reply, Step},
    program::wait_for,
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
        ("words labelled a picture", "image/jpeg", b"please log in first"),
        ("words labelled a stream", HEAD_TYPE, b"please log in first"),
        ("a page labelled a stream", HEAD_TYPE, page),
        ("JSON labelled a page", "text/html", b"{\"error\": \"log in\"}"),
        ("XML", "application/xml", b"<?xml version=\"1.0\"?><status>401</status>"),
        ("nothing", "image/jpeg", b""),
        ("nothing, no picture", "text/html", b""),
    ] {
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
        cases.push((name.to_owned(), answer(&head, body), false));
    }
    for (name, parts, open) in [
        ("H.264 parts", part("video/h264", H264).repeat(20), true),
        ("few H.264 parts", part("video/h264", H264).repeat(2), false),
        ("audio parts", part("audio/basic", &[0x55; 160]).repeat(2), false),
        (
            "audio beside pictures",
            [part("audio/basic", &[0x55; 160]), part("image/jpeg", &jpeg(1))].concat(),
            false,
        ),
    ] {
        cases.push((name.to_owned(), answer(HEAD, &parts), open));
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

const HEAD_TYPE: &str = "multipart/x-mixed-replace; boundary=cam";

const H264: &[u8] = b"\0\0\0\x01\x67\x42\0\x1e\xab\x40\x50\x1e";

fn part(kind: &str, data: &[u8]) -> Vec<u8> {
    let head = format!("--cam\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", data.len());
    [head.as_bytes(), data, b"\r\n"].concat()
}

/// A PNG of 40 x 30 grey pixels.
fn png() -> Vec<u8> {
    let mut png = Vec::new();
    let pixels = image::GrayImage::from_pixel(40, 30, image::Luma([90]));
    pixels.write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    png
}

/// What administrators and viewers of the running binary read about each answer.
#[test]
fn the_relay_names_what_came_in_place_of_pictures() {
    let page = b"<html><head><title>Log in</title></head></html>";
    let use_mjpeg = "framecast takes JPEG: choose MJPEG in the camera's settings, or use its rtsp:// address";
    let whole = |kind: &str, body: &[u8]| {
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
        answer(&head, body)
    };
    // Type of source, answer, what viewers read, and what administrators read besides.
    let cases: [(&str, Vec<u8>, String, &str); 8] = [
        (
            "mjpeg",
            answer(HEAD, &part("video/h264", H264).repeat(20)),
            format!("the camera sends video/h264 parts; {use_mjpeg}"),
            "sends video/h264 parts",
        ),
        (
            "mjpeg",
            answer(HEAD, &part("audio/basic", &[1; 99]).repeat(3)),
            format!("the camera sends audio/basic parts; {use_mjpeg}"),
            "sends audio/basic parts",
        ),
        (
            "mjpeg",
            whole("video/h264", H264),
            format!("the camera sent video/h264; {use_mjpeg}"),
            "answered video/h264 where",
        ),
        (
            "mjpeg",
            whole("image/jpeg", page),
            "the camera sent text/html: is this the stream's URL?".into(),
            "answered text/html labelled image/jpeg (\"Log in\") where",
        ),
        (
            "snapshot",
            whole("image/jpeg", b"please log in first"),
            "the camera sent text/plain: is this the picture's URL?".into(),
            "answered text/plain labelled image/jpeg where",
        ),
        (
            "snapshot",
            whole("text/html; charset=utf-8", b"{\"login\": \"s3cret\"}"),
            "the camera sent application/json: is this the picture's URL?".into(),
            "answered application/json labelled text/html where",
        ),
        (
            "mjpeg",
            whole(HEAD_TYPE, page),
            "the camera sent text/html: is this the stream's URL?".into(),
            "answered text/html labelled multipart/x-mixed-replace (\"Log in\") where",
        ),
        (
            "snapshot",
            whole("x-s3cret/x", b"\x01\x02\x03\x04 nothing known"),
            "the camera sent something else than pictures: is this the picture's URL?".into(),
            "answered x-s3cret/x where",
        ),
    ];
    let pictures = [part("image/png", &png()), part("audio/basic", &[1; 99])].concat().repeat(3);
    let mut answers: Vec<_> = cases.iter().map(|(_, bytes, ..)| bytes.clone()).collect();
    answers.push(answer(HEAD, &pictures));
    // This thread waits for programs, so the camera has its own, which ends with the test's process.
    let (started, address) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let camera = FakeCamera::answering(move |request| {
                let number: usize = request.target().trim_start_matches('/').parse().unwrap();
                Reply { bytes: answers[number].clone(), close: true }
            })
            .await;
            started.send(camera.address()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    let address = address.recv().unwrap();
    let mut yaml = "defaults: {on_demand: false}\nstreams:\n".to_owned();
    for (n, kind) in cases.iter().map(|(kind, ..)| *kind).chain(["mjpeg"]).enumerate() {
        let url = format!("http://{address}/{n}");
        yaml += &format!("  s{n}: {{source: {{type: {kind}, url: \"{url}\"}}}}\n");
    }
    let relay = Framecast::serve(&yaml);
    for (n, (_, _, public, detail)) in cases.iter().enumerate() {
        let name = format!("s{n}");
        let reason = wait_for(&name, || {
            let reason = relay.stream(&name)["reason"].as_str().map(str::to_owned);
            reason.filter(|reason| reason.starts_with("the camera"))
        });
        assert_eq!(reason, *public, "{name}");
        let reason = wait_for(&name, || {
            let reason = relay.stream_for_admin(&name)["reason"].as_str().map(str::to_owned);
            reason.filter(|reason| reason.starts_with("127.0.0.1:"))
        });
        assert!(reason.contains(detail) && !reason.contains("s3cret\""), "{name}: {reason}");
        assert!(detail.contains(" where") || reason.ends_with(use_mjpeg), "{name}: {reason}");
        assert_ne!(relay.stream(&name)["frames_in"], 1, "{name}");
    }
    let name = format!("s{}", cases.len());
    let report = wait_for("pictures", || Some(relay.stream(&name)).filter(|report| report["frames_in"] != 0));
    assert_eq!(report["size"], serde_json::json!({"width": 40, "height": 30}), "{report}");
    assert!(report["quirks"]["png-part"].as_u64() > Some(0), "{report}");
    assert!(report["quirks"]["audio-part"].as_u64() > Some(0), "{report}");
    assert_eq!(report["dropped"]["invalid"], 0, "{report}");
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
