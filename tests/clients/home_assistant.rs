//! Programs that keep cameras of a house or a printer.

use testkit::{
    binary::Framecast,
    program::{home_assistant, python, run, test_file},
};

const PATTERN: &str = "streams: {bars: {source: {type: pattern, size: 320x240, fps: 20}}}";

/// Its own code, with all that it needs.
#[test]
fn home_assistants_camera_shows_stream_and_snapshot() {
    let framecast = Framecast::serve(PATTERN);
    let (stream, snapshot) = (framecast.url("/streams/bars"), framecast.url("/streams/bars/snapshot"));
    let output =
        run(home_assistant(), &[&test_file("testkit/programs/home_assistant.py"), &stream, &snapshot]);
    let said = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines[..2], ["still picture: True", "out of the stream: True"], "{said}");
    assert_eq!(
        lines[2], "passed on: 5 pictures as multipart/x-mixed-replace;boundary=boundarydonotcross",
        "{said}"
    );
    framecast.end_cleanly();
}

#[test]
fn octoprint_fetches_snapshots_and_motioneye_reads_streams() {
    let framecast = Framecast::serve(PATTERN);
    let asks = |client, path: &str| {
        let url = framecast.url(path);
        let output = run(python(), &[&test_file("testkit/programs/small_clients.py"), client, &url]);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    for path in
        ["/?action=snapshot", "/streams/bars/snapshot", "/1/current", "/cam_1.jpg", "/api/bars/latest.jpg"]
    {
        assert_eq!(asks("octoprint", path), "a whole picture: True", "{path}");
    }
    for path in ["/stream", "/1/stream", "/cam_1.mjpg"] {
        assert_eq!(asks("motioneye", path), "5 whole pictures", "{path}");
    }
    framecast.end_cleanly();
}

/// It asks for one path only, sends a NUL behind its request, and never says what it could not read.
#[test]
fn mjpg_streamers_input_http_reads_each_frame_of_15_a_second() {
    let yaml = "streams: {bars: {source: {type: pattern, size: 160x120, fps: 15}}}";
    let framecast = Framecast::serve(yaml);
    let client = test_file("testkit/programs/small_clients.py");
    let output = run(python(), &[&client, "input_http", &framecast.url("/")]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "46 whole pictures");
    assert_eq!(framecast.stream("bars")["skipped"], 0);
    framecast.end_cleanly();
}
