//! Live graphs: `type: chart`.
//!
//! Points are pushed over HTTP ([`parse`]) or polled from an address; they are stored outside the source
//! ([`points`]), also while there is no viewer. The source draws when points arrive, and as time moves the
//! lines to the left.

mod draw;
pub(in crate::source) mod error;
pub mod points;
mod poll;
pub mod parse;
mod axis;
mod stroke;

use std::{sync::Arc, time::Duration};

use draw::ChartData;
use futures_util::future::LocalBoxFuture;
use jiff::tz::TimeZone;
use points::Points;
pub use points::unix_now;
use poll::Poller;
use tokio::time::{Instant, sleep, timeout};

use super::error::RenderError;
use crate::{
    bus::{DropReason, Ingest},
    config::{ChartConfig, Limits},
    imaging::{
        PoolError,
        cpu_pool::{StreamQueue, memory_estimate},
    },
    source::{error::SourceError, traits::Source},
};

/// Minimum time between two pictures: more is not visible in a graph.
const MIN_REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// Maximum time between two pictures, even if the lines move by less than a pixel: viewers wait for a frame.
const MAX_STEP: Duration = Duration::from_secs(10);

/// Memory for glyphs while they are drawn.
const LETTERS_BYTES: usize = 1024 * 1024;

/// Minimum time between two pictures that only move the lines.
const MIN_STEP: Duration = Duration::from_secs(1);

/// A source that draws the points of one chart.
#[derive(Debug)]
pub struct ChartSource {
    config: Arc<ChartConfig>,
    title: String,
    points: Arc<Points>,
    poller: Option<Poller>,
    queue: StreamQueue,
}

impl ChartSource {
    /// Creates a source that draws `points`; `title` is shown unless the configuration has one.
    pub fn new(
        config: &ChartConfig,
        title: &str,
        limits: &Limits,
        points: Arc<Points>,
        queue: StreamQueue,
    ) -> Self {
        let poll = config.poll.as_ref();
        let poller = poll.map(|poll| Poller::new(poll, &config.series, limits, points.clone()));
        let title = config.title.as_deref().unwrap_or(title).to_owned();
        Self { config: Arc::new(config.clone()), title, points, poller, queue }
    }
}

/// Draws at each change, and at regular steps while there is something to move.
async fn draw_forever(
    config: &Arc<ChartConfig>,
    title: &str,
    points: &Points,
    queue: &StreamQueue,
    ingest: &Ingest,
) -> Result<(), RenderError> {
    let mut changes = points.changes();
    let zone = TimeZone::system();
    loop {
        let started = Instant::now();
        changes.mark_unchanged();
        let now = unix_now();
        let series = points.visible(now);
        let empty = series.iter().all(Vec::is_empty);
        let (drawn, title, zone) = (config.clone(), title.to_owned(), zone.clone());
        let job = move || {
            draw::draw(&ChartData { config: &drawn, title: &title, now, zone: &zone, series: &series })
        };
        // A mask of the lines, besides the canvas, and glyphs.
        let pixels = config.size.width.get() as usize * config.size.height.get() as usize;
        match queue.run(memory_estimate::canvas(config.size, 2 * pixels + LETTERS_BYTES), job).await {
            // Our own encoder's pictures are whole; if not, the ingest counts it.
            Ok(jpeg) => drop(ingest.push_jpeg(jpeg?)),
            Err(PoolError::Busy) => ingest.count_drop(DropReason::Busy),
            Err(panicked) => return Err(panicked.into()),
        }
        let step = if empty { MAX_STEP } else { step(config) };
        // An error means that the points are gone, with the stream.
        let _ = timeout(step, changes.changed()).await;
        sleep(MIN_REDRAW_INTERVAL.saturating_sub(started.elapsed())).await;
    }
}

/// Returns the time in which the lines move by a pixel.
fn step(config: &ChartConfig) -> Duration {
    (config.window / config.size.width.get()).clamp(MIN_STEP, MAX_STEP)
}

impl Source for ChartSource {
    fn run<'a>(&'a mut self, ingest: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        Box::pin(async move {
            let Self { config, title, points, poller, queue } = self;
            let drawing = async { Ok(draw_forever(config, title, points, queue, ingest).await?) };
            let Some(poller) = poller else { return drawing.await };
            // A picture is of no use before the first response: an error is shown instead.
            poller.first().await?;
            tokio::select! {
                failed = poller.poll_forever() => failed,
                failed = drawing => failed,
            }
        })
    }
}
