//! Many streams in one picture: `type: mosaic`.
//!
//! It keeps its streams running for as long as it runs itself. On each tick it takes the newest frame of
//! each, decodes only new ones, and draws only if something changed. A tile keeps its last picture: when its
//! stream is away it is dimmed and shows since when; a tile that never had a picture shows the reason.

mod canvas;
pub(super) mod error;
mod layout;
mod tile;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use canvas::MosaicCanvas;
use error::MosaicError;
use futures_util::{FutureExt, future::LocalBoxFuture};
use tile::MosaicTile;
use tokio::time::{Instant, sleep};

use super::{
    error::SourceError,
    generated::wall_clock_interval::WallClockInterval,
    traits::{Source, StreamLookup},
};
use crate::{
    bus::{DropReason, Ingest},
    config::{Limits, MosaicConfig},
    imaging::{CpuPool, PictureMemory, PoolError, cpu_pool::StreamQueue},
    limits::BytePermit,
    media::frame::Frame,
};

/// Time for which the first picture waits for streams that are starting: a snapshot should show them.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// Interval at which the mosaic meanwhile checks for their pictures.
const FIRST_POLL_INTERVAL: Duration = Duration::from_millis(25);

/// Steps per unit of the aspect ratio that the layout distinguishes: a twentieth.
const ASPECT_STEPS: f64 = 20.0;

/// A source that draws many streams as one.
#[derive(Debug)]
pub struct MosaicSource {
    config: MosaicConfig,
    max_pixels: u64,
    pool: Arc<CpuPool>,
    lookup: Arc<dyn StreamLookup>,
}

impl MosaicSource {
    /// Creates a source that draws the streams of `config`.
    pub fn new(
        config: MosaicConfig,
        limits: &Limits,
        queue: &StreamQueue,
        lookup: Arc<dyn StreamLookup>,
    ) -> Self {
        Self { config, max_pixels: limits.max_frame_pixels, pool: queue.pool().clone(), lookup }
    }

    async fn draw_forever(&self, ingest: &Ingest) -> Result<(), SourceError> {
        let join = |name| {
            let upstream = self.lookup.join(name);
            upstream.map(MosaicTile::new).ok_or_else(|| SourceError::OriginGone { name: name.clone() })
        };
        let mut tiles = self.config.of.iter().map(join).collect::<Result<Vec<_>, _>>()?;
        let titles = tiles.iter().map(|tile| tile.title().to_owned()).collect();
        let memory = self.pool.memory();
        let kept = memory.reserve_kept(MosaicCanvas::bytes_kept(&self.config)).map_err(MosaicError::from)?;
        let canvas = MosaicCanvas::new(&self.config, titles, self.max_pixels).map_err(MosaicError::from)?;
        let mut painter = Painter {
            canvas: Arc::new(Mutex::new(canvas)),
            memory: memory.clone(),
            _kept: kept,
            queue: self.pool.latest_queue(),
            aspect: layout::DEFAULT_ASPECT,
        };
        first_pictures(&mut tiles).await;
        let mut ticker = WallClockInterval::new(self.config.fps);
        loop {
            ticker.next().await;
            if painter.update(&mut tiles, ingest).await? {
                let jpeg = painter
                    .work(MosaicCanvas::bytes_to_encode(&self.config), |canvas, _| canvas.encode())
                    .await
                    .map_err(MosaicError::from)?;
                // Our own encoder's pictures are valid; if not, the ingest counts it.
                let _ = ingest.push_jpeg(jpeg.map_err(MosaicError::from)?);
            }
        }
    }
}

impl Source for MosaicSource {
    fn run<'a>(&'a mut self, ingest: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        self.draw_forever(ingest).boxed_local()
    }
}

/// Waits until each stream has a picture or is known to be away, within [`FIRST_WAIT`].
async fn first_pictures(tiles: &mut [MosaicTile]) {
    let started = Instant::now();
    loop {
        tiles.iter_mut().for_each(MosaicTile::refresh);
        if !tiles.iter().any(MosaicTile::is_expected) || started.elapsed() >= FIRST_WAIT {
            return;
        }
        sleep(FIRST_POLL_INTERVAL).await;
    }
}

