//! gst-rtsp-server as the camera.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
    thread,
};

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

/// Passes a session on, without every twentieth packet of pictures. Returns its port.
fn lossy(camera: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut viewer in listener.incoming().map_while(Result::ok) {
            let mut camera = TcpStream::connect(("127.0.0.1", camera)).unwrap();
            let (mut from, mut to) = (viewer.try_clone().unwrap(), camera.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut from, &mut to));
            thread::spawn(move || without_some(&mut camera, &mut viewer));
        }
    });
    port
}

fn without_some(camera: &mut TcpStream, viewer: &mut TcpStream) -> std::io::Result<()> {
    let mut seen = 0;
    loop {
        let mut first = [0];
        camera.read_exact(&mut first)?;
        if first != [b'$'] {
            viewer.write_all(&first)?;
            continue;
        }
        let mut head = [0; 3];
        camera.read_exact(&mut head)?;
        let mut packet = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
        camera.read_exact(&mut packet)?;
        seen += u32::from(head[0] == 0);
        if head[0] != 0 || seen % 20 != 0 {
            viewer.write_all(&[&first[..], &head, &packet].concat())?;
        }
    }
}

#[test]
fn after_a_lost_packet_the_stream_goes_on_at_the_next_keyframe() {
    let (_camera, url) = camera("h264 tcp 15 5 640x360");
    let port: u16 = url.rsplit(':').next().unwrap().split('/').next().unwrap().parse().unwrap();
    let framecast = serve_alone(&url.replace(&port.to_string(), &lossy(port).to_string()), "");
    let report = report_with_frames(&framecast, 30);
    assert!(report["dropped"]["invalid"].as_u64() >= Some(1), "what follows a gap is left out: {report}");
    assert_eq!((&report["reconnects"], &report["state"]), (&0.into(), &"live".into()), "{report}");
    framecast.end_cleanly();
}
