//! Measures the cost of fan-out, compared to a baseline server that uses nothing but the kernel.
//!
//! `cargo bench --bench fanout` runs the whole table in less than eight minutes and prints it as Markdown;
//! `--json` prints it as JSON, `--only 3` (several times) only some rows, `--rounds 5` repeats more often,
//! `--framecast PATH` measures another binary. Linux only.

#[cfg(target_os = "linux")]
mod camera;
#[cfg(target_os = "linux")]
mod link;
#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod rows;
#[cfg(target_os = "linux")]
mod tls;
#[cfg(target_os = "linux")]
mod test_bed;
#[cfg(target_os = "linux")]
mod stamp;
#[cfg(target_os = "linux")]
mod table;
#[cfg(target_os = "linux")]
mod baseline;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use std::{io::Write, process::ExitCode};

    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // When standard error is closed, too, there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "fanout: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
fn run() -> anyhow::Result<()> {
    use std::io::Write;

    use clap::Parser;

    use crate::rows::{Options, ROWS};

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((part @ ("camera" | "baseline" | "load" | "run"), rest)) =
        arguments.split_first().map(|(first, rest)| (first.as_str(), rest))
    {
        process::end_with_parent()?;
        return match part {
            "camera" => camera::run(),
            "baseline" => baseline::run(rest),
            "load" => load::run(rest.first().map_or("", String::as_str)),
            _ => process::become_program(rest),
        };
    }
    let arguments = Arguments::parse();
    process::allow_many_files()?;
    let program = arguments.framecast.unwrap_or_else(|| env!("CARGO_BIN_EXE_framecast").into());
    let mut options = Options::new(program);
    options.rounds = arguments.rounds.unwrap_or(options.rounds);
    let mut lines = Vec::new();
    let started = std::time::Instant::now();
    for (number, row) in (1..).zip(ROWS) {
        if !arguments.only.is_empty() && !arguments.only.contains(&number) {
            continue;
        }
        writeln!(
            std::io::stderr(),
            "row {number} of {}, after {} s",
            ROWS.len(),
            started.elapsed().as_secs()
        )?;
        lines.extend(row(&options)?.into_iter().map(|line| table::Line { row: number, ..line }));
    }
    writeln!(std::io::stderr(), "all rows took {} s", started.elapsed().as_secs())?;
    let text = if arguments.json { serde_json::to_string_pretty(&lines)? } else { table::markdown(&lines) };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

/// The measurements to make.
#[cfg(target_os = "linux")]
#[derive(Debug, clap::Parser)]
struct Arguments {
    /// Only these rows
    #[arg(long, value_name = "ROW")]
    only: Vec<usize>,
    /// Print JSON instead of Markdown
    #[arg(long)]
    json: bool,
    /// Turns for each measurement
    #[arg(long)]
    rounds: Option<usize>,
    /// The framecast to measure
    #[arg(long, value_name = "PATH")]
    framecast: Option<std::path::PathBuf>,
    /// Cargo says so
    #[arg(long, hide = true)]
    bench: bool,
}

#[cfg(not(target_os = "linux"))]
fn main() {}