/// Draws on the canvas in the CPU pool.
struct Painter {
    canvas: Arc<Mutex<MosaicCanvas>>,
    memory: Arc<PictureMemory>,
    /// Memory reserved for the canvas.
    _kept: BytePermit,
    queue: crate::imaging::cpu_pool::LatestQueue,
    aspect: f64,
}

impl Painter {
    async fn work<T: Send + 'static>(
        &mut self,
        bytes: usize,
        job: impl FnOnce(&mut MosaicCanvas, &PictureMemory) -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let (canvas, memory) = (self.canvas.clone(), self.memory.clone());
        self.queue.run(bytes, move || job(&mut lock(&canvas), &memory)).await
    }

    /// Paints the tiles that changed; false if there were none.
    async fn update(&mut self, tiles: &mut [MosaicTile], ingest: &Ingest) -> Result<bool, MosaicError> {
        tiles.iter_mut().for_each(MosaicTile::refresh);
        let aspect = most_common_aspect(tiles.iter().filter_map(|tile| tile.aspect()), self.aspect);
        if aspect != self.aspect {
            self.aspect = aspect;
            self.work(0, move |canvas, _| canvas.lay_out(aspect)).await?;
            tiles.iter_mut().for_each(MosaicTile::invalidate);
        }
        let mut changed = false;
        for (n, tile) in tiles.iter_mut().enumerate() {
            if let Some(frame) = tile.take_pending() {
                let taken = self.take(n, frame.clone()).await;
                if taken.is_err() {
                    ingest.count_drop(DropReason::Invalid);
                }
                tile.set_decoded(frame, taken.err());
                changed = true;
            }
            if let Some(content) = tile.take_changed_content() {
                let bytes = lock(&self.canvas).bytes_to_paint(n, &content);
                self.work(bytes, move |canvas, memory| canvas.paint(n, &content, memory)).await??;
                changed = true;
            }
        }
        Ok(changed)
    }

    /// Decodes a tile's picture. Errors in it are returned, and so is a panic of the decoder.
    async fn take(&mut self, n: usize, frame: Frame) -> Result<(), String> {
        let bytes = lock(&self.canvas).bytes_to_take(n, &frame);
        let taken = self.work(bytes, move |canvas, memory| canvas.set_picture(n, &frame, memory)).await;
        taken.map_err(|panicked| panicked.to_string())?.map_err(|error| error.to_string())
    }
}

/// Locks the canvas. A panic of an earlier holder leaves a tile half painted at worst, until its next
/// picture.
fn lock(canvas: &Mutex<MosaicCanvas>) -> MutexGuard<'_, MosaicCanvas> {
    canvas.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the aspect ratio of most pictures; `now` unless another one is more frequent.
fn most_common_aspect(aspects: impl Iterator<Item = f64>, now: f64) -> f64 {
    let step = |aspect: f64| (aspect * ASPECT_STEPS).round() as i64;
    let aspects: Vec<f64> = aspects.collect();
    let count = |wanted: f64| aspects.iter().filter(|aspect| step(**aspect) == step(wanted)).count();
    let more = |best: f64, other: &f64| if count(*other) > count(best) { *other } else { best };
    aspects.iter().fold(now, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_follows_most_pictures_and_stays_as_it_is_when_none_are_more() {
        let (wide, old) = (16.0 / 9.0, 4.0 / 3.0);
        assert_eq!(most_common_aspect([].into_iter(), wide), wide);
        assert_eq!(most_common_aspect([old].into_iter(), wide), old);
        assert_eq!(most_common_aspect([old, wide].into_iter(), wide), wide);
        assert_eq!(most_common_aspect([old, wide].into_iter(), old), old);
        assert_eq!(most_common_aspect([old, wide, old, 1.34].into_iter(), wide), old);
        assert_eq!(most_common_aspect([1.79, 1.77].into_iter(), wide), wide, "nearly the same");
    }
}
