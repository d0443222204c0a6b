//! The operations on a running relay from outside, and the state of its configuration. The relay implements
//! them; the web and the command line call them.

use std::{fmt, path::PathBuf, time::SystemTime};

use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::{
    config::{ConfigErrors, MAX_ADDED},
    media::stream_name::StreamName,
};

/// Operations on the running relay.
pub trait RelayControl: Send + Sync + fmt::Debug {
    /// Reads the configuration again. If anything is wrong with it, nothing changes.
    fn reload(&self) -> BoxFuture<'static, Result<AppliedChanges, ReloadError>>;

    /// Adds, changes or removes a stream, and stores that for the next start.
    fn edit(&self, name: StreamName, edit: StreamEdit)
    -> BoxFuture<'static, Result<EditResult, ReloadError>>;

    /// Returns the settings of a stream as they are in the file, or were sent, with stars in place of
    /// credentials; null if there is no stream of this name.
    fn stream_settings(&self, name: StreamName) -> BoxFuture<'static, Option<StreamSettings>>;

    /// Returns the state of the configuration.
    fn config_status(&self) -> ConfigStatus;
}

/// An edit of one stream. Settings have the keys of the file beneath `streams.NAME`; stars in place of a
/// credential mean the one before.
#[derive(Clone)]
pub enum StreamEdit {
    /// Create the stream, which must not exist.
    Create(Value),
    /// Set the stream's settings, whether or not it exists.
    Replace(Value),
    /// Set some keys of the stream's settings; null removes a key (RFC 7396).
    Merge(Value),
    /// Remove the stream.
    Remove,
}

/// Leaves out the settings, which may contain credentials.
impl fmt::Debug for StreamEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create(_) => "Create",
            Self::Replace(_) => "Replace",
            Self::Merge(_) => "Merge",
            Self::Remove => "Remove",
        })
    }
}

/// The result of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditResult {
    /// Whether the stream did not exist before.
    pub created: bool,
    /// The changes that it made.
    pub applied: AppliedChanges,
}

/// A stream's settings as they were written.
#[derive(Debug, Clone)]
pub struct StreamSettings {
    /// Settings with the keys of the file, and stars in place of credentials.
    pub settings: Value,
    /// Whether the stream was added over HTTP, and can be changed that way.
    pub added: bool,
}

/// The changes that a new configuration made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppliedChanges {
    /// Streams that were added.
    pub added: Vec<StreamName>,
    /// Streams whose settings changed.
    pub changed: Vec<StreamName>,
    /// Streams that were removed.
    pub removed: Vec<StreamName>,
    /// Settings that differ from the running ones and take effect after a restart.
    pub needs_restart: Vec<&'static str>,
}

/// The reason for which a configuration was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// There is no file to read again: the built-in demo is served.
    #[error("there is no configuration file: framecast serves its built-in demo")]
    NoFile,
    /// The configuration is invalid.
    #[error(transparent)]
    Mistakes(#[from] ConfigErrors),
    /// The stream is in the file, which is never written.
    #[error("{0} is defined in the configuration file: change it there")]
    DefinedInFile(StreamName),
    /// A stream of this name was added already.
    #[error("stream {0} already exists: use PUT or PATCH to change it")]
    Exists(StreamName),
    /// No stream of this name was added.
    #[error("there is no stream {0} that was added over HTTP")]
    NoSuchStream(StreamName),
    /// Stars stand for a credential that does not exist, or that was for another address.
    #[error("{path}: *** replaces an earlier credential, and there is none for this address: give it again")]
    RedactedValue {
        /// Path of the stars.
        path: String,
    },
    /// A changed URL would send a credential to another address, and the change does not contain it.
    #[error(
        "{path}: this credential is for another address, and is not sent to the new one: give it with the \
         new URL, or null to remove it"
    )]
    CredentialForOtherHost {
        /// Path of the credential.
        path: String,
    },
    /// The source is a program, which streams added over HTTP must not start.
    #[error(
        "streams.{name}.source.type: {kind} starts a program (ffmpeg), which server.api_sources: network \
         does not allow over HTTP: set decoder: native, or server.api_sources: network+ffmpeg in the \
         configuration file, or put the stream there"
    )]
    StartsProgram {
        /// The stream.
        name: StreamName,
        /// The source's type.
        kind: String,
    },
    /// The maximum number of streams has been added.
    #[error("at most {MAX_ADDED} streams can be added over HTTP")]
    TooMany,
    /// Added streams cannot be stored, so nothing has changed.
    #[error("{file} cannot be written: {cause}")]
    NotSaved {
        /// The state file.
        file: String,
        /// Error of the system.
        cause: std::io::Error,
    },
    /// The system refuses threads or sockets.
    #[error("the system refused a resource that framecast needs: {0}")]
    System(#[from] std::io::Error),
}

/// The configuration file as it was read last.
#[derive(Debug, Clone)]
pub struct ConfigStatus {
    /// Path of the file; none if the built-in demo is served.
    pub file: Option<PathBuf>,
    /// Time at which the running configuration was read.
    pub loaded_at: SystemTime,
    /// Settings that differ from the running ones, and take effect after a restart.
    pub needs_restart: Vec<&'static str>,
    /// Errors of the file, if it was changed since and is invalid; the configuration that was read before
    /// stays in effect.
    pub error: Option<ConfigErrors>,
}

/// Describes the changes, for the log and for events.
impl fmt::Display for AppliedChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [("added", &self.added), ("changed", &self.changed), ("removed", &self.removed)];
        let mut said = false;
        for (what, names) in parts.into_iter().filter(|(_, names)| !names.is_empty()) {
            let names: Vec<_> = names.iter().map(StreamName::as_str).collect();
            write!(f, "{}{what}: {}", if said { "; " } else { "" }, names.join(", "))?;
            said = true;
        }
        if !self.needs_restart.is_empty() {
            let names = self.needs_restart.join(", ");
            write!(f, "{}needs a restart: {names}", if said { "; " } else { "" })?;
            said = true;
        }
        if said { Ok(()) } else { f.write_str("nothing has changed") }
    }
}
