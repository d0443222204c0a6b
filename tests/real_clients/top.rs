//! `framecast top` in a terminal (pty and pyte, by way of terminal.py), beside a running framecast.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use framecast::auth::token;
use serde_json::{Value, json};

use crate::{
    binary::Framecast,
    browser::serve_at,
    program::{free_address, python, run, test_file, try_run},
};

const STREAMS: &str = "
streams:
  bars: {source: {type: pattern, size: 64x48, fps: 10}, on_demand: false}
  door: {source: {type: mjpeg, url: 'http://127.0.0.1:1/video'}, on_demand: false}
  inbox: {source: {type: push, token: none}}
";

/// A program in a terminal; it ends when this is dropped.
struct Terminal {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Terminal {
    fn top(
        columns: u32,
        lines: u32,
        arguments: &[&str],
        change: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        let mut command = Command::new(python());
        command.arg(test_file("support/terminal.py")).args([columns.to_string(), lines.to_string()]);
        command.args([env!("CARGO_BIN_EXE_framecast"), "top"]).args(arguments);
        for variable in ["NO_COLOR", "FRAMECAST_TOKEN"] {
            command.env_remove(variable);
        }
        let mut child =
            change(&mut command).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python starts");
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, stdin, stdout }
    }

    #[track_caller]
    fn ask(&mut self, command: &Value) -> Value {
        let stdin = self.stdin.as_mut().expect("it was not closed");
        writeln!(stdin, "{command}").expect("the terminal is there");
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("the terminal answers");
        let answer: Value = serde_json::from_str(&line).expect("what was wrong stands above");
        assert!(
            answer.get("failed").is_none(),
            "{command}: {}",
            answer["failed"].as_str().unwrap_or_default()
        );
        answer["is"].clone()
    }

    /// The screen's lines, once this stands there.
    #[track_caller]
    fn wait_for(&mut self, text: &str) -> Vec<String> {
        serde_json::from_value(self.ask(&json!({"do": "wait_for", "text": text}))).expect("these are lines")
    }

    #[track_caller]
    fn wait_without(&mut self, text: &str) {
        self.ask(&json!({"do": "wait_without", "text": text}));
    }

    fn keys(&mut self, text: &str) {
        self.ask(&json!({"do": "keys", "text": text}));
    }

    /// It has ended well, and the terminal is as before.
    #[track_caller]
    fn ends(&mut self) {
        let end = self.ask(&json!({"do": "end"}));
        let well =
            json!({"status": 0, "left_other_screen": true, "cursor_shown": true, "settings_restored": true});
        assert_eq!(end, well);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It ends by itself then; what it ends with is nothing to the test.
        drop(self.child.wait());
    }
}

fn line<'a>(screen: &'a [String], word: &str) -> &'a str {
    screen.iter().find(|line| line.contains(word)).unwrap_or_else(|| panic!("no {word} in {screen:#?}"))
}

#[test]
fn the_streams_are_shown_live_and_q_gives_the_terminal_back() {
    let server = Framecast::serve(STREAMS);
    server.wait_for_state("bars", "live");
    let mut top = Terminal::top(80, 24, &[&server.url(""), "--every", "0.5"], |command| command);
    let screen = top.wait_for("refused");
    assert!(
        line(&screen, "bars").contains("● live") && line(&screen, "bars").ends_with("pattern"),
        "{screen:#?}"
    );
    let door = line(&screen, "door");
    assert!(door.contains("× waiting") && door.contains("connection refused"), "{door}");
    assert!(screen.iter().all(|line| line.chars().count() <= 80));
    let mut curl = Command::new("curl");
    let viewer =
        crate::program::Running::start(curl.args(["-sSN", "-o", "/dev/null", &server.url("/streams/bars")]));
    let screen = top.wait_for("1 viewer, ");
    assert!(line(&screen, "of 3").contains("1 of 3 streams live"), "{screen:#?}");
    drop(viewer);
    top.wait_for("0 viewers");

    top.keys("/bar");
    top.wait_for("filter: bar_");
    top.wait_without("× waiting");
    top.keys("\r\r");
    let screen = top.wait_for("frames a second of late");
    assert!(line(&screen, "picture").contains("64x48"), "{screen:#?}");
    let number = server.stream("bars")["source_id"].to_string();
    assert!(line(&screen, "source").contains(&format!("number {number} in the log")), "{screen:#?}");
    top.keys("\u{1b}");
    top.wait_without("frames a second of late");
    top.wait_for("only *bar*");
    top.keys("\u{1b}");
    top.wait_without("only *bar*");
    top.keys("p");
    top.wait_for("PAUSED");
    top.wait_for("× waiting");
    top.ask(&json!({"do": "size", "columns": 160, "lines": 30}));
    top.wait_for("errors  why");
    top.keys("q");
    top.ends();
}

