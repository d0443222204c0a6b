//! The frames of another stream, for a stream that shows them transformed, at a lower rate, or saves them.
//!
//! It keeps its origin running for as long as it runs itself, and takes the newest frame, as a viewer does.
//! While the origin's own source is away, it publishes the origin's offline image, until the origin ends. If
//! the stream has other sources, it fails instead, and the stream draws its own offline image.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, future::LocalBoxFuture};
use tokio::time::{Instant, timeout};

use super::{
    error::SourceError,
    traits::{JoinedStream, Source, StreamHealth, StreamLookup},
};
use crate::{
    bus::{DropReason, Ingest, PublishedFrame},
    media::{frame::FrameKind, stream_name::StreamName},
};

/// Interval at which the state of the origin is checked while no frame comes.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// A source that forwards the frames of another stream unchanged.
#[derive(Debug)]
pub struct RenditionSource {
    origin: StreamName,
    lookup: Arc<dyn StreamLookup>,
    frame_timeout: Option<Duration>,
    has_fallbacks: bool,
}

impl RenditionSource {
    /// Creates a source that forwards the frames of `of`.
    pub fn new(of: StreamName, lookup: Arc<dyn StreamLookup>) -> Self {
        Self { origin: of, lookup, frame_timeout: None, has_fallbacks: false }
    }

    /// Lets the source fail when no new picture came for `frame_timeout`.
    pub(super) fn with_frame_timeout(self, frame_timeout: Option<Duration>) -> Self {
        Self { frame_timeout, ..self }
    }

    /// Lets the source fail when the origin is away, because the stream has other sources.
    pub(super) fn with_fallbacks(self) -> Self {
        Self { has_fallbacks: true, ..self }
    }

    async fn forward(&self, ingest: &Ingest) -> Result<(), SourceError> {
        let mut origin = self.lookup.join(&self.origin).ok_or_else(|| self.origin_missing())?;
        if self.has_fallbacks
            && let StreamHealth::Away(reason) = (origin.health)()
        {
            return Err(SourceError::OriginAway { name: self.origin.clone(), reason });
        }
        let mut last = 0;
        let mut since = Instant::now();
        while self.changed(&mut origin, since).await? {
            let (newest, closed) = {
                let current = origin.frames.borrow_and_update();
                (current.frame.clone(), current.closed)
            };
            if closed {
                break;
            }
            // A repeat shows the same frame again.
            if let Some(newest) = newest.filter(|newest| newest.seq != last) {
                if last > 0 {
                    (last + 1..newest.seq).for_each(|_| ingest.count_drop(DropReason::Busy));
                }
                last = newest.seq;
                let picture = newest.frame.kind() == FrameKind::Picture;
                // A frame from before the run may be hours old.
                if picture
                    && self.frame_timeout.is_some_and(|within| newest.frame.arrived_at().elapsed() >= within)
                {
                    continue;
                }
                if picture {
                    since = Instant::now();
                }
                self.publish(&newest, ingest);
            }
        }
        Err(self.origin_missing())
    }

    /// Waits until the origin publishes something; false when it has ended. Its last picture came at `since`.
    async fn changed(&self, origin: &mut JoinedStream, since: Instant) -> Result<bool, SourceError> {
        loop {
            let name = || self.origin.clone();
            if let Some(within) = self.frame_timeout.filter(|within| since.elapsed() >= *within) {
                return Err(SourceError::OriginSilent { name: name(), within });
            }
            if self.has_fallbacks
                && since.elapsed() >= origin.offline_after
                && let StreamHealth::Away(reason) = (origin.health)()
            {
                return Err(SourceError::OriginAway { name: name(), reason });
            }
            if !self.has_fallbacks && self.frame_timeout.is_none() {
                return Ok(origin.frames.changed().await.is_ok());
            }
            if let Ok(changed) = timeout(CHECK_INTERVAL, origin.frames.changed()).await {
                return Ok(changed.is_ok());
            }
        }
    }

    fn origin_missing(&self) -> SourceError {
        SourceError::OriginGone { name: self.origin.clone() }
    }

    fn publish(&self, published: &PublishedFrame, ingest: &Ingest) {
        match published.frame.kind() {
            FrameKind::Picture => {
                ingest.push_frame(published.frame.clone());
            }
            // The stream has another source, or draws its own image.
            FrameKind::OfflineImage if self.has_fallbacks => {}
            // An offline image is no sign of life.
            FrameKind::OfflineImage => ingest.bus().publish(published.frame.clone()),
        }
    }
}

impl Source for RenditionSource {
    fn run<'a>(&'a mut self, ingest: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        self.forward(ingest).boxed_local()
    }
}
