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
mod state;
mod websocket;
pub(crate) mod middleware;
pub(crate) mod streams;
pub(crate) mod api;
pub(crate) mod compat;
pub(crate) mod ui;

pub use live::Pages;
pub use routes::ROUTES;
pub use server::{
    WebServer,
    connections::{Connections, connections_for},
    listener::{ListenError, Listeners},
    tls::{Tls, TlsError},
    unsent::UnsentAnswers,
};
pub use state::{Access, LiveSettings, Runtime, Settings, Streams, WebState};

pub use crate::web::{
    api::openapi::{documents::Documents, row::Row},
    middleware::{
        access::rule::{Of, Rule},
        problem::Problem,
        rejections::Refusals,
        request_rate::RequestRate,
        uploads::Uploads,
        viewers_per_address::Seats,
    },
    streams::viewer_list::Viewers,
};
