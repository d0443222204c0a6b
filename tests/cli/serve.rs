//! `framecast serve`: which configuration, where, and how it ends.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
};

use testkit::program::{Running, run, wait_for};

use testkit::command::{framecast, run_framecast};

const TWO: &str = "server: {listen: '127.0.0.1:1'}
streams:
  door: {source: {type: push, token: none}}
  backyard: {source: {type: pattern, size: 64x48, fps: 5}}
";
const ANYWHERE: [&str; 2] = ["--listen", "127.0.0.1:0"];

fn url(running: &Running) -> String {
    running
        .line_with(|line| line.strip_prefix("listening on ").map(|url| url.trim_end_matches('/').to_owned()))
}

/// Starts it, gives its first line, and ends it in peace.
fn first_line(command: &mut Command) -> String {
    let running = Running::start(command);
    let line = running.line();
    url(&running);
    running.terminate();
    let (status, log) = running.finish();
    assert!(status.success(), "{status}: {log}");
    line
}

#[test]
fn it_says_which_configuration_it_took() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = folder.path().join(name);
        fs::write(&path, TWO).unwrap();
        path
    };
    let demo = first_line(framecast(&ANYWHERE).current_dir(folder.path()));
    assert!(demo.contains("demo"), "{demo}");
    let there = file("framecast.yaml");
    let taken = first_line(framecast(&ANYWHERE).current_dir(folder.path()));
    assert!(taken.ends_with("serving framecast.yaml"), "{taken}");
    let variable = file("variable.yaml");
    let mut with_variable = framecast(&ANYWHERE);
    with_variable.current_dir(folder.path()).env("FRAMECAST_CONFIG", &variable);
    assert!(first_line(&mut with_variable).ends_with("variable.yaml"));
    let mut with_both = framecast(&["serve", "-c", there.to_str().unwrap(), "-l", "127.0.0.1:0"]);
    let line = first_line(with_both.env("FRAMECAST_CONFIG", &variable));
    assert!(line.ends_with(there.to_str().unwrap()), "{line}");
    let mut with_empty = framecast(&ANYWHERE);
    let line = first_line(with_empty.current_dir(folder.path()).env("FRAMECAST_CONFIG", ""));
    assert!(line.ends_with("serving framecast.yaml"), "{line}");
}

#[test]
fn each_stream_has_a_line_with_a_url_that_works_and_listen_replaces_the_files_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("framecast.yaml");
    fs::write(&file, TWO).unwrap();
    let mut command = framecast(&["-l", "127.0.0.1:0", "-l", "127.0.0.1:0", "-c", file.to_str().unwrap()]);
    let running = Running::start(&mut command);
    let (first, second) = (url(&running), url(&running));
    assert!(first != second && !first.ends_with(":1"), "{first} and {second}");
    for (name, kind) in [("door", "push"), ("backyard", "pattern")] {
        let line = running.line();
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words, [name, kind, &format!("{first}/streams/{name}")]);
        for base in [&first, &second] {
            run("curl", &["--silent", "--fail", &format!("{base}/api/streams/{name}")]);
        }
    }
    running.signal("INT");
    let (status, log) = running.finish();
    assert!(status.success() && log.contains("SIGINT"), "{status}: {log}");
}

#[test]
fn an_address_that_cannot_be_had_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    run_framecast(&["-l", &address]).assert_failed(1, &[&address, "in use"]);
    // TEST-NET-3 of RFC 5737: nobody's.
    run_framecast(&["-l", "203.0.113.7:8080"]).assert_failed(1, &["203.0.113.7:8080", "no such address"]);
    run_framecast(&["-l", "8080"]).assert_failed(2, &["127.0.0.1:8080"]);
}

