//! State that outlasts one run of a stream's source: a source is built again for each run, but its program
//! may need a moment to end, and points of a chart arrive whether or not it is drawn.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{
    camera::detection::Detection,
    generated::chart::points::Points,
    process::process_lock::ProcessLock,
    traits::{NoStreams, StreamLookup},
};
use crate::config::{SourceConfig, StreamConfig};

/// The state that all runs of one stream's sources share. Clones share it too.
#[derive(Debug, Clone)]
pub struct SourceContext {
    lookup: Arc<dyn StreamLookup>,
    sources: Vec<SourceState>,
}

/// The state that the runs of one source share.
#[derive(Debug, Clone, Default)]
struct SourceState {
    lock: ProcessLock,
    detection: Detection,
    points: Option<Arc<Points>>,
}

/// The state of a single source, without access to other streams.
impl Default for SourceContext {
    fn default() -> Self {
        Self { lookup: Arc::new(NoStreams), sources: vec![SourceState::default()] }
    }
}

impl SourceContext {
    /// Creates the state for a stream before its first run. `lookup` gives access to the streams that it
    /// may show.
    pub fn new(config: &StreamConfig, lookup: Arc<dyn StreamLookup>) -> Self {
        let state = |source: &SourceConfig| {
            let points = match source {
                SourceConfig::Chart(chart) => Some(Arc::new(Points::new(chart))),
                _ => None,
            };
            SourceState { points, ..SourceState::default() }
        };
        Self { lookup, sources: config.sources().map(state).collect() }
    }

    /// Returns the points of the chart; none if no source is one. In a list of sources at most one is.
    pub fn points(&self) -> Option<&Arc<Points>> {
        self.sources.iter().find_map(|source| source.points.as_ref())
    }

    /// Returns what the camera of the source at `position` was found to be.
    pub fn detection(&self, position: usize) -> Detection {
        self.sources.get(position).map(|source| source.detection.clone()).unwrap_or_default()
    }

    /// Returns the other streams.
    pub(super) fn lookup(&self) -> &Arc<dyn StreamLookup> {
        &self.lookup
    }

    /// Returns the lock of the program of the source at `position`.
    pub(super) fn process_lock(&self, position: usize) -> ProcessLock {
        self.sources.get(position).map(|source| source.lock.clone()).unwrap_or_default()
    }

    /// Waits until every process of an earlier run has ended: at once, unless a source is a program.
    pub async fn wait_idle(&self) {
        for source in &self.sources {
            drop(source.lock.acquire().await);
        }
    }

    /// Waits for at most `within` until every process of a run has ended, then kills the rest.
    pub async fn stop_within(&self, within: Duration) {
        if timeout(within, self.wait_idle()).await.is_err() {
            self.kill();
        }
    }

    /// Kills every process that is left of a run.
    pub fn kill(&self) {
        self.sources.iter().for_each(|source| source.lock.kill());
    }
}
