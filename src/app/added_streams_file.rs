//! The streams that were added over HTTP, kept beside the configuration file.
//!
//! Each change rewrites the whole file: under another name, synced to the disk, renamed, and the folder
//! synced too. So after a crash at any moment there is the old file or the new one, never a part of one. It
//! may contain credentials, so other users may not read it.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    config::{Added, ConfigErrors, Mistake},
    platform::atomic_file::{self, Permissions},
};

/// Largest file that is read: many times what the most streams with long settings need.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Version of the format of the file.
const VERSION: u32 = 1;

/// The content of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateDocument {
    version: u32,
    streams: Vec<StoredStream>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredStream {
    name: String,
    settings: Value,
}

/// The file in which the added streams are stored.
#[derive(Debug, Clone)]
pub(super) struct StateFile(PathBuf);

impl StateFile {
    /// Returns the file beside a configuration file: `framecast.yaml` has `framecast.state.json`. The demo's
    /// is in the working directory.
    pub(super) fn for_config(file: Option<&Path>) -> Self {
        Self(file.unwrap_or(Path::new("framecast.yaml")).with_extension("state.json"))
    }

    pub(super) fn label(&self) -> String {
        self.0.display().to_string()
    }

    /// Returns the streams in the file; none if there is no file.
    ///
    /// # Errors
    /// That it cannot be read, or is none of ours.
    pub(super) fn read(&self) -> Result<Vec<Added>, ConfigErrors> {
        let wrong = |message: String| {
            let mistake =
                Mistake { file: self.label(), position: None, path: String::new(), message, excerpt: None };
            ConfigErrors::from(vec![mistake])
        };
        let mut text = Vec::new();
        let read = File::open(&self.0).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut text));
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(wrong(format!("cannot be read: {error}"))),
            Ok(length) if length as u64 > MAX_BYTES => return Err(wrong("is larger than 8 MiB".to_owned())),
            Ok(_) => {}
        }
        let form: StateDocument = serde_json::from_slice(&text).map_err(|error| {
            // Serde's own words may quote a value, and so a credential.
            let (line, column) = (error.line(), error.column());
            wrong(format!(
                "is not what framecast wrote (line {line}, column {column}): put a copy back, or remove it, \
                 and the streams in it"
            ))
        })?;
        if form.version != VERSION {
            return Err(wrong(format!("has version {}, and this framecast knows {VERSION}", form.version)));
        }
        let added = |stream: StoredStream| Added { name: stream.name, settings: stream.settings };
        Ok(form.streams.into_iter().map(added).collect())
    }

    /// Stores `streams` in place of those before.
    ///
    /// # Errors
    /// The system's; those before are kept then.
    pub(super) fn write(&self, streams: &[Added]) -> io::Result<()> {
        let form =
            |stream: &Added| StoredStream { name: stream.name.clone(), settings: stream.settings.clone() };
        let form = StateDocument { version: VERSION, streams: streams.iter().map(form).collect() };
        let mut text = serde_json::to_vec_pretty(&form)?;
        text.push(b'\n');
        atomic_file::write_durable(&self.0, &text, Permissions::Private)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_none_of_ours_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("framecast.state.json");
        let file = StateFile::for_config(Some(&folder.path().join("framecast.yaml")));
        assert!(file.read().unwrap().is_empty());
        let one = Added { name: "door".to_owned(), settings: json!({"source": {"token": "hunter2"}}) };
        file.write(std::slice::from_ref(&one)).unwrap();
        assert_eq!(file.read().unwrap(), [one]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        #[cfg(unix)]
        {
            let other = folder.path().join("other");
            fs::write(&other, "of somebody else").unwrap();
            for planted in ["framecast.state.json", "framecast.state.json.new"] {
                let planted = folder.path().join(planted);
                let _ = fs::remove_file(&planted);
                std::os::unix::fs::symlink(&other, &planted).unwrap();
            }
            file.write(&[]).unwrap();
            assert_eq!(fs::read_to_string(&other).unwrap(), "of somebody else", "a link is not followed");
            assert!(file.read().unwrap().is_empty() && !fs::symlink_metadata(&path).unwrap().is_symlink());
        }
        for (text, says) in [
            ("{\"version\": 1, \"streams\": [\"hunter2\"]}", "is not what framecast wrote (line 1"),
            ("{\"version\": 2, \"streams\": []}", "has version 2"),
            ("", "is not what framecast wrote"),
        ] {
            fs::write(&path, text).unwrap();
            let said = file.read().unwrap_err().to_string();
            assert!(said.contains(says) && !said.contains("hunter2"), "{said}");
        }
    }
}
