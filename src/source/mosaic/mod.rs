//! Many streams in one picture: `type: mosaic`.
//!
//! It wants its streams to run for as long as it runs itself. On each slot of its rate it takes what is
//! newest of each, decodes only those that showed something new, and draws only if something changed. A tile
//! keeps its last picture: when its stream is away it is dimmed and says since when; one that never had a
//! picture says why.

mod canvas;
pub(super) mod error;
mod layout;
mod tile;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use canvas::Board;
use error::MosaicError;
use futures_util::{FutureExt, future::LocalBoxFuture};
use tile::Tile;
use tokio::time::{Instant, sleep};

use super::{Source, SourceError, Upstreams, generated::wall_clock_interval::Ticker};
use crate::{
    bus::{DropReason, Sink},
    config::{Limits, MosaicConfig},
    imaging::{PictureMemory, Pool, PoolError, cpu_pool::StreamQueue},
    limits::BytePermit,
    media::frame::Frame,
};

/// The first picture waits so long for streams that are starting: a snapshot should show them.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// Interval at which the mosaic checks meanwhile whether their pictures have come.
const FIRST_LOOK: Duration = Duration::from_millis(25);

/// Proportions are the same for the layout when they differ less than a twentieth.
const ASPECT_STEPS: f64 = 20.0;

/// Draws many streams as one.
#[derive(Debug)]
pub struct MosaicSource {
    config: MosaicConfig,
    max_pixels: u64,
    pool: Arc<Pool>,
    upstreams: Arc<dyn Upstreams>,
}

impl MosaicSource {
    /// A source that shows what `config` says.
    pub fn new(
        config: MosaicConfig,
        limits: &Limits,
        queue: &StreamQueue,
        upstreams: Arc<dyn Upstreams>,
    ) -> Self {
        Self { config, max_pixels: limits.max_frame_pixels, pool: queue.pool().clone(), upstreams }
    }

    async fn draw_forever(&self, sink: &Sink) -> Result<(), SourceError> {
        let join = |name| {
            let upstream = self.upstreams.join(name);
            upstream.map(Tile::new).ok_or_else(|| SourceError::NoOrigin { name: name.clone() })
        };
        let mut tiles = self.config.of.iter().map(join).collect::<Result<Vec<_>, _>>()?;
        let titles = tiles.iter().map(|tile| tile.title().to_owned()).collect();
        let memory = self.pool.memory();
        let kept = memory.keep(Board::bytes_kept(&self.config)).map_err(MosaicError::from)?;
        let board = Board::new(&self.config, titles, self.max_pixels).map_err(MosaicError::from)?;
        let mut painter = Painter {
            board: Arc::new(Mutex::new(board)),
            memory: memory.clone(),
            _kept: kept,
            turns: self.pool.lane(),
            aspect: layout::USUAL_ASPECT,
        };
        first_pictures(&mut tiles).await;
        let mut ticker = Ticker::new(self.config.fps);
        loop {
            ticker.next().await;
            if painter.update(&mut tiles, sink).await? {
                let jpeg = painter
                    .work(Board::bytes_to_encode(&self.config), |board, _| board.encode())
                    .await
                    .map_err(MosaicError::from)?;
                // Our own encoder's pictures are whole; if not, the sink counts it.
                let _ = sink.jpeg(jpeg.map_err(MosaicError::from)?);
            }
        }
    }
}

impl Source for MosaicSource {
    fn run<'a>(&'a mut self, sink: &'a Sink) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        self.draw_forever(sink).boxed_local()
    }
}

/// Waits until each stream has a picture or is known to be away, within [`FIRST_WAIT`].
async fn first_pictures(tiles: &mut [Tile]) {
    let started = Instant::now();
    loop {
        tiles.iter_mut().for_each(Tile::look_again);
        if !tiles.iter().any(Tile::may_come) || started.elapsed() >= FIRST_WAIT {
            return;
        }
        sleep(FIRST_LOOK).await;
    }
}

/// The board, worked on in the pool.
struct Painter {
    board: Arc<Mutex<Board>>,
    memory: Arc<PictureMemory>,
    /// The board's memory.
    _kept: BytePermit,
    turns: crate::imaging::cpu_pool::Lane,
    aspect: f64,
}

impl Painter {
    async fn work<T: Send + 'static>(
        &mut self,
        bytes: usize,
        job: impl FnOnce(&mut Board, &PictureMemory) -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let (board, memory) = (self.board.clone(), self.memory.clone());
        self.turns.run(bytes, move || job(&mut lock(&board), &memory)).await
    }

    /// Paints the tiles that changed; whether there were any.
    async fn update(&mut self, tiles: &mut [Tile], sink: &Sink) -> Result<bool, MosaicError> {
        tiles.iter_mut().for_each(Tile::look_again);
        let aspect = usual_aspect(tiles.iter().filter_map(|tile| tile.aspect()), self.aspect);
        if aspect != self.aspect {
            self.aspect = aspect;
            self.work(0, move |board, _| board.lay_out(aspect)).await?;
            tiles.iter_mut().for_each(Tile::start_again);
        }
        let mut changed = false;
        for (n, tile) in tiles.iter_mut().enumerate() {
            if let Some(frame) = tile.next() {
                let taken = self.take(n, frame.clone()).await;
                if taken.is_err() {
                    sink.dropped(DropReason::Invalid);
                }
                tile.took(frame, taken.err());
                changed = true;
            }
            if let Some(look) = tile.new_look() {
                let bytes = lock(&self.board).bytes_to_paint(n, &look);
                self.work(bytes, move |board, memory| board.paint(n, &look, memory)).await??;
                changed = true;
            }
        }
        Ok(changed)
    }

    /// Decodes a tile's picture. What is wrong with it is told; a panic of the decoder is.
    async fn take(&mut self, n: usize, frame: Frame) -> Result<(), String> {
        let bytes = lock(&self.board).bytes_to_take(n, &frame);
        let taken = self.work(bytes, move |board, memory| board.take(n, &frame, memory)).await;
        taken.map_err(|panicked| panicked.to_string())?.map_err(|error| error.to_string())
    }
}

/// A panic while it was locked leaves a tile half painted at worst, until its next picture.
fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The proportions that most pictures have; those of now unless others are more.
fn usual_aspect(aspects: impl Iterator<Item = f64>, now: f64) -> f64 {
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
        assert_eq!(usual_aspect([].into_iter(), wide), wide);
        assert_eq!(usual_aspect([old].into_iter(), wide), old);
        assert_eq!(usual_aspect([old, wide].into_iter(), wide), wide);
        assert_eq!(usual_aspect([old, wide].into_iter(), old), old);
        assert_eq!(usual_aspect([old, wide, old, 1.34].into_iter(), wide), old);
        assert_eq!(usual_aspect([1.79, 1.77].into_iter(), wide), wide, "nearly the same");
    }
}
