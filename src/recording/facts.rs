//! Number, times and JSON of saved frames, in `.jsonl` files beside theirs.
//!
//! Only frames of which more is known than their arrival have a line: others say all with their file's name.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{
    media::{capture::TimeSource, formats::fact_line, frame::Frame},
    platform::atomic_file::{self, Permissions},
};

/// Returns the path of the file beside a picture's, or beside a file of pictures.
pub(super) fn beside(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(".jsonl");
    path.into()
}

/// Returns whether more is known of a frame than its arrival.
pub(super) fn is_known(frame: &Frame) -> bool {
    frame.capture().source != TimeSource::Arrival || frame.meta().is_some()
}

/// Writes the line of a picture beside it, and returns its length. What an earlier picture left there is
/// removed.
pub(super) fn write(file: &Path, frame: &Frame, seq: u64) -> io::Result<u64> {
    let beside = beside(file);
    if !is_known(frame) {
        return remove(&beside).map(|()| 0);
    }
    let line = fact_line(frame, seq);
    atomic_file::write_atomic(&beside, line.as_bytes(), Permissions::Default)?;
    Ok(line.len() as u64)
}

/// Appends the line of a picture that stands at `offset` of a file of pictures.
pub(super) fn append(file: &Path, frame: &Frame, offset: u64) -> io::Result<()> {
    if !is_known(frame) {
        return Ok(());
    }
    let more = format!(r#","offset":{offset},"bytes":{}"#, frame.jpeg().len());
    atomic_file::open_to_append(&beside(file))?.write_all((frame.facts().json(&more) + "\n").as_bytes())
}

/// Removes a file, if it is there.
pub(super) fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
