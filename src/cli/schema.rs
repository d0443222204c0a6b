//! `framecast schema`: the configuration's JSON Schema, for editors.

use std::process::ExitCode;

use super::output::print;
use crate::config;

/// Prints it.
pub(super) fn run() -> ExitCode {
    print(format!("{:#}\n", config::json_schema()));
    ExitCode::SUCCESS
}
