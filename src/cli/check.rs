//! `framecast check FILE`: checks a configuration.

use std::{ffi::OsStr, path::Path, process::ExitCode};

use super::output::print;
use crate::{
    app::{ConfigLoader, LoadedConfig},
    config::{ConfigErrors, ConfigSource, SourceConfig, nearest},
    source::process::exec,
};

/// Exit code for a configuration with mistakes, of `serve` too.
pub(super) const EXIT_INVALID_CONFIG: u8 = 2;

/// Prints the streams of the file, one a line, or every mistake in it to standard error.
pub(super) fn run(path: &Path) -> ExitCode {
    let source = if path == Path::new("-") {
        ConfigSource::StandardInput
    } else {
        ConfigSource::File(path.to_owned())
    };
    let loader = ConfigLoader::new(source, Vec::new());
    match load(&loader) {
        Ok(LoadedConfig { config, .. }) => {
            let count = config.streams.len();
            let mut answer =
                format!("{}: ok, {count} stream{}\n", loader.label(), if count == 1 { "" } else { "s" });
            for stream in &config.streams {
                let title = if stream.title == stream.name.as_str() { "" } else { &stream.title };
                let kinds: Vec<_> = stream.sources().map(SourceConfig::type_name).collect();
                answer += format!("  {}: {}  {title}", stream.name, kinds.join(", else ")).trim_end();
                answer.push('\n');
                for command in stream.sources().filter_map(exec::explain) {
                    answer += &format!("    runs {command}\n");
                }
            }
            print(answer);
            ExitCode::SUCCESS
        }
        Err(mistakes) => {
            eprintln!("{mistakes}");
            ExitCode::from(EXIT_INVALID_CONFIG)
        }
    }
}

/// Reads a configuration and prints its warnings to standard error.
pub(super) fn load(origin: &ConfigLoader) -> Result<LoadedConfig, ConfigErrors> {
    let loaded = origin.load()?;
    let zone = std::env::var_os("TZ").and_then(|zone| time_zone_warning(&zone));
    for line in loaded.warnings.iter().chain(&zone) {
        eprintln!("{line}");
    }
    Ok(loaded)
}

/// Returns a warning if the variable `TZ` names no time zone. Those of the system's files are known, and
/// where there are none, those that are part of the program.
fn time_zone_warning(zone: &OsStr) -> Option<String> {
    jiff::tz::TimeZone::try_system().is_err().then(|| {
        let text = zone.to_string_lossy();
        let names: Vec<_> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let meant = nearest(&text, &names).unwrap_or("Europe/Berlin");
        format!(
            "TZ is {text:?}, which is no time zone: times in pictures and file names are in UTC; set it to a \
             name such as {meant}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_zones_are_part_of_the_program() {
        let bundled = jiff::tz::TimeZoneDatabase::bundled();
        assert!(bundled.get("Europe/Berlin").is_ok() && bundled.get("America/Buenos_Aires").is_ok());
    }

    #[test]
    fn a_right_file_ends_with_0_and_a_mistaken_or_absent_one_with_2() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        assert_eq!(run(&file), ExitCode::from(EXIT_INVALID_CONFIG));
        std::fs::write(&file, "streams: {a: {source: {type: push, token: none}}}").unwrap();
        assert_eq!(run(&file), ExitCode::SUCCESS);
        std::fs::write(&file, "streams: {a: {source: {type: push}}}").unwrap();
        assert_eq!(run(&file), ExitCode::from(EXIT_INVALID_CONFIG));
    }
}
