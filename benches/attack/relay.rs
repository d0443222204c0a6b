//! The relay under attack: a child process with a memory limit.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use rcgen::generate_simple_self_signed;
use tempfile::TempDir;
use testkit::{
    attacks::{AUTH, STREAMS, Target},
    cgroup::Cgroup,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::JoinHandle,
    time::{sleep, timeout},
};

/// Time for the relay to listen, and to end after SIGTERM.
const START_WITHIN: Duration = Duration::from_secs(20);
const END_WITHIN: Duration = Duration::from_secs(20);

/// Interval between two readings of memory; without a control group, they enforce the relay's limit.
const SAMPLE_EVERY: Duration = Duration::from_millis(20);

/// Lines of the log that are shown of a relay that ended by itself.
const SHOWN_LINES: usize = 5;

/// Files of the relay: its certificate and configuration.
pub(crate) struct RelaySetup {
    folder: TempDir,
    program: PathBuf,
    limit: u64,
}

impl RelaySetup {
    /// Makes a certificate; the relay may use at most `limit` bytes of memory.
    pub(crate) fn new(program: PathBuf, limit: u64) -> Result<Self> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let made = generate_simple_self_signed(["localhost".to_owned()])?;
        fs::write(folder.path().join("cert.pem"), made.cert.pem())?;
        fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem())?;
        Ok(Self { folder, program, limit })
    }

    /// Returns the path of the certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// Starts a relay that takes its stream `camera` from this address.
    pub(crate) async fn start(&self, camera: SocketAddr) -> Result<Relay> {
        let folder = self.folder.path();
        let yaml = format!(
            "server: {{listen: '127.0.0.1:0', tls: {{cert_file: '{0}/cert.pem', key_file: '{0}/key.pem'}}}}\n\
             {AUTH}\nlog: {{access: none}}\nstreams:\n  \
             camera: {{source: {{type: mjpeg, url: 'http://{camera}/'}}}}\n{STREAMS}",
            folder.display(),
        );
        fs::write(folder.join("framecast.yaml"), yaml)?;
        Relay::start(&self.program, &folder.join("framecast.yaml"), &self.certificate(), self.limit).await
    }
}

/// Memory of the relay, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Resident memory, and its highest value.
    pub(crate) resident: u64,
    pub(crate) resident_peak: u64,
    /// The control group's, if there is one.
    pub(crate) group: Option<u64>,
    pub(crate) group_peak: Option<u64>,
    /// CPU time in seconds.
    pub(crate) cpu_s: f64,
}

/// A running relay, killed on drop.
pub(crate) struct Relay {
    child: Child,
    pid: u32,
    pub(crate) target: Target,
    limit: u64,
    last: Memory,
    log: JoinHandle<Vec<String>>,
    // After the child: a group with processes cannot be removed.
    group: Option<Cgroup>,
}

impl Relay {
    async fn start(program: &Path, config: &Path, certificate: &Path, limit: u64) -> Result<Self> {
        let group = Cgroup::with_limit("attack", limit).ok();
        // The shell joins the group and becomes the relay.
        let mut command = Command::new("sh");
        command.args(["-c", "[ -z \"$0\" ] || echo $$ >\"$0\"; exec \"$@\""]);
        command.arg(group.as_ref().map(Cgroup::processes).unwrap_or_default());
        command.arg(program).args(["serve", "--config"]).arg(config);
        for variable in ["RUST_LOG", "FRAMECAST_CONFIG", "FRAMECAST_LOG_FORMAT"] {
            command.env_remove(variable);
        }
        let mut child = command
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let pid = child.id().context("the relay ended at once")?;
        let mut stdout = BufReader::new(child.stdout.take().context("it is piped")?).lines();
        let mut stderr = BufReader::new(child.stderr.take().context("it is piped")?).lines();
        let log = tokio::spawn(async move {
            let mut last = Vec::new();
            while let Ok(Some(line)) = stderr.next_line().await {
                last.push(line);
                if last.len() > SHOWN_LINES {
                    last.remove(0);
                }
            }
            last
        });
        let listening = async {
            while let Some(line) = stdout.next_line().await? {
                if let Some(url) = line.trim().strip_prefix("listening on https://") {
                    return Ok(url.trim_end_matches('/').parse::<SocketAddr>()?);
                }
            }
            bail!("the relay ended before it listened")
        };
        let address = match timeout(START_WITHIN, listening).await.context("the relay does not listen")? {
            Ok(address) => address,
            Err(error) => bail!("{error}; it wrote:\n{}", log.await?.join("\n")),
        };
        // With a closed pipe its next line would fail.
        tokio::spawn(async move { while let Ok(Some(_)) = stdout.next_line().await {} });
        let target = Target::new(address, certificate)?;
        Ok(Self { child, pid, target, limit, last: Memory::default(), log, group })
    }

    /// Returns the address that it listens at.
    pub(crate) fn address(&self) -> SocketAddr {
        self.target.address()
    }

    /// Returns whether its memory is limited by a control group.
    pub(crate) fn has_group(&self) -> bool {
        self.group.is_some()
    }

    /// Returns its memory now; the last reading if it has ended.
    pub(crate) fn memory(&mut self) -> Memory {
        let group = self.group.as_ref();
        self.last.group = group.and_then(|group| group.usage().ok());
        self.last.group_peak = group.and_then(|group| group.peak().ok()).or(self.last.group_peak);
        if let Ok(status) = fs::read_to_string(format!("/proc/{}/status", self.pid)) {
            let kib = |key: &str| -> Option<u64> {
                let line = status.lines().find_map(|line| line.strip_prefix(key))?;
                line.trim().trim_end_matches(" kB").parse().ok()
            };
            self.last.resident = kib("VmRSS:").map_or(self.last.resident, |kib| kib * 1024);
            self.last.resident_peak = kib("VmHWM:").map_or(self.last.resident_peak, |kib| kib * 1024);
        }
        if let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", self.pid)) {
            // Utime and stime, in hundredths of a second, 11 fields after the name.
            let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default().split_whitespace();
            let ticks: f64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
            self.last.cpu_s = ticks / 100.0;
        }
        self.last
    }

    /// Waits this long, or until it ends by itself, and then returns its exit status.
    ///
    /// Without a control group, a relay above its limit is killed here.
    pub(crate) async fn runs_for(&mut self, length: Duration) -> Result<Option<ExitStatus>> {
        let over = tokio::time::Instant::now() + length;
        loop {
            let memory = self.memory();
            if self.group.is_none() && memory.resident > self.limit {
                self.child.start_kill()?;
                return Ok(Some(self.child.wait().await?));
            }
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if tokio::time::Instant::now() >= over {
                return Ok(None);
            }
            sleep(SAMPLE_EVERY).await;
        }
    }

    /// Ends it with SIGTERM, and returns the last lines of its log.
    pub(crate) async fn end(mut self) -> Result<Vec<String>> {
        if self.child.try_wait()?.is_none() {
            let pid = self.pid.to_string();
            Command::new("kill").args(["-s", "TERM", &pid]).status().await?;
            if timeout(END_WITHIN, self.child.wait()).await.is_err() {
                self.child.kill().await?;
            }
        }
        Ok(self.log.await?)
    }
}
