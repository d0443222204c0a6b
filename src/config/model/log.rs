//! `log:`.

use std::str::FromStr;

/// How the log is written. `RUST_LOG` says what of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogConfig {
    /// What a line looks like.
    pub format: LogFormat,
    /// Which requests have a line.
    pub access: AccessLog,
}

/// What a line of the log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
    /// What would be right.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("must be text or json"),
        }
    }
}

/// Which requests have a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccessLog {
    /// Those that are few and of interest: viewers, publishers, changes, and who was refused.
    #[default]
    Notable,
    /// Every one.
    All,
    /// None.
    None,
}
