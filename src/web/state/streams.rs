//! The part of the state that is about streams.

use std::sync::Arc;

use actix_web::http::StatusCode;

use crate::{
    auth::Principal,
    config::Role,
    registry::{Events, Registry, RelayControl, Renditions, SnapshotCache, StreamStarter},
    stream::{StreamHandle, ViewerLimit},
    web::{
        middleware::problem::Problem,
        streams::{push::RecentFeeds, viewer_list::ViewerList},
    },
    webhooks::Webhooks,
};

/// The streams, their renditions and their viewers.
#[derive(Debug)]
pub struct Streams {
    /// The configured streams.
    pub registry: Arc<Registry>,
    /// Starts further streams.
    pub starter: Arc<dyn StreamStarter>,
    /// Applies changes to the configuration.
    pub control: Arc<dyn RelayControl>,
    /// The log of recent events.
    pub events: Arc<Events>,
    /// The receivers of events.
    pub webhooks: Arc<Webhooks>,
    /// Renditions that viewers requested in the URL.
    pub renditions: Arc<Renditions>,
    /// The cache of renditions of single frames.
    pub snapshots: SnapshotCache,
    /// The limit on viewers of all streams together.
    pub viewer_limit: Arc<ViewerLimit>,
    /// The connected viewers.
    pub viewers: Arc<ViewerList>,
    /// The publishers of the last minute, for the log.
    pub recent_feeds: RecentFeeds,
}

impl Streams {
    /// Returns the stream called `name`.
    ///
    /// # Errors
    /// 404 if there is none.
    pub(in crate::web) fn find(&self, name: &str) -> Result<StreamHandle, Problem> {
        let found = name.parse().ok().and_then(|name| self.registry.get(&name));
        found.ok_or_else(|| Problem::no_such_stream(name))
    }

    /// Returns a stream that no rule of a route covers. One that the caller may not see is treated as absent.
    ///
    /// # Errors
    /// 404 if there is none for this caller.
    pub(in crate::web) fn find_visible(
        &self,
        principal: &Principal,
        name: &str,
    ) -> Result<StreamHandle, Problem> {
        let found =
            self.find(name).ok().filter(|stream| principal.is_allowed(Role::View, Some(stream.name())));
        found.ok_or_else(|| Problem::no_such_stream(name))
    }

    /// Returns the stream at the position in `digits`, counted from 0 in the order of the configuration.
    ///
    /// # Errors
    /// 404 if there is none.
    pub(in crate::web) fn find_by_position(&self, digits: &str) -> Result<StreamHandle, Problem> {
        // A number with too many digits is none that a stream has.
        let found = digits.parse().ok().and_then(|position| self.registry.nth(position));
        found.ok_or_else(|| Problem::no_such_number(digits, 0))
    }

    /// Returns stream number `digits`, counted from 1 in the order of the configuration; 0 is the mosaic of
    /// all streams. Other programs count their cameras like this.
    ///
    /// # Errors
    /// 404 if there is none.
    pub(in crate::web) fn find_by_number(&self, digits: &str) -> Result<StreamHandle, Problem> {
        if digits.bytes().all(|digit| digit == b'0') {
            return self.registry.overview().ok_or_else(|| {
                let detail =
                    "number 0 is all streams in one picture, which this relay does not show (server.mosaic)";
                Problem::new(StatusCode::NOT_FOUND, detail)
            });
        }
        // A number with too many digits is none that a stream has.
        let position = digits.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let found = position.and_then(|position| self.registry.nth(position));
        found.ok_or_else(|| Problem::no_such_number(digits, 1))
    }
}
