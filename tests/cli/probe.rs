//! `framecast probe` against cameras of several dialects.

use std::{fs, process::Output};

use testkit::{
    binary::Framecast,
    dialects::{DIALECTS, Dialect},
    fake_camera::{FakeCamera, Reply},
};

use testkit::command::{ProgramResult, framecast, jpeg, run_framecast};

/// Runs it while the camera, on this thread, answers.
async fn probe(args: &[&str]) -> ProgramResult {
    let command = framecast(&[&["probe"], args].concat());
    let output: Output = tokio::process::Command::from(command).output().await.expect("it can be started");
    output.into()
}

/// A camera that answers everything with these bytes and closes.
async fn camera(head: &str, body: &[u8]) -> FakeCamera {
    let bytes = [head.as_bytes(), b"\r\n\r\n", body].concat();
    FakeCamera::answering(move |_| Reply { bytes: bytes.clone(), close: true }).await
}

async fn speaking(dialect: &Dialect, jpegs: &[Vec<u8>]) -> FakeCamera {
    let kind = dialect.content_type.map(|kind| format!("\r\nContent-Type: {kind}")).unwrap_or_default();
    camera(&format!("HTTP/1.1 200 OK{kind}"), &(dialect.render)(jpegs)).await
}

/// Returns the part of the report that is to be pasted.
fn yaml(report: &str) -> &str {
    report.split_once("In the configuration:\n\n").expect("YAML to paste").1
}

#[tokio::test]
async fn every_dialect_is_reported_with_its_quirk_and_yaml_that_check_takes() {
    let jpegs: Vec<_> = (1..=4).map(jpeg).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pasted.yaml");
    for dialect in DIALECTS {
        let camera = speaking(dialect, &jpegs).await;
        let report = probe(&[&camera.url("/video.cgi?channel=1")]).await;
        let text = report.assert_success();
        let says = |word: &str| assert!(text.contains(word), "{}: {word:?} is not in:\n{text}", dialect.name);
        says("status        200 OK");
        says("frames        4 in");
        says("32x16, grey, baseline");
        says("Huffman tables included");
        says("type: mjpeg");
        says(&format!("url: \"{}\"", camera.url("/video.cgi?channel=1")));
        dialect.quirk.into_iter().for_each(|quirk| says(&format!("quirk         {quirk}: ")));
        fs::write(&file, yaml(text)).unwrap();
        run_framecast(&["check", file.to_str().unwrap()]).assert_success();
    }
}

#[tokio::test]
async fn http_may_be_left_out_of_the_url() {
    let camera = speaking(&DIALECTS[0], &[jpeg(1), jpeg(2)]).await;
    let report = probe(&[&format!("u:p@{}/x", camera.address())]).await;
    let expected = format!("url: \"http://${{CAMERA_USER}}:${{CAMERA_PASSWORD}}@{}/x\"", camera.address());
    assert!(report.assert_success().contains(&expected), "{}", report.stdout);
}

#[tokio::test]
async fn a_well_behaved_camera_has_no_quirks() {
    let jpegs: Vec<_> = (1..=4).map(jpeg).collect();
    let camera = speaking(&DIALECTS[0], &jpegs).await;
    let report = probe(&[&camera.url("/")]).await;
    assert!(
        !report.assert_success().contains("quirk") && !report.assert_success().contains("left out"),
        "{}",
        report.stdout
    );
    assert!(report.assert_success().contains("boundary      cam\n"), "{}", report.stdout);
}

