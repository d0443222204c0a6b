//! `framecast status`: the table, its errors, and `--watch` on a pipe and on a terminal.

use framecast::auth::token;

use testkit::{
    binary::Framecast,
    command::{framecast, run_framecast},
    program::{Running, free_address, wait_for},
};

const STREAMS: &str = "
streams:
  bars: {source: {type: pattern, size: 64x48, fps: 10}, on_demand: false}
  door: {source: {type: mjpeg, url: 'http://127.0.0.1:1/video'}, on_demand: false}
  inbox: {source: {type: push, token: none}}
";

fn serve_at(address: &str, yaml: &str) -> Framecast {
    Framecast::serve_with(yaml, |command| command.args(["--listen", address]))
}

#[test]
fn a_table_has_a_line_for_each_stream_that_the_token_may_see() {
    let hash = token::hash("token-of-the-wall");
    let auth = format!("auth: {{tokens: {{wall: {{hash: \"{hash}\", role: view, streams: [bars, door]}}}}}}");
    let relay = Framecast::serve(&format!("{auth}\n{STREAMS}"));
    let url = relay.url("");
    let table = run_framecast(&["status", &url, "--every", "1.5", "--token", "token-of-the-wall"]);
    let lines: Vec<Vec<_>> =
        table.assert_success().lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..4], ["NAME", "STATE", "FPS_IN", "FPS_OUT"]);
    assert_eq!((&lines[1][..2], lines[2][0]), (&["bars", "live"][..], "door"));
    assert_eq!(lines.len(), 3, "the inbox is not for this token: {lines:?}");
    assert!(lines[1][4].parse::<u32>().unwrap() > 0, "bytes a second: {lines:?}");
}

#[test]
fn errors_name_the_relay_and_no_token() {
    let hash = token::hash("token-of-the-wall");
    let auth = format!("auth: {{tokens: {{wall: {{hash: \"{hash}\", role: view}}}}}}");
    let relay = Framecast::serve(&format!("{auth}\n{STREAMS}"));
    let url = relay.url("");
    for (arguments, message) in [
        (&[&*url][..], "give --token"),
        (&[&url, "--watch"], "give --token"),
        (&[&url, "--token", "token-of-nobody"], "give --token"),
        (&["http://127.0.0.1:1/"], "127.0.0.1:1"),
        (&["ftp://127.0.0.1/"], "scheme"),
        (&[&relay.url("/elsewhere/"), "--token", "token-of-the-wall"], "is this framecast's address?"),
    ] {
        let failed = run_framecast(&[&["status"], arguments].concat());
        failed.assert_failed(1, &[message]);
        assert!(!failed.stderr.contains("token-of"), "{}", failed.stderr);
    }
    run_framecast(&["status", "--every", "0.1"]).assert_failed(2, &["0.2 to 60"]);
    run_framecast(&["top", "--once", &url]).assert_failed(2, &["framecast status"]);
}

#[test]
fn watching_on_a_pipe_prints_tables_through_a_restart_until_the_reader_leaves() {
    let address = free_address().to_string();
    let url = format!("http://{address}/");
    let relay = serve_at(&address, STREAMS);
    let watch = Running::start(&mut framecast(&["status", &url, "--watch", "--every", "0.2"]));
    let starts_with = |word: &'static str| move |line: &str| line.starts_with(word).then_some(());
    watch.line_with(starts_with("NAME"));
    watch.line_with(starts_with("NAME"));
    relay.end();
    wait_for("the failure", || watch.stderr().contains("refused").then_some(()));
    let relay = serve_at(&address, &STREAMS.replace("bars", "colours"));
    watch.line_with(starts_with("colours"));
    let (status, errors) = watch.finish();
    assert!(status.success(), "{status}: {errors}");
    assert_eq!(errors.matches("connection refused").count(), 1, "once, not at each try: {errors}");
    drop(relay);
}

#[test]
fn watching_on_a_terminal_redraws_what_fits() {
    let relay = Framecast::serve(STREAMS);
    relay.wait_for_state("bars", "live");
    let program = env!("CARGO_BIN_EXE_framecast");
    let shell =
        format!("stty cols 80 rows 4; exec '{program}' status '{}' --watch --every 0.2", relay.url(""));
    let mut command = std::process::Command::new("script");
    let terminal = Running::start(command.args(["--quiet", "--flush", "--command", &shell, "/dev/null"]));
    let line = || terminal.line().trim_end().to_owned();
    for _ in 0..2 {
        let heads =
            terminal.line_with(|line| line.contains("\x1b[HNAME").then(|| line.trim_end().to_owned()));
        let lines = [heads, line(), line()].map(|line| {
            let text = line.strip_suffix("\x1b[K").expect("the rest of the line is cleared").to_owned();
            text.rsplit("\x1b[H").next().expect("one piece at least").to_owned()
        });
        assert!(lines[1].starts_with("bars") && lines[2] == "… and 2 more", "{lines:#?}");
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_table_that_cannot_be_written_is_an_error() {
    let relay = Framecast::serve(STREAMS);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = framecast(&["status", &relay.url("/"), "--every", "0.2"]).stdout(full).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("cannot write the table"), "{said}");
}
