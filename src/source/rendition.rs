//! Another stream's pictures: for a stream that shows them transformed, thinned out or saved.
//!
//! It wants its origin to run for as long as it runs itself, and takes whatever is newest, as a viewer does.
//! While the origin's own source is away it passes on the origin's placeholder, and goes on until the origin
//! ends. Where others can stand in for it, it fails instead, and leaves the placeholder to the stream.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, future::LocalBoxFuture};
use tokio::time::{Instant, timeout};

use super::{Health, Source, SourceError, Upstream, Upstreams};
use crate::{
    bus::{DropReason, Published, Sink},
    media::{frame::FrameKind, stream_name::StreamName},
};

/// Interval at which the state of the origin is checked while no frame comes.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// An origin that closes after each picture is mostly away; so is one that has only just been asked to run.
const AWAY_AFTER: Duration = Duration::from_secs(2);

/// Gives the frames of another stream, as they are.
#[derive(Debug)]
pub struct RenditionSource {
    of: StreamName,
    upstreams: Arc<dyn Upstreams>,
    frame_timeout: Option<Duration>,
    others_wait: bool,
}

impl RenditionSource {
    /// A source that gives the frames of `of`.
    pub fn new(of: StreamName, upstreams: Arc<dyn Upstreams>) -> Self {
        Self { of, upstreams, frame_timeout: None, others_wait: false }
    }

    /// Fails when no new picture came for so long.
    pub(super) fn away_after(self, frame_timeout: Option<Duration>) -> Self {
        Self { frame_timeout, ..self }
    }

    /// Fails when the origin is away.
    pub(super) fn or_another(self) -> Self {
        Self { others_wait: true, ..self }
    }

    async fn pass_on(&self, sink: &Sink) -> Result<(), SourceError> {
        let mut origin = self.upstreams.join(&self.of).ok_or_else(|| self.gone())?;
        if self.others_wait
            && let Health::Away(reason) = (origin.health)()
        {
            return Err(SourceError::OriginAway { name: self.of.clone(), reason });
        }
        let mut last = 0;
        let mut since = Instant::now();
        while self.changed(&mut origin, since).await? {
            let (newest, closed) = {
                let showing = origin.shows.borrow_and_update();
                (showing.newest.clone(), showing.closed)
            };
            if closed {
                break;
            }
            // A beat shows the same frame again.
            if let Some(newest) = newest.filter(|newest| newest.seq != last) {
                if last > 0 {
                    (last + 1..newest.seq).for_each(|_| sink.dropped(DropReason::Busy));
                }
                last = newest.seq;
                let picture = newest.frame.kind() == FrameKind::Picture;
                // What was there before may be hours old.
                if picture
                    && self.frame_timeout.is_some_and(|within| newest.frame.arrived().elapsed() >= within)
                {
                    continue;
                }
                if picture {
                    since = Instant::now();
                }
                self.give(&newest, sink);
            }
        }
        Err(self.gone())
    }

    /// Waits for the origin to show something; false when it has ended. Its last picture came at `since`.
    async fn changed(&self, origin: &mut Upstream, since: Instant) -> Result<bool, SourceError> {
        loop {
            let name = || self.of.clone();
            if let Some(within) = self.frame_timeout.filter(|within| since.elapsed() >= *within) {
                return Err(SourceError::OriginSilent { name: name(), within });
            }
            if self.others_wait
                && since.elapsed() >= AWAY_AFTER
                && let Health::Away(reason) = (origin.health)()
            {
                return Err(SourceError::OriginAway { name: name(), reason });
            }
            if !self.others_wait && self.frame_timeout.is_none() {
                return Ok(origin.shows.changed().await.is_ok());
            }
            if let Ok(changed) = timeout(LOOK_EVERY, origin.shows.changed()).await {
                return Ok(changed.is_ok());
            }
        }
    }

    fn gone(&self) -> SourceError {
        SourceError::NoOrigin { name: self.of.clone() }
    }

    fn give(&self, published: &Published, sink: &Sink) {
        match published.frame.kind() {
            FrameKind::Picture => sink.frame(published.frame.clone()),
            // The stream has another source, or draws its own.
            FrameKind::Placeholder if self.others_wait => {}
            // Drawn for whoever watches, not a sign of life.
            FrameKind::Placeholder => sink.bus().publish(published.frame.clone()),
        }
    }
}

impl Source for RenditionSource {
    fn run<'a>(&'a mut self, sink: &'a Sink) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        self.pass_on(sink).boxed_local()
    }
}
