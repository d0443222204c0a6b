//! Appends JPEGs to one file of bounded size.
//!
//! A file that is full is rotated, or stays as it is. It is opened for each picture: after it was moved or
//! removed, as by logrotate, a new one is created, and a file that is full is checked again.

use std::{
    ffi::OsString,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::facts;
use crate::{bus::PublishedFrame, config::WhenFull, platform::atomic_file};

/// A file that grows up to its maximum size.
#[derive(Debug)]
pub(super) struct AppendFile {
    file: PathBuf,
    max_bytes: u64,
    when_full: WhenFull,
}

/// The result of writing a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The frame was written.
    Saved,
    /// The file has reached its maximum size, and is not rotated.
    Full { bytes: u64 },
}

impl AppendFile {
    pub(super) fn new(file: PathBuf, max_bytes: u64, when_full: WhenFull) -> Self {
        Self { file, max_bytes, when_full }
    }

    /// Appends one picture.
    pub(super) fn write(&self, shown: &PublishedFrame) -> io::Result<Outcome> {
        let jpeg = shown.frame.jpeg();
        if jpeg.len() as u64 > self.max_bytes {
            let text = format!("the picture alone has {} bytes, more than max_bytes", jpeg.len());
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = atomic_file::open_to_append(&self.file)?;
        let mut len = file.metadata()?.len();
        if len + jpeg.len() as u64 > self.max_bytes {
            match self.when_full {
                WhenFull::Stop => return Ok(Outcome::Full { bytes: len }),
                WhenFull::Rotate => {
                    drop(file);
                    fs::rename(&self.file, rotated(&self.file))?;
                    match fs::rename(facts::beside(&self.file), facts::beside(&rotated(&self.file))) {
                        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                        _ => {}
                    }
                    file = atomic_file::open_to_append(&self.file)?;
                    len = 0;
                }
            }
        }
        let written = file.write_all(jpeg);
        if written.is_err() {
            // The start of a picture is no picture. Where truncating fails too (a device), readers skip it.
            let _ = file.set_len(len);
        }
        written?;
        facts::append(&self.file, &shown.frame, len)?;
        Ok(Outcome::Saved)
    }
}

/// Returns the name of a rotated file: `door.mjpg` becomes `door.1.mjpg`.
pub(super) fn rotated(file: &Path) -> PathBuf {
    let mut extension = OsString::from("1");
    if let Some(own) = file.extension() {
        extension.push(".");
        extension.push(own);
    }
    file.with_extension(extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_keeps_its_kind() {
        assert_eq!(rotated(Path::new("/a/door.mjpg")), Path::new("/a/door.1.mjpg"));
        assert_eq!(rotated(Path::new("door")), Path::new("door.1"));
    }
}
