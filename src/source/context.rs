//! State that outlasts a run of a stream's source: a source is built anew for each run, its program may need
//! a moment to end, and points of a chart arrive whether or not it is drawn.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{NoUpstreams, Upstreams, generated::chart::points::Points, process::exec::Turn};
use crate::config::{SourceConfig, StreamConfig};

/// The state that all runs of one stream's sources share. Clones share it too.
#[derive(Debug, Clone)]
pub struct Lasting {
    upstreams: Arc<dyn Upstreams>,
    sources: Vec<OfSource>,
}

/// The state that the runs of one source share.
#[derive(Debug, Clone, Default)]
struct OfSource {
    turn: Turn,
    points: Option<Arc<Points>>,
}

/// Of a source that has nothing to share, and no other streams.
impl Default for Lasting {
    fn default() -> Self {
        Self { upstreams: Arc::new(NoUpstreams), sources: vec![OfSource::default()] }
    }
}

impl Lasting {
    /// For a stream before its first run; `upstreams` are the streams whose pictures it may show.
    pub fn new(config: &StreamConfig, upstreams: Arc<dyn Upstreams>) -> Self {
        let of_source = |source: &SourceConfig| {
            let points = match source {
                SourceConfig::Chart(chart) => Some(Arc::new(Points::new(chart))),
                _ => None,
            };
            OfSource { turn: Turn::default(), points }
        };
        Self { upstreams, sources: config.sources().map(of_source).collect() }
    }

    /// The points of a graph; none if no source is one. In a list of sources at most one is.
    pub fn points(&self) -> Option<&Arc<Points>> {
        self.sources.iter().find_map(|source| source.points.as_ref())
    }

    /// The other streams.
    pub(super) fn upstreams(&self) -> &Arc<dyn Upstreams> {
        &self.upstreams
    }

    /// Whose turn it is to run a program of the source at this place of the list.
    pub(super) fn turn(&self, position: usize) -> Turn {
        self.sources.get(position).map(|source| source.turn.clone()).unwrap_or_default()
    }

    /// Waits until nothing is left of a run: at once, unless a source is a program.
    pub async fn gone(&self) {
        for source in &self.sources {
            drop(source.turn.take().await);
        }
    }

    /// Waits so long until nothing is left of a run, then ends it the hard way.
    pub async fn end(&self, within: Duration) {
        if timeout(within, self.gone()).await.is_err() {
            self.kill();
        }
    }

    /// Ends the hard way what is left of a run.
    pub fn kill(&self) {
        self.sources.iter().for_each(|source| source.turn.kill());
    }
}
