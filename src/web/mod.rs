//! The web server: routes, transport to viewers, pages, errors. This file assembles it.
//!
//! Every route is registered under the configured base path and without it, since some proxies strip the
//! prefix and some do not. Streams never pass through a compression middleware, and the access log does
//! not change their bodies.

mod query;
mod response;
mod state;
mod server;
mod websocket;
pub(crate) mod middleware;
pub(crate) mod streams;
pub(crate) mod api;
mod live;
pub(crate) mod compat;
pub(crate) mod ui;
mod routes;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;

use std::{io, sync::Arc};

use actix_server::{Server, ServerHandle};
use actix_service::{IntoServiceFactory, Service, ServiceFactoryExt, map_config};
use actix_web::{App, dev::AppConfig, http::StatusCode, middleware::from_fn, web};

use crate::observability::task_counts;
pub use api::openapi::rendered_document::Documents;
pub use live::LiveConnections;
pub use middleware::{
    access::rule::{Rule, Scope},
    problem::Problem,
    rejections::Rejections,
    request_rate::RequestRate,
    uploads::Uploads,
    viewers_per_address::AddressLimit,
};
use middleware::{access_log, detach_headers, security_headers, unsent_limit};
use routes::RouteTable;
pub use routes::{ROUTES, Row};
#[cfg(unix)]
use server::listener::SocketFiles;
use server::{
    connection_close, connections, redirect,
    services::{self, Application},
    tls,
};
pub use server::{
    connections::{Connections, connections_for},
    listener::{ListenError, Listeners},
    response_budget::UnsentAnswers,
    tls::{Tls, TlsError},
};
pub use state::{Access, LiveSettings, Runtime, Settings, Streams, WebState};
pub use streams::{push::RecentFeeds, viewer_list::ViewerList};

/// The connections' share of the three seconds a shutdown may take; streams were ended before.
const SHUTDOWN_TIMEOUT_S: u64 = 2;

/// The running HTTP server.
#[derive(Debug)]
pub struct WebServer {
    handle: ServerHandle,
    #[cfg(unix)]
    _files: SocketFiles,
}

impl WebServer {
    /// Serves `state` on `listeners` with `workers` threads, over TLS if there is one. The returned future
    /// ends when the server has stopped.
    ///
    /// # Errors
    /// The system's, when a listener cannot be used.
    pub fn start(
        state: Arc<WebState>,
        #[cfg_attr(not(unix), expect(unused_mut, reason = "only sockets have files"))]
        mut listeners: Listeners,
        workers: usize,
        tls: Option<Arc<Tls>>,
    ) -> io::Result<(Self, Server)> {
        if let Some(tls) = &tls {
            task_counts::spawn(tls::watch_files(Arc::downgrade(tls)));
        }
        let state = web::Data::from(state);
        let mut builder =
            Server::build().workers(workers).disable_signals().shutdown_timeout(SHUTDOWN_TIMEOUT_S);
        // Accepted connections count here before they have a permit, so that not even a burst takes more
        // descriptors.
        builder =
            builder.max_concurrent_connections(state.runtime.connections.max_accepted().div_ceil(workers));
        let port = listeners.tcp.first().map_or(443, |(address, _)| address.port());
        for (address, listener) in listeners.redirecting.drain(..) {
            let (name, state) = (format!("redirect-{address}"), state.clone());
            builder =
                builder.listen(name, listener, move || redirect::redirect_service(state.clone(), port))?;
        }
        #[cfg(unix)]
        for (path, listener) in listeners.unix.drain(..) {
            let (name, state) = (format!("framecast-{}", path.display()), state.clone());
            builder = builder.listen_uds(name, listener, move || {
                services::unix_service(state.clone(), app(state.clone()))
            })?;
        }
        for (address, listener) in listeners.tcp.drain(..) {
            let (name, state) = (format!("framecast-{address}"), state.clone());
            builder = match tls.clone() {
                None => builder.listen(name, listener, move || {
                    services::tcp_service(state.clone(), app(state.clone()))
                })?,
                Some(tls) => builder.listen(name, listener, move || {
                    let apps = [app(state.clone()), app(state.clone())];
                    services::tls_service(state.clone(), tls.clone(), apps)
                })?,
            };
        }
        let server = builder.run();
        let web = Self {
            handle: server.handle(),
            #[cfg(unix)]
            _files: listeners.take_files(),
        };
        Ok((web, server))
    }

    /// Stops accepting, and waits until the connections are done or their time is up.
    pub async fn stop(&self) {
        self.handle.stop(true).await;
    }
}

/// The routes, as a service of actix-http.
fn app(state: web::Data<WebState>) -> impl Application {
    let base_path = state.runtime.base_path.clone();
    let app = App::new().app_data(state).app_data(RouteTable(ROUTES)).app_data(unreadable_path());
    let app = app.wrap(from_fn(unsent_limit::limit)).wrap(from_fn(connection_close::check));
    let app = app.wrap(from_fn(security_headers::add)).wrap(from_fn(access_log::log));
    let app = app.wrap(from_fn(connections::track));
    let app = app.wrap_fn(|mut request, routes| {
        detach_headers::copy_values(&mut request);
        routes.call(request)
    });
    let app = app.configure(move |cfg| {
        if !base_path.is_empty() {
            // Before the scope, which takes its own bare prefix too and has nothing there.
            cfg.service(routes::base(&base_path));
            cfg.service(web::scope(&base_path).configure(routes::register));
        }
        routes::register(cfg);
        cfg.default_service(web::to(routes::not_found));
    });
    let app = app.into_factory().map_err(|error: actix_web::Error| {
        let mut answer = error.error_response();
        security_headers::no_sniffing(answer.headers_mut());
        answer
    });
    map_config(app, |()| AppConfig::default())
}

/// A number in an address that no number type holds is an address like any other that does not exist.
fn unreadable_path() -> web::PathConfig {
    web::PathConfig::default()
        .error_handler(|error, _| Problem::new(StatusCode::NOT_FOUND, error.to_string()).into())
}
