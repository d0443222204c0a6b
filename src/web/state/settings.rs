//! The settings of handlers that a reload may change. Each request reads them once, where it needs them.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::{
    config::{Config, FrameAncestors, Limits, Proxies},
    media::stream_name::StreamName,
};

/// The settings of one configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The section `limits`.
    pub limits: Limits,
    /// `Access-Control-Allow-Origin` on streams and snapshots.
    pub cors: Option<String>,
    /// True to send `Cross-Origin-Resource-Policy: same-site` where there is no `cors`.
    pub same_site_only: bool,
    /// The sites whose pages may show framecast's in a frame.
    pub frame_ancestors: FrameAncestors,
    /// The proxies that are trusted to report a client's address.
    pub proxies: Proxies,
    /// The stream that `/stream` and `/snapshot` mean.
    pub default_stream: Option<StreamName>,
}

impl Settings {
    /// Returns the settings of a configuration.
    pub fn from_config(config: &Config) -> Self {
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

/// The settings of the configuration in use.
#[derive(Debug)]
pub struct LiveSettings(ArcSwap<Settings>);

impl LiveSettings {
    /// Starts with `settings`.
    pub fn new(settings: Settings) -> Self {
        Self(ArcSwap::from_pointee(settings))
    }

    /// Returns the current settings.
    pub fn current(&self) -> Arc<Settings> {
        self.0.load_full()
    }

    /// Replaces the settings.
    pub fn set(&self, settings: Settings) {
        self.0.store(Arc::new(settings));
    }
}
