//! The real binary as a child: started, measured through `/proc`, its log judged line by line, ended by SIGTERM.

use std::{
    fs, io,
    net::SocketAddr,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
    time::{Instant, timeout},
};

use crate::verdict::{Verdict, count};

/// It listens within this, or never.
const START_WITHIN: Duration = Duration::from_secs(10);

/// A process that does not end at SIGTERM is waited for so long and then killed.
const END_WITHIN: Duration = Duration::from_secs(20);

/// What the kernel counts CPU time in, for programs: USER_HZ, which is 100 on every Linux that Rust runs on.
const TICKS_PER_S: f64 = 100.0;

/// What the log says of a camera whose script explains it.
const EXPECTED_WARNING: &str = "source is away";

/// The relay under test.
#[derive(Debug)]
pub(crate) struct Relay {
    child: Child,
    pid: u32,
    address: SocketAddr,
    judging: JoinHandle<()>,
    /// Kept open: a closed pipe would fail the relay's next print.
    _stdout: Lines<BufReader<ChildStdout>>,
    /// Warnings about cameras that were made to go away.
    pub(crate) warnings: Arc<AtomicU64>,
}

/// What the process needs at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Resident memory.
    pub(crate) memory_kib: u64,
    pub(crate) threads: usize,
    pub(crate) descriptors: usize,
    pub(crate) cpu_s: f64,
}

impl Relay {
    /// Serves the configuration; warnings are allowed about the streams `may_go_away` only.
    pub(crate) async fn start(
        config: &Path,
        may_go_away: Vec<String>,
        verdict: Arc<Verdict>,
    ) -> Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_framecast"))
            .args(["serve", "--config"])
            .arg(config)
            .env_remove("RUST_LOG")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start framecast")?;
        let pid = child.id().context("framecast ended at once")?;
        let stderr = child.stderr.take().context("stderr is piped")?;
        let warnings = Arc::new(AtomicU64::new(0));
        let judging = tokio::spawn(judge(stderr, may_go_away, verdict, warnings.clone()));
        let mut stdout = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
        let address =
            timeout(START_WITHIN, address(&mut stdout)).await.context("framecast does not listen")??;
        Ok(Self { child, pid, address, judging, _stdout: stdout, warnings })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it needs now.
    pub(crate) fn usage(&self) -> io::Result<Usage> {
        let folder = format!("/proc/{}", self.pid);
        let status = fs::read_to_string(format!("{folder}/status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let resident_kib: u64 = resident.trim().trim_end_matches(" kB").parse().map_err(io::Error::other)?;
        // Behind the program's name, which may hold anything: state is field 3, utime and stime are 14 and 15.
        let stat = fs::read_to_string(format!("{folder}/stat"))?;
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default().split_whitespace();
        let ticks: f64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
        Ok(Usage {
            memory_kib: resident_kib,
            threads: fs::read_dir(format!("{folder}/task"))?.count(),
            descriptors: fs::read_dir(format!("{folder}/fd"))?.count(),
            cpu_s: ticks / TICKS_PER_S,
        })
    }

    /// Sends SIGTERM and waits: how it ended, and after how long. Its log is judged to the last line.
    pub(crate) async fn terminate(mut self) -> Result<(ExitStatus, Duration)> {
        let start = Instant::now();
        let sent =
            Command::new("kill").arg(self.pid.to_string()).status().await.context("cannot run kill")?;
        if !sent.success() {
            bail!("framecast was gone before SIGTERM");
        }
        let status =
            timeout(END_WITHIN, self.child.wait()).await.context("SIGTERM does not end framecast")??;
        let took = start.elapsed();
        self.judging.await.context("the log was not judged to its end")?;
        Ok((status, took))
    }
}

async fn address(stdout: &mut Lines<BufReader<ChildStdout>>) -> Result<SocketAddr> {
    while let Some(line) = stdout.next_line().await? {
        if let Some(url) = line.strip_prefix("listening on http://") {
            return url.trim_end_matches('/').parse().context("framecast printed another address");
        }
    }
    bail!("framecast ended before it listened")
}

async fn judge(
    log: impl AsyncRead + Unpin,
    may_go_away: Vec<String>,
    verdict: Arc<Verdict>,
    warnings: Arc<AtomicU64>,
) {
    let mut lines = BufReader::new(log).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let expected = line.contains(EXPECTED_WARNING)
            && may_go_away.iter().any(|name| line.trim_end().ends_with(&format!("stream={name}")));
        if line.contains("WARN") && expected {
            count(&warnings);
        } else if ["ERROR", "WARN", "panicked"].iter().any(|word| line.contains(word)) {
            verdict.violation(format!("in the log: {line}"));
        }
    }
}
