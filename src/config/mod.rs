//! Configuration: YAML in, checked types out.
//!
//! One file a section: its types, their defaults, documentation (which becomes the JSON Schema and the tables
//! of docs/configuration.md) and what is wrong with several keys together. `document` turns YAML, or the
//! API's JSON, into a tree with positions, and `reader` deserialises the types from it and collects every
//! mistake. Raw YAML never leaves this module, and neither does a credential: messages name keys and
//! variables, and excerpts of the file show only values known to be harmless.

mod auth;
mod chart;
mod document;
mod environment;
mod error;
mod excerpt;
mod file;
mod limits;
mod locate;
mod log;
mod mosaic;
mod reader;
mod redact;
mod schema;
mod server;
mod source;
mod stream;
mod transform;
mod url;
mod values;
mod webhooks;

use std::{fs::File, io::Read, path::Path, time::Duration};

pub use self::{
    auth::{AuthConfig, Grant, Reach, Role, TokenConfig, TokenHash, UserConfig, unknown_streams},
    chart::{AxisConfig, ChartConfig, ChartStyle, PollConfig, Publishers, SeriesConfig, Theme},
    environment::Environment,
    error::{ConfigErrors, Mistake, Position},
    file::{Added, MAX_ADDED, Written},
    limits::Limits,
    locate::{Chosen, effective_path},
    log::{AccessLog, LogConfig, LogFormat},
    mosaic::MosaicConfig,
    redact::{STARS, carried_elsewhere, redacted, restored},
    schema::{Row, json_schema, reference, stream_schema},
    server::{
        Ancestor, ApiSources, FrameAncestors, Listen, NoProxy, Proxies, Proxy, SendFile, ServerConfig,
        TlsConfig, parse_listen,
    },
    source::{
        ExecConfig, ImagesPath, Login, Patience, RtspConfig, RtspTransport, SecondPublisher, SourceConfig,
        TextConfig, UpstreamConfig, V4l2Config,
    },
    stream::{Placeholder, SaveConfig, SaveTarget, StreamConfig, WhenFull},
    transform::*,
    values::{Color, Ink, Secret, Size},
    webhooks::{HookEvent, WebhookConfig},
};
use self::{document::Node, error::Mistakes, excerpt::Visible, reader::Context, values::Scalar};

/// Everything `framecast serve` needs. A value of these types needs no further check.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where and how to listen.
    pub server: ServerConfig,
    /// Who may do what.
    pub auth: AuthConfig,
    /// Who is told what happens.
    pub webhooks: Vec<WebhookConfig>,
    /// How the log is written.
    pub log: LogConfig,
    /// Bounds that hold for all streams.
    pub limits: Limits,
    /// The streams, in the order of the file (mjpg-streamer's `stream_N` counts in it).
    pub streams: Vec<StreamConfig>,
    /// All of them in one picture, unless there is a stream of that name, or it was switched off.
    pub overview: Option<StreamConfig>,
    /// The settings of each stream as they are in the file.
    pub written: Written,
}

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
    let mistakes = Mistakes::default();
    let mut root = Node::from_yaml(text, &mistakes);
    let visible_root = root.clone();
    if let Some(root) = &mut root {
        file::graft(root, added, &mistakes);
    }
    let context = Context::new(text, environment, &mistakes);
    let config = root.as_ref().and_then(|root| file::read(&context, root));
    let shown = context.into_shown();
    match config {
        Some(config) if mistakes.is_empty() => Ok(config),
        _ => {
            let visible = Visible::new(visible_root.as_ref(), shown);
            Err(mistakes.finish(file_label, |at| excerpt::excerpt(text, &visible, at)))
        }
    }
}

/// Reads a time such as `90s` or `48h`, as in the file: a second to ten years.
///
/// # Errors
/// What would be right.
pub fn parse_time(text: &str) -> Result<Duration, String> {
    const YEARS: u64 = 10 * 366 * values::DAY;
    values::Time::<{ values::SECOND }, YEARS>::read(text).map_err(|wrong| wrong.want)
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
