//! Another stream's pictures: for a stream that shows them transformed, thinned out or saved.
//!
//! It wants its origin to run for as long as it runs itself, and takes whatever is newest, as a viewer does. While the
//! origin's own source is away it passes on the origin's placeholder. It goes on until the origin ends.

use std::sync::Arc;

use futures_util::{FutureExt, future::LocalBoxFuture};

use super::{Source, SourceError, Upstreams};
use crate::{
    bus::{DropReason, Published, Sink},
    frame::{FrameKind, StreamName},
};

/// Gives the frames of another stream, as they are.
#[derive(Debug)]
pub struct RenditionSource {
    of: StreamName,
    upstreams: Arc<dyn Upstreams>,
}

impl RenditionSource {
    /// A source that gives the frames of `of`.
    pub fn new(of: StreamName, upstreams: Arc<dyn Upstreams>) -> Self {
        Self { of, upstreams }
    }

    async fn pass_on(&self, sink: &Sink) -> Result<(), SourceError> {
        let mut origin = self.upstreams.join(&self.of).ok_or_else(|| self.gone())?;
        let mut last = 0;
        while origin.shows.changed().await.is_ok() {
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
                give(&newest, sink);
            }
        }
        Err(self.gone())
    }

    fn gone(&self) -> SourceError {
        SourceError::NoOrigin { name: self.of.clone() }
    }
}

fn give(published: &Published, sink: &Sink) {
    match published.frame.kind() {
        FrameKind::Picture => sink.frame(published.frame.clone()),
        // Drawn for whoever watches, not a sign of life.
        FrameKind::Placeholder => sink.bus().publish(published.frame.clone()),
    }
}

impl Source for RenditionSource {
    fn run<'a>(&'a mut self, sink: &'a Sink) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        self.pass_on(sink).boxed_local()
    }
}