#[test]
fn a_server_that_goes_away_is_said_to_be_gone_and_found_again() {
    let address = free_address().to_string();
    let server = serve_at(&address, STREAMS);
    let mut top =
        Terminal::top(100, 24, &[&format!("http://{address}"), "--every", "0.2"], |command| command);
    top.wait_for("● live");
    server.end();
    let screen = top.wait_for("gone; next try in");
    line(&screen, "bars");
    let server = serve_at(&address, &STREAMS.replace("bars", "colours"));
    top.wait_for("colours");
    top.wait_without("gone; next try");
    top.ask(&json!({"do": "signal", "name": "SIGTERM"}));
    top.ends();
    drop(server);
}

#[test]
fn colours_are_left_out_where_nobody_wants_them() {
    let server = Framecast::serve(STREAMS);
    let colours = |change: fn(&mut Command) -> &mut Command| {
        let mut top = Terminal::top(80, 24, &[&server.url("")], change);
        top.wait_for("refused");
        let colours = top.ask(&json!({"do": "colours"}));
        top.keys("\u{3}");
        top.ends();
        colours
    };
    let all = colours(|command| command);
    // As pyte names green.
    assert!(all.as_array().unwrap().contains(&json!("00cd00")), "{all}");
    assert_eq!(colours(|command| command.env("NO_COLOR", "1")), json!([]));
}

#[test]
fn without_a_terminal_a_table_is_printed_on_request_and_otherwise_it_is_said_how() {
    let hash = token::hash("token-of-the-wall");
    let auth = format!("auth: {{tokens: {{wall: {{hash: \"{hash}\", role: view, streams: [bars, door]}}}}}}");
    let server = Framecast::serve(&format!("{auth}\n{STREAMS}"));
    let program = env!("CARGO_BIN_EXE_framecast");
    let url = server.url("");
    let told = |arguments: &[&str], says: &str| {
        let ended = try_run(program, &[&["top"], arguments].concat());
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.code() == Some(1) && said.contains(says), "{arguments:?}: {said}");
        assert!(!said.contains("token-of"), "{said}");
    };
    told(&[&url], "framecast top --once");
    told(&[&url, "--once"], "give --token");
    told(&[&url, "--once", "--token", "token-of-nobody"], "give --token");
    told(&["http://127.0.0.1:1/", "--once"], "127.0.0.1:1");
    told(&["ftp://127.0.0.1/", "--once"], "scheme");
    told(
        &[&server.url("/api/docs/"), "--once", "--token", "token-of-the-wall"],
        "is that framecast's address?",
    );
    let table = run(program, &["top", &url, "--once", "--every", "1.5", "--token", "token-of-the-wall"]);
    let table = String::from_utf8(table.stdout).unwrap();
    let lines: Vec<_> = table.lines().collect();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(lines[0])[..4], ["NAME", "STATE", "FPS_IN", "FPS_OUT"]);
    assert_eq!(
        (&words(lines[1])[..2], &words(lines[2])[0]),
        (&["bars".into(), "live".into()][..], &"door".into())
    );
    assert_eq!(lines.len(), 3, "the inbox is not for this token:\n{table}");
    assert!(words(lines[1])[4].parse::<u32>().unwrap() > 0, "bytes a second:\n{table}");
}
