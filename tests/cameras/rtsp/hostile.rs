//! Cameras that send something else than pictures, or too much of it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use testkit::program::try_run;

use super::{reason, scripted::*, serve_alone};

/// More than any bound, and than the buffers of two sockets.
const TOO_MUCH: usize = 64 * 1024 * 1024;

/// Sends `piece` again and again until the other side closes, and counts the bytes.
fn flood(connection: &mut Connection, piece: &[u8], sent: &AtomicUsize) -> Option<()> {
    loop {
        connection.send(piece)?;
        sent.fetch_add(piece.len(), SeqCst);
    }
}

#[test]
fn what_never_ends_is_cut_off_at_a_bound() {
    type Script = fn(&mut Connection, &AtomicUsize) -> Option<()>;
    let cases: [(&str, Script); 4] = [
        ("sends a head of more than 16384 bytes (max_header_bytes)", |camera, sent| {
            camera.request()?;
            camera.send(b"RTSP/1.0 200 OK\r\n")?;
            flood(camera, &b"X-More: 0123456789\r\n".repeat(1000), sent)
        }),
        ("sends a head of more than 16384 bytes (max_header_bytes)", |camera, sent| {
            camera.play(JPEG)?;
            camera.send(b"RTSP/1.0 200 ")?;
            flood(camera, &[b'x'; 10_000], sent)
        }),
        ("announces a description of more than 65536 bytes", |camera, sent| {
            let request = camera.request()?;
            camera.answer(&request, "200 OK", "Content-Length: 4000000000\r\n\r\n")?;
            flood(camera, &[b'x'; 10_000], sent)
        }),
        ("sent a picture of more than 8388608 bytes (max_frame_bytes)", |camera, sent| {
            camera.play(H264)?;
            // The first fragment of a keyframe, and more that have no end.
            camera.packet(96, (false, 0), &[&[0x7c, 0x85][..], &[0x55; 1400]].concat())?;
            loop {
                camera.packet(96, (false, 0), &[&[0x7c, 0x05][..], &[0x55; 1400]].concat())?;
                sent.fetch_add(1400, SeqCst);
            }
        }),
    ];
    for (expected, script) in cases {
        let sent = Arc::<AtomicUsize>::default();
        let counted = sent.clone();
        let camera = ScriptedCamera::start(move |connection| script(connection, &counted));
        let framecast = serve_alone(&camera.url(), "");
        let said = reason(&framecast);
        assert!(said.contains(expected), "{said}");
        let sent = sent.load(SeqCst);
        assert!(sent < TOO_MUCH, "{expected}: {sent} bytes");
        framecast.end_cleanly();
    }
}

#[test]
fn what_is_not_rtsp_is_named() {
    for (bytes, expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "does not answer in RTSP: is this the port"),
        (b"\x00\x01\x02garbage", "does not answer in RTSP"),
        (b"", "closed the connection before the first frame"),
        (b"RTSP/1.0 200 OK\r\nCSe", "closed the connection before the first frame"),
        (
            b"RTSP/1.0 404 Nothing s3cret\r\nCSeq: 1\r\n\r\n",
            "answered 404 Not Found: is the URL's path right?",
        ),
    ] {
        let camera = ScriptedCamera::start(move |connection| {
            connection.request()?;
            connection.send(bytes)
        });
        let said = reason(&serve_alone(&camera.url(), ""));
        assert!(said.contains(expected) && !said.contains("s3cret"), "{said}");
        let probe = try_run(Path::new(env!("CARGO_BIN_EXE_framecast")), &["probe", &camera.url()]);
        let printed = String::from_utf8_lossy(&probe.stderr).into_owned();
        assert!(!probe.status.success() && printed.contains(&said), "probe says the same: {printed}");
    }
}

#[test]
fn a_description_without_a_usable_video_is_named() {
    for (video, expected) in [
        ("m=audio 0 RTP/AVP 0\r\na=control:track1\r\n", "offers no video: is the URL's path right?"),
        (
            H265,
            "sends H.265; framecast decodes JPEG and H.264 itself and needs ffmpeg for this: install it, or \
             choose H.264 in the camera's settings, or use its substream",
        ),
        ("no description\r\n", "sends no usable session: "),
    ] {
        let camera = ScriptedCamera::start(move |connection| {
            connection.describe(video)?;
            connection.wait()
        });
        let said = reason(&serve_alone(&camera.url(), ""));
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_camera_that_goes_away_between_pictures_is_asked_again() {
    let camera = ScriptedCamera::start(|connection| {
        connection.play(JPEG)?;
        connection.jpeg(1)?;
        // Half of a packet.
        connection.send(b"$\0\x01\0abc")
    });
    let framecast = serve_alone(&camera.url(), "");
    let report = super::report_with_frames(&framecast, 2);
    assert!(report["reconnects"].as_u64() >= Some(1), "{report}");
    assert!(camera.connections() >= 2);
    framecast.end_cleanly();
}
