//! The commands, one file each.

mod check;
mod healthcheck;
mod probe;
mod push;
mod serve;

use std::{path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

/// A multi-stream MJPEG relay: cameras, pushes and local renderers in, one URL out.
#[derive(Debug, Parser)]
#[command(name = "framecast", version, propagate_version = true, args_conflicts_with_subcommands = true)]
#[command(after_help = "Without a command it serves; without a configuration file it serves a demo.")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the streams of a configuration file (the default)
    Serve(serve::ServeArguments),
    /// Check a configuration file: print its streams, or every mistake in it
    Check {
        /// The YAML file
        file: PathBuf,
    },
    /// Push pictures to a stream of type push
    Push(push::PushArguments),
    /// Ask a camera what it sends, and print the YAML for it
    Probe(probe::ProbeArguments),
    /// Print a shell's completion script
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Ask a running framecast whether it is well (for a container's health check)
    #[command(hide = true)]
    Healthcheck(healthcheck::HealthcheckArguments),
}

/// Runs what the command line says.
///
/// # Errors
/// What went wrong, for a person to read.
pub fn run() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.command.unwrap_or(Command::Serve(arguments.serve)) {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Check { file } => Ok(check::run(&file)),
        Command::Push(arguments) => push::run(arguments),
        Command::Probe(arguments) => probe::run(arguments),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Arguments::command(), "framecast", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}
