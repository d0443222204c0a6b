//! The commands, one file each.

mod admin_token;
mod check;
mod credentials;
mod healthcheck;
mod open_files;
mod output;
mod probe;
mod push;
mod schema;
mod serve;
mod status;
mod systemd;
mod urls;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};
use clap_complete::Shell;

const AFTER_HELP: &str = "\
Without a command it serves; without a configuration file it serves a demo.

Examples:
  framecast                                           serve ./framecast.yaml, or the demo
  framecast -c cameras.yaml -l 0.0.0.0:8080           serve this file, to every network
  framecast check cameras.yaml                        find every mistake in it
  framecast probe http://user:pass@camera/video.mjpg  see what a camera sends
  framecast push http://127.0.0.1:8080/streams/inbox picture.jpg
  framecast status --watch                            see what the streams of a running framecast do

Environment:
  FRAMECAST_CONFIG  the configuration file, unless --config names one
  FRAMECAST_TOKEN   what push and status show, unless --token does
  FRAMECAST_ADMIN_TOKEN  what an administrator shows, in place of one made at each start
  FRAMECAST_LOG_FORMAT  how the log is written, text or json, unless --log-format says it
  RUST_LOG          what is logged to standard error, e.g. framecast=debug";

/// With the codec, which is a choice made when it is built.
#[cfg(feature = "turbo")]
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (JPEG by libjpeg-turbo)");
/// With the codec, which is a choice made when it is built.
#[cfg(not(feature = "turbo"))]
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (JPEG by zune-jpeg and jpeg-encoder)");

/// A multi-stream MJPEG relay: cameras, pushes and local renderers in, one URL out.
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
        /// The YAML file
        file: PathBuf,
    },
    /// Push pictures to a stream of type push
    Push(push::PushArguments),
    /// Ask a camera what it sends, and print the YAML for it
    Probe(probe::ProbeArguments),
    /// Print a table of what the streams of a running framecast do
    Status(status::StatusArguments),
    /// The former name of `status`
    #[command(hide = true, disable_help_flag = true)]
    Top {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        _arguments: Vec<OsString>,
    },
    /// Make a token, and print the YAML that lets it in
    Token(credentials::TokenArguments),
    /// Ask for a user's password, and print the YAML that lets them in
    Passwd(credentials::PasswordArguments),
    /// Make a link to a stream that ends after a while
    Link(credentials::LinkArguments),
    /// Print the JSON Schema of the configuration file, for editors
    Schema,
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
        Command::Status(arguments) => status::run(&arguments),
        Command::Top { .. } => Arguments::command()
            .error(
                ErrorKind::InvalidSubcommand,
                "`top` is now `status`: `framecast status --watch` redraws its table every second",
            )
            .exit(),
        Command::Token(arguments) => credentials::token(&arguments),
        Command::Passwd(arguments) => credentials::passwd(&arguments),
        Command::Link(arguments) => credentials::link(arguments),
        Command::Schema => Ok(schema::run()),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "framecast", &mut script);
            output::print(&script);
            Ok(ExitCode::SUCCESS)
        }
    }
}
