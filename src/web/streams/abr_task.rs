//! A viewer whose link is looked at, and who gets smaller pictures while it carries no others.
//!
//! The pictures of each step are a rendition, as others ask for in the URL, and shared with them. The
//! connection's own task looks once a second, holds the rendition of the next step, and then has the feed
//! look at that one's bus: between two parts, never back in time. Viewers who did not ask for this cost
//! nothing more.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{FutureExt, future::LocalBoxFuture};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use tracing::debug;

use crate::{
    bus::AbrLevelGuard,
    media::frame::FrameKind,
    registry::{ImageParams, RenditionError, RenditionGuard},
    stream::StreamHandle,
    viewer::{AbrController, FrameCounts},
    web::{server::transport::ProducerGuard, state::State},
};

/// The interval at which a viewer is looked at: a window of the ladder is two of these.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Frames that a viewer took, a repeat not counted.
pub(in crate::web) type DeliveredCounter = Arc<AtomicU64>;

/// A viewer with adaptive quality.
pub(in crate::web) struct AbrTask {
    state: State,
    stream: StreamHandle,
    /// The options it asked for.
    base: ImageParams,
    /// The stream whose frames it gets now.
    shown: StreamHandle,
    taken: DeliveredCounter,
    controller: AbrController,
    counted: AbrLevelGuard,
    ticks: Interval,
    pending: Option<PendingRendition>,
    /// The size of the frames of the first step.
    size: Option<(u16, u16)>,
}

type PendingRendition = LocalBoxFuture<'static, (usize, Result<Option<RenditionGuard>, RenditionError>)>;

impl AbrTask {
    /// A viewer of `stream` who asked for `base` and looks at `shown`, which is that.
    pub(in crate::web) fn new(
        state: State,
        stream: StreamHandle,
        base: ImageParams,
        shown: StreamHandle,
        taken: DeliveredCounter,
    ) -> Self {
        let mut ticks = interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let counted = AbrLevelGuard::new(stream.bus().clone());
        let controller = AbrController::new(Instant::now());
        Self { state, stream, base, shown, taken, controller, counted, ticks, pending: None, size: None }
    }

    /// Checks whether it is time, and moves the feed. Wakes the task for the next time.
    pub(in crate::web) fn poll(&mut self, cx: &mut Context<'_>, feed: &ProducerGuard) {
        loop {
            if let Some(going) = &mut self.pending {
                let Poll::Ready((step, held)) = going.poll_unpin(cx) else { return };
                self.pending = None;
                self.on_rendition(step, held, feed);
            }
            if self.ticks.poll_tick(cx).is_pending() {
                return;
            }
            self.update();
        }
    }

    fn update(&mut self) {
        let bus = self.shown.bus();
        let newest = bus.newest().filter(|newest| newest.frame.kind() == FrameKind::Picture);
        if let Some(newest) = newest.filter(|_| self.controller.step() == 0) {
            self.size = Some((newest.frame.width(), newest.frame.height()));
        }
        let tally =
            FrameCounts { offered: bus.stats().frames_in(), taken: self.taken.load(Ordering::Relaxed) };
        let Some(step) = self.controller.update(Instant::now(), tally) else { return };
        let Some(size) = self.size else { return };
        let params = self.base.at_step(step, size);
        let (state, stream) = (self.state.clone(), self.stream.clone());
        self.pending = Some(
            async move {
                if params.is_default() {
                    return (step, Ok(None));
                }
                let held = state.streams.renditions.acquire(&stream, params, &*state.streams.starter).await;
                (step, held.map(Some))
            }
            .boxed_local(),
        );
    }

    fn on_rendition(
        &mut self,
        step: usize,
        held: Result<Option<RenditionGuard>, RenditionError>,
        feed: &ProducerGuard,
    ) {
        let now = Instant::now();
        match held {
            Ok(held) => {
                self.shown = held.as_ref().map_or(&self.stream, RenditionGuard::stream).clone();
                feed.move_to(self.shown.bus(), held);
                self.controller.moved(now, step);
                self.counted.move_to(step);
                debug!(stream = %self.stream.name(), step, "a viewer's link carries another step");
            }
            Err(error) => {
                debug!(stream = %self.stream.name(), step, "a viewer stays where it is: {error}");
                self.controller.stay(now);
            }
        }
    }
}
