//! The origin of the configuration, read at the start and again when it changes.

use std::path::Path;

use super::{added_streams_file::StateFile, glyph_check};
use crate::{
    config::{
        self, Added, ApiSources, Config, ConfigErrors, ConfigSource, Environment, Listen, Mistake,
        SourceConfig, StreamConfig,
    },
    platform::file_watch::WatchedFiles,
    web::Tls,
};

/// A configuration file with the options of the command line and the streams that were added over HTTP.
#[derive(Debug, Clone)]
pub struct ConfigLoader {
    chosen: ConfigSource,
    listen: Vec<Listen>,
    /// State of the file before it was read for the first time.
    watched: Option<WatchedFiles>,
}

/// A valid configuration, with its warnings.
#[derive(Debug)]
pub struct LoadedConfig {
    /// The configuration that was read.
    pub config: Config,
    /// Warnings about settings that are valid, and perhaps not intended.
    pub warnings: Vec<String>,
    /// The file's text.
    pub(super) text: String,
    /// The streams that were added over HTTP.
    pub(super) added: Vec<Added>,
}

impl LoadedConfig {
    /// Wraps a configuration that no file belongs to.
    pub(super) fn from_config(config: Config) -> Self {
        Self { config, warnings: Vec::new(), text: String::new(), added: Vec::new() }
    }
}

impl ConfigLoader {
    /// Creates a source of the chosen configuration; `listen` replaces the addresses of the file, if it has
    /// any.
    pub fn new(chosen: ConfigSource, listen: Vec<Listen>) -> Self {
        let watched = match &chosen {
            ConfigSource::File(path) => Some(WatchedFiles::new(&[path])),
            ConfigSource::StandardInput | ConfigSource::Demo => None,
        };
        Self { chosen, listen, watched }
    }

    /// Returns the name of the configuration in messages.
    pub fn label(&self) -> String {
        match &self.chosen {
            ConfigSource::File(path) => path.display().to_string(),
            ConfigSource::StandardInput => config::STANDARD_INPUT.to_owned(),
            ConfigSource::Demo => "the built-in demo (no configuration file found)".to_owned(),
        }
    }

    /// Returns the path of the file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match &self.chosen {
            ConfigSource::File(path) => Some(path),
            ConfigSource::StandardInput | ConfigSource::Demo => None,
        }
    }

    /// Returns the file in which streams that are added over HTTP are stored.
    pub(super) fn state_file(&self) -> StateFile {
        StateFile::for_config(self.file())
    }

    /// Returns a watch on the file that notices changes from before the first reading on.
    pub(super) fn watched_files(&self) -> Option<WatchedFiles> {
        self.watched.clone()
    }

    /// Reads the configuration and checks it in every module that uses a setting.
    ///
    /// # Errors
    /// Every mistake that was found.
    pub fn load(&self) -> Result<LoadedConfig, ConfigErrors> {
        self.parse(self.chosen.text()?, self.added()?)
    }

    /// Reads the configuration with the added streams, without the checks of other modules, whose files only
    /// the relay may be able to read.
    ///
    /// # Errors
    /// Every mistake that was found.
    pub fn read(&self) -> Result<Config, ConfigErrors> {
        config::parse_with(&self.chosen.text()?, &self.label(), &Environment::process(), &self.added()?)
    }

    fn added(&self) -> Result<Vec<Added>, ConfigErrors> {
        match self.chosen {
            ConfigSource::StandardInput => Ok(Vec::new()),
            _ => self.state_file().read(),
        }
    }

    /// Checks the text of a file together with the added streams.
    ///
    /// # Errors
    /// Every mistake that was found.
    pub(super) fn parse(&self, text: String, added: Vec<Added>) -> Result<LoadedConfig, ConfigErrors> {
        let label = self.label();
        let mut config = config::parse_with(&text, &label, &Environment::process(), &added)?;
        if !self.listen.is_empty() {
            config.server.listen.clone_from(&self.listen);
        }
        let mut warnings = check_modules(&config, &label)?;
        warnings.extend(config.warnings.iter().map(|line| format!("{label}:{line}")));
        warnings.extend(config::unknown_streams(&config).into_iter().map(|line| format!("{label}: {line}")));
        let own = config::parse_with(&text, &label, &Environment::process(), &[]);
        let in_file = |name: &str| {
            own.as_ref().is_ok_and(|own| own.streams.iter().any(|own| own.name.as_str() == name))
        };
        let hidden = added.iter().filter(|added| in_file(&added.name));
        warnings.extend(hidden.map(|added| {
            let (name, state) = (&added.name, self.state_file().label());
            format!("{state}: {name} is not used, since {label} has a stream of that name")
        }));
        let counted = added.iter().filter(|added| !in_file(&added.name));
        warnings.extend(self.program_warnings(&config, counted));
        Ok(LoadedConfig { config, warnings, text, added })
    }
}

impl ConfigLoader {
    /// Returns warnings for streams that were added over HTTP and start a program, if that is no longer
    /// allowed.
    fn program_warnings<'a>(&self, config: &Config, added: impl Iterator<Item = &'a Added>) -> Vec<String> {
        if config.server.api_sources != ApiSources::Network {
            return Vec::new();
        }
        let starts = |stream: &&StreamConfig| stream.sources().any(SourceConfig::starts_program);
        let warn = |stream: &StreamConfig| {
            format!(
                "{}: {} was added over HTTP and starts ffmpeg, which server.api_sources: network no longer \
                 allows; it is kept: remove it, put it into the configuration file, or set \
                 server.api_sources: network+ffmpeg",
                self.state_file().label(),
                stream.name
            )
        };
        let stream = |added: &Added| config.streams.iter().find(|stream| stream.name.as_str() == added.name);
        added.filter_map(stream).filter(starts).map(warn).collect()
    }
}

/// Returns the warnings about settings that only the modules that use them can check.
///
/// # Errors
/// The mistakes of the file.
pub fn check_modules(config: &Config, label: &str) -> Result<Vec<String>, ConfigErrors> {
    let findings = glyph_check::check_glyphs(config);
    let tls = config.server.tls.as_ref().and_then(|files| Tls::load(files).err());
    let mistakes = findings.mistakes.into_iter().chain(tls.map(|error| error.to_string()));
    let mistakes: Vec<_> = mistakes.map(|found| mistake(label, &found)).collect();
    if mistakes.is_empty() {
        return Ok(findings.warnings.into_iter().map(|line| format!("{label}: {line}")).collect());
    }
    Err(mistakes.into())
}

/// Converts a finding such as `streams.door.title: what is wrong` to an error of the file.
fn mistake(label: &str, found: &str) -> Mistake {
    let (path, message) = found.split_once(": ").unwrap_or(("", found));
    Mistake {
        file: label.to_owned(),
        position: None,
        path: path.to_owned(),
        message: message.to_owned(),
        excerpt: None,
    }
}
