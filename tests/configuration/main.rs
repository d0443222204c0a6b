//! The configuration: what a file says, every mistake in it with its place, and no secret in any message.

mod chart;
mod defaults;
mod documents;
mod grants;
mod mistakes;
mod mosaic;
mod one_line;
mod placeholder;
mod programs;
mod redaction;
mod reference;
mod save;
mod secrets;
mod server;
mod sources;
mod transform;
mod urls;
mod variables;
mod webhooks;
mod yaml;

use std::{fs, num::NonZeroU32, path::Path, time::Duration};

use framecast::config::{
    self, Config, ConfigErrors, Environment, HookEvent, ImagesPath, Limits, Placeholder, Publishers,
    Rotation, SaveConfig, SaveTarget, Scale, SourceConfig, Step, StreamScope, WhenFull,
};

fn environment() -> Environment {
    [("DOOR", "p@s/s: # 1"), ("RATE", "7"), ("EMPTY", ""), ("SECRET", "hunter2"), ("NAME_", "Garden")]
        .into_iter()
        .collect()
}

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    config::parse(text, "f.yaml", &environment())
}

fn mistakes(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(config) => panic!("expected mistakes in\n{text}\ngot {config:?}"),
        Err(errors) => errors.mistakes().iter().map(ToString::to_string).collect(),
    }
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|mistakes| panic!("{mistakes}\nin\n{text}"))
}

fn source(yaml: &str) -> SourceConfig {
    good(&format!("streams: {{a: {{source: {yaml}}}}}")).streams.remove(0).sources.remove(0)
}
