//! The `framecast` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    framecast::cli::run().unwrap_or_else(|error| {
        // The alternate form prints the causes behind the error, too.
        eprintln!("framecast: {error:#}");
        ExitCode::FAILURE
    })
}
