//! Sees that the configuration file has changed.
//!
//! It looks at the file (what a link leads to) twice a second instead of asking the system to be told: so it sees an editor
//! that puts a new file in the old one's place, a Kubernetes ConfigMap whose links are turned, a single file mounted into a
//! container, and a network share, which inotify does not.

use std::{fs, path::Path, time::Duration};

use tokio::time::sleep;

/// How often it looks; and a file must have stayed the same for so long before it is read, since it may still be written.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What a file looks like from outside; none if it cannot be looked at.
type Look = Option<Marks>;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Marks {
    length: u64,
    modified: Option<std::time::SystemTime>,
    #[cfg(unix)]
    inode: (u64, u64, i64, i64),
}

/// A file that is looked at.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    taken: Look,
    last: Look,
}

impl Watched {
    /// From now on; `path` is about to be read, or was just.
    pub(super) fn new(path: &Path) -> Self {
        let now = look(path);
        Self { taken: now.clone(), last: now }
    }

    /// Waits until the file is another than the one before, and has been the same for [`LOOK_EVERY`].
    pub(super) async fn changed(&mut self, path: &Path) {
        loop {
            sleep(LOOK_EVERY).await;
            if self.look_again(look(path)) {
                return;
            }
        }
    }

    /// A file that is not there is between two others, or somebody's mistake: there is nothing to read.
    fn look_again(&mut self, now: Look) -> bool {
        let settled = now == self.last;
        let other = now.is_some() && now != self.taken;
        self.last = now;
        if settled && other {
            self.taken.clone_from(&self.last);
        }
        settled && other
    }
}

fn look(path: &Path) -> Look {
    let metadata = fs::metadata(path).ok()?;
    Some(Marks {
        length: metadata.len(),
        modified: metadata.modified().ok(),
        #[cfg(unix)]
        inode: {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_once_it_has_stayed_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        fs::write(&path, "1").unwrap();
        let mut watched = Watched::new(&path);
        assert!(!watched.look_again(look(&path)));
        fs::write(&path, "22").unwrap();
        assert!(!watched.look_again(look(&path)), "it may still be written");
        fs::write(&path, "333").unwrap();
        assert!(!watched.look_again(look(&path)), "it was");
        assert!(watched.look_again(look(&path)));
        assert!(!watched.look_again(look(&path)), "once");
        fs::remove_file(&path).unwrap();
        assert!(!watched.look_again(look(&path)) && !watched.look_again(look(&path)), "nothing to read");
        fs::write(&path, "4").unwrap();
        assert!(!watched.look_again(look(&path)));
        assert!(watched.look_again(look(&path)));
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
        let mut watched = Watched::new(&path("link"));
        std::os::unix::fs::symlink("b", path("new")).unwrap();
        fs::rename(path("new"), path("link")).unwrap();
        assert!(!watched.look_again(look(&path("link"))) && watched.look_again(look(&path("link"))));
        same_time("c");
        fs::rename(path("c"), path("b")).unwrap();
        assert!(!watched.look_again(look(&path("link"))) && watched.look_again(look(&path("link"))));
    }
}
