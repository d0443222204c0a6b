//! The named streams, in the order of the configuration, and the renditions of them that viewers ask for.

mod pictures;
mod renditions;
mod variant;

use std::{fmt, io};

use dashmap::DashMap;
use futures_util::future::BoxFuture;

use crate::{config::StreamConfig, frame::StreamName, stream::StreamHandle};

pub use pictures::Pictures;
pub use renditions::{Held, Rendition, RenditionError, Renditions};
pub use variant::{Variant, VariantError};

/// Starts streams: the relay does, which alone knows the threads and the pool.
pub trait Start: Send + Sync + fmt::Debug {
    /// Starts a stream. It runs until it is stopped; putting it into a [`Registry`] is the caller's.
    fn start(&self, config: StreamConfig) -> BoxFuture<'static, io::Result<StreamHandle>>;

    /// Starts a stream that no other stream may show, under a name that another may have.
    fn start_apart(&self, config: StreamConfig) -> BoxFuture<'static, io::Result<StreamHandle>>;
}

/// All running streams.
#[derive(Debug, Default)]
pub struct Registry {
    streams: DashMap<StreamName, StreamHandle>,
    /// mjpg-streamer's `stream_N` counts in this order.
    order: Vec<StreamName>,
    overview: Option<StreamName>,
}

impl Registry {
    /// Holds `streams`, in this order.
    pub fn new(streams: Vec<StreamHandle>) -> Self {
        let order = streams.iter().map(|stream| stream.name().clone()).collect();
        let streams = streams.into_iter().map(|stream| (stream.name().clone(), stream)).collect();
        Self { streams, order, overview: None }
    }

    /// Holds the mosaic of all streams too: it has a name, and no number.
    #[must_use]
    pub fn with_overview(mut self, stream: Option<StreamHandle>) -> Self {
        self.overview = stream.as_ref().map(|stream| stream.name().clone());
        self.streams.extend(stream.map(|stream| (stream.name().clone(), stream)));
        self
    }

    /// The mosaic of all streams, if there is one beside them.
    pub fn overview(&self) -> Option<StreamHandle> {
        self.get(self.overview.as_ref()?)
    }

    /// The stream of this name.
    pub fn get(&self, name: &StreamName) -> Option<StreamHandle> {
        self.streams.get(name).map(|entry| entry.value().clone())
    }

    /// The stream at `position`, counted from 0 in the order of the configuration.
    pub fn nth(&self, position: usize) -> Option<StreamHandle> {
        self.get(self.order.get(position)?)
    }

    /// All streams of the configuration, in order.
    pub fn all(&self) -> Vec<StreamHandle> {
        self.order.iter().filter_map(|name| self.get(name)).collect()
    }
}
