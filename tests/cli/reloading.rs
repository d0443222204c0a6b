//! The configuration file changes while `framecast serve` runs.

use std::{fs, path::PathBuf, process::Command};

use tempfile::TempDir;
use testkit::program::{Running, run, wait_for};

use testkit::command::framecast;

/// A relay and the file it serves.
struct Served {
    running: Running,
    base: String,
    folder: TempDir,
}

impl Served {
    fn new(yaml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("framecast.yaml");
        fs::write(&file, yaml).unwrap();
        Self::start(folder, framecast(&["-l", "127.0.0.1:0", "-c"]).arg(&file))
    }

    fn start(folder: TempDir, command: &mut Command) -> Self {
        let running = Running::start(command);
        let base = running.line_with(|line| Some(line.strip_prefix("listening on ")?.to_owned()));
        Self { running, base, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("framecast.yaml")
    }

    /// The names of all streams, in order.
    fn streams(&self) -> Vec<String> {
        let output = run("curl", &["--silent", "--fail", &format!("{}api/streams", self.base)]);
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let streams = report["streams"].as_array().unwrap();
        streams.iter().map(|stream| stream["name"].as_str().unwrap().to_owned()).collect()
    }

    fn wait_for_streams(&self, names: &[&str]) {
        wait_for(&format!("{names:?}"), || (self.streams() == names).then_some(()));
    }

    fn log_says(&self, text: &str) {
        wait_for(text, || self.running.stderr().contains(text).then_some(()));
    }

    fn end(self) -> String {
        self.running.terminate();
        let (status, log) = self.running.finish();
        assert!(status.success() && !log.contains("panicked"), "{status}: {log}");
        log
    }
}

fn yaml(names: &[&str]) -> String {
    let stream = |name: &&str| format!("  {name}: {{source: {{type: push, token: none}}}}\n");
    format!("streams:\n{}", names.iter().map(stream).collect::<String>())
}

#[test]
fn the_file_is_read_again_when_it_is_written_and_when_another_takes_its_place() {
    let served = Served::new(&yaml(&["a", "b"]));
    fs::write(served.file(), yaml(&["c", "a", "b"])).unwrap();
    served.wait_for_streams(&["c", "a", "b"]);
    // As editors do.
    let new = served.folder.path().join(".framecast.yaml.swp");
    fs::write(&new, yaml(&["b"])).unwrap();
    fs::rename(&new, served.file()).unwrap();
    served.wait_for_streams(&["b"]);
    let log = served.end();
    assert!(log.contains("added: c") && log.contains("removed: c, a"), "{log}");
}

#[cfg(unix)]
#[test]
fn a_kubernetes_config_map_is_read_again_when_its_links_are_turned() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (version, names) in [("..one", &["a"][..]), ("..two", &["a", "b"])] {
        fs::create_dir(path(version)).unwrap();
        fs::write(path(version).join("framecast.yaml"), yaml(names)).unwrap();
    }
    symlink("..one", path("..data")).unwrap();
    symlink("..data/framecast.yaml", path("framecast.yaml")).unwrap();
    let mut command = framecast(&["-l", "127.0.0.1:0", "-c"]);
    command.arg(path("framecast.yaml"));
    let served = Served::start(folder, &mut command);
    served.wait_for_streams(&["a"]);
    symlink("..two", served.folder.path().join("..data_tmp")).unwrap();
    fs::rename(served.folder.path().join("..data_tmp"), served.folder.path().join("..data")).unwrap();
    served.wait_for_streams(&["a", "b"]);
    served.end();
}

#[cfg(unix)]
#[test]
fn a_hangup_has_it_read_again_too_and_the_demo_has_nothing_to_read() {
    let served = Served::new(&yaml(&["a"]));
    served.running.signal("HUP");
    served.log_says("nothing has changed");
    served.end();
    let folder = tempfile::tempdir().unwrap();
    let mut command = framecast(&["-l", "127.0.0.1:0"]);
    command.current_dir(folder.path());
    let demo = Served::start(folder, &mut command);
    demo.running.signal("HUP");
    demo.log_says("there is no configuration file");
    demo.end();
}

