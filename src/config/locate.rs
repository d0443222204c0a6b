//! The choice among several configurations.

use std::path::{Path, PathBuf};

use super::{
    environment::Environment,
    error::ConfigErrors,
    load::{DEMO, read_file, read_standard_input},
};

/// The files that are used, in this order, if none is named.
const WELL_KNOWN: [&str; 2] = ["framecast.yaml", "/etc/framecast/framecast.yaml"];

/// The origin of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigSource {
    /// A file; it may not exist if it was named.
    File(PathBuf),
    /// Standard input, which can be read once.
    StandardInput,
    /// Built in.
    Demo,
}

impl ConfigSource {
    /// Reads its text.
    ///
    /// # Errors
    /// That it cannot be read.
    pub fn text(&self) -> Result<String, ConfigErrors> {
        match self {
            Self::File(path) => read_file(path),
            Self::StandardInput => read_standard_input(),
            Self::Demo => Ok(DEMO.to_owned()),
        }
    }
}

/// Returns the file of the command line, else of `FRAMECAST_CONFIG`, else `./framecast.yaml`, else
/// `/etc/framecast/framecast.yaml`, else the demo. A named file is taken whether or not it exists, so that a
/// mistyped name is an error and not the demo.
pub fn effective_path(command_line: Option<PathBuf>, environment: &Environment) -> ConfigSource {
    choose(command_line, environment, Path::exists)
}

fn choose(
    command_line: Option<PathBuf>,
    environment: &Environment,
    exists: impl Fn(&Path) -> bool,
) -> ConfigSource {
    let variable = environment.get("FRAMECAST_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    let well_known = || WELL_KNOWN.iter().map(PathBuf::from).find(|path| exists(path));
    command_line.or(variable).or_else(well_known).map_or(ConfigSource::Demo, ConfigSource::File)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_beats_the_variable_beats_the_folder_beats_the_system_beats_the_demo() {
        let file = |path: &str| ConfigSource::File(path.into());
        let set: Environment = [("FRAMECAST_CONFIG", "b.yaml")].into_iter().collect();
        let empty: Environment = [("FRAMECAST_CONFIG", "")].into_iter().collect();
        assert_eq!(choose(Some("a.yaml".into()), &set, |_| true), file("a.yaml"));
        assert_eq!(choose(None, &set, |_| true), file("b.yaml"));
        assert_eq!(choose(None, &empty, |_| true), file("framecast.yaml"));
        assert_eq!(choose(None, &empty, Path::is_absolute), file("/etc/framecast/framecast.yaml"));
        assert_eq!(choose(None, &empty, |_| false), ConfigSource::Demo);
    }
}
