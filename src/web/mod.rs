//! HTTP: routes, the viewer's transport, pages, errors.
//!
//! Every route is registered under the configured base path and without it, since some proxies strip the
//! prefix and some do not. Streams never pass through a compression middleware, and what logs requests lets
//! their bodies alone.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod live;
mod routes;
mod query;
mod response;
mod server;
mod settings;
mod websocket;
pub(crate) mod middleware;
pub(crate) mod streams;
pub(crate) mod api;
pub(crate) mod compat;
pub(crate) mod ui;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Instant, SystemTime},
};

use actix_web::web;
pub use live::Pages;
pub use routes::{Of, ROUTES, Row, Rule};
pub use server::{
    WebServer,
    connections::{Connections, connections_for},
    listener::{ListenError, Listeners},
    tls::{Tls, TlsError},
    unsent::UnsentAnswers,
};
pub use settings::{LiveSettings, Settings};

pub use crate::web::{
    api::openapi::documents::Documents,
    middleware::{
        problem::Problem, rejections::Refusals, request_rate::RequestRate, uploads::Uploads,
        viewers_per_address::Seats,
    },
    streams::viewer_list::Viewers,
};
use crate::{
    auth::{Auth, Caller},
    config::Role,
    imaging::cpu_pool::Pool,
    limits::Budgets,
    registry::{Control, Events, Pictures, Registry, Renditions, Start},
    stream::{AtCapacity, Capacity, StreamHandle},
    web::middleware::rejections::Full,
    webhooks::Webhooks,
};

/// The state that every handler may use.
#[derive(Debug)]
pub struct WebState {
    /// The streams.
    pub registry: Arc<Registry>,
    /// Starts further streams.
    pub starter: Arc<dyn Start>,
    /// Changes what runs.
    pub control: Arc<dyn Control>,
    /// Recent events.
    pub events: Arc<Events>,
    /// Who may do what.
    pub auth: Arc<Auth>,
    /// Renditions that viewers asked for in the URL.
    pub renditions: Arc<Renditions>,
    /// Single pictures made for snapshots.
    pub pictures: Pictures,
    /// It speaks TLS itself.
    pub is_tls: bool,
    /// Budgets of bytes for all requests, pictures and answers.
    pub budgets: Arc<Budgets>,
    /// Open connections, and their limit.
    pub connections: Arc<Connections>,
    /// Requests of an address.
    pub requests: Arc<RequestRate>,
    /// Answers that clients have not read.
    pub unsent: Arc<UnsentAnswers>,
    /// The viewers that are there.
    pub viewers: Arc<Viewers>,
    /// Viewers of an address.
    pub seats: Arc<Seats>,
    /// Who is told what happens.
    pub webhooks: Arc<Webhooks>,
    /// Counters of refusals.
    pub refusals: Arc<Refusals>,
    /// Requests that are being received.
    pub uploads: Arc<Uploads>,
    /// Room for viewers.
    pub capacity: Arc<Capacity>,
    /// The settings that a new configuration may change.
    pub settings: Arc<LiveSettings>,
    /// The API, described.
    pub documents: Documents,
    /// Pages that are connected to `/api/live`.
    pub pages: Pages,
    /// CPU workers, for pushed pictures that are no JPEGs.
    pub pool: Arc<Pool>,
    /// Prefix of every route; empty or `/like/this`.
    pub base_path: String,
    /// Set while the relay shuts down: not ready any more.
    pub stopping: AtomicBool,
    /// When the relay started.
    pub started: SystemTime,
    /// The start on the monotonic clock.
    pub started_at: Instant,
}

impl WebState {
    fn stream(&self, name: &str) -> Result<StreamHandle, Problem> {
        let found = name.parse().ok().and_then(|name| self.registry.get(&name));
        found.ok_or_else(|| Problem::no_such_stream(name))
    }

    /// Returns the stream at the position in `digits`, counted from 0.
    fn nth_stream(&self, digits: &str) -> Result<StreamHandle, Problem> {
        // A number with too many digits is none that a stream has.
        let found = digits.parse().ok().and_then(|position| self.registry.nth(position));
        found.ok_or_else(|| Problem::no_such_number(digits, 0))
    }

    /// Returns a stream that no rule of a route covers. One that the caller may not see is treated as absent.
    fn seen(&self, caller: &Caller, name: &str) -> Result<StreamHandle, Problem> {
        let found = self.stream(name).ok().filter(|stream| caller.may(Role::View, Some(stream.name())));
        found.ok_or_else(|| Problem::no_such_stream(name))
    }

    /// Counts a viewer for whom there is no room.
    fn no_room(&self, full: AtCapacity) -> Problem {
        self.refusals.full(if full.is_one_stream() { Full::Stream } else { Full::Relay });
        full.into()
    }

    fn default_stream(&self) -> Result<StreamHandle, Problem> {
        match &self.settings.now().default_stream {
            Some(name) => self.stream(name.as_str()),
            None => self.registry.nth(0).ok_or_else(Problem::no_default_stream),
        }
    }
}

type State = web::Data<WebState>;
