//! Keeps the newest frames as files in a folder, and removes the oldest.

use std::{
    collections::VecDeque,
    fs, io,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use super::facts;
use crate::{
    bus::PublishedFrame,
    media::formats::picture_name,
    platform::atomic_file::{self, Permissions},
};

/// Maximum number of files removed with one frame: a ring that was made smaller shrinks over some frames
/// instead of in one long stop.
const MAX_REMOVED_AT_ONCE: usize = 64;

/// A folder of files, bounded in number or bytes, named by local time: `20261122-140322-123-000042.jpg`.
#[derive(Debug)]
pub(super) struct FileRing {
    folder: PathBuf,
    keep: usize,
    max_bytes: u64,
    /// None until the folder has been read.
    files: Option<Files>,
}

#[derive(Debug, Default)]
struct Files {
    /// Files with their lengths, oldest first.
    list: VecDeque<(PathBuf, u64)>,
    bytes: u64,
}

impl FileRing {
    pub(super) fn new(folder: PathBuf, keep: Option<NonZeroU32>, max_bytes: Option<u64>) -> Self {
        let keep = keep.map_or(usize::MAX, |keep| keep.get() as usize);
        Self { folder, keep, max_bytes: max_bytes.unwrap_or(u64::MAX), files: None }
    }

    /// Writes one frame, and removes the oldest files above the bounds; the newest always stays.
    pub(super) fn write(&mut self, shown: &PublishedFrame) -> io::Result<()> {
        let path = self.folder.join(picture_name(&shown.frame, shown.seq));
        // On failure the folder is read again next time: it may have been removed.
        let mut files = match self.files.take() {
            Some(files) => files,
            None => {
                let mut list = existing_files(&self.folder)?;
                // Numbers begin anew with each run: a file of the same millisecond and number is replaced.
                list.retain(|(file, _)| *file != path);
                Files { bytes: list.iter().map(|(_, len)| len).sum(), list }
            }
        };
        fs::create_dir_all(&self.folder)?;
        atomic_file::write_atomic(&path, shown.frame.jpeg(), Permissions::Default)?;
        let len = shown.frame.jpeg().len() as u64 + facts::write(&path, &shown.frame, shown.seq)?;
        files.list.push_back((path, len));
        files.bytes += len;
        for _ in 0..MAX_REMOVED_AT_ONCE {
            let surplus = files.list.len() > self.keep || files.bytes > self.max_bytes;
            if !surplus || files.list.len() <= 1 {
                break;
            }
            let Some((old, len)) = files.list.pop_front() else { break };
            files.bytes -= len;
            facts::remove(&old)?;
            facts::remove(&facts::beside(&old))?;
        }
        self.files = Some(files);
        Ok(())
    }
}

/// Returns the files of an earlier run, oldest first: by the time of writing, since names jump back with
/// summer time. Leftovers of an interrupted run are removed; files with other names are left alone.
fn existing_files(folder: &Path) -> io::Result<VecDeque<(PathBuf, u64)>> {
    fs::create_dir_all(folder)?;
    atomic_file::remove_temp_files(folder, is_ours)?;
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let file_name = entry.file_name();
        let Some(name) = file_name.to_str() else { continue };
        // A folder of such a name was not created here, and could not be removed as a file.
        if is_ours(name) && !entry.file_type()?.is_dir() {
            // The metadata of a link itself.
            let about = entry.metadata()?;
            files.push((about.modified()?, entry.path(), about.len()));
        }
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path, len)| (path, len)).collect())
}

/// Whether a name is one that [`picture_name`] returns.
fn is_ours(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".jpg") else { return false };
    let parts: Vec<_> = stem.split('-').collect();
    let digits = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    let lengths: Vec<_> = parts.iter().map(|part| part.len()).collect();
    digits && matches!(lengths[..], [8, 6, 3, seq] if seq >= 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_our_own_making_count() {
        assert!(is_ours("20261122-140322-123-000042.jpg"));
        assert!(is_ours("20261122-140322-123-1234567.jpg"));
        for other in
            ["holiday.jpg", "20261122-140322-123-42.jpg", "20261122-140322-123-000042.png", "-.jpg", ".jpg"]
        {
            assert!(!is_ours(other), "{other}");
        }
    }
}
