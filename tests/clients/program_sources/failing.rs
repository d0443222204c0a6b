//! Programs that give no frames, or no more: the stream says why and tries again.

use std::fs;

use testkit::{binary::Framecast, program::wait_for};

use super::scripts::{Script, public_reason, reason, serve};

#[test]
fn one_that_ends_at_once_is_quoted_without_its_secrets_and_started_again() {
    let script =
        Script::new("echo x >>starts; echo \"no camera at rtsp://u:hunter2@cam/s with $KEY\" >&2; exit 3");
    let framecast = serve(&script.source(""));
    assert_eq!(
        reason(&framecast),
        "sh ended (exit status: 3) without writing a frame; it said: no camera at rtsp://cam/*** with ***"
    );
    assert_eq!(
        public_reason(&framecast),
        "the program for its pictures ended (exit status: 3) without writing a frame"
    );
    wait_for("the next tries", || {
        let starts = fs::read_to_string(script.folder().join("starts")).ok()?;
        (starts.lines().count() >= 3).then_some(())
    });
    let log = framecast.end();
    assert!(log.contains("stderr: no camera at rtsp://cam/*** with ***"), "{log}");
    assert!(!log.contains("hunter2") && !log.contains("s3cr3t"), "{log}");
}

#[test]
fn an_administrators_token_is_not_for_programs() {
    let script = Script::new("echo \"token: $FRAMECAST_ADMIN_TOKEN.\" >&2; exit 3");
    let yaml = format!("streams: {{door: {{on_demand: false, source: {}}}}}", script.source(""));
    let framecast = Framecast::serve_with(&yaml, |command| {
        command.env("FRAMECAST_ADMIN_TOKEN", "an-admin-token-of-the-tests")
    });
    assert!(reason(&framecast).ends_with("it said: token: ."), "{}", reason(&framecast));
}

#[test]
fn one_that_ends_after_its_frames_is_started_again_soon() {
    let script = Script::new("echo x >>starts; cat \"$PICTURE\" \"$PICTURE\"");
    let framecast = serve(&script.source(""));
    wait_for("frames of the third start", || {
        (framecast.stream("door")["frames_in"].as_u64()? >= 6).then_some(())
    });
    assert!(script.written("starts").lines().count() >= 3);
    framecast.end_cleanly();
}

#[test]
fn one_that_never_writes_is_given_up_in_time() {
    let script = Script::new("echo waiting >&2; sleep 1000");
    let framecast = serve(&script.source(", first_frame_timeout: 700ms"));
    let said = reason(&framecast);
    assert_eq!(said, "sh wrote no whole frame after its start within 0.7 s; it said: waiting");
}

#[test]
fn one_that_stops_writing_is_given_up_in_time() {
    let script = Script::new("cat \"$PICTURE\"; sleep 1000");
    let framecast = serve(&script.source(", frame_timeout: 300ms"));
    assert_eq!(reason(&framecast), "sh wrote no further whole frame within 0.3 s");
}

#[test]
fn one_that_writes_garbage_is_given_up_and_not_quoted() {
    let script = Script::new("yes '<p>this is no picture</p>'");
    let framecast = serve(&script.source(""));
    let said = reason(&framecast);
    assert!(said.starts_with("sh writes no usable stream: no JPEG in "), "{said}");
    assert!(said.contains(" bytes (text/html);") && !said.contains("this is no picture"), "{said}");
    assert_eq!(public_reason(&framecast), "the program for its pictures wrote text/html");
    assert!(!framecast.end().contains("this is no picture"));
}

#[test]
fn a_chatterer_does_not_fill_the_log() {
    let script = Script::new("yes 'a complaint' | head -n 100000 >&2; echo done >done; show");
    let framecast = serve(&script.source(""));
    framecast.wait_for_state("door", "live");
    let log = framecast.end();
    assert_eq!(log.matches("stderr: a complaint").count(), 20, "{log}");
    assert!(log.contains("99980 more lines suppressed"), "{log}");
}

#[test]
fn a_program_that_is_absent_or_cannot_be_started_is_named() {
    let framecast = serve("{type: exec, command: [no-such-camera-program]}");
    assert_eq!(
        reason(&framecast),
        "there is no program no-such-camera-program: install it, or give its full path"
    );
    let framecast = serve("{type: exec, command: [/etc/passwd]}");
    assert!(reason(&framecast).starts_with("cannot start /etc/passwd: Permission denied"));
}
