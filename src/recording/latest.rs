//! Keeps the newest frame in one file, which is replaced as a whole.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::facts;
use crate::{
    bus::PublishedFrame,
    platform::atomic_file::{self, Permissions},
};

/// A file that always holds the newest frame.
#[derive(Debug)]
pub(super) struct Latest {
    path: PathBuf,
    /// Temporary files of an earlier run have been removed.
    swept: bool,
}

impl Latest {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, swept: false }
    }

    /// Replaces the file with `shown`.
    pub(super) fn write(&mut self, shown: &PublishedFrame) -> io::Result<()> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        if !std::mem::replace(&mut self.swept, true) {
            let own = self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            atomic_file::remove_temp_files(folder, |name| name == own)?;
        }
        atomic_file::write_atomic(&self.path, shown.frame.jpeg(), Permissions::Default)?;
        // After the picture, whose number it names: a reader that finds another one reads again.
        facts::write(&self.path, &shown.frame, shown.seq).map(drop)
    }
}
