//! The list of connected viewers: who they are, since when, and what they were sent.
//!
//! Each viewer has a number, which its log lines contain.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use actix_web::http::Version;
use dashmap::DashMap;
use tracing::info;

use crate::{
    media::stream_name::StreamName,
    observability::{ACCESS, next_id},
    viewer::ViewerCounters,
    web::middleware::access_log::request_info::{RequestInfo, milliseconds, optional_field},
};

/// All viewers by number: `limits.max_viewers` at most.
#[derive(Debug, Default)]
pub struct ViewerList(DashMap<u64, Arc<ViewerEntry>>);

/// The way in which a viewer gets its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Kind {
    /// A multipart stream.
    Stream,
    /// go2rtc's WebSocket.
    WebSocket,
    /// Frames of the replay buffer, at their pace.
    Replay,
    /// Frames of the replay buffer, as a file.
    Clip,
    /// Number, times and JSON of frames, as events.
    Meta,
}

impl Kind {
    pub(in crate::web) fn as_str(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::WebSocket => "web_socket",
            Self::Replay => "replay",
            Self::Clip => "clip",
            Self::Meta => "meta",
        }
    }
}

/// A connected viewer.
#[derive(Debug)]
pub(in crate::web) struct ViewerEntry {
    pub(in crate::web) id: u64,
    pub(in crate::web) stream: StreamName,
    pub(in crate::web) kind: Kind,
    pub(in crate::web) request: RequestInfo,
    pub(in crate::web) protocol: String,
    pub(in crate::web) since: SystemTime,
    pub(in crate::web) begun: Instant,
    pub(in crate::web) counts: Arc<ViewerCounters>,
}

/// Keeps a viewer in the list for as long as it exists.
#[derive(Debug)]
pub(in crate::web) struct ViewerListGuard {
    list: Arc<ViewerList>,
    entry: Arc<ViewerEntry>,
}

impl ViewerList {
    /// Returns the viewers of the streams that `wanted` accepts, in the order of their numbers.
    pub(in crate::web) fn of(&self, wanted: impl Fn(&StreamName) -> bool) -> Vec<Arc<ViewerEntry>> {
        let entries = self.0.iter().filter(|entry| wanted(&entry.stream));
        let mut entries: Vec<_> = entries.map(|entry| entry.clone()).collect();
        entries.sort_by_key(|entry| entry.id);
        entries
    }
}

impl ViewerListGuard {
    /// Adds a viewer of `stream` and logs it. `counts` are those of what it is sent.
    pub(in crate::web) fn begin(
        viewers: &Arc<ViewerList>,
        (asked, protocol): (RequestInfo, Version),
        stream: &StreamName,
        kind: Kind,
        counts: Arc<ViewerCounters>,
    ) -> Self {
        let entry = Arc::new(ViewerEntry {
            id: next_id(),
            stream: stream.clone(),
            kind,
            request: asked,
            protocol: format!("{protocol:?}"),
            since: SystemTime::now(),
            begun: Instant::now(),
            counts,
        });
        entry.log_begin();
        viewers.0.insert(entry.id, entry.clone());
        Self { list: viewers.clone(), entry }
    }
}

impl Drop for ViewerListGuard {
    fn drop(&mut self) {
        self.list.0.remove(&self.entry.id);
        self.entry.log_end();
    }
}

impl ViewerEntry {
    fn log_begin(&self) {
        let RequestInfo { method, target, client, user, agent } = &self.request;
        let (user, agent, kind) = (user.as_deref(), agent.as_deref(), self.kind.as_str());
        info!(
            target: ACCESS, viewer = self.id, stream = %self.stream, kind, %method, path = %target,
            client = optional_field(*client), user, agent, "viewer connected"
        );
    }

    fn log_end(&self) {
        let RequestInfo { method, target, client, user, .. } = &self.request;
        let (user, kind, status) = (user.as_deref(), self.kind.as_str(), 200);
        let (frames, bytes, skipped) = (self.counts.frames(), self.counts.bytes(), self.counts.skipped());
        info!(
            target: ACCESS, viewer = self.id, stream = %self.stream, kind, %method, path = %target, status,
            frames, bytes, skipped, duration_ms = milliseconds(self.begun),
            client = optional_field(*client), user,
            "viewer disconnected"
        );
    }
}
