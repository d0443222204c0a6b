//! Reads and checks a configuration file.

mod excerpt;

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    time::Duration,
};

use excerpt::{Visible, excerpt};

use super::{
    api_streams::{Added, graft},
    environment::Environment,
    error::{ConfigErrors, Mistakes},
    reader::{Context, write_out},
    root::{self, Config},
    schema,
    values::{DAY, SECOND, Scalar, Time},
    yaml::Node,
};

/// The variable of the environment with an administrator's token. It is for framecast alone, not for programs
/// that it starts.
pub const ADMIN_VARIABLE: &str = "FRAMECAST_ADMIN_TOKEN";

/// Largest configuration file, in bytes: thousands of streams fit, and a device file or a disk image by
/// mistake does not.
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
    let text = File::open(path).map_err(unreadable).and_then(read_text);
    text.map_err(|message| ConfigErrors::of_file(&path.display().to_string(), message))
}

/// The name of standard input in messages.
pub(crate) const STANDARD_INPUT: &str = "standard input";

/// Reads the text of standard input.
///
/// # Errors
/// That it cannot be read.
pub(crate) fn read_standard_input() -> Result<String, ConfigErrors> {
    read_text(io::stdin().lock()).map_err(|message| ConfigErrors::of_file(STANDARD_INPUT, message))
}

/// Reads and checks a text; `file_label` is put before each mistake.
///
/// # Errors
/// Every mistake of the text.
pub fn parse(text: &str, file_label: &str, environment: &Environment) -> Result<Config, ConfigErrors> {
    parse_with(text, file_label, environment, &[])
}

/// Reads and checks a text, with streams that were added to those of the text.
///
/// # Errors
/// Every mistake of the text, and of the streams added; those have no position.
pub fn parse_with(
    text: &str,
    file_label: &str,
    environment: &Environment,
    added: &[Added],
) -> Result<Config, ConfigErrors> {
    let mistakes = Mistakes::default();
    let mut root = Node::from_yaml(text, &mistakes);
    let visible_root = root.clone();
    if let Some(root) = &mut root {
        graft(root, added, &mistakes);
        let streams = root.keys_mut("streams").into_iter().flatten();
        streams.for_each(|stream| write_out(&mut stream.value, environment));
    }
    let context = Context::new(text, environment, &mistakes, schema::need);
    let config = root.as_ref().and_then(|root| root::read(&context, root));
    let (shown, warnings) = context.into_findings();
    match config {
        Some(config) if mistakes.is_empty() => Ok(Config { warnings, ..config }),
        _ => {
            let visible = Visible::new(visible_root.as_ref(), shown);
            Err(mistakes.finish(file_label, |at| excerpt(text, &visible, at)))
        }
    }
}

/// Reads a time such as `90s` or `48h`, as in the file: a second to ten years.
///
/// # Errors
/// A description of what would be right.
pub fn parse_time(text: &str) -> Result<Duration, String> {
    const YEARS: u64 = 10 * 366 * DAY;
    Time::<SECOND, YEARS>::read(text).map_err(|wrong| wrong.want)
}

/// The configuration that is served when there is no file, as text.
pub const DEMO: &str = include_str!("../../../config/demo.yaml");

/// The configuration that is served when there is no file.
pub fn demo() -> Config {
    parse(DEMO, "demo", &Environment::default())
        .expect("the demo is part of the program, and a test parses it")
}

fn unreadable(error: io::Error) -> String {
    format!("cannot be read: {error}")
}

fn read_text(source: impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    source.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err("is larger than 1 MiB, which no configuration is".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..good].iter().filter(|&&byte| byte == b'\n').count();
        format!("is not UTF-8 from line {line} on: save it as UTF-8 text")
    })
}
