//! `framecast push`.

use std::fs;

use testkit::{
    binary::Framecast,
    program::{Running, run, wait_for},
};

use testkit::command::{framecast, jpeg, run_framecast, run_framecast_with_input};

const CONFIG: &str = "
streams:
  inbox: {source: {type: push, token: none}}
  guarded: {source: {type: push, token: kept-in-a-test}}
";

fn shown(relay: &Framecast, stream: &str) -> Vec<u8> {
    run("curl", &["-sS", "--fail", &relay.url(&format!("/streams/{stream}/snapshot"))]).stdout
}

/// A folder with `1.jpg` to `3.jpg`, and their paths.
fn pictures() -> (tempfile::TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = (1..=3u8).map(|n| {
        let path = folder.path().join(format!("{n}.jpg"));
        fs::write(&path, jpeg(n)).unwrap();
        path.to_str().unwrap().to_owned()
    });
    let paths = paths.collect();
    (folder, paths)
}

#[test]
fn files_are_pushed_one_after_the_other_and_progress_is_for_terminals() {
    let relay = Framecast::serve(CONFIG);
    let (_folder, paths) = pictures();
    let pushed = run_framecast(&[
        "push",
        "--fps",
        "100",
        &relay.url("/streams/inbox"),
        &paths[0],
        &paths[1],
        &paths[2],
    ]);
    assert_eq!(pushed.assert_success(), "");
    assert!(
        pushed.stderr.starts_with("pushed 3 pictures") && !pushed.stderr.contains('\r'),
        "{}",
        pushed.stderr
    );
    assert_eq!(relay.stream("inbox")["frames_in"], 3);
    assert_eq!(shown(&relay, "inbox"), jpeg(3));
    relay.end_cleanly();
}

#[test]
fn a_loop_goes_on_until_it_is_ended() {
    let relay = Framecast::serve(CONFIG);
    let (_folder, paths) = pictures();
    let url = relay.url("/streams/inbox/frame");
    let running =
        Running::start(&mut framecast(&["push", "--loop", "--fps", "200", &url, &paths[0], &paths[1]]));
    wait_for("the second round", || (relay.stream("inbox")["frames_in"].as_u64() > Some(4)).then_some(()));
    drop(running);
    relay.end_cleanly();
}

#[test]
fn a_watched_folders_new_files_are_pushed_and_others_left_alone() {
    let relay = Framecast::serve(CONFIG);
    let (folder, _) = pictures();
    let path = folder.path().to_str().unwrap();
    let running = Running::start(&mut framecast(&["push", &relay.url("/streams/inbox"), path]));
    wait_for("it to watch", || running.stderr().contains("watching").then_some(()));
    fs::write(folder.path().join(".4.jpg.part"), b"half").unwrap();
    fs::write(folder.path().join("notes.txt"), b"no picture").unwrap();
    wait_for("the refusal", || running.stderr().contains("notes.txt").then_some(()));
    fs::write(folder.path().join("new.jpg"), jpeg(9)).unwrap();
    wait_for("the new file", || (relay.stream("inbox")["frames_in"] == 1).then_some(()));
    assert_eq!(shown(&relay, "inbox"), jpeg(9));
    fs::write(folder.path().join("1.jpg"), jpeg(10)).unwrap();
    // Same size may mean same length and time; another length is a change on every file system.
    fs::write(folder.path().join("1.jpg"), [jpeg(10), b"trailing".to_vec()].concat()).unwrap();
    wait_for("the changed file", || (shown(&relay, "inbox") == jpeg(10)).then_some(()));
    assert!(!running.stderr().contains(".part"), "{}", running.stderr());
}

#[test]
fn standard_input_may_be_a_jpeg_or_a_stream_of_them() {
    let relay = Framecast::serve(CONFIG);
    let url = relay.url("/streams/inbox");
    run_framecast_with_input(&["push", &url, "-"], &jpeg(1)).assert_success();
    assert_eq!(shown(&relay, "inbox"), jpeg(1));
    let parts = (2..=4).map(|n| {
        let head =
            format!("--ffmpeg\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg(n).len());
        [head.as_bytes(), &jpeg(n), b"\r\n"].concat()
    });
    run_framecast_with_input(&["push", &url, "-"], &parts.collect::<Vec<_>>().concat()).assert_success();
    assert_eq!(shown(&relay, "inbox"), jpeg(4));
    assert_eq!(relay.stream("inbox")["frames_in"], 4);
    relay.end_cleanly();
}

#[test]
fn the_token_comes_from_the_option_the_environment_or_the_url_and_is_never_shown() {
    let relay = Framecast::serve(CONFIG);
    let (_folder, paths) = pictures();
    let url = relay.url("/streams/guarded");
    run_framecast(&["push", "--token", "kept-in-a-test", &url, &paths[0]]).assert_success();
    run_framecast(&["push", &format!("{url}?token=kept-in-a-test"), &paths[1]]).assert_success();
    let mut with_variable = framecast(&["push", &url, &paths[2]]);
    assert!(with_variable.env("FRAMECAST_TOKEN", "kept-in-a-test").output().unwrap().status.success());
    assert_eq!(shown(&relay, "guarded"), jpeg(3));
    run_framecast(&["push", &url, &paths[0]]).assert_failed(1, &["401", "--token"]);
    for wrong in [
        run_framecast(&["push", "--token", "guessed", &url, &paths[0]]),
        run_framecast(&["push", &format!("{url}?token=guessed"), &paths[0]]),
    ] {
        wrong.assert_failed(1, &["401", "not the token of stream guarded", &paths[0]]);
        assert!(!wrong.stderr.contains("guessed"), "{}", wrong.stderr);
    }
    let help = framecast(&["push", "--help"]).env("FRAMECAST_TOKEN", "guessed").output().unwrap();
    assert!(!String::from_utf8_lossy(&help.stdout).contains("guessed"));
}

#[test]
fn what_cannot_be_pushed_is_said_clearly() {
    let relay = Framecast::serve(CONFIG);
    let (_folder, paths) = pictures();
    let picture = paths[0].as_str();
    run_framecast(&["push", "http://127.0.0.1:1/streams/inbox", picture])
        .assert_failed(1, &["127.0.0.1:1", "is framecast running"]);
    run_framecast(&["push", &relay.url("/streams/nobody"), picture]).assert_failed(1, &["404", "nobody"]);
    run_framecast(&["push", &relay.url("/"), picture]).assert_failed(1, &["streams/NAME"]);
    run_framecast(&["push", &relay.url("/streams/inbox"), "no-such.jpg"]).assert_failed(1, &["no-such.jpg"]);
    run_framecast(&["push", &relay.url("/streams/inbox"), file!()])
        .assert_failed(1, &["415", "not a picture but text"]);
    for url in
        ["door:s3cret@host/x?token=s3cret", "https://d:s3cret@h/x?token=s3cret", "http://d:s3cret@h:99999/"]
    {
        let wrong = run_framecast(&["push", url, picture]);
        wrong.assert_failed(1, &[]);
        assert!(!wrong.stderr.contains("s3cret"), "{}", wrong.stderr);
    }
}
