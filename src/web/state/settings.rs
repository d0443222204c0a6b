//! The settings of handlers that a new configuration may change. Each request looks at it once, where it
//! needs it.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::{
    config::{Config, FrameAncestors, Limits, Proxies},
    media::stream_name::StreamName,
};

/// The settings of one configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bounds.
    pub limits: Limits,
    /// `Access-Control-Allow-Origin` on streams and snapshots.
    pub cors: Option<String>,
    /// Send `Cross-Origin-Resource-Policy: same-site` where there is no `cors`.
    pub same_site_only: bool,
    /// Whose pages may show framecast's in a frame.
    pub frame_ancestors: FrameAncestors,
    /// Whose word on a client's address is taken.
    pub proxies: Proxies,
    /// The stream that `/stream` and `/snapshot` mean.
    pub default_stream: Option<StreamName>,
}

impl Settings {
    /// Returns the settings of a configuration.
    pub fn of(config: &Config) -> Self {
        Self {
            limits: config.limits.clone(),
            cors: config.server.cors.clone(),
            same_site_only: config.server.same_site_only,
            frame_ancestors: config.server.frame_ancestors.clone(),
            proxies: config.server.trusted_proxies.clone(),
            default_stream: config.server.default_stream.clone(),
        }
    }
}

/// Those of the configuration that holds.
#[derive(Debug)]
pub struct LiveSettings(ArcSwap<Settings>);

impl LiveSettings {
    /// Begins with these.
    pub fn new(settings: Settings) -> Self {
        Self(ArcSwap::from_pointee(settings))
    }

    /// Those that hold now.
    pub fn now(&self) -> Arc<Settings> {
        self.0.load_full()
    }

    /// From now on these hold.
    pub fn set(&self, settings: Settings) {
        self.0.store(Arc::new(settings));
    }
}
