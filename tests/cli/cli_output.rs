//! Version, help, completions, check, healthcheck.

use std::{fs, net::TcpListener};

use testkit::{binary::Framecast, program::try_run};

use testkit::command::{run_framecast, run_framecast_with_input};

#[test]
fn the_version_is_that_of_the_crate() {
    let ended = run_framecast(&["--version"]);
    let version = ended.assert_success();
    assert!(version.starts_with(concat!("framecast ", env!("CARGO_PKG_VERSION"), " (JPEG by ")), "{version}");
}

#[test]
fn the_help_shows_every_command_with_examples_and_each_command_has_its_own() {
    let help = run_framecast(&["--help"]);
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
        assert!(help.assert_success().contains(word), "{word}");
    }
    const COMMANDS: [&str; 11] = [
        "serve",
        "check",
        "push",
        "probe",
        "status",
        "token",
        "passwd",
        "link",
        "schema",
        "completions",
        "healthcheck",
    ];
    let list = help.assert_success().split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let listed: Vec<_> = list.lines().filter_map(|line| line.trim().split_once("  ")).collect();
    let names: Vec<_> = listed.iter().map(|(name, _)| *name).filter(|name| *name != "help").collect();
    assert_eq!(names, COMMANDS);
    assert_eq!(list.lines().count(), listed.len(), "one line each:\n{list}");
    for command in COMMANDS {
        assert!(
            run_framecast(&[command, "--help"])
                .assert_success()
                .contains(&format!("Usage: framecast {command}"))
        );
    }
    run_framecast(&["serv"]).assert_failed(2, &["serve"]);
}

#[test]
fn completions_are_scripts_that_their_shell_can_read() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run_framecast(&["completions", shell]);
        assert!(
            ["probe", "status", "log-format"].iter().all(|word| script.assert_success().contains(word)),
            "{shell}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("completions");
    fs::write(&file, run_framecast(&["completions", "bash"]).assert_success()).unwrap();
    let read = try_run("bash", &["-n", file.to_str().unwrap()]);
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
}

#[test]
fn check_prints_the_streams_or_every_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    let path = file.to_str().unwrap();
    fs::write(&file, "streams: {a: {source: {type: push, token: none}}}").unwrap();
    assert!(run_framecast(&["check", path]).assert_success().contains("ok, 1 stream\n  a: push"));
    let wrong = "streams:\n  a: {source: {type: push}}\n  b: {source: {type: mjpeg, url: ftp://x/}}\n";
    fs::write(&file, wrong).unwrap();
    let said = ["a.yaml:2", "streams.a.source", "token", "a.yaml:3", "streams.b.source.url"];
    run_framecast(&["check", path]).assert_failed(2, &said);
    run_framecast(&["serve", "-c", path]).assert_failed(2, &said);
    run_framecast(&["check", "no-such-file.yaml"]).assert_failed(2, &["no-such-file.yaml"]);
    run_framecast(&["--config", "no-such-file.yaml"]).assert_failed(2, &["no-such-file.yaml"]);
}

#[test]
fn check_reads_standard_input() {
    let check = |text: &str| run_framecast_with_input(&["check", "-"], text.as_bytes());
    let right = check("streams: {a: {source: {type: pattern}}, b: \"http://cam/\"}");
    assert_eq!(right.assert_success(), "standard input: ok, 2 streams\n  a: pattern\n  b: auto\n");
    check("streams:\n  a: pusj\n")
        .assert_failed(2, &["standard input:2:6: streams.a.source: must be a URL", "(did you mean push?)"]);
    check("").assert_failed(2, &["standard input:1:1: the file is empty"]);
}

#[test]
fn healthcheck_says_whether_a_relay_is_well() {
    let relay = Framecast::serve("streams: {a: {source: {type: push, token: none}}}");
    run_framecast(&["healthcheck", &relay.url("/healthz")]).assert_success();
    run_framecast(&["healthcheck", &relay.url("/streams/nobody")]).assert_failed(1, &["404 Not Found"]);
    // Bound and not accepted from would hang; closed at once is refused.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://door:s3cret@{free}/healthz?token=s3cret");
    let gone = run_framecast(&["healthcheck", &url]);
    gone.assert_failed(1, &["does not answer"]);
    assert!(!gone.stderr.contains("s3cret"), "{}", gone.stderr);
    relay.end_cleanly();
}

#[test]
fn what_is_no_picture_on_standard_input_is_refused_before_anything_is_sent() {
    let none = run_framecast_with_input(&["push", "http://127.0.0.1:1/streams/a", "-"], b"no picture");
    none.assert_failed(1, &["standard input", "ended after 10 bytes (text/plain) without a whole JPEG"]);
}

#[test]
fn a_time_zone_that_is_none_is_a_warning_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    fs::write(&file, "streams: {a: {source: {type: pattern}}}").unwrap();
    let check = |zone: &str| {
        let mut command = testkit::command::framecast(&["check", file.to_str().unwrap()]);
        let result: testkit::command::ProgramResult = command.env("TZ", zone).output().unwrap().into();
        result.assert_success();
        result.stderr
    };
    for zone in
        ["Europe/Berlin", ":Asia/Tokyo", "UTC", "", "CET-1CEST,M3.5.0,M10.5.0/3", "America/Buenos_Aires"]
    {
        assert_eq!(check(zone), "", "{zone}");
    }
    let said = check("Europe/Berln");
    assert!(said.contains("TZ is \"Europe/Berln\"") && said.contains("such as Europe/Berlin"), "{said}");
    for zone in ["Mars/Olympus", "/nowhere/zoneinfo/Nowhere", "Berlin"] {
        assert!(check(zone).contains(zone), "{zone}");
    }
}
