//! Converted pictures, so that a loop of PNGs is not encoded anew each round.

use std::{
    collections::{HashMap, HashSet},
    fs::Metadata,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{
    imaging::{PictureMemory, cpu_pool::memory::Cached},
    media::frame::Frame,
};

/// Bytes of JPEG that one sequence keeps: some hundred pictures of ordinary size.
const MAX_CACHE_BYTES: usize = 16 * 1024 * 1024;

/// The marks that differ between two versions of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) len: u64,
    modified: Option<SystemTime>,
}

impl Version {
    pub(super) fn of(file: &Metadata) -> Self {
        Self { len: file.len(), modified: file.modified().ok() }
    }
}

/// Converted pictures, within [`MAX_CACHE_BYTES`] and the limit for the caches of all streams.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: HashMap<PathBuf, Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    version: Version,
    frame: Cached<Frame>,
    len: usize,
}

impl Cache {
    /// The kept picture of `path`, and the version of the file that it is of.
    pub(super) fn get(&self, path: &Path) -> Option<(Version, Frame)> {
        let entry = self.entries.get(path)?;
        Some((entry.version, entry.frame.get()?))
    }

    /// Keeps a picture in place of the file's older one. When it does not fit, it is the new one that is not
    /// kept: in a loop longer than the cache, forgetting the oldest would forget each picture just before its
    /// turn.
    pub(super) fn put(&mut self, path: &Path, version: Version, frame: Frame, memory: &PictureMemory) {
        self.remove(path);
        let len = frame.jpeg().len();
        if self.bytes + len <= MAX_CACHE_BYTES
            && let Some(frame) = memory.cache(len, frame)
        {
            self.bytes += len;
            self.entries.insert(path.to_owned(), Entry { version, frame, len });
        }
    }

    /// Forgets the pictures of files that are gone.
    pub(super) fn keep_only(&mut self, files: &[PathBuf]) {
        let gone: Vec<_> = {
            let present: HashSet<_> = files.iter().collect();
            self.entries.keys().filter(|path| !present.contains(path)).cloned().collect()
        };
        gone.iter().for_each(|path| self.remove(path));
    }

    fn remove(&mut self, path: &Path) {
        if let Some(entry) = self.entries.remove(path) {
            self.bytes -= entry.len;
        }
    }
}
