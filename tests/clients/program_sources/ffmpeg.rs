//! ffmpeg as a camera's program, and what the short forms ask of it.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, path::Path, process::Command};

use tempfile::TempDir;
use testkit::{
    binary::Framecast,
    program::{test_file, try_run, wait_for},
};

use super::scripts::{reason, serve};

/// Found on `PATH` before any other; writes down how it was called.
struct FakeFfmpeg(TempDir);

impl FakeFfmpeg {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ffmpeg");
        let (seen, picture) = (folder.path().join("seen"), test_file("../assets/demo/1-dawn.jpg"));
        let text = format!("#!/bin/sh\necho \"$@\" >>'{}'\nPICTURE='{picture}'\n{script}\n", seen.display());
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    fn serve(&self, source: &str) -> Framecast {
        let path = format!("{}:/usr/bin:/bin", self.0.path().display());
        serve_with_path(source, &path)
    }

    fn calls(&self) -> Vec<String> {
        let seen = fs::read_to_string(self.0.path().join("seen")).unwrap_or_default();
        seen.lines().map(str::to_owned).collect()
    }
}

fn serve_with_path(source: &str, path: &str) -> Framecast {
    let yaml = format!("streams: {{door: {{on_demand: false, source: {source}}}}}");
    Framecast::serve_with(&yaml, |command: &mut Command| command.env("PATH", path))
}

fn frames(framecast: &Framecast, count: u64) {
    wait_for("frames", || (framecast.stream("door")["frames_in"].as_u64()? >= count).then_some(()));
}

#[test]
fn ffmpeg_is_a_source_with_parts_and_with_bare_pictures() {
    for format in ["mpjpeg", "mjpeg"] {
        let source = format!(
            "{{type: exec, command: [ffmpeg, -nostdin, -v, error, -re, -f, lavfi, -i, \
             \"testsrc=size=320x240:rate=20\", -f, {format}, \"-\"]}}"
        );
        let framecast = serve(&source);
        frames(&framecast, 20);
        let report = framecast.stream("door");
        assert_eq!(
            (&report["size"]["width"], &report["dropped"]["invalid"]),
            (&320.into(), &0.into()),
            "{report}"
        );
        framecast.end_cleanly();
    }
}

/// ffmpeg can be either end of a session; here the test is the camera, and comes by itself.
#[test]
fn pictures_come_over_a_real_rtsp_session() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("rtsp://127.0.0.1:{port}/s");
    let framecast = serve(&format!(
        "{{type: exec, first_frame_timeout: 60s, command: [ffmpeg, -nostdin, -hide_banner, -loglevel, error, \
         -fflags, \
         nobuffer, -flags, low_delay, -rtsp_transport, tcp, -rtsp_flags, listen, -i, \"{url}\", -an, -sn, \
         \"-c:v\", mjpeg, \"-q:v\", 6, -flush_packets, 1, -f, mpjpeg, \"-\"]}}"
    ));
    let testsrc = "testsrc=size=320x240:rate=10";
    let camera = ["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", testsrc, "-t", "3", "-c:v", "mpeg4"];
    wait_for("the camera's session", || {
        let session = [&camera[..], &["-f", "rtsp", "-rtsp_transport", "tcp", &url]].concat();
        try_run("ffmpeg", &session).status.success().then_some(())
    });
    frames(&framecast, 10);
    framecast.end();
}

#[test]
fn an_rtsp_camera_is_asked_by_ffmpeg() {
    let ffmpeg = FakeFfmpeg::new("while cat \"$PICTURE\"; do sleep 0.05; done");
    let framecast = ffmpeg.serve(
        "{type: rtsp, decoder: ffmpeg, url: \"rtsp://u:hunter2@127.0.0.1:1/s\", fps: 5, size: 320x180}",
    );
    frames(&framecast, 3);
    assert_eq!(
        ffmpeg.calls(),
        ["-nostdin -hide_banner -loglevel error -fflags nobuffer -flags low_delay -rtsp_transport tcp \
          -protocol_whitelist rtsp,tcp -i rtsp://u:hunter2@127.0.0.1:1/s -an -sn -vf fps=5,scale=320:180 \
          -c:v mjpeg -q:v 6 -flush_packets 1 -f mpjpeg -"]
    );
    framecast.end_cleanly();
}

#[test]
fn the_real_ffmpeg_takes_the_options_and_its_complaint_is_shown_without_the_password() {
    let framecast = serve(
        "{type: rtsp, decoder: ffmpeg, url: \"rtsp://u:hunter2@127.0.0.1:1/s\", fps: 5, size: 320x180}",
    );
    let said = reason(&framecast);
    assert!(said.starts_with("ffmpeg ended (exit status: ") && said.contains("it said: "), "{said}");
    assert!(said.contains("onnection refused") || said.contains("rror opening input"), "{said}");
    let log = framecast.end();
    assert!(log.contains("Connection refused"), "{log}");
    assert!(!format!("{said}{log}").contains("hunter2"), "{said}\n{log}");
}

#[test]
fn a_usb_camera_without_jpegs_of_its_own_is_encoded() {
    let ffmpeg = FakeFfmpeg::new(
        "case \"$*\" in *input_format*) echo 'Cannot find a proper format' >&2; exit 1;; esac\n\
         while cat \"$PICTURE\"; do sleep 0.05; done",
    );
    // Any file that is there will do.
    let framecast = ffmpeg.serve("{type: v4l2, device: /dev/null, size: 640x480}");
    frames(&framecast, 3);
    let calls = ffmpeg.calls();
    assert!(
        calls[0].contains(
            "-f v4l2 -protocol_whitelist none -input_format mjpeg -video_size 640x480 -i /dev/null -c:v copy"
        ),
        "{calls:?}"
    );
    assert!(
        calls[1].contains("-f v4l2 -protocol_whitelist none -video_size 640x480 -i /dev/null -c:v mjpeg"),
        "{calls:?}"
    );
    assert_eq!(calls.len(), 2, "{calls:?}");
}

#[test]
fn a_usb_camera_that_is_not_plugged_in_is_said() {
    let framecast = serve("{type: v4l2, device: /dev/no-such-video}");
    let said = reason(&framecast);
    assert!(said.starts_with("there is no /dev/no-such-video: is the camera plugged in"), "{said}");
}

#[test]
fn without_ffmpeg_the_package_is_named() {
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().display().to_string();
    for source in
        ["{type: rtsp, decoder: ffmpeg, url: \"rtsp://127.0.0.1:1/\"}", "{type: v4l2, device: /dev/null}"]
    {
        let framecast = serve_with_path(source, &path);
        let said = reason(&framecast);
        assert!(said.starts_with("there is no program ffmpeg: install the package ffmpeg"), "{said}");
    }
}

#[test]
fn check_shows_what_a_short_form_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    fs::write(&file, "streams: {door: {source: {type: rtsp, url: \"rtsp://u:hunter2@cam/s\"}}}").unwrap();
    let check = try_run(Path::new(env!("CARGO_BIN_EXE_framecast")), &["check", file.to_str().unwrap()]);
    let printed = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(printed.contains("\n    runs ffmpeg ") && printed.contains(" -i rtsp://cam/*** "), "{printed}");
    assert!(!printed.contains("hunter2"), "{printed}");
}