#[tokio::test]
async fn the_password_is_used_and_stays_out_of_report_and_yaml() {
    let jpegs: Vec<_> = (1..=2).map(jpeg).collect();
    let camera = speaking(&DIALECTS[0], &jpegs).await;
    let host = camera.address();
    let report = probe(&[&format!("http://door:s3cret@{host}/video?user=door&pwd=s3cret")]).await;
    let text = report.assert_success();
    assert!(!text.contains("s3cret") && report.stderr.is_empty(), "{text}{}", report.stderr);
    let url = format!(
        "url: \"http://${{CAMERA_USER}}:${{CAMERA_PASSWORD}}@{host}/video\
         ?user=${{CAMERA_USER}}&pwd=${{CAMERA_PWD}}\""
    );
    assert!(text.contains(&url), "{text}");
    assert!(camera.requests()[0].target().contains("pwd=s3cret"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pasted.yaml");
    fs::write(&file, yaml(text)).unwrap();
    let path = file.to_str().unwrap();
    run_framecast(&["check", path]).assert_failed(2, &["CAMERA_USER", "CAMERA_PASSWORD", "CAMERA_PWD"]);
    let mut check = framecast(&["check", path]);
    assert!(
        check
            .envs([("CAMERA_USER", "door"), ("CAMERA_PASSWORD", "s3cret"), ("CAMERA_PWD", "s3cret")])
            .output()
            .unwrap()
            .status
            .success()
    );
}

#[tokio::test]
async fn a_snapshot_url_gives_a_snapshot_source() {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {}", jpeg(1).len());
    for head in [head.as_str(), "HTTP/1.0 200 OK\r\nContent-Type: image/jpeg"] {
        let camera = camera(head, &jpeg(1)).await;
        let report = probe(&[&camera.url("/snap.jpg")]).await;
        assert!(report.assert_success().contains("type: snapshot"), "{}", report.stdout);
        assert!(
            report.stdout.contains("a single picture") && !report.stdout.contains("quirk"),
            "{}",
            report.stdout
        );
    }
}

#[tokio::test]
async fn what_is_no_camera_is_an_error_that_says_what_it_is() {
    let page = camera(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html",
        b"<!doctype html><title>Router\x1b[2J</title><form>s3cret",
    )
    .await;
    let refused = probe(&[&page.url("/")]).await;
    refused.assert_failed(1, &["text/html", "\"Router [2J\"", "is this the stream's URL?"]);
    assert!(!refused.stderr.contains("s3cret"), "{}", refused.stderr);
    let absent = camera("HTTP/1.1 404 Not Found\r\nContent-Length: 0", b"").await;
    probe(&[&absent.url("/")]).await.assert_failed(1, &["404 Not Found", "path"]);
    let challenge = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0";
    let closed = camera(challenge, b"").await;
    let url = format!("http://door:s3cret@{}/", closed.address());
    let refused = probe(&[&url]).await;
    refused.assert_failed(1, &["401", "password"]);
    assert!(!refused.stderr.contains("s3cret"), "{}", refused.stderr);
    probe(&["http://door:s3cret@127.0.0.1:1/x?key=s3cret"])
        .await
        .assert_failed(1, &["cannot connect to 127.0.0.1:1"]);
    let wrong = probe(&["ftp://door:s3cret@camera/"]).await;
    wrong.assert_failed(1, &["http or https"]);
    assert!(!wrong.stderr.contains("s3cret"), "{}", wrong.stderr);
    let half = camera("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg", &jpeg(1)[..100]).await;
    probe(&[&half.url("/")]).await.assert_failed(1, &["cut off"]);
}

#[test]
fn framecasts_own_streams_are_probed_for_what_they_are() {
    let relay = Framecast::serve("streams: {bars: {source: {type: pattern, size: 64x48, fps: 20}}}");
    let report = run_framecast(&["probe", "--frames", "5", &relay.url("/streams/bars")]);
    let text = report.assert_success();
    // The first frame is sent twice, for Chromium's sake.
    for word in
        ["boundary      boundarydonotcross\n", "frames        5 in", "again", "64x48, colour", "chunked"]
    {
        assert!(text.contains(word), "{word:?} is not in:\n{text}");
    }
    assert!(!text.contains("quirk"), "{text}");
    assert!(
        run_framecast(&["probe", &relay.url("/streams/bars/snapshot")])
            .assert_success()
            .contains("type: snapshot")
    );
    relay.end_cleanly();
}

#[tokio::test]
async fn basic_is_sent_unasked_with_its_flag_only() {
    let camera = FakeCamera::answering(|request| {
        let bytes = match request.header("Authorization") {
            Some("Basic dTpw") => {
                [&b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n"[..], &jpeg(1)].concat()
            }
            _ => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
        };
        Reply { bytes, close: true }
    })
    .await;
    let url = camera.url("/snap.jpg").replace("http://", "http://u:p@");
    let refused = probe(&[&url]).await;
    assert!(refused.stderr.contains("set `auth: basic`"), "{}", refused.stderr);
    let report = probe(&["--basic", &url]).await;
    let text = report.assert_success();
    assert!(yaml(text).contains("type: snapshot") && yaml(text).contains("      auth: basic\n"), "{text}");
    let without = probe(&["--basic", &camera.url("/")]).await;
    assert!(without.stderr.contains("--basic needs user and password in the URL"), "{}", without.stderr);
}

/// The address of the camera in docs/cameras.md.
const DOCUMENTED: &str = "192.168.1.20";

/// Returns the lines of a report that do not depend on how fast the camera is.
fn lasting(report: &str) -> Vec<String> {
    let lines = report.lines().filter(|line| !line.starts_with("  rate "));
    lines
        .map(|line| {
            line.split(" after ").next().and_then(|line| line.split(" in 0").next()).unwrap().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn the_document_of_cameras_shows_what_it_prints() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cameras.md");
    let document = fs::read_to_string(&path).unwrap();
    let mut written = document.clone();
    let blocks = document.split("```text\n$ framecast probe ").skip(1);
    let blocks: Vec<_> = blocks.map(|rest| rest.split_once("```").unwrap().0).collect();
    let body = |jpegs: &[Vec<u8>]| {
        let part = |jpeg: &Vec<u8>| {
            [b"--MOBOTIX_Fast_Serverpush\r\nContent-Type: image/jpeg\r\n\r\n", &jpeg[..], b"\r\n"].concat()
        };
        jpegs.iter().flat_map(part).collect::<Vec<u8>>()
    };
    let page = "<html><head><title>Please log in</title></head></html>";
    let ok = |kind: &str| format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}");
    let cameras = [
        (format!("{}\r\nContent-Length: {}", ok("image/jpeg"), jpeg(1).len() + 32), jpeg(1)),
        (
            ok("multipart/x-mixed-replace; boundary=\"MOBOTIX_Fast_Serverpush\""),
            body(&[jpeg(1), jpeg(2), jpeg(3)]),
        ),
        (ok("text/html; charset=utf-8"), page.into()),
        ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nWWW-Authenticate: NTLM".into(), Vec::new()),
    ];
    assert_eq!(blocks.len(), cameras.len());
    for (block, (head, body)) in blocks.iter().zip(cameras) {
        let camera = camera(&head, &body).await;
        let (url, expected) = block.split_once('\n').unwrap();
        let address = camera.address().to_string();
        let result = probe(&[&url.trim_matches('"').replace(DOCUMENTED, &address)]).await;
        let printed = format!("{}{}", result.stdout, result.stderr);
        let in_url =
            ["http://", "@"].map(|before| (format!("{before}{address}"), format!("{before}{DOCUMENTED}")));
        let printed = in_url.iter().fold(printed, |text, (from, to)| text.replace(from, to));
        let printed = printed.replace(&address, &format!("{DOCUMENTED}:80"));
        if std::env::var_os("FRAMECAST_WRITE_DOCUMENTS").is_some() {
            written = written.replacen(&format!("{block}```"), &format!("{url}\n{printed}```"), 1);
        } else {
            assert_eq!(lasting(&printed), lasting(expected), "{url}:\n{printed}");
        }
    }
    if written != document {
        fs::write(&path, written).unwrap();
    }
}
