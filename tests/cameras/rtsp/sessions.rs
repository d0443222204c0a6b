//! Sessions with scripted cameras, message by message.

use std::{fs, os::unix::fs::PermissionsExt};

use testkit::{
    binary::Framecast,
    program::{test_file, wait_for},
};

use super::{reason, report_with_frames, scripted::*, serve, serve_alone, yaml};

const DIGEST: &str = "WWW-Authenticate: Digest realm=\"cam\", nonce=\"n1\"\r\n\r\n";

#[test]
fn jpegs_are_passed_as_they_come_and_the_session_ends_with_a_teardown() {
    let camera = ScriptedCamera::start(|connection| {
        connection.play(JPEG)?;
        for number in 0..5 {
            connection.jpeg(number)?;
        }
        connection.wait()
    });
    let framecast = serve_alone(&camera.url(), "");
    let report = report_with_frames(&framecast, 1);
    assert_eq!((&report["size"]["width"], &report["size"]["height"]), (&64.into(), &48.into()), "{report}");
    let report = report_with_frames(&framecast, 5);
    assert_eq!(report["made"]["passed"], 5, "{report}");
    framecast.end_cleanly();
    wait_for("the session's end", || {
        camera.requests().last().filter(|last| last.starts_with("TEARDOWN ")).map(|_| ())
    });
    let requests = camera.requests();
    for (request, method) in requests.iter().zip(["DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]) {
        let start = format!("{method} {}", camera.url().replace("u:hunter2@", ""));
        assert!(request.starts_with(&start), "{request}");
        assert!(
            request.contains("User-Agent: framecast/") && !request.contains("Authorization"),
            "{request}"
        );
    }
}

#[test]
fn a_digest_is_answered_for_each_request_and_a_wrong_password_is_tried_once() {
    let camera = ScriptedCamera::start(|connection| {
        let first = connection.request()?;
        connection.answer(&first, "401 Unauthorized", DIGEST)?;
        connection.play(JPEG)?;
        connection.jpeg(1)?;
        connection.wait()
    });
    let framecast = serve_alone(&camera.url(), "");
    report_with_frames(&framecast, 1);
    let requests = camera.requests();
    assert!(!requests[0].contains("Authorization"), "{requests:?}");
    for request in &requests[1..4] {
        assert!(request.contains("Authorization: Digest ") && !request.contains("hunter2"), "{request}");
        let uri = request.split(' ').nth(1).unwrap();
        assert!(request.contains(&format!("uri=\"{uri}\"")), "over its own URI: {request}");
    }
    framecast.end_cleanly();

    let camera = ScriptedCamera::start(|connection| {
        while let Some(request) = connection.request() {
            connection.answer(&request, "401 Unauthorized", DIGEST)?;
        }
        Some(())
    });
    let said = reason(&serve_alone(&camera.url(), ""));
    assert!(said.contains("answered 401: user or password is wrong"), "{said}");
    let answers = camera.requests().iter().filter(|head| head.contains("Authorization")).count();
    assert!((1..=camera.connections()).contains(&answers), "{answers} of {}", camera.connections());
}

#[test]
fn tcp_that_is_refused_gives_way_to_udp_or_is_named() {
    let refusing = || {
        ScriptedCamera::start(|connection| {
            connection.describe(JPEG)?;
            while let Some(request) = connection.request() {
                connection.answer(&request, "461 Unsupported Transport", "\r\n")?;
            }
            Some(())
        })
    };
    let camera = refusing();
    let said = reason(&serve_alone(&camera.url(), ", transport: tcp"));
    assert!(said.contains("refuses TCP for its pictures: set transport: auto, or udp"), "{said}");
    let camera = refusing();
    let said = reason(&serve_alone(&camera.url(), ""));
    assert!(said.contains("461"), "{said}");
    let setups: Vec<_> = camera.requests().into_iter().filter(|head| head.starts_with("SETUP")).collect();
    assert!(setups[0].contains("interleaved=0-1"), "{setups:?}");
    assert!(setups[1].contains("Transport: RTP/AVP;unicast;client_port="), "{setups:?}");
}

#[test]
fn a_keyframe_that_does_not_come_is_waited_for_in_words_and_then_named() {
    let camera = ScriptedCamera::start(|connection| {
        connection.play(H264)?;
        for number in 0.. {
            // A slice that refers to other pictures.
            connection.packet(96, (true, number * 3000), &[0x41, 0x9a, 0x01, 0x02])?;
            // The rate of a camera.
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
        Some(())
    });
    let framecast = serve_alone(&camera.url(), ", first_frame_timeout: 3s");
    let waiting = wait_for("the wait to be shown", || {
        framecast.stream("door")["reason"]
            .as_str()
            .filter(|reason| reason.contains("keyframe"))
            .map(str::to_owned)
    });
    assert!(waiting.starts_with("waiting for a keyframe, ") && waiting.ends_with(" s"), "{waiting}");
    let said = reason(&framecast);
    assert!(said.contains("sent no keyframe within 3 s: lower its keyframe interval"), "{said}");
}

#[test]
fn another_codec_goes_to_ffmpeg_where_that_is_installed_and_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ffmpeg");
    let picture = test_file("../assets/demo/1-dawn.jpg");
    fs::write(&file, format!("#!/bin/sh\nwhile cat '{picture}'; do sleep 0.05; done\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let camera = ScriptedCamera::start(|connection| {
        connection.describe(H265)?;
        connection.wait()
    });
    let with_ffmpeg =
        |keys: &str| Framecast::serve_with(&yaml(&camera.url(), keys), |command| command.env("PATH", &path));
    let framecast = with_ffmpeg("");
    report_with_frames(&framecast, 3);
    framecast.end_cleanly();
    let said = reason(&with_ffmpeg(", decoder: native"));
    assert!(said.contains("sends H.265; framecast decodes JPEG and H.264 itself"), "{said}");
    let before = camera.connections();
    let framecast = with_ffmpeg(", decoder: ffmpeg");
    report_with_frames(&framecast, 3);
    assert_eq!(camera.connections(), before, "ffmpeg is the one that connects");
    framecast.end_cleanly();
}

#[test]
fn nobody_is_asked_while_nobody_watches() {
    let camera = ScriptedCamera::start(Connection::wait);
    let streams = (0..24).map(|n| format!("s{n}: {{source: {{type: rtsp, url: \"{}\"}}}}", camera.url()));
    let yaml = format!("streams: {{{}}}", streams.collect::<Vec<_>>().join(", "));
    let framecast = Framecast::serve(&yaml);
    framecast.wait_for_state("s23", "idle");
    assert_eq!(camera.connections(), 0);
    framecast.end_cleanly();
}

#[test]
fn the_substream_is_asked_for_where_it_is_preferred() {
    let camera = ScriptedCamera::start(|connection| {
        connection.play(JPEG)?;
        connection.jpeg(1)?;
        connection.wait()
    });
    let framecast = serve(&camera.url(), ", prefer: sub");
    report_with_frames(&framecast, 1);
    assert!(camera.requests()[0].contains("/stream2 RTSP/1.0"), "{:?}", camera.requests());
    framecast.end_cleanly();
}
