//! A cache of converted pictures, so that a loop of PNGs is not encoded again in each round.

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

/// Maximum size of one sequence's cache: some hundred pictures of ordinary size.
const MAX_CACHE_BYTES: usize = 16 * 1024 * 1024;

/// The metadata by which two versions of a file differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileVersion {
    pub(super) len: u64,
    modified: Option<SystemTime>,
}

impl FileVersion {
    pub(super) fn from_metadata(file: &Metadata) -> Self {
        Self { len: file.len(), modified: file.modified().ok() }
    }
}

/// Converted pictures, within [`MAX_CACHE_BYTES`] and the limit for the caches of all streams.
#[derive(Debug, Default)]
pub(super) struct ConvertedCache {
    entries: HashMap<PathBuf, Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    version: FileVersion,
    frame: Cached<Frame>,
    len: usize,
}

impl ConvertedCache {
    /// Returns the cached picture of `path`, and the version of the file from which it was made.
    pub(super) fn get(&self, path: &Path) -> Option<(FileVersion, Frame)> {
        let entry = self.entries.get(path)?;
        Some((entry.version, entry.frame.get()?))
    }

    /// Caches a picture in place of the file's older one. When it does not fit, the new one is not cached: in
    /// a loop longer than the cache, evicting the oldest would evict each picture just before it is needed.
    pub(super) fn put(&mut self, path: &Path, version: FileVersion, frame: Frame, memory: &PictureMemory) {
        self.remove(path);
        let len = frame.jpeg().len();
        if self.bytes + len <= MAX_CACHE_BYTES
            && let Some(frame) = memory.cache(len, frame)
        {
            self.bytes += len;
            self.entries.insert(path.to_owned(), Entry { version, frame, len });
        }
    }

    /// Removes the pictures of files that no longer exist.
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
