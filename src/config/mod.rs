//! Configuration: YAML in, checked types out.
//!
//! A file is read in three steps: `yaml` turns the text into a tree that knows its lines and columns, a
//! `reader` takes each key of [`schema`] out of it and collects what is wrong, and [`model`] is what remains.
//! All mistakes of a file are reported at once. Raw YAML never leaves this module, and neither does a credential:
//! messages name keys and variables, and excerpts of the file show only values known to be harmless.

mod added;
mod address;
mod auth;
mod chart;
mod chosen;
mod embedding;
mod environment;
mod error;
mod excerpt;
mod json_schema;
mod log;
pub mod model;
mod mosaic;
mod node;
mod program;
mod origins;
mod placeholder;
mod reader;
mod redact;
mod rework;
pub mod schema;
mod source;
mod sources;
mod steps;
mod stream;
mod suggest;
mod units;
mod url;
mod webhooks;
mod yaml;

use std::{fs::File, io::Read, path::Path, time::Duration};

pub use added::{Added, MAX_ADDED, Written};
pub use address::{Listen, parse_listen};
pub use auth::unknown_streams;
pub use chosen::{Chosen, effective_path};
pub use environment::Environment;
use error::Collector;
pub use error::{ConfigErrors, Mistake, Position};
pub use json_schema::{json_schema, stream_schema};
pub use model::*;
use reader::Context;
pub use redact::{STARS, carried_elsewhere, redacted, restored};
pub use rework::*;

/// The variable of the environment with an administrator's token. It is for framecast alone, not for programs that it starts.
pub const ADMIN_VARIABLE: &str = "FRAMECAST_ADMIN_TOKEN";

/// Largest configuration file, in bytes: thousands of streams fit, and a device file or a disk image by mistake does not.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Reads and checks a file, with the variables of this process.
///
/// # Errors
/// Every mistake of the file, or that it cannot be read.
pub fn load_file(path: &Path) -> Result<Config, ConfigErrors> {
    parse(&read_file(path)?, &path.display().to_string(), &Environment::process())
}

/// Reads a file's text.
///
/// # Errors
/// That it cannot be read.
pub fn read_file(path: &Path) -> Result<String, ConfigErrors> {
    read_text(path).map_err(|message| ConfigErrors::of_file(&path.display().to_string(), message))
}

/// Reads and checks a text; `file_label` stands at the head of each mistake.
///
/// # Errors
/// Every mistake of the text.
pub fn parse(text: &str, file_label: &str, environment: &Environment) -> Result<Config, ConfigErrors> {
    parse_with(text, file_label, environment, &[])
}

/// The same, with streams that were added to those of the text.
///
/// # Errors
/// Every mistake of the text, and of the streams added; those have no position.
pub fn parse_with(
    text: &str,
    file_label: &str,
    environment: &Environment,
    added: &[Added],
) -> Result<Config, ConfigErrors> {
    let mistakes = Collector::default();
    let tree = yaml::read(text, &mistakes);
    let context = Context::new(environment, &mistakes);
    let root = tree.root.as_ref().map(|root| added::graft(root, added, &mistakes));
    let config = root.as_ref().and_then(|root| stream::read_config(&context, root));
    let shown = context.into_shown();
    match config {
        Some(config) if mistakes.is_empty() => Ok(config),
        _ => Err(mistakes.finish(file_label, |at| excerpt::excerpt(text, &tree.hidden, &shown, at))),
    }
}

/// Reads a time such as `90s` or `48h`, as in the file: a second to ten years.
///
/// # Errors
/// What would be right.
pub fn parse_time(text: &str) -> Result<Duration, String> {
    const YEARS: Duration = Duration::from_secs(10 * 366 * 24 * 3600);
    units::duration(text, Duration::from_secs(1)..=YEARS).map_err(|wrong| wrong.want)
}

/// What is served when there is no file, as text.
pub const DEMO: &str = include_str!("../../config/demo.yaml");

/// What is served when there is no file.
pub fn demo() -> Config {
    parse(DEMO, "demo", &Environment::default())
        .expect("the demo is part of the program, and a test parses it")
}

fn read_text(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err("is larger than 1 MiB, which no configuration is".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..good].iter().filter(|&&byte| byte == b'\n').count();
        format!("is not UTF-8 from line {line} on: save it as UTF-8 text")
    })
}
