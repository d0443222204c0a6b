//! Version, help, completions, check, healthcheck.

use std::{fs, net::TcpListener};

use testkit::{binary::Framecast, program::try_run};

use testkit::command::{ended, ended_with_input};

#[test]
fn the_version_is_that_of_the_crate() {
    let ended = ended(&["--version"]);
    let version = ended.well();
    assert!(version.starts_with(concat!("framecast ", env!("CARGO_PKG_VERSION"), " (JPEG by ")), "{version}");
}

#[test]
fn the_help_shows_every_command_with_examples_and_each_command_has_its_own() {
    let help = ended(&["--help"]);
    let words = [
        "serve",
        "check",
        "push",
        "probe",
        "status",
        "completions",
        "Examples:",
        "FRAMECAST_CONFIG",
        "RUST_LOG",
    ];
    for word in words {
        assert!(help.well().contains(word), "{word}");
    }
    for command in ["serve", "check", "push", "probe", "status", "completions"] {
        assert!(ended(&[command, "--help"]).well().contains(&format!("Usage: framecast {command}")));
    }
    ended(&["serv"]).failed(2, &["serve"]);
}

#[test]
fn completions_are_scripts_that_their_shell_can_read() {
    for shell in ["bash", "zsh", "fish"] {
        let script = ended(&["completions", shell]);
        assert!(["probe", "status", "log-format"].iter().all(|word| script.well().contains(word)), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("completions");
    fs::write(&file, ended(&["completions", "bash"]).well()).unwrap();
    let read = try_run("bash", &["-n", file.to_str().unwrap()]);
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
}

#[test]
fn check_prints_the_streams_or_every_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    let path = file.to_str().unwrap();
    fs::write(&file, "streams: {a: {source: {type: push, token: none}}}").unwrap();
    assert!(ended(&["check", path]).well().contains("ok, 1 stream\n  a: push"));
    let wrong = "streams:\n  a: {source: {type: push}}\n  b: {source: {type: mjpeg, url: ftp://x/}}\n";
    fs::write(&file, wrong).unwrap();
    let said = ["a.yaml:2", "streams.a.source", "token", "a.yaml:3", "streams.b.source.url"];
    ended(&["check", path]).failed(2, &said);
    ended(&["serve", "-c", path]).failed(2, &said);
    ended(&["check", "no-such-file.yaml"]).failed(2, &["no-such-file.yaml"]);
    ended(&["--config", "no-such-file.yaml"]).failed(2, &["no-such-file.yaml"]);
}

#[test]
fn healthcheck_says_whether_a_relay_is_well() {
    let relay = Framecast::serve("streams: {a: {source: {type: push, token: none}}}");
    ended(&["healthcheck", &relay.url("/healthz")]).well();
    ended(&["healthcheck", &relay.url("/streams/nobody")]).failed(1, &["404 Not Found"]);
    // Bound and not accepted from would hang; closed at once is refused.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://door:s3cret@{free}/healthz?token=s3cret");
    let gone = ended(&["healthcheck", &url]);
    gone.failed(1, &["does not answer"]);
    assert!(!gone.stderr.contains("s3cret"), "{}", gone.stderr);
    relay.end_in_peace();
}

#[test]
fn what_is_no_picture_on_standard_input_is_refused_before_anything_is_sent() {
    let none = ended_with_input(&["push", "http://127.0.0.1:1/streams/a", "-"], b"no picture");
    none.failed(1, &["standard input", "ended after 10 bytes without a whole JPEG"]);
}
