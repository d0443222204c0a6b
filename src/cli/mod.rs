//! The commands, one file each.

mod admin_token;
mod check;
mod credential_commands;
mod healthcheck;
mod open_files;
mod output;
mod probe;
mod push;
mod serve;
mod status;
mod systemd;
mod url_argument;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};
use clap_complete::Shell;

use crate::config;

const AFTER_HELP: &str = "\
Without a command, framecast serves. Without a configuration file, it serves a demo.

Examples:
  framecast                                           serve ./framecast.yaml, or the demo
  framecast -c cameras.yaml -l 0.0.0.0:8080           serve this file on all interfaces
  framecast check cameras.yaml                        report every mistake in it
  framecast probe http://user:pass@camera/video.mjpg  show what a camera sends
  framecast push http://127.0.0.1:8080/streams/inbox picture.jpg
  framecast status --watch                            show the streams of a running framecast

Environment:
  FRAMECAST_CONFIG       configuration file, unless --config is given
  FRAMECAST_TOKEN        token of push and status, unless --token is given
  FRAMECAST_PUSH_TOKEN   token of streams whose source is just `push`
  FRAMECAST_ADMIN_TOKEN  administrator's token, instead of a new one at each start
  FRAMECAST_LOG_FORMAT   log format, text or json, unless --log-format is given
  RUST_LOG               log filter, e.g. framecast=debug";

/// The version, with the JPEG codec that was chosen at build time.
#[cfg(feature = "turbo")]
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (JPEG by libjpeg-turbo)");
/// The version, with the JPEG codec that was chosen at build time.
#[cfg(not(feature = "turbo"))]
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (JPEG by zune-jpeg and jpeg-encoder)");

/// A multi-stream MJPEG relay: serves cameras, pushed frames and generated streams at stable URLs
#[derive(Debug, Parser)]
#[command(
    name = "framecast",
    version = VERSION,
    args_conflicts_with_subcommands = true,
    after_help = AFTER_HELP
)]
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
        /// The YAML file; `-` is standard input
        file: PathBuf,
    },
    /// Push images to a stream of type push
    Push(push::PushArguments),
    /// Show what a camera sends, and print the YAML for it
    Probe(probe::ProbeArguments),
    /// Print a table of the streams of a running framecast
    Status(status::StatusArguments),
    /// The former name of `status`
    #[command(hide = true, disable_help_flag = true)]
    Top {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        _arguments: Vec<OsString>,
    },
    /// Create a token, and print the YAML that allows it
    Token(credential_commands::TokenArguments),
    /// Ask for a user's password, and print the YAML that allows the user
    Passwd(credential_commands::PasswordArguments),
    /// Create a link to a stream that expires
    Link(credential_commands::LinkArguments),
    /// Print the JSON Schema of the configuration file, for editors
    Schema,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Check the health of a running framecast, for containers
    Healthcheck(healthcheck::HealthcheckArguments),
}

/// Parses the command line and runs its command.
///
/// # Errors
/// Returns the error to print.
pub fn run() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    match arguments.command.unwrap_or(Command::Serve(arguments.serve)) {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Check { file } => Ok(check::run(&file)),
        Command::Push(arguments) => push::run(arguments),
        Command::Probe(arguments) => probe::run(arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Top { .. } => Arguments::command()
            .error(
                ErrorKind::InvalidSubcommand,
                "`top` is now `status`: `framecast status --watch` redraws its table every second",
            )
            .exit(),
        Command::Token(arguments) => credential_commands::token(&arguments),
        Command::Passwd(arguments) => credential_commands::passwd(&arguments),
        Command::Link(arguments) => credential_commands::link(arguments),
        Command::Schema => {
            output::print(format!("{:#}\n", config::json_schema()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Healthcheck(arguments) => healthcheck::run(arguments),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "framecast", &mut script);
            output::print(&script);
            Ok(ExitCode::SUCCESS)
        }
    }
}
