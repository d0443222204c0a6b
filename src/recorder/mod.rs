//! Each new frame of a stream to disk: one file that is always the newest, or a ring of files.
//!
//! A recorder reads the stream's bus like a viewer, so a slow disk skips frames and holds nothing up. A file appears
//! whole or not at all: it is written under another name in the same folder and renamed. Nothing is synced to the disk;
//! after a power cut the newest files may be missing. Placeholders and repeated frames are not written.
//!
//! A failure is said once, counted, and tried again with the next frame; it never touches the stream.

mod ring;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
    sync::Arc,
};

use bytes::Bytes;
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use self::ring::Ring;
use crate::{
    bus::{Bus, Published},
    config::SaveConfig,
    frame::FrameKind,
};

/// Writes a stream's frames to disk until the stream ends.
#[derive(Debug)]
pub struct Recorder {
    target: Option<Target>,
    place: PathBuf,
    bus: Arc<Bus>,
    failing: bool,
}

/// Where frames go.
#[derive(Debug)]
enum Target {
    Latest(PathBuf),
    Ring(Ring),
}

impl Recorder {
    /// A recorder of what `bus` shows; what it writes and fails to is counted there.
    pub fn new(config: SaveConfig, bus: Arc<Bus>) -> Self {
        let (place, target) = match config {
            SaveConfig::Latest(path) => (path.clone(), Target::Latest(path)),
            SaveConfig::Ring { dir, keep } => (dir.clone(), Target::Ring(Ring::new(dir, keep))),
        };
        Self { target: Some(target), place, bus, failing: false }
    }

    /// Writes each new frame until the bus is closed. Dropping the future stops it after the write in hand.
    pub async fn run(mut self) {
        let mut frames = self.bus.subscribe();
        let mut last_seq = 0;
        while frames.changed().await.is_ok() {
            let showing = frames.borrow_and_update().clone();
            if showing.closed {
                return;
            }
            let Some(shown) = showing.newest else { continue };
            if shown.seq != last_seq && shown.frame.kind() == FrameKind::Picture {
                last_seq = shown.seq;
                self.save(shown).await;
            }
        }
    }

    async fn save(&mut self, shown: Arc<Published>) {
        let Some(mut target) = self.target.take() else { return };
        let place = self.place.clone();
        let written = spawn_blocking(move || {
            let result = target.write(&shown);
            (target, result)
        })
        .await;
        let result = match written {
            Ok((target, result)) => {
                self.target = Some(target);
                result
            }
            // The runtime is going down: there is no disk to write to any more.
            Err(gone) => Err(io::Error::other(gone)),
        };
        match result {
            Ok(()) => {
                self.bus.stats().count_saved();
                if self.failing {
                    info!(path = %place.display(), "frames are saved again");
                }
                self.failing = false;
            }
            Err(error) => {
                self.bus.stats().count_save_failure();
                if !self.failing {
                    warn!(path = %place.display(), %error, "cannot save frames; trying again with each frame");
                }
                self.failing = true;
            }
        }
    }
}

impl Target {
    fn write(&mut self, shown: &Published) -> io::Result<()> {
        match self {
            Self::Latest(path) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                write_whole(folder.unwrap_or(Path::new(".")), path, shown.frame.jpeg())
            }
            Self::Ring(ring) => ring.write(shown),
        }
    }
}

/// Writes a file so that nobody ever sees half of it; makes the folder when it is absent.
fn write_whole(folder: &Path, path: &Path, jpeg: &Bytes) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let name =
        path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file name"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}{UNFINISHED}", process::id()));
    let unfinished = folder.join(hidden);
    let written = fs::write(&unfinished, jpeg).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        // What is left of it would fill a full disk further; it may not even be there.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// Ends the name of a file that is being written.
const UNFINISHED: &str = ".framecast-tmp";

#[cfg(test)]
mod tests;