#[test]
fn a_reader_of_its_output_may_leave() {
    let mut command = framecast(&ANYWHERE);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Gone before the first line is written: the harshest `| head`.
    drop(child.stdout.take());
    let mut log = BufReader::new(child.stderr.take().unwrap());
    // Its URL cannot be read, so its standing is: a server that fell over ends by itself.
    let port = wait_for("its port", || listening_port(child.id()));
    run("curl", &["--silent", "--fail", &format!("http://127.0.0.1:{port}/healthz")]);
    assert!(child.try_wait().unwrap().is_none());
    run("kill", &[&child.id().to_string()]);
    assert!(child.wait().unwrap().success());
    let mut last = String::new();
    while log.read_line(&mut last).unwrap() > 0 {}
    assert!(!last.contains("panicked"), "{last}");
}

/// The port a process listens on, from Linux's tables.
fn listening_port(pid: u32) -> Option<u16> {
    let sockets: Vec<_> = fs::read_dir(format!("/proc/{pid}/fd"))
        .ok()?
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()?.to_str().map(str::to_owned))
        .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).ok()?;
    table.lines().skip(1).find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let listens = words.get(3) == Some(&"0A")
            && sockets.iter().any(|socket| words.get(9) == Some(&socket.as_str()));
        let port = words.get(1)?.split(':').nth(1)?;
        listens.then(|| u16::from_str_radix(port, 16).ok()).flatten()
    })
}

/// A shell's usual limit is 1024 files, and 2000 viewers are let in: at the limit not even the health check
/// is answered.
#[cfg(target_os = "linux")]
#[test]
fn it_may_open_as_many_files_as_the_system_allows() {
    let mut limited = Command::new("sh");
    let script = "ulimit -Sn 64; echo $$; exec \"$0\" \"$@\"";
    limited.args(["-c", script, env!("CARGO_BIN_EXE_framecast")]).args(ANYWHERE);
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(limited.current_dir(folder.path()).env_remove("FRAMECAST_CONFIG"));
    let process = running.line();
    url(&running);
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let open_files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let words: Vec<_> = open_files.split_whitespace().collect();
    assert_eq!(words[0], words[1], "soft and hard");
    running.terminate();
    assert!(running.finish().0.success());
}

/// Tasks of the process, by what they are for: connections, streams, and what these have started.
fn tasks(base: &str) -> [u64; 3] {
    let metrics = run("curl", &["--silent", "--fail", &format!("{base}/metrics")]).stdout;
    let metrics = String::from_utf8(metrics).unwrap();
    ["connection", "stream", "work"].map(|kind| {
        let series = format!("framecast_tasks{{kind=\"{kind}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok()).expect(&series)
    })
}

#[test]
fn what_viewers_have_started_is_counted_and_is_gone_when_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("framecast.yaml");
    let streams = "a: {source: {type: pattern}, linger: 0s}\n  b: {source: {type: push, token: none}}";
    fs::write(&file, format!("server: {{mosaic: false}}\nstreams:\n  {streams}\n")).unwrap();
    let running = Running::start(framecast(&ANYWHERE).arg("-c").arg(&file));
    let base = url(&running);
    let [connections, streams, work] = tasks(&base);
    assert_eq!((connections, streams), (1, 2), "the one that asks, and two streams");
    let address = base.strip_prefix("http://").unwrap();
    let mut viewers: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
    for (viewer, query) in viewers.iter_mut().zip(["", "", "?width=32"]) {
        write!(viewer, "GET /streams/a{query} HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        viewer.read_exact(&mut [0; 1024]).unwrap();
    }
    // The source of the stream, the rendition's actor, and what these need. Who asked before may not be gone
    // yet.
    let with = wait_for("those of three viewers", || Some(tasks(&base)).filter(|now| now[..2] == [4, 3]));
    assert!(with[2] >= work + 2, "{with:?}, and before {work}");
    drop(viewers);
    wait_for("the tasks of before", || (tasks(&base) == [1, 2, work]).then_some(()));
    running.terminate();
    assert!(running.finish().0.success());
}
