//! Writes a stream's frames to disk: one file that is always the newest, a ring of files, or one file that
//! grows.
//!
//! A recorder reads the stream's bus like a viewer, so a slow disk skips frames and delays nothing. A
//! picture's file appears whole or not at all: it is written under another name in the same folder and
//! renamed. Nothing is synced to the disk; after a power cut the newest files may be missing. Offline images
//! and repeated frames are not written.
//!
//! A full or failing disk is a state that the API shows. It is logged once, counted with each frame, and
//! tried again with the next one; it never affects the stream.

mod append;
mod facts;
mod latest;
mod ring;
#[cfg(test)]
mod tests;

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
};

use append::{AppendFile, Outcome};
use latest::Latest;
use ring::FileRing;
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use crate::{
    bus::{Bus, FrameRateLimiter, PublishedFrame, RecordingState},
    config::{SaveConfig, SaveTarget},
    imaging::cpu_pool::panic_message,
    media::frame::FrameKind,
};

/// Writes a stream's frames to disk until the stream ends.
#[derive(Debug)]
pub struct Recorder {
    target: Option<Target>,
    path: PathBuf,
    bus: Arc<Bus>,
    rate_limiter: FrameRateLimiter,
}

/// The file or files that frames are written to.
#[derive(Debug)]
enum Target {
    Latest(Latest),
    Ring(FileRing),
    Append(AppendFile),
    /// Panics at the first frame and saves the others.
    #[cfg(test)]
    Broken(u32),
}

impl Recorder {
    /// Creates a recorder of the frames of `bus`, whose statistics count what is written and what fails.
    pub fn new(config: SaveConfig, bus: Arc<Bus>) -> Self {
        let path = config.target.place().to_owned();
        let target = match config.target {
            SaveTarget::Latest(path) => Target::Latest(Latest::new(path)),
            SaveTarget::Ring { dir, keep, max_bytes } => Target::Ring(FileRing::new(dir, keep, max_bytes)),
            SaveTarget::Append { file, max_bytes, when_full } => {
                Target::Append(AppendFile::new(file, max_bytes, when_full))
            }
        };
        bus.stats().set_recording_status(RecordingState::Waiting, None);
        Self { target: Some(target), path, bus, rate_limiter: FrameRateLimiter::new(config.every) }
    }

    /// Writes each new frame until the bus is closed. Dropping the future stops it after the current write.
    pub async fn run(mut self) {
        let mut frames = self.bus.subscribe();
        let mut last_seq = 0;
        while frames.changed().await.is_ok() {
            let current = frames.borrow_and_update().clone();
            if current.closed {
                return;
            }
            let Some(shown) = current.frame else { continue };
            if shown.seq == last_seq || shown.frame.kind() != FrameKind::Picture {
                continue;
            }
            last_seq = shown.seq;
            if self.rate_limiter.admits(shown.frame.arrived_at()) {
                self.write_frame(shown).await;
            }
        }
    }

    async fn write_frame(&mut self, shown: Arc<PublishedFrame>) {
        let Some(mut target) = self.target.take() else { return };
        let written = spawn_blocking(move || {
            // The next frame is tried whatever became of this one.
            let result = catch_unwind(AssertUnwindSafe(|| target.write(&shown)))
                .unwrap_or_else(|panic| Err(io::Error::other(format!("a bug: {}", panic_message(&*panic)))));
            (target, result)
        })
        .await;
        let result = match written {
            Ok((target, result)) => {
                self.target = Some(target);
                result
            }
            // The runtime is shutting down.
            Err(gone) => Err(io::Error::other(gone)),
        };
        self.record_outcome(result);
    }

    fn record_outcome(&self, result: io::Result<Outcome>) {
        let stats = self.bus.stats();
        let path = self.path.display();
        match result {
            Ok(Outcome::Saved) => {
                stats.count_recorded();
                let before = stats.recording_status().map(|saving| saving.state);
                stats.set_recording_status(RecordingState::Saving, None);
                if matches!(before, Some(RecordingState::Failing | RecordingState::Full)) {
                    info!(%path, "frames are saved again");
                }
            }
            Ok(Outcome::Full { bytes }) => {
                stats.count_recording_failure();
                let reason = format!("the file has {bytes} bytes, and max_bytes allows no further picture");
                if stats.set_recording_status(RecordingState::Full, Some(reason)) {
                    info!(%path, bytes, "the file is full; nothing more is saved until it is moved away");
                }
            }
            Err(error) => {
                stats.count_recording_failure();
                if stats.set_recording_status(RecordingState::Failing, Some(error.to_string())) {
                    warn!(%path, %error, "cannot save frames; retrying with each frame");
                }
            }
        }
    }
}

impl Target {
    fn write(&mut self, shown: &PublishedFrame) -> io::Result<Outcome> {
        match self {
            Self::Latest(file) => file.write(shown).map(|()| Outcome::Saved),
            Self::Ring(ring) => ring.write(shown).map(|()| Outcome::Saved),
            Self::Append(file) => file.write(shown),
            #[cfg(test)]
            Self::Broken(written) => {
                *written += 1;
                assert_ne!(*written, 1, "injected by the test");
                Ok(Outcome::Saved)
            }
        }
    }
}
