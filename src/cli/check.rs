//! `framecast check FILE`: is this configuration right?

use std::{path::Path, process::ExitCode};

use super::drawable;
use crate::{
    config::{self, Config, SourceConfig},
    source::exec,
    web::Tls,
};

/// Exit code for a configuration with mistakes, of `serve` too.
pub(super) const MISTAKEN: u8 = 2;

/// Prints what the file says, one line a stream, or every mistake in it to standard error.
pub(super) fn run(path: &Path) -> ExitCode {
    match config::load_file(path) {
        Ok(config) => {
            if !examine(&config, &path.display().to_string()) {
                return ExitCode::from(MISTAKEN);
            }
            let count = config.streams.len();
            let mut answer =
                format!("{}: ok, {count} stream{}\n", path.display(), if count == 1 { "" } else { "s" });
            for stream in &config.streams {
                let title = if stream.title == stream.name.as_str() { "" } else { &stream.title };
                let kinds: Vec<_> = stream.sources().map(SourceConfig::type_name).collect();
                answer += format!("  {}: {}  {title}", stream.name, kinds.join(", else ")).trim_end();
                answer.push('\n');
                for command in stream.sources().filter_map(exec::explain) {
                    answer += &format!("    runs {command}\n");
                }
            }
            super::print(answer);
            ExitCode::SUCCESS
        }
        Err(mistakes) => {
            eprintln!("{mistakes}");
            ExitCode::from(MISTAKEN)
        }
    }
}

/// What only the rooms that use a setting can say about it, printed to standard error. False if something is wrong.
pub(super) fn examine(config: &Config, origin: &str) -> bool {
    let findings = drawable::examine(config);
    let tls = config.server.tls.as_ref().and_then(|files| Tls::load(files).err());
    let mistakes: Vec<_> = findings.mistakes.into_iter().chain(tls.map(|error| error.to_string())).collect();
    for line in findings.warnings.iter().chain(&mistakes) {
        eprintln!("{origin}: {line}");
    }
    mistakes.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_file_ends_with_0_and_a_mistaken_or_absent_one_with_2() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        assert_eq!(run(&file), ExitCode::from(MISTAKEN));
        std::fs::write(&file, "streams: {a: {source: {type: push, token: none}}}").unwrap();
        assert_eq!(run(&file), ExitCode::SUCCESS);
        std::fs::write(&file, "streams: {a: {source: {type: push}}}").unwrap();
        assert_eq!(run(&file), ExitCode::from(MISTAKEN));
    }
}
