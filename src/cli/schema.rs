//! `framecast schema`: the configuration's JSON Schema, for editors.

use std::process::ExitCode;

use crate::config;

/// Prints it.
pub(super) fn run() -> ExitCode {
    super::print(format!("{:#}\n", config::json_schema()));
    ExitCode::SUCCESS
}
