//! Shell scripts as cameras' programs.

use std::{fs, path::Path};

use tempfile::TempDir;
use testkit::{
    binary::Framecast,
    program::{run, test_file, wait_for},
};

/// Writes one picture after the other.
pub(crate) const SHOW: &str = "show() { while cat \"$PICTURE\"; do sleep 0.05; done; }";

/// A script in a folder of its own, in which it runs.
pub(crate) struct Script {
    folder: TempDir,
}

impl Script {
    pub(crate) fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("script"), format!("{SHOW}\n{text}\n")).unwrap();
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A source that runs it, with other keys of `type: exec` behind.
    pub(crate) fn source(&self, more: &str) -> String {
        let folder = self.folder.path().display();
        let picture = test_file("../assets/demo/1-dawn.jpg");
        format!(
            "{{type: exec, command: [sh, script], cwd: {folder}, env: {{PICTURE: {picture}, KEY: \
             s3cr3t-key}}{more}}}"
        )
    }

    /// Waits for a file that the program writes into its folder, and returns its content.
    pub(crate) fn written(&self, file: &str) -> String {
        wait_for(&format!("the script to write {file}"), || {
            fs::read_to_string(self.folder.path().join(file)).ok().filter(|text| text.ends_with('\n'))
        })
    }
}

/// Serves one stream that always runs.
pub(crate) fn serve(source: &str) -> Framecast {
    Framecast::serve(&format!("streams: {{door: {{on_demand: false, source: {source}}}}}"))
}

/// Returns why the stream waits, once it does, as an administrator reads it.
pub(crate) fn reason(framecast: &Framecast) -> String {
    wait_for("the source to fail", || {
        framecast.stream_for_admin("door")["reason"].as_str().map(str::to_owned)
    })
}

/// Returns why the stream waits, as everybody reads it.
pub(crate) fn public_reason(framecast: &Framecast) -> String {
    wait_for("the source to fail", || framecast.stream("door")["reason"].as_str().map(str::to_owned))
}

/// Fetches a snapshot, which wants the stream to run meanwhile.
pub(crate) fn snapshot(framecast: &Framecast) {
    run("curl", &["--silent", "--fail", "--output", "/dev/null", &framecast.url("/streams/door/snapshot")]);
}

/// Whether a process is there and is no zombie.
pub(crate) fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

pub(crate) fn gone(pid: &str) {
    wait_for(&format!("process {} to be gone", pid.trim()), || (!is_alive(pid)).then_some(()));
}
