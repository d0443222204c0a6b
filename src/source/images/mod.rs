//! A sequence of image files, shown in a loop: `type: images`.
//!
//! Files are listed again in each round, so that new ones are shown and removed ones are not. A file that
//! cannot be read is skipped, counted, logged once, and tried again in the next round: it may be half
//! written. JPEGs are published unchanged; other formats are converted, and the results are kept in a bounded
//! cache. No file is read on the async threads.

mod cache;
pub(super) mod error;
mod files;
#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use cache::{ConvertedCache, FileVersion};
use error::ImagesError;
use futures_util::{FutureExt, future::LocalBoxFuture};
use tokio::task::spawn_blocking;
use tracing::{info, warn};

use super::{error::SourceError, generated::wall_clock_interval::WallClockInterval, traits::Source};
use crate::{
    bus::{DropReason, Ingest},
    config::ImagesPath,
    imaging::{
        PoolError,
        convert::{PictureError, PictureLimits, conversion_size, to_frame},
        cpu_pool::StreamQueue,
    },
    media::frame::Frame,
};

/// The built-in pictures of the demo.
static DEMO: [&[u8]; 4] = [
    include_bytes!("../../../assets/demo/1-dawn.jpg"),
    include_bytes!("../../../assets/demo/2-day.jpg"),
    include_bytes!("../../../assets/demo/3-dusk.jpg"),
    include_bytes!("../../../assets/demo/4-night.jpg"),
];

/// Number of rounds without a readable picture before the source fails: a single file that is being rewritten
/// in place is unreadable for a moment.
const MAX_EMPTY_ROUNDS: u32 = 3;

/// Maximum number of files whose errors are remembered; the errors of others are only counted.
const MAX_LOGGED_FILES: usize = 1000;

/// An error for which a file is skipped.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error(transparent)]
    Pool(#[from] PoolError),
}

impl FileError {
    fn drop_reason(&self) -> DropReason {
        match self {
            Self::Picture(PictureError::TooLarge { .. }) | Self::Pool(PoolError::Memory { .. }) => {
                DropReason::TooLarge
            }
            Self::Pool(PoolError::Busy) => DropReason::Busy,
            _ => DropReason::Unreadable,
        }
    }
}

/// A source that shows image files in a loop.
#[derive(Debug)]
pub struct ImagesSource {
    path: ImagesPath,
    fps: f64,
    limits: PictureLimits,
    queue: StreamQueue,
    cache: ConvertedCache,
    logged_files: HashSet<PathBuf>,
}

impl ImagesSource {
    /// Creates a source that shows the files of `path` at `fps` pictures a second.
    pub fn new(path: ImagesPath, fps: f64, limits: PictureLimits, queue: StreamQueue) -> Self {
        Self { path, fps, limits, queue, cache: ConvertedCache::default(), logged_files: HashSet::new() }
    }

    /// Publishes the built-in pictures in a loop.
    async fn show_demo(&self, ingest: &Ingest) {
        let mut ticker = WallClockInterval::new(self.fps);
        for picture in DEMO.iter().cycle() {
            ticker.next().await;
            // The built-in pictures are valid: a test reads each of them.
            let _ = ingest.push_jpeg(Bytes::from_static(picture));
        }
    }

    /// Publishes the files that match `pattern` in a loop.
    async fn show_files(&mut self, pattern: &str, ingest: &Ingest) -> Result<(), ImagesError> {
        let mut ticker = WallClockInterval::new(self.fps);
        let mut fruitless = 0;
        let mut shown_ever = false;
        loop {
            let files = list(pattern).await?;
            self.cache.keep_only(&files);
            let mut trouble = None;
            let mut shown = false;
            for file in &files {
                match self.load(file).await {
                    Ok(frame) => {
                        self.logged_files.remove(file);
                        ticker.next().await;
                        // The time of its publication, not of its reading.
                        ingest.push_frame(Frame::from_jpeg(frame.jpeg().clone()).unwrap_or(frame));
                        shown = true;
                    }
                    Err(error) => {
                        ingest.count_drop(error.drop_reason());
                        self.log_error(file, &error);
                        trouble = Some(error);
                    }
                }
            }
            shown_ever |= shown;
            fruitless = if shown { 0 } else { fruitless + 1 };
            if !shown {
                if !shown_ever || fruitless >= MAX_EMPTY_ROUNDS {
                    return Err(nothing(pattern, files.len(), trouble));
                }
                ticker.next().await;
            }
        }
    }

