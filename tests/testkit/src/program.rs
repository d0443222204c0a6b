//! Other programs, run to their end or kept beside a test, and never left behind.

use std::{
    env,
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// A bound on what hangs; far from what anything here takes.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// Interval at which a condition is checked while it is waited for.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Lines a program may be ahead of its reader before it has to wait.
const LINES_AHEAD: usize = 1024;

/// A program that runs beside the test, killed when this is dropped.
pub struct Running {
    child: Child,
    name: String,
    lines: Option<mpsc::Receiver<String>>,
    stderr: Arc<Mutex<String>>,
    readers: Vec<thread::JoinHandle<()>>,
}

impl Running {
    /// Starts it with no input; its output is read as it comes.
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| {
                panic!("cannot start {name}: {e}; scripts/test installs what the tests need")
            });
        let (sender, lines) = mpsc::sync_channel(LINES_AHEAD);
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut stderr_pipe = child.stderr.take().expect("stderr is piped");
        let stderr = Arc::new(Mutex::new(String::new()));
        let written = stderr.clone();
        let readers = vec![
            thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            }),
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = stderr_pipe.read(&mut buffer) {
                    let text = String::from_utf8_lossy(&buffer[..length]);
                    written.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
                }
            }),
        ];
        Self { child, name, lines: Some(lines), stderr, readers }
    }

    /// The next line of its standard output.
    pub fn line(&self) -> String {
        let lines = self.lines.as_ref().expect("only finishing takes it");
        lines.recv_timeout(TIMEOUT).unwrap_or_else(|e| {
            panic!("{} printed no further line ({e}); it complained:\n{}", self.name, self.stderr())
        })
    }

    /// The first line of standard output for which `pick` finds something.
    pub fn line_with<T>(&self, pick: impl Fn(&str) -> Option<T>) -> T {
        loop {
            if let Some(found) = pick(&self.line()) {
                return found;
            }
        }
    }

    /// Returns the standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_none()
    }

    /// Asks it to end with SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal, by the signal's name.
    pub fn signal(&self, signal: &str) {
        let done = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status();
        assert!(done.is_ok_and(|status| status.success()), "cannot send SIG{signal} to {}", self.name);
    }

    /// Waits for its end and gives exit status and all of its standard error.
    pub fn finish(mut self) -> (std::process::ExitStatus, String) {
        drop(self.lines.take());
        let status = wait_for("its end", || self.child.try_wait().expect("a child can be asked"));
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader does not panic");
        }
        let stderr = self.stderr();
        (status, stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill and only the status to collect.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs a program to its end; panics when it fails, with what it complained.
pub fn run(program: impl AsRef<OsStr>, args: &[&str]) -> Output {
    let output = try_run(program.as_ref(), args);
    assert!(
        output.status.success(),
        "{} {} ended with {}:\n{}",
        program.as_ref().to_string_lossy(),
        args.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr),
    );
    output
}

/// Runs a program to its end, whatever that is.
pub fn try_run(program: impl AsRef<OsStr>, args: &[&str]) -> Output {
    // `timeout` bounds a program that would read an endless stream for ever, and lets it tidy up (SIGTERM).
    let mut bounded = Command::new("timeout");
    bounded.arg(TIMEOUT.as_secs().to_string()).arg(program.as_ref()).args(args).stdin(Stdio::null());
    bounded.output().unwrap_or_else(|e| panic!("cannot start timeout, of coreutils: {e}"))
}

/// Looks until there is something to see.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(start.elapsed() < TIMEOUT, "waited {} s in vain for {what}", TIMEOUT.as_secs());
        thread::park_timeout(POLL_INTERVAL);
    }
}

/// An address that can be had once more when its first owner is gone, which one of port 0 cannot. On
/// 127.0.0.1 others could take the port meanwhile; this is an address of loopback that no other process has
/// (Linux has 16 million of them).
pub fn free_address() -> SocketAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, 64 | (high & 0x3f), middle, low);
    let listener = TcpListener::bind((own, 0)).expect("there is a free port");
    listener.local_addr().expect("it is bound")
}

/// Python with the packages of `tests/testkit/programs/requirements.txt`, made by `scripts/test`.
pub fn python() -> PathBuf {
    python_of("test-python")
}

/// Python with Home Assistant's camera code, made by `scripts/test`.
pub fn home_assistant() -> PathBuf {
    python_of("test-home-assistant")
}

/// Prometheus' tool, put there by `scripts/test`.
pub fn promtool() -> PathBuf {
    of_target("test-prometheus/promtool")
}

/// A program of the packages of `tests/testkit/programs/contract.txt`, made by `scripts/test`.
pub fn contract_tool(name: &str) -> PathBuf {
    of_target(&format!("test-contract/bin/{name}"))
}

/// nginx or Caddy, put there by `scripts/test`.
pub fn proxy(name: &str) -> PathBuf {
    of_target(&format!("test-proxies/{name}"))
}

fn python_of(environment: &str) -> PathBuf {
    of_target(&format!("{environment}/bin/python"))
}

fn of_target(path: &str) -> PathBuf {
    let test = env::current_exe().expect("the system knows what it runs");
    // cargo makes `tmp` in its target folder for integration tests.
    let target = test.ancestors().find(|folder| folder.join("tmp").is_dir());
    let program = target.expect("tests run in the target folder").join(path);
    assert!(program.exists(), "{} is absent: scripts/test puts it there", program.display());
    program
}

/// A file of `tests/`.
pub fn test_file(path: &str) -> String {
    format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))
}
