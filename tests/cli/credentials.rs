//! Tokens, passwords, links, and the administrator's token of the start.

use std::{fs, process::Command};

use testkit::program::{Running, run};

use testkit::command::{framecast, run_framecast, run_framecast_with_input};

/// Returns the text between a word and the next blank.
fn after<'a>(text: &'a str, word: &str) -> &'a str {
    text.split_once(word)
        .unwrap_or_else(|| panic!("{word:?} is not in {text}"))
        .1
        .split_whitespace()
        .next()
        .unwrap()
}

fn status(url: &str, options: &[&str]) -> String {
    let arguments = [&["-s", "-o", "/dev/null", "-w", "%{http_code}", "-I"], options, &[url]].concat();
    String::from_utf8(run("curl", &arguments).stdout).unwrap()
}

fn serve(config: &str, change: impl FnOnce(&mut Command) -> &mut Command) -> (Running, String) {
    let mut command = framecast(&["serve", "-l", "127.0.0.1:0", "-c", config]);
    command.env_remove("FRAMECAST_ADMIN_TOKEN").env_remove("JOURNAL_STREAM");
    let running = Running::start(change(&mut command));
    let url = running.line_with(|line| line.strip_prefix("listening on ").map(str::to_owned));
    (running, url.trim_end_matches('/').to_owned())
}

#[test]
fn what_the_commands_print_lets_in_whom_they_are_for() {
    let token = run_framecast(&["token", "wall", "--stream", "x"]);
    let (token, token_yaml) = token.assert_success().split_once("\n\n").unwrap();
    let user = run_framecast_with_input(&["passwd", "alice", "--role", "admin"], b"correct horse\n");
    let yaml_of = |text: &str, section: &str| {
        text.split_once(&format!("{section}:\n")).unwrap().1.trim_end().to_owned()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("framecast.yaml");
    let key = "k".repeat(40);
    let yaml = format!(
        "auth:\n  link_key: {key}\n  tokens:\n{}\n  users:\n{}\nstreams:\n  x: {{source: {{type: \
         pattern}}}}\n  y: {{source: {{type: pattern}}}}\n",
        yaml_of(token_yaml, "tokens"),
        yaml_of(user.assert_success(), "users"),
    );
    fs::write(&file, &yaml).unwrap();
    let config = file.to_str().unwrap();
    run_framecast(&["check", config]).assert_success();
    let (running, url) = serve(config, |command| command);
    assert_eq!(status(&format!("{url}/streams/x"), &[]), "401");
    assert_eq!(status(&format!("{url}/streams/x?token={token}"), &[]), "200");
    assert_eq!(status(&format!("{url}/streams/y?token={token}"), &[]), "404");
    assert_eq!(status(&format!("{url}/streams/y"), &["-u", "alice:correct horse"]), "200");
    assert_eq!(status(&format!("{url}/streams/y"), &["-u", "alice:wrong"]), "401");
    let link = run_framecast(&["link", "y", "--for", "10m", "--config", config, "--at", &url]);
    assert!(link.assert_success().starts_with(&format!("{url}/streams/y?expires=")));
    assert_eq!(status(link.assert_success().trim(), &[]), "200");
    assert_eq!(status(&link.assert_success().trim().replace("/y?", "/x?"), &[]), "401");
    running.terminate();
    let (_, log) = running.finish();
    for secret in [token, "correct horse", "alice:", &key] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
}

#[test]
fn without_an_administrator_a_token_is_made_and_printed_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("framecast.yaml");
    fs::write(&file, "streams: {x: {source: {type: pattern}}}").unwrap();
    let config = file.to_str().unwrap();
    let (running, url) = serve(config, |command| command);
    let entrance = running.line_with(|line| line.strip_prefix("to administer: ").map(str::to_owned));
    assert!(entrance.starts_with(&format!("{url}/?token=")), "{entrance}");
    let token = after(&entrance, "token=").to_owned();
    let who = |token: &str, url: &str| {
        let bearer = format!("Authorization: Bearer {token}");
        String::from_utf8(run("curl", &["-s", "-H", &bearer, &format!("{url}/api/session")]).stdout).unwrap()
    };
    assert!(who(&token, &url).contains("\"role\":\"admin\""));
    running.terminate();
    assert!(!running.finish().1.contains(&token), "it is not in the log");

    let (running, url) =
        serve(config, |command| command.env("FRAMECAST_ADMIN_TOKEN", "an-administrators-own"));
    assert!(who("an-administrators-own", &url).contains("\"role\":\"admin\""));
    running.terminate();
    running.finish();
    let mut short = framecast(&["serve", "-c", config]);
    let short: testkit::command::ProgramResult =
        short.env("FRAMECAST_ADMIN_TOKEN", "short").output().unwrap().into();
    short.assert_failed(1, &["FRAMECAST_ADMIN_TOKEN must be 16 letters"]);
    assert!(!short.stderr.contains("short"), "{}", short.stderr);
}

#[test]
fn what_is_wrong_is_said() {
    run_framecast(&["passwd", "alice"]).assert_failed(1, &["a password must have at least 8 characters"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("framecast.yaml");
    fs::write(&file, "streams: {x: {source: {type: pattern}}}").unwrap();
    let config = file.to_str().unwrap();
    run_framecast(&["link", "x", "-c", config]).assert_failed(1, &["auth.link_key", "FRAMECAST_LINK_KEY="]);
    fs::write(
        &file,
        format!("auth: {{link_key: {}}}\nstreams: {{door: {{source: {{type: pattern}}}}}}", "k".repeat(32)),
    )
    .unwrap();
    let added = r#"{"version": 1, "streams": [{"name": "gate", "settings": "http://127.0.0.1:1/"}]}"#;
    fs::write(file.with_extension("state.json"), added).unwrap();
    run_framecast(&["link", "dor", "-c", config])
        .assert_failed(1, &["framecast.yaml: there is no stream dor (did you mean door?)"]);
    run_framecast(&["link", "elsewhere", "-c", config]).assert_failed(1, &["there is no stream elsewhere\n"]);
    for name in ["door", "gate", "all"] {
        run_framecast(&["link", name, "-c", config]).assert_success();
    }
    run_framecast(&["link", "x", "--for", "soon", "-c", config])
        .assert_failed(2, &["must be a time with its unit"]);
}
