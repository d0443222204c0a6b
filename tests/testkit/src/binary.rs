//! The real `framecast` binary, serving a configuration on a free port.

use std::{env, fs, net::SocketAddr, path::PathBuf, process::Command};

use tempfile::TempDir;

use crate::program::{Running, run, wait_for};

/// The administrator's token of every relay whose test sets no other.
pub const ADMIN_TOKEN: &str = "an-admin-token-of-the-tests";

/// The path of the program that was built with the test: the folder above the test's own program has it.
pub fn path() -> PathBuf {
    let test = env::current_exe().expect("the system knows what it runs");
    let folder = test.ancestors().nth(2).expect("cargo puts tests into `deps`");
    let program = folder.join("framecast").with_extension(env::consts::EXE_EXTENSION);
    assert!(program.exists(), "{} is absent: cargo builds it for integration tests", program.display());
    program
}

/// A running `framecast serve`, killed when this is dropped.
pub struct Framecast {
    running: Running,
    base: String,
    _folder: TempDir,
}

impl Framecast {
    /// Serves this YAML on a free port of 127.0.0.1.
    pub fn serve(yaml: &str) -> Self {
        Self::serve_with(yaml, |command| command)
    }

    /// Serves `yaml` with a command that was changed before.
    pub fn serve_with(yaml: &str, change: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("framecast.yaml");
        fs::write(&file, yaml).expect("the folder is ours");
        let mut command = Command::new(path());
        command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&file);
        // What the developer's shell asks of framecast must not reach the tests.
        for variable in ["RUST_LOG", "FRAMECAST_CONFIG", "FRAMECAST_LOG_FORMAT"] {
            command.env_remove(variable);
        }
        command.env("FRAMECAST_ADMIN_TOKEN", ADMIN_TOKEN);
        let running = Running::start(change(&mut command));
        let base = running.line_with(|line| {
            line.split_once("listening on ").map(|(_, url)| url.trim().trim_end_matches('/').to_owned())
        });
        Self { running, base, _folder: folder }
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.base.trim_start_matches("http://").parse().expect("it listens on an address without TLS")
    }

    /// The URL of a route.
    pub fn url(&self, route: &str) -> String {
        format!("{}{route}", self.base)
    }

    /// Returns the report of the API about a stream.
    pub fn stream(&self, name: &str) -> serde_json::Value {
        let output = run("curl", &["--silent", "--fail", &self.url(&format!("/api/streams/{name}"))]);
        serde_json::from_slice(&output.stdout).expect("the API answers JSON")
    }

    /// Returns the API's report on a stream, as an administrator reads it.
    pub fn stream_for_admin(&self, name: &str) -> serde_json::Value {
        let (url, bearer) =
            (self.url(&format!("/api/streams/{name}")), format!("Authorization: Bearer {ADMIN_TOKEN}"));
        let output = run("curl", &["--silent", "--fail", "-H", &bearer, &url]);
        serde_json::from_slice(&output.stdout).expect("the API answers JSON")
    }

    /// Returns the log so far.
    pub fn log(&self) -> String {
        self.running.stderr()
    }

    /// Ends it with SIGTERM, whatever it has logged.
    pub fn end(self) -> String {
        self.running.terminate();
        let (status, log) = self.running.finish();
        assert!(status.success(), "framecast ended with {status}:\n{log}");
        log
    }

    /// Waits until a stream is live, or whatever else this asks for.
    pub fn wait_for_state(&self, name: &str, state: &str) {
        wait_for(&format!("{name} to be {state}"), || (self.stream(name)["state"] == state).then_some(()));
    }

    /// Ends it with SIGTERM: exit code 0, and nothing in the log that an operator would have to look at.
    pub fn end_cleanly(self) {
        self.running.terminate();
        let (status, log) = self.running.finish();
        assert!(status.success(), "framecast ended with {status}:\n{log}");
        let bad = |line: &&str| ["ERROR", "WARN", "panicked"].iter().any(|word| line.contains(word));
        let complaints: Vec<_> = log.lines().filter(bad).collect();
        assert!(complaints.is_empty(), "the log complains:\n{}", complaints.join("\n"));
    }
}
