//! Adaptive quality: sends a viewer smaller pictures while its link is too slow for larger ones.
//!
//! The pictures of each step are a rendition, as viewers request in the URL, and are shared with them. Once a
//! second the connection's own task compares the frames that were offered and delivered. To change the step,
//! it acquires the rendition of that step and then moves the producer to that rendition's bus, between two
//! parts and never back in time. Viewers without `adapt` have no such task.

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
    registry::{ImageParams, RenditionError, RenditionGuard, RenditionUse},
    stream::StreamHandle,
    viewer::{AbrController, FrameCounts},
    web::{server::transport::ProducerGuard, state::State},
};

/// The interval between two checks of a viewer: a window of the controller is two of these.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Frames that were sent to a viewer, without repeats.
pub(in crate::web) type DeliveredCounter = Arc<AtomicU64>;

/// A viewer with adaptive quality.
pub(in crate::web) struct AbrTask {
    state: State,
    stream: StreamHandle,
    /// The options it asked for.
    base: ImageParams,
    /// The stream whose frames it gets now.
    shown: StreamHandle,
    delivered: DeliveredCounter,
    controller: AbrController,
    counted: AbrLevelGuard,
    ticks: Interval,
    pending: Option<PendingRendition>,
    /// The size of the frames of the first step.
    size: Option<(u16, u16)>,
}

type PendingRendition = LocalBoxFuture<'static, (usize, Result<Option<RenditionGuard>, RenditionError>)>;

impl AbrTask {
    /// A viewer of `stream` that requested `base` and watches `shown`, the stream with these options.
    pub(in crate::web) fn new(
        state: State,
        stream: StreamHandle,
        base: ImageParams,
        shown: StreamHandle,
        delivered: DeliveredCounter,
    ) -> Self {
        let mut ticks = interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let counted = AbrLevelGuard::new(stream.bus().clone());
        let controller = AbrController::new(Instant::now());
        Self { state, stream, base, shown, delivered, controller, counted, ticks, pending: None, size: None }
    }

    /// Checks the viewer when the interval has passed, and moves the producer. Wakes the task for the next
    /// check.
    pub(in crate::web) fn poll(&mut self, cx: &mut Context<'_>, producer: &ProducerGuard) {
        loop {
            if let Some(going) = &mut self.pending {
                let Poll::Ready((step, held)) = going.poll_unpin(cx) else { return };
                self.pending = None;
                self.on_rendition(step, held, producer);
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
            FrameCounts { offered: bus.stats().frames_in(), taken: self.delivered.load(Ordering::Relaxed) };
        let Some(step) = self.controller.update(Instant::now(), tally) else { return };
        let Some(size) = self.size else { return };
        let params = self.base.at_step(step, size);
        let (state, stream) = (self.state.clone(), self.stream.clone());
        self.pending = Some(
            async move {
                if params.is_default() {
                    return (step, Ok(None));
                }
                let (renditions, starter) = (&state.streams.renditions, &*state.streams.starter);
                let held = renditions.acquire(&stream, params, RenditionUse::Viewers, starter).await;
                (step, held.map(Some))
            }
            .boxed_local(),
        );
    }

    fn on_rendition(
        &mut self,
        step: usize,
        held: Result<Option<RenditionGuard>, RenditionError>,
        producer: &ProducerGuard,
    ) {
        let now = Instant::now();
        match held {
            Ok(held) => {
                self.shown = held.as_ref().map_or(&self.stream, RenditionGuard::stream).clone();
                producer.move_to(self.shown.bus(), held);
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
