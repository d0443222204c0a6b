//! Detects changes of files by polling: the configuration file, certificate and key.
//!
//! The files (the targets of links) are checked at an interval, without notifications of the system. This
//! also detects an editor that replaces the file, a Kubernetes ConfigMap whose links are
//! switched, a single file mounted into a container, and a network share, which inotify does not
//! (docs/adr/0022).

use std::{fs, path::Path, time::SystemTime};

/// Marks that differ when the content of a file differs; none if the file cannot be read.
type FileState = Option<(u64, Option<SystemTime>, Inode)>;

/// Device, number, and time of the last change, of the file or of what tells about it.
type Inode = (u64, u64, i64, i64);

/// A change of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileChange {
    /// The files can be read and have changed.
    Content,
    /// A file cannot be found.
    Missing,
}

/// Files as they were used last.
#[derive(Debug, Clone)]
pub struct WatchedFiles {
    used: Vec<FileState>,
    last: Vec<FileState>,
}

impl WatchedFiles {
    /// Starts from the files as they are: they are about to be read, or were just.
    pub fn new(paths: &[&Path]) -> Self {
        let now = file_states(paths);
        Self { used: now.clone(), last: now }
    }

    /// Returns how the files differ from those used last, once they have not changed since the last look:
    /// they may be written one after the other, or in pieces.
    pub fn poll(&mut self, paths: &[&Path]) -> Option<FileChange> {
        let now = file_states(paths);
        let settled = now == self.last;
        self.last = now;
        if !settled || self.last == self.used {
            return None;
        }
        self.used.clone_from(&self.last);
        Some(if self.used.iter().all(Option::is_some) { FileChange::Content } else { FileChange::Missing })
    }
}

fn file_states(paths: &[&Path]) -> Vec<FileState> {
    let of = |path: &&Path| {
        let found = fs::metadata(path).ok()?;
        Some((found.len(), found.modified().ok(), inode(&found)))
    };
    paths.iter().map(of).collect()
}

#[cfg(unix)]
fn inode(found: &fs::Metadata) -> Inode {
    use std::os::unix::fs::MetadataExt;
    (found.dev(), found.ino(), found.ctime(), found.ctime_nsec())
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> Inode {
    Inode::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_once_it_has_stayed_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        fs::write(&path, "1").unwrap();
        let mut watched = WatchedFiles::new(&[&path]);
        let mut look = || watched.poll(&[&path]);
        assert_eq!(look(), None);
        fs::write(&path, "22").unwrap();
        assert_eq!(look(), None, "it may still be written");
        fs::write(&path, "333").unwrap();
        assert_eq!(look(), None, "it was");
        assert_eq!(look(), Some(FileChange::Content));
        assert_eq!(look(), None, "once");
        fs::remove_file(&path).unwrap();
        assert_eq!((look(), look(), look()), (None, Some(FileChange::Missing), None));
        fs::write(&path, "4").unwrap();
        assert_eq!(look(), None);
        assert_eq!(look(), Some(FileChange::Content));
    }

    #[test]
    fn files_that_are_written_one_after_the_other_are_one_change() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        for path in [&cert, &key] {
            fs::write(path, "1").unwrap();
        }
        let mut watched = WatchedFiles::new(&[&cert, &key]);
        let mut look = || watched.poll(&[&cert, &key]);
        fs::write(&cert, "22").unwrap();
        assert_eq!(look(), None);
        fs::write(&key, "22").unwrap();
        assert_eq!((look(), look(), look()), (None, Some(FileChange::Content), None));
        fs::remove_file(&key).unwrap();
        assert_eq!((look(), look()), (None, Some(FileChange::Missing)));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_in_the_place_of_another_and_a_link_that_was_turned_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let same_time = |name: &str| {
            fs::write(path(name), "1").unwrap();
            let file = fs::File::options().write(true).open(path(name)).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        };
        same_time("a");
        same_time("b");
        std::os::unix::fs::symlink("a", path("link")).unwrap();
        let link = path("link");
        let mut watched = WatchedFiles::new(&[&link]);
        let mut look = || watched.poll(&[&link]);
        std::os::unix::fs::symlink("b", path("new")).unwrap();
        fs::rename(path("new"), path("link")).unwrap();
        assert_eq!((look(), look()), (None, Some(FileChange::Content)));
        same_time("c");
        fs::rename(path("c"), path("b")).unwrap();
        assert_eq!((look(), look()), (None, Some(FileChange::Content)));
    }
}
