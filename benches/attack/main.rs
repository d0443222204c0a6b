//! The release binary under attack, in little memory, beside a camera and its viewers.
//!
//! ```text
//! cargo bench --bench attack -- --seconds 20
//! ```
//!
//! Each attack of `attacks/` runs against its own relay, in a control group of 256 MiB. Measured are whether
//! the relay lives, its memory before, meanwhile and afterwards, and the frames that 20 viewers of a camera
//! of 30 frames a second get, compared with those that they get beside a program that only burns as much CPU
//! as the attackers did. Prints a table in Markdown: docs/reliability.md. Attackers and burner are niced;
//! camera and viewers, which are the instrument, are not.

mod viewers;
mod relay;

use std::{
    fmt,
    net::SocketAddr,
    path::PathBuf,
    process::{ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::{Parser, ValueEnum};
use rustix::{
    process::nice,
    time::{ClockId, clock_gettime},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use relay::{Memory, RelaySetup};
use testkit::attacks::{self, ATTACKS, AttackFiles, KINDS, Target, handshakes};
use viewers::{Frames, ViewerGroup};

/// Niceness of attackers and burner.
const NICENESS: i32 = 10;

/// Time for a load to prepare its files, and to stop after its time is over.
const PREPARES_WITHIN: Duration = Duration::from_secs(60);
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// Frames that every viewer has seen before an attack begins.
const SEEN_BEFORE: u64 = 60;
const SEEN_BEFORE_WITHIN: Duration = Duration::from_secs(30);

/// The promised limits: memory afterwards above that before, and the percentage of frames.
const KEPT_BYTES: u64 = 48 * MIB;
const FRAMES_PERCENT: f64 = 99.0;

const MIB: u64 = 1024 * 1024;

/// Attacks a framecast process with little memory and measures the effect on it and its viewers.
#[derive(Debug, Parser)]
struct Arguments {
    /// A framecast binary other than the one that was built with this bench
    #[arg(long)]
    framecast: Option<PathBuf>,
    /// Attacks whose names begin with this; all by default
    #[arg(long)]
    only: Vec<String>,
    /// Length of each attack but the mix
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Length of the mix
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Time from the end of an attack to the last reading of memory
    #[arg(long, default_value_t = 30.0)]
    settle: f64,
    /// Memory limit of framecast, in MiB
    #[arg(long, default_value_t = 256)]
    memory: u64,
    /// Viewers during the attack
    #[arg(long, default_value_t = 20)]
    viewers: usize,
    /// Leaves out the run with a burner in place of the attackers
    #[arg(long)]
    no_burner: bool,
    /// Seed of the mix: the same number repeats it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Lists the attacks
    #[arg(long)]
    list: bool,
    /// Role of this process as a child of itself
    #[arg(long, hide = true)]
    role: Option<Role>,
    #[arg(long, hide = true)]
    address: Option<SocketAddr>,
    #[arg(long, hide = true)]
    certificate: Option<PathBuf>,
    #[arg(long, hide = true, default_value_t = 0.0)]
    cpu: f64,
    /// Ignored; cargo adds it
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    Attack,
    Burn,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.role {
        Some(Role::Attack) => run_attackers(&arguments).await?,
        Some(Role::Burn) => run_burner(&arguments)?,
        None if arguments.list => {
            ATTACKS.iter().for_each(|attack| say(&format!("{:16} {}", attack.name, attack.what)));
            KINDS.iter().for_each(|(name, kind)| say(&format!("flood-{name:10} frames of type {kind}")));
        }
        None => return measure(&arguments).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// To standard output.
#[expect(clippy::print_stdout, reason = "this program's output is what it is run for")]
fn say(text: &str) {
    println!("{text}");
}

async fn run_attackers(arguments: &Arguments) -> Result<()> {
    nice(NICENESS)?;
    let address = arguments.address.context("--address is needed")?;
    let certificate = arguments.certificate.as_ref().context("--certificate is needed")?;
    let target = Target::new(address, certificate)?;
    let name = arguments.only.first().context("--only is needed")?;
    let arsenal = AttackFiles::made_for(name)?;
    say("ready");
    let before = cpu_s();
    attacks::run(name, &target, arsenal, Duration::from_secs_f64(arguments.seconds), arguments.seed).await?;
    say(&format!("{} {}", cpu_s() - before, handshakes()));
    Ok(())
}

/// Burns this much CPU evenly, if it gets as much.
#[expect(clippy::disallowed_methods, reason = "nothing else runs in this process")]
fn run_burner(arguments: &Arguments) -> Result<()> {
    nice(NICENESS)?;
    say("ready");
    let (start, before) = (Instant::now(), cpu_s());
    loop {
        let elapsed = start.elapsed().as_secs_f64();
        if elapsed >= arguments.seconds {
            break;
        }
        if cpu_s() - before < arguments.cpu * elapsed / arguments.seconds {
            let until = Instant::now() + Duration::from_millis(1);
            while Instant::now() < until {
                std::hint::spin_loop();
            }
        } else {
            thread::sleep(Duration::from_millis(1));
        }
    }
    say(&format!("{} 0", cpu_s() - before));
    Ok(())
}

/// Returns the CPU time of this process.
fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

async fn measure(arguments: &Arguments) -> Result<ExitCode> {
    let names = ATTACKS.iter().map(|attack| attack.name.to_owned());
    let names = names.chain(KINDS.iter().map(|(name, _)| format!("flood-{name}")));
    let wanted = |name: &String| {
        arguments.only.is_empty() || arguments.only.iter().any(|start| name.starts_with(start.as_str()))
    };
    let names: Vec<_> = names.filter(wanted).collect();
    if names.is_empty() {
        bail!("no attack has such a name; --list lists them");
    }
    let program = arguments.framecast.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_framecast").into());
    say(&format!("{}, {} MiB, {} viewers", program.display(), arguments.memory, arguments.viewers));
    let setup = RelaySetup::new(program, arguments.memory * MIB)?;
    say(Row::HEAD);
    let mut is_kept = true;
    for name in names {
        let length = if name == "mix" { arguments.minutes * 60.0 } else { arguments.seconds };
        let length = Duration::from_secs_f64(length);
        let row = Row::measure(&setup, &name, length, arguments).await?;
        say(&row.to_string());
        is_kept &= row.is_kept();
    }
    Ok(if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One attack, and the run with a burner in its place.
struct Row {
    name: String,
    length: Duration,
    attack: Outcome,
    burner: Option<Outcome>,
}

impl Row {
    const HEAD: &str = "| attack | the relay | memory before / highest / afterwards, MiB | \
         group's highest, MiB | frames a viewer: attack / burner | of 100 | connections | \
         CPU of attackers / burner / relay, s |\n|---|---|---|---|---|---|---|---|";

    async fn measure(
        setup: &RelaySetup,
        name: &str,
        length: Duration,
        arguments: &Arguments,
    ) -> Result<Self> {
        let settle = Duration::from_secs_f64(arguments.settle);
        let load = Load { role: Role::Attack, name, cpu: 0.0, seed: arguments.seed };
        let attack = Outcome::of(setup, load, length, settle, arguments.viewers).await?;
        let mut burner = None;
        if attack.ended.is_none() && !arguments.no_burner {
            let load = Load { role: Role::Burn, name, cpu: attack.load_cpu_s, seed: 0 };
            burner = Some(Outcome::of(setup, load, length, Duration::ZERO, arguments.viewers).await?);
        }
        Ok(Self { name: name.to_owned(), length, attack, burner })
    }

    /// Returns the percentage of frames that viewers kept: of those that the camera sent, since on a busy
    /// machine it skips some.
    fn percent(&self) -> Option<f64> {
        let share = |frames: Frames| frames.seen as f64 / frames.sent.max(1) as f64;
        let burner = self.burner.as_ref()?;
        Some(100.0 * share(self.attack.frames) / share(burner.frames))
    }

    /// Returns whether the promised limits hold.
    fn is_kept(&self) -> bool {
        self.attack.ended.is_none()
            && self.attack.after.resident <= self.attack.before.resident + KEPT_BYTES
            && self.percent().is_none_or(|percent| percent >= FRAMES_PERCENT)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / MIB as f64;
        let Outcome { before, peak, after, .. } = self.attack;
        let lives = match &self.attack.ended {
            None => format!("lives after {:.0} s", self.length.as_secs_f64()),
            Some(ended) => format!("**{ended}**"),
        };
        let after = match self.attack.ended {
            None => format!("{:.0}", mib(after.resident)),
            Some(_) => "–".to_owned(),
        };
        let group = peak.group_peak.map_or("no group".to_owned(), |bytes| format!("{:.0}", mib(bytes)));
        let a_viewer = |outcome: &Outcome| {
            let viewers = outcome.viewers as f64;
            let Frames { sent, seen, returns } = outcome.frames;
            let lost = if returns == 0 { String::new() } else { format!(" ({returns} connections lost)") };
            format!("{:.1} of {sent}{lost}", seen as f64 / viewers)
        };
        let burner = self.burner.as_ref().map_or("–".to_owned(), a_viewer);
        let percent = self.percent().map_or("–".to_owned(), |percent| format!("{percent:.1}"));
        let burnt =
            self.burner.as_ref().map_or("–".to_owned(), |burner| format!("{:.1}", burner.load_cpu_s));
        write!(
            f,
            "| {} | {lives} | {:.0} / {:.0} / {after} | {group} | {} / {burner} | {percent} | {} | \
             {:.1} / {burnt} / {:.1} |",
            self.name,
            mib(before.resident),
            mib(peak.resident_peak),
            a_viewer(&self.attack),
            self.attack.handshakes,
            self.attack.load_cpu_s,
            self.attack.relay_cpu_s,
        )
    }
}

/// The load that runs beside the viewers.
#[derive(Debug, Clone, Copy)]
struct Load<'a> {
    role: Role,
    name: &'a str,
    cpu: f64,
    seed: u64,
}

impl Load<'_> {
    /// Starts it as a child, and waits until its files are made.
    async fn start(self, relay: &relay::Relay, setup: &RelaySetup, length: Duration) -> Result<Running> {
        let role = self.role.to_possible_value().context("it has a name")?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--role", role.get_name(), "--only", self.name, "--cpu", &self.cpu.to_string()])
            .args(["--seconds", &length.as_secs_f64().to_string(), "--seed", &self.seed.to_string()])
            .args(["--address", &relay.address().to_string(), "--certificate"])
            .arg(setup.certificate())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the attackers")?;
        let mut stdout = BufReader::new(child.stdout.take().context("it is piped")?).lines();
        let ready =
            timeout(PREPARES_WITHIN, stdout.next_line()).await.context("the attackers never begin")??;
        if ready.as_deref() != Some("ready") {
            bail!("the attackers ended before they began");
        }
        Ok(Running { child, stdout })
    }
}

/// A running load.
struct Running {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// Waits for its end, and returns the CPU seconds that it used and the handshakes that it completed.
    async fn end(mut self) -> Result<(f64, u64)> {
        let used =
            timeout(ENDS_WITHIN, self.stdout.next_line()).await.context("the attackers do not end")??;
        let status = timeout(ENDS_WITHIN, self.child.wait()).await.context("the attackers do not end")??;
        match used.as_deref().and_then(|used| used.split_once(' ')) {
            Some((cpu, handshakes)) if status.success() => Ok((cpu.parse()?, handshakes.parse()?)),
            _ => bail!("the attackers ended with {status}"),
        }
    }
}

/// Measurements of the relay and its viewers beside a load.
#[derive(Debug)]
struct Outcome {
    before: Memory,
    peak: Memory,
    after: Memory,
    frames: Frames,
    viewers: usize,
    /// Exit status of the relay, if it ended.
    ended: Option<String>,
    load_cpu_s: f64,
    /// TLS handshakes of the attackers: without any they have attacked nothing.
    handshakes: u64,
    relay_cpu_s: f64,
}

impl Outcome {
    async fn of(
        setup: &RelaySetup,
        load: Load<'_>,
        length: Duration,
        settle: Duration,
        viewers: usize,
    ) -> Result<Self> {
        let mut group = ViewerGroup::new().await?;
        let mut relay = setup.start(group.camera).await?;
        if !relay.has_group() {
            say("no control group may be made here: a relay above its limit is killed once that is seen");
        }
        group.watch(&relay.target, viewers);
        group.is_shown(viewers, SEEN_BEFORE, SEEN_BEFORE_WITHIN).await?;
        let running = load.start(&relay, setup, length).await?;
        let (before, frames_before, start) = (relay.memory(), group.frames(), Instant::now());
        let ended = relay.runs_for(length).await?;
        let frames = group.frames() - frames_before;
        let (peak, lived) = (relay.memory(), start.elapsed());
        let mut outcome = Self {
            before,
            peak,
            after: peak,
            frames,
            viewers,
            ended: ended.map(|status| format!("ended after {:.1} s: {status}", lived.as_secs_f64())),
            load_cpu_s: 0.0,
            handshakes: 0,
            relay_cpu_s: peak.cpu_s - before.cpu_s,
        };
        if outcome.ended.is_none() {
            (outcome.load_cpu_s, outcome.handshakes) = running.end().await?;
            if let Some(status) = relay.runs_for(settle).await? {
                outcome.ended = Some(format!("ended afterwards: {status}"));
            }
            outcome.after = relay.memory();
            outcome.peak = outcome.after;
        }
        drop(group);
        let log = relay.end().await?;
        if outcome.ended.is_some() && !log.is_empty() {
            log.iter().for_each(|line| say(&format!("<!-- {line} -->")));
        }
        Ok(outcome)
    }
}
