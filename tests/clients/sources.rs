//! Programs that framecast reads from.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use testkit::{
    binary::Framecast,
    program::{Running, python, run, test_file, wait_for},
};

use crate::viewers::assert_moves;

#[test]
fn ffmpeg_serving_mpjpeg_is_relayed() {
    relay_ffmpeg(&["-content_type", "multipart/x-mixed-replace;boundary=ffmpeg"]);
}

/// Covers the default of ffmpeg: `application/octet-stream`, with parts inside.
#[test]
fn ffmpeg_serving_parts_without_saying_so_is_relayed() {
    relay_ffmpeg(&[]);
}

fn relay_ffmpeg(more: &[&str]) {
    let port = free_port();
    let upstream = format!("http://127.0.0.1:{port}/feed");
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=10"]);
    command.args(["-f", "mpjpeg", "-listen", "1"]).args(more).arg(&upstream);
    let _ffmpeg = Running::start(&mut command);
    wait_for("ffmpeg to listen", || is_listening(port).then_some(()));
    let framecast = Framecast::serve(&camera(&upstream));
    assert_moves(&framecast.url("/streams/door"), 20);
    framecast.end_cleanly();
}

#[test]
fn a_flask_like_python_server_over_http_1_0_is_relayed_byte_for_byte() {
    relay_python("HTTP/1.0");
}

/// An answer of HTTP/1.1 with neither length nor chunks, which runs to the end of the connection.
#[test]
fn a_flask_like_python_server_over_http_1_1_is_relayed_byte_for_byte() {
    relay_python("HTTP/1.1");
}

fn relay_python(version: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let pictures = make_pictures(folder.path(), 3);
    let mut command = Command::new(python());
    command.arg(test_file("fixtures/seed_server.py")).arg(version).args(&pictures);
    let server = Running::start(&mut command);
    let framecast = Framecast::serve(&camera(&format!("http://127.0.0.1:{}/video_feed", server.line())));
    assert_moves(&framecast.url("/streams/door"), 20);
    let snapshot = run("curl", &["-sS", "--fail", &framecast.url("/streams/door/snapshot")]).stdout;
    let sent = |path: &PathBuf| fs::read(path).expect("ffmpeg made it") == snapshot;
    assert!(
        pictures.iter().any(sent),
        "the {} bytes of the snapshot are no picture that was sent",
        snapshot.len()
    );
    framecast.end_cleanly();
}

#[test]
fn a_second_framecast_relays_the_first() {
    let first = Framecast::serve("streams: {bars: {source: {type: pattern, size: 320x240, fps: 20}}}");
    let second = Framecast::serve(&camera(&first.url("/streams/bars")));
    assert_moves(&second.url("/streams/door"), 20);
    second.end_cleanly();
    first.end_cleanly();
}

#[test]
fn viewers_stay_while_a_camera_dies_and_comes_back() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let pictures = make_pictures(folder.path(), 3);
    let port = free_port();
    let serve = || {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-re", "-loop", "1", "-framerate", "10", "-i"]).arg(&pictures[0]);
        command.args(["-f", "mpjpeg", "-listen", "1"]).arg(format!("http://127.0.0.1:{port}/feed"));
        Running::start(&mut command)
    };
    let camera_process = serve();
    wait_for("ffmpeg to listen", || is_listening(port).then_some(()));
    let framecast = Framecast::serve(&camera(&format!("http://127.0.0.1:{port}/feed")));
    let mut viewer =
        Running::start(Command::new("curl").args(["-sS", "-o", "/dev/null"]).arg(framecast.url("/door")));
    framecast.wait_for_state("door", "live");
    drop(camera_process);
    framecast.wait_for_state("door", "waiting");
    // It listens until framecast, which retries again and again, has connected: that may be too short to be
    // seen here.
    let _again = serve();
    framecast.wait_for_state("door", "live");
    assert!(viewer.is_running(), "the viewer was let go: {}", viewer.stderr());
    assert_eq!(framecast.stream("door")["viewers"], 1);
}

fn camera(url: &str) -> String {
    format!("streams: {{door: {{source: {{type: mjpeg, url: \"{url}\"}}}}}}")
}

/// Different pictures `1.jpg`, `2.jpg`, …
pub(crate) fn make_pictures(folder: &Path, count: usize) -> Vec<PathBuf> {
    let pattern = folder.join("%d.jpg");
    let pattern = pattern.to_str().expect("temporary paths are text");
    let source = "testsrc=size=320x240:rate=1";
    run("ffmpeg", &["-v", "error", "-f", "lavfi", "-i", source, "-frames:v", &count.to_string(), pattern]);
    (1..=count).map(|n| folder.join(format!("{n}.jpg"))).collect()
}

/// A port nobody uses at this moment, for programs that cannot choose one and say which.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}

/// Asks the kernel's table, because a program that takes one connection only must not be tried out.
fn is_listening(port: u16) -> bool {
    const LISTEN: &str = "0A";
    let table = fs::read_to_string("/proc/net/tcp").expect("the kernel shows its sockets");
    let local = format!(":{port:04X}");
    table.lines().skip(1).any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields[1].ends_with(&local) && fields[3] == LISTEN
    })
}
