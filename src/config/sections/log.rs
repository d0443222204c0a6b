//! `log:`.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `log:`. `RUST_LOG` decides what is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Text for people, or one JSON object a line for log collectors. `--log-format` and
    /// `FRAMECAST_LOG_FORMAT` take precedence.
    pub format: LogFormat,
    /// Requests that are logged: those that are few and of interest (viewers, publishers, changes, refusals),
    /// all, or none. `RUST_LOG`, if set, decides instead.
    pub access: AccessLog,
}

/// The form of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object in JSON a line, for what collects logs.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    /// # Errors
    /// A description of what would be right.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("must be text or json"),
        }
    }
}

/// The requests that have a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccessLog {
    /// The few that are of interest: viewers, publishers, changes, and refusals.
    #[default]
    Notable,
    /// Every one.
    All,
    /// None.
    None,
}
