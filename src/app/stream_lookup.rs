//! Gives streams access to the pictures of the streams that they show.

use dashmap::DashMap;

use crate::{
    config::SourceConfig,
    media::stream_name::StreamName,
    source::{JoinedStream, StreamHealth, StreamLookup},
    stream::{StreamHandle, WeakStream, state::State},
};

/// The streams that others may show: weak, since a stream that shows another would keep itself alive.
#[derive(Debug, Default)]
pub(super) struct StreamDirectory(DashMap<StreamName, WeakStream>);

impl StreamLookup for StreamDirectory {
    fn join(&self, name: &StreamName) -> Option<JoinedStream> {
        let stream = self.get(name)?;
        let watched = self.resolve_origin(stream.clone()).downgrade();
        Some(JoinedStream {
            title: stream.config().title.clone(),
            offline_after: stream.config().placeholder.after,
            health: Box::new(move || {
                watched.upgrade().map_or(StreamHealth::Away("gone".into()), |s| health(&s))
            }),
            frames: stream.bus().subscribe(),
            demand: Box::new(stream.demand()),
        })
    }
}

impl StreamDirectory {
    /// Adds a stream that others may show from now on.
    pub(super) fn add(&self, stream: &StreamHandle) {
        self.0.insert(stream.name().clone(), stream.downgrade());
    }

    /// Removes the stream of this name.
    pub(super) fn remove(&self, name: &StreamName) {
        self.0.remove(name);
    }

    fn get(&self, name: &StreamName) -> Option<StreamHandle> {
        self.0.get(name).and_then(|entry| entry.value().upgrade())
    }

    /// Returns the stream whose source a rendition shows in the end: its own source runs on while that is
    /// away.
    fn resolve_origin(&self, mut stream: StreamHandle) -> StreamHandle {
        while let SourceConfig::Rendition { of, .. } = stream.config().source()
            && !stream.config().has_fallbacks()
            && let Some(loader) = self.get(of)
        {
            stream = loader;
        }
        stream
    }
}

fn health(stream: &StreamHandle) -> StreamHealth {
    match stream.status().state {
        State::Live => StreamHealth::Live,
        State::Idle | State::Connecting => StreamHealth::Starting,
        State::Waiting { reason, .. } => StreamHealth::Away(reason),
        State::Paused => StreamHealth::Away("paused".into()),
        State::Stopped => StreamHealth::Away("the stream has ended".into()),
    }
}