    /// Reads a file as a frame.
    async fn load(&mut self, path: &Path) -> Result<Frame, FileError> {
        let file = path.to_owned();
        let max = self.limits.max_frame_bytes;
        let (known, converted) = self.cache.get(path).unzip();
        let read = move || read(&file, max, known);
        let (version, bytes) = spawn_blocking(read).await.map_err(io::Error::other)??;
        let Some(bytes) = bytes else {
            return Ok(converted.ok_or_else(|| io::Error::other("it was forgotten meanwhile"))?);
        };
        let limits = self.limits;
        let Some(size) = conversion_size(&bytes, limits, None)? else { return Ok(to_frame(bytes, limits)?) };
        let frame = self.queue.run(size.bytes, move || to_frame(bytes, limits)).await??;
        self.cache.put(path, version, frame.clone(), self.queue.pool().memory());
        Ok(frame)
    }

    /// Logs the error of a file, once until it was readable again.
    fn log_error(&mut self, file: &Path, error: &FileError) {
        // Nothing is wrong with the file; it is tried again.
        let busy = matches!(error, FileError::Pool(PoolError::Busy));
        if !busy && self.logged_files.len() < MAX_LOGGED_FILES && self.logged_files.insert(file.to_owned()) {
            match error {
                FileError::Picture(PictureError::Truncated { .. }) => {
                    info!(file = %file.display(), %error, "skipped a file that is not complete yet");
                }
                _ => warn!(file = %file.display(), %error, "skipped a file"),
            }
        }
    }
}

impl Source for ImagesSource {
    fn run<'a>(&'a mut self, ingest: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        async move {
            match self.path.clone() {
                ImagesPath::BuiltIn => self.show_demo(ingest).await,
                ImagesPath::Glob(pattern) => self.show_files(&pattern, ingest).await?,
            }
            Ok(())
        }
        .boxed_local()
    }
}

async fn list(pattern: &str) -> Result<Vec<PathBuf>, ImagesError> {
    let owned = pattern.to_owned();
    let listed = spawn_blocking(move || files::list(&owned)).await;
    let reason = |reason: String| ImagesError::Pattern { pattern: pattern.to_owned(), reason };
    listed.map_err(|error| reason(error.to_string()))?.map_err(|error| reason(error.to_string()))
}

fn nothing(pattern: &str, files: usize, trouble: Option<FileError>) -> ImagesError {
    let pattern = pattern.to_owned();
    match trouble {
        Some(trouble) => ImagesError::NothingReadable { pattern, files, reason: trouble.to_string() },
        None => ImagesError::Nothing { pattern },
    }
}

/// Returns the file's version, and its content unless that version is `known`.
fn read(
    path: &Path,
    max: usize,
    known: Option<FileVersion>,
) -> Result<(FileVersion, Option<Bytes>), FileError> {
    // Checked before it is opened: opening a named pipe would wait for its writer forever.
    if !path.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file").into());
    }
    let file = File::open(path)?;
    let version = FileVersion::from_metadata(&file.metadata()?);
    if known == Some(version) {
        return Ok((version, None));
    }
    let mut bytes = Vec::new();
    // One byte more than allowed, to notice a file that grows meanwhile.
    file.take(max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > max {
        let len = usize::try_from(version.len).unwrap_or(usize::MAX).max(bytes.len());
        return Err(PictureError::TooLarge { len, max }.into());
    }
    Ok((version, Some(bytes.into())))
}
