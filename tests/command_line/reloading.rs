//! The configuration file changes while `framecast serve` runs.

use std::{fs, path::PathBuf, process::Command};

use tempfile::TempDir;

use crate::{
    commands::framecast,
    program::{Running, run, wait_for},
};

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

#[test]
fn what_needs_a_restart_is_said_and_the_rest_is_done() {
    let served = Served::new(&yaml(&["a"]));
    fs::write(served.file(), format!("server: {{base_path: /x}}\n{}", yaml(&["a", "b"]))).unwrap();
    served.wait_for_streams(&["a", "b"]);
    served.log_says("server.base_path changed, which needs a restart");
    served.end();
}
