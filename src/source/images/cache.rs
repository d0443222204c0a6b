//! Converted pictures, so that a loop of PNGs is not encoded anew each round.

use std::{
    collections::{HashMap, HashSet},
    fs::Metadata,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{frame::Frame, limits::BytePermit, transform::PictureMemory};

/// Bytes of JPEG that one sequence keeps: some hundred pictures of ordinary size.
const MAX_CACHE_BYTES: usize = 16 * 1024 * 1024;

/// What tells one state of a file from another.
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
    entries: HashMap<PathBuf, (Version, Frame, BytePermit)>,
    bytes: usize,
}

impl Cache {
    /// The version of `path` that is kept.
    pub(super) fn version(&self, path: &Path) -> Option<Version> {
        self.entries.get(path).map(|entry| entry.0)
    }

    /// The kept picture of `path`.
    pub(super) fn get(&self, path: &Path) -> Option<Frame> {
        self.entries.get(path).map(|entry| entry.1.clone())
    }

    /// Keeps a picture in place of the file's older one. When it does not fit, it is the new one that is not kept: in a
    /// loop longer than the cache, forgetting the oldest would forget each picture just before its turn.
    pub(super) fn put(&mut self, path: &Path, version: Version, frame: Frame, memory: &PictureMemory) {
        self.remove(path);
        let len = frame.jpeg().len();
        if self.bytes + len <= MAX_CACHE_BYTES
            && let Some(kept) = memory.cache(len)
        {
            self.bytes += len;
            self.entries.insert(path.to_owned(), (version, frame, kept));
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
        if let Some((_, frame, _)) = self.entries.remove(path) {
            self.bytes -= frame.jpeg().len();
        }
    }
}
