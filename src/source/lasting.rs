//! What outlasts a run of a stream's source: a source is built anew for each run, its program may need a moment to end,
//! and points of a graph come whether or not it is drawn.

use std::sync::Arc;

use super::{NoUpstreams, Upstreams, exec::Turn, render::chart::points::Points};
use crate::config::SourceConfig;

/// What all runs of one stream's source share. Clones share it too.
#[derive(Debug, Clone)]
pub struct Lasting {
    upstreams: Arc<dyn Upstreams>,
    turn: Turn,
    points: Option<Arc<Points>>,
}

/// Of a source that has nothing to share, and no other streams.
impl Default for Lasting {
    fn default() -> Self {
        Self { upstreams: Arc::new(NoUpstreams), turn: Turn::default(), points: None }
    }
}

impl Lasting {
    /// For a stream with such a source, before its first run; `upstreams` are the streams whose pictures it may show.
    pub fn new(source: &SourceConfig, upstreams: Arc<dyn Upstreams>) -> Self {
        let points = match source {
            SourceConfig::Chart(chart) => Some(Arc::new(Points::new(chart))),
            _ => None,
        };
        Self { upstreams, turn: Turn::default(), points }
    }

    /// The points of a graph; none if the source is none.
    pub fn points(&self) -> Option<&Arc<Points>> {
        self.points.as_ref()
    }

    /// The other streams.
    pub(super) fn upstreams(&self) -> &Arc<dyn Upstreams> {
        &self.upstreams
    }

    /// Whose turn it is to run a program.
    pub(super) fn turn(&self) -> &Turn {
        &self.turn
    }

    /// Waits until nothing is left of a run: at once, unless the source is a program.
    pub async fn gone(&self) {
        drop(self.turn.take().await);
    }

    /// Ends the hard way what is left of a run.
    pub fn kill(&self) {
        self.turn.kill();
    }
}