#[test]
fn a_wrong_file_changes_nothing_and_every_mistake_is_said() {
    let served = Served::new(&yaml(&["a", "b"]));
    let wrong = "streams:\n  a: {source: {type: pattern, fps: fast}}\n  c: {sorce: {}}\n";
    fs::write(served.file(), wrong).unwrap();
    served.log_says("streams.a.source.fps");
    served.log_says("did you mean `source`?");
    assert_eq!(served.streams(), ["a", "b"]);
    fs::write(served.file(), yaml(&["b", "c"])).unwrap();
    served.wait_for_streams(&["b", "c"]);
    served.end();
}

/// Such a name may be that of a stream to come, so it is no mistake; but somebody who cannot watch wonders.
#[test]
fn streams_in_access_rules_that_are_not_there_are_said_with_the_one_that_may_be_meant() {
    let auth = |streams: &str| {
        let hash = format!("sha256:{}", "0".repeat(64));
        format!(
            "auth: {{anonymous: [all], tokens: {{wall: {{hash: \"{hash}\", role: view, streams: \
             [{streams}]}}}}}}\n{}",
            yaml(&["front-door", "yard"])
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    fs::write(&file, auth("front-dor, yard, all-day")).unwrap();
    let checked = testkit::command::run_framecast(&["check", &file.display().to_string()]);
    let said = "auth.tokens.wall.streams: there is no stream front-dor (did you mean front-door?); it counts \
        as soon";
    assert!(checked.stderr.contains(said), "{}", checked.stderr);
    assert!(
        checked.stderr.contains("there is no stream all-day; it counts") && !checked.stderr.contains("yard")
    );
    checked.assert_success();
    let served = Served::new(&auth("yard"));
    assert!(!served.running.stderr().contains("there is no stream"));
    fs::write(served.file(), auth("yrd")).unwrap();
    served.log_says("there is no stream yrd (did you mean yard?)");
    served.end();
}

#[test]
fn limits_by_address_proxies_and_sessions_hold_at_once() {
    let base = yaml(&["a"]);
    let served = Served::new(&base);
    let ask = |more: &[&str]| {
        let url = format!("{}healthz", served.base);
        let mut arguments = vec!["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"];
        arguments.extend(more);
        arguments.push(&url);
        String::from_utf8(run("curl", &arguments).stdout).unwrap()
    };
    let times = |n: usize, more: &[&str]| (0..n).map(|_| ask(more)).filter(|status| status == "429").count();
    assert_eq!(times(12, &[]), 0);
    let limited = "server: {trusted_proxies: 127.0.0.1}\nlimits: {max_requests_per_second: 1, \
        max_viewers_per_address: 1}\n";
    fs::write(served.file(), format!("{limited}{base}")).unwrap();
    served.log_says("configuration applied");
    let from = |address: &str| format!("X-Forwarded-For: {address}");
    wait_for("too many requests", || (ask(&["-H", &from("192.0.2.1")]) == "429").then_some(()));
    assert_eq!(ask(&["-H", &from("192.0.2.2")]), "200", "another address, of a proxy that is trusted now");
    let watch = || {
        let url = format!("{}streams/a", served.base);
        let arguments = ["--silent", "--include", "--no-buffer", "-H", "X-Forwarded-For: 192.0.2.3", &url];
        Running::start(Command::new("curl").args(arguments))
    };
    let first = watch();
    assert!(first.line().contains("200"));
    assert!(watch().line().contains("429"), "one viewer an address");
    fs::write(served.file(), &base).unwrap();
    wait_for("no limits", || (times(12, &[]) == 0).then_some(()));
    assert!(watch().line().contains("200"));
    let log = served.end();
    assert!(!log.contains("needs a restart"), "{log}");
}

#[test]
fn what_needs_a_restart_is_said_and_the_rest_is_done() {
    let served = Served::new(&yaml(&["a"]));
    fs::write(served.file(), format!("server: {{base_path: /x}}\n{}", yaml(&["a", "b"]))).unwrap();
    served.wait_for_streams(&["a", "b"]);
    served.log_says("server.base_path changed, which needs a restart");
    served.end();
}
