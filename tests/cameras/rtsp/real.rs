//! gst-rtsp-server as the camera.

use std::process::Command;

use testkit::{
    binary::{ADMIN_TOKEN, Framecast},
    program::{Running, run, test_file},
};

use super::{report_with_frames, serve_alone};

/// Starts a camera (see `rtsp_server.py`), and returns it with its URL.
fn camera(arguments: &str) -> (Running, String) {
    let mut command = Command::new("/usr/bin/python3");
    command.arg(test_file("testkit/programs/rtsp_server.py")).args(arguments.split(' '));
    let camera = Running::start(&mut command);
    let port = camera.line();
    (camera, format!("rtsp://u:hunter2@127.0.0.1:{port}/stream1"))
}

#[test]
fn pictures_come_from_a_real_server_over_each_transport() {
    for (server, keys, size, made) in [
        ("jpeg any 15 15 640x360", "", (640, 360), "passed"),
        ("jpeg udp 15 15 640x360 u hunter2", "", (640, 360), "passed"),
        ("jpeg tcp 15 15 640x360", ", size: 320x180", (320, 180), "passed"),
        ("h264 tcp 15 15 640x360 u hunter2", "", (640, 360), "passed"),
        ("h264 udp 15 15 640x360", ", transport: udp", (640, 360), "passed"),
        ("h264 any 15 15 640x360", ", size: 320x180, fps: 5", (320, 180), "passed"),
    ] {
        let (camera, url) = camera(server);
        let framecast = serve_alone(&url, keys);
        let report = report_with_frames(&framecast, 10);
        assert_eq!((&report["size"]["width"], &report["size"]["height"]), (&size.0.into(), &size.1.into()));
        assert!(report["made"][made].as_u64() >= Some(10), "{server}: {report}");
        assert_eq!(report["reconnects"], 0, "{server}: {report}");
        framecast.end_cleanly();
        drop(camera);
    }
}

#[test]
fn probe_shows_what_a_real_server_sends_and_the_yaml_for_it() {
    for (server, expected, transport) in [
        ("h264 tcp 15 5 640x360 u hunter2", "H.264", "TCP"),
        ("jpeg udp 15 5 640x360", "JPEG", "UDP"),
        ("h265 any 15 5 640x360", "H.265", "TCP"),
    ] {
        let (camera, url) = camera(server);
        let probe = run(env!("CARGO_BIN_EXE_framecast"), &["probe", "--frames", "20", &url]);
        let printed = String::from_utf8_lossy(&probe.stdout).into_owned();
        assert!(printed.contains(&format!("codec         {expected}\n")), "{printed}");
        assert!(printed.contains(&format!("transport     {transport}\n")), "{printed}");
        assert!(printed.contains("type: rtsp\n") && printed.contains("/stream1\"\n"), "{printed}");
        assert!(!printed.contains("hunter2"), "{printed}");
        if expected != "H.265" {
            assert!(printed.contains("picture       640x360\n"), "{printed}");
            assert!(printed.contains("frames        20 in "), "{printed}");
        }
        assert_eq!(printed.contains("keyframes     one each 0.3 s\n"), expected == "H.264", "{printed}");
        drop(camera);
    }
}

#[test]
fn the_pages_test_shows_the_picture_and_how_it_comes() {
    let (_camera, url) = camera("h264 tcp 15 5 640x360 u hunter2");
    let framecast = Framecast::serve("streams: {bars: {source: {type: pattern}}}");
    let (bearer, body) = (format!("Authorization: Bearer {ADMIN_TOKEN}"), format!("{{\"url\": {url:?}}}"));
    let asked = ["--silent", "--fail", "-H", &bearer, "--data", &body, &framecast.url("/api/probe")];
    let answer = String::from_utf8(run("curl", &asked).stdout).unwrap();
    assert!(!answer.contains("hunter2"), "{answer}");
    let report: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((&report["type"], &report["problem"]), (&"rtsp".into(), &serde_json::Value::Null), "{answer}");
    assert_eq!((&report["codec"], &report["transport"]), (&"H.264".into(), &"tcp".into()));
    assert_eq!((&report["frames"], &report["sizes"][0][0]), (&30.into(), &640.into()));
    assert!(report["keyframe_interval_s"].as_f64().is_some(), "{answer}");
    // Base64 of a JPEG's first bytes.
    assert!(report["picture"].as_str().unwrap().starts_with("/9j/"), "{answer}");
    framecast.end_cleanly();
}
