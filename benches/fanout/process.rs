//! Child processes, and what the system says about them.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    os::unix::process::CommandExt,
    process::{Child, ChildStdout, Command, Stdio},
};

use anyhow::{Context, bail, ensure};
use rustix::{
    process::{Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit},
    thread::{CpuSet, sched_setaffinity},
};

/// Files that one process must be able to open: 3000 viewers, and room.
const OPEN_FILES: u64 = 4096;

/// A server that was started, killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Kept open: a server that writes to a closed pipe would end.
    _out: BufReader<ChildStdout>,
}

impl Server {
    /// Starts `command` and waits until it says where it listens.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?;
        let mut out = BufReader::new(child.stdout.take().context("its output is a pipe")?);
        loop {
            let mut line = String::new();
            if out.read_line(&mut line)? == 0 {
                bail!("{command:?} ended with {} and listened nowhere", child.wait()?);
            }
            if let Some((_, address)) = line.split_once("listening on http") {
                let address = address
                    .trim_start_matches('s')
                    .trim_start_matches("://")
                    .trim()
                    .trim_end_matches('/')
                    .parse()?;
                return Ok(Self { child, address, _out: out });
            }
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This program again, as another part of the benchmark.
pub(crate) fn myself(part: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(part);
    Ok(command)
}

/// Children end with their parent, also when that is killed.
pub(crate) fn end_with_parent() -> anyhow::Result<()> {
    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// Raises the limit of open files, for this process and its children, as far as it may.
pub(crate) fn allow_many_files() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    ensure!(
        limit.maximum.is_none_or(|most| most >= OPEN_FILES),
        "the limit of open files (ulimit -n) must be {OPEN_FILES}"
    );
    Ok(())
}

/// `run CORES PROGRAM ARGUMENTS…`: becomes that program, on the first so many cores.
pub(crate) fn become_program(arguments: &[String]) -> anyhow::Result<()> {
    let [cores, program, rest @ ..] = arguments else { bail!("run CORES PROGRAM ARGUMENTS…") };
    let cores: usize = cores.parse()?;
    if cores > 0 {
        let mut set = CpuSet::new();
        (0..cores).for_each(|core| set.set(core));
        sched_setaffinity(None, &set)?;
    }
    Err(Command::new(program).args(rest).exec()).with_context(|| format!("cannot run {program}"))
}

/// CPU seconds of a process so far, all its threads, user and system.
pub(crate) fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    // Nanoseconds, where /proc/PID/stat has hundredths of a second.
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        nanoseconds += text.split(' ').next().unwrap_or_default().parse::<f64>()?;
    }
    Ok(nanoseconds / 1e9)
}

/// Resident memory of a process, in bytes: `VmRSS` without what is shared with files (the program itself).
pub(crate) fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS is missing")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
}
