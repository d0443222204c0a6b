//! The named streams in the order of the configuration, their renditions that viewers request, and the
//! operations that change them while the relay runs.

mod admin;
mod event_log;
mod snapshot_cache;
mod ref_counted_map;
mod renditions;
mod image_params;

use std::{
    fmt, io,
    sync::{PoisonError, RwLock},
};

pub use admin::{
    AppliedChanges, ConfigStatus, EditResult, RelayControl, ReloadError, StreamEdit, StreamSettings,
};
use dashmap::DashMap;
pub use event_log::{Event, EventKind, Events, MAX_EVENTS, Visible, record_states};
use futures_util::future::BoxFuture;
pub use image_params::{ImageParams, ImageParamsError};
pub use renditions::{Rendition, RenditionError, RenditionGuard, RenditionUse, Renditions};
pub use snapshot_cache::SnapshotCache;

use crate::{config::StreamConfig, media::stream_name::StreamName, stream::StreamHandle};

/// Starts streams. It is implemented by the relay, which has the threads and the pool.
pub trait StreamStarter: Send + Sync + fmt::Debug {
    /// Starts a stream. It runs until it is stopped; putting it into a [`Registry`] is the caller's.
    fn start(&self, config: StreamConfig) -> BoxFuture<'static, io::Result<StreamHandle>>;

    /// Starts a stream that no other stream may show, under a name that another stream may have.
    fn start_unlisted(&self, config: StreamConfig) -> BoxFuture<'static, io::Result<StreamHandle>>;
}

/// All running streams. They come and go while it is used.
#[derive(Debug, Default)]
pub struct Registry {
    streams: DashMap<StreamName, StreamHandle>,
    order: RwLock<Order>,
}

/// The order of the streams that have a number.
#[derive(Debug, Clone, Default)]
struct Order {
    /// Names in the order in which mjpg-streamer's `stream_N` counts.
    names: Vec<StreamName>,
    overview: Option<StreamName>,
}

impl Registry {
    /// Creates a registry of `streams`, in this order.
    pub fn new(streams: Vec<StreamHandle>) -> Self {
        let registry = Self::default();
        let names = streams.iter().map(|stream| stream.name().clone()).collect();
        streams.into_iter().for_each(|stream| registry.insert(stream));
        registry.set_order(names, None);
        registry
    }

    /// Adds a stream in place of the one of its name.
    pub fn insert(&self, stream: StreamHandle) {
        self.streams.insert(stream.name().clone(), stream);
    }

    /// Removes the stream of this name and returns it.
    pub fn remove(&self, name: &StreamName) -> Option<StreamHandle> {
        self.streams.remove(name).map(|(_, stream)| stream)
    }

    /// Numbers the streams `names`; `overview` is the mosaic of all of them, which has a name and no number.
    pub fn set_order(&self, names: Vec<StreamName>, overview: Option<StreamName>) {
        *self.order.write().unwrap_or_else(PoisonError::into_inner) = Order { names, overview };
    }

    /// Returns the mosaic of all streams, if there is one beside them.
    pub fn overview(&self) -> Option<StreamHandle> {
        self.get(&self.order().overview?)
    }

    /// Returns the stream of this name.
    pub fn get(&self, name: &StreamName) -> Option<StreamHandle> {
        self.streams.get(name).map(|entry| entry.value().clone())
    }

    /// Returns the stream at `position`, counted from 0 in the order of the configuration.
    pub fn nth(&self, position: usize) -> Option<StreamHandle> {
        self.get(self.order().names.get(position)?)
    }

    /// Returns all streams of the configuration, in order.
    pub fn all(&self) -> Vec<StreamHandle> {
        self.order().names.iter().filter_map(|name| self.get(name)).collect()
    }

    fn order(&self) -> Order {
        self.order.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
