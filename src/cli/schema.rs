//! `framecast schema`: prints the JSON Schema of the configuration, for editors.

use std::process::ExitCode;

use super::output::print;
use crate::config;

/// Prints the schema.
pub(super) fn run() -> ExitCode {
    print(format!("{:#}\n", config::json_schema()));
    ExitCode::SUCCESS
}
