//! The real binary as a child: started, measured through `/proc`, signalled.

use std::{
    fs, io,
    net::SocketAddr,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
    time::{Instant, timeout},
};

use crate::{api::ADMIN_TOKEN, log::Log, report::Report};

/// It listens within this, or never.
const START_WITHIN: Duration = Duration::from_secs(10);

/// A process that does not end at SIGTERM is waited for so long and then killed.
const END_WITHIN: Duration = Duration::from_secs(20);

/// Unit in which the kernel counts CPU time for programs: USER_HZ, which is 100 on every Linux that Rust runs
/// on.
const TICKS_PER_S: f64 = 100.0;

/// The relay under test.
#[derive(Debug)]
pub(crate) struct Relay {
    child: Child,
    pid: u32,
    address: SocketAddr,
    log_check: JoinHandle<()>,
    /// Kept open: a closed pipe would fail the relay's next print.
    _stdout: Lines<BufReader<ChildStdout>>,
    pub(crate) log: Arc<Log>,
}

/// The resources that the process uses at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Resident memory.
    pub(crate) memory_kib: u64,
    pub(crate) threads: usize,
    pub(crate) descriptors: usize,
    pub(crate) cpu_s: f64,
}

impl Usage {
    /// Of any process of ours.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let folder = format!("/proc/{pid}");
        let status = fs::read_to_string(format!("{folder}/status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let resident_kib: u64 = resident.trim().trim_end_matches(" kB").parse().map_err(io::Error::other)?;
        // Behind the program's name, which may hold anything: state is field 3, utime and stime are 14
        // and 15.
        let stat = fs::read_to_string(format!("{folder}/stat"))?;
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default().split_whitespace();
        let ticks: f64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
        Ok(Self {
            memory_kib: resident_kib,
            threads: fs::read_dir(format!("{folder}/task"))?.count(),
            descriptors: fs::read_dir(format!("{folder}/fd"))?.count(),
            cpu_s: ticks / TICKS_PER_S,
        })
    }
}

impl Relay {
    /// Serves the configuration; warnings are allowed about the streams `may_go_away` only.
    pub(crate) async fn start(
        program: &Path,
        config: &Path,
        may_go_away: Vec<String>,
        report: Arc<Report>,
    ) -> Result<Self> {
        let mut child = Command::new(program)
            .args(["serve", "--config"])
            .arg(config)
            .env_remove("RUST_LOG")
            .env("NO_COLOR", "1")
            .env("FRAMECAST_ADMIN_TOKEN", ADMIN_TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start framecast")?;
        let pid = child.id().context("framecast ended at once")?;
        let stderr = child.stderr.take().context("stderr is piped")?;
        let log = Arc::new(Log::default());
        let log_check = tokio::spawn(log.clone().check(stderr, may_go_away, report));
        let mut stdout = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
        let address =
            timeout(START_WITHIN, address(&mut stdout)).await.context("framecast does not listen")??;
        Ok(Self { child, pid, address, log_check, _stdout: stdout, log })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its number, for signals.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the resources that it uses now.
    pub(crate) fn usage(&self) -> io::Result<Usage> {
        Usage::of(self.pid)
    }

    /// Sends SIGTERM and waits: how it ended, and after how long. Its log is checked to the last line.
    pub(crate) async fn terminate(mut self) -> Result<(ExitStatus, Duration)> {
        let start = Instant::now();
        signal(self.pid, "TERM").await?;
        let status =
            timeout(END_WITHIN, self.child.wait()).await.context("SIGTERM does not end framecast")??;
        let took = start.elapsed();
        self.log_check.await.context("the log was not checked to its end")?;
        Ok((status, took))
    }
}

/// Sends a signal, such as `HUP`.
pub(crate) async fn signal(pid: u32, name: &str) -> Result<()> {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status().await;
    if !sent.context("cannot run kill")?.success() {
        bail!("framecast was gone before SIG{name}");
    }
    Ok(())
}

async fn address(stdout: &mut Lines<BufReader<ChildStdout>>) -> Result<SocketAddr> {
    while let Some(line) = stdout.next_line().await? {
        if let Some(url) = line.strip_prefix("listening on http://") {
            return url.trim_end_matches('/').parse().context("framecast printed another address");
        }
    }
    bail!("framecast ended before it listened")
}
