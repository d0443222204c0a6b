//! HTTP: routes, the viewer's transport, pages, errors.
//!
//! Every route is registered under the configured base path and without it, since some proxies strip the prefix and
//! some do not. Streams never pass through a compression or logging middleware.

mod api;
mod clip;
mod compat;
mod error;
mod health;
mod page;
mod points;
mod pushing;
mod replay;
mod server;
mod snapshot;
mod tls;
mod transport;
mod viewing;

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Instant, SystemTime},
};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, Resource, guard, guard::Guard, http::Method,
    http::StatusCode, http::header, web,
};

use crate::{
    config::Limits,
    frame::StreamName,
    registry::{Registry, Start},
    stream::{Capacity, StreamHandle},
    transform::pool::Pool,
};
pub use error::Problem;
pub use server::{ListenError, Listeners, WebServer};
pub use tls::{Tls, TlsError};

/// What every handler may use.
#[derive(Debug)]
pub struct WebState {
    /// The streams.
    pub registry: Registry,
    /// Starts further streams.
    pub starter: Box<dyn Start>,
    /// Room for viewers.
    pub capacity: Arc<Capacity>,
    /// Bounds.
    pub limits: Limits,
    /// CPU workers, for pushed pictures that are no JPEGs.
    pub pool: Arc<Pool>,
    /// `Access-Control-Allow-Origin` on streams and snapshots.
    pub cors: Option<String>,
    /// What `/stream` and `/snapshot` mean.
    pub default_stream: Option<StreamName>,
    /// Prefix of every route; empty or `/like/this`.
    pub base_path: String,
    /// Set while the relay shuts down: not ready any more.
    pub stopping: AtomicBool,
    /// When the relay started.
    pub started: SystemTime,
    /// The same, monotonic.
    pub started_at: Instant,
}

impl WebState {
    fn stream(&self, name: &str) -> Result<StreamHandle, Problem> {
        let found = name.parse().ok().and_then(|name| self.registry.get(&name));
        found.ok_or_else(|| Problem::no_such_stream(name))
    }

    fn nth_stream(&self, position: usize) -> Result<StreamHandle, Problem> {
        let count = self.registry.all().len();
        let detail = format!("there is no stream number {position}; there are {count}, counted from 0");
        self.registry.nth(position).ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, detail))
    }

    fn default_stream(&self) -> Result<StreamHandle, Problem> {
        match &self.default_stream {
            Some(name) => self.stream(name.as_str()),
            None => self.nth_stream(0),
        }
    }
}

type State = web::Data<WebState>;

/// Every route. Fixed addresses stand before `/{name}`, so a stream called `snapshot` is at `/streams/snapshot` only.
fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(reading("/", page::root))
        .service(reading("/page/{asset}", page::asset))
        .service(reading("/view/{name}", page::view))
        .service(reading("/healthz", health::live))
        .service(reading("/readyz", health::ready))
        .service(reading("/api/streams", api::streams))
        .service(reading("/api/streams/{name}", api::stream))
        .service(reading("/streams/{name}", viewing::by_name))
        .service(reading("/streams/{name}/snapshot", snapshot::by_name))
        .service(reading("/streams/{name}/replay", replay::by_name))
        .service(reading("/streams/{name}/clip", clip::by_name))
        .service(writing("/streams/{name}/frame", web::route().to(pushing::frame)))
        .service(writing("/streams/{name}/feed", web::route().to(pushing::feed)))
        .service(writing("/streams/{name}/points", web::route().to(points::points)))
        .service(reading("/stream", compat::ustreamer_stream))
        .service(reading("/snapshot", compat::ustreamer_snapshot))
        .service(reading("/state", compat::ustreamer_state))
        .service(reading("/video_feed", viewing::of_default))
        .service(reading("/program.json", compat::program_json))
        .service(reading("/input_{n:[0-9]+}.json", compat::input_json))
        .service(reading("/output_{n:[0-9]+}.json", compat::output_json))
        .service(reading("/{name}.mjpg", viewing::by_name))
        .service(reading("/{name}.jpg", snapshot::by_name))
        .service(reading("/{name}", viewing::by_name));
}

/// A resource that is only read: GET and HEAD, and 405 for the rest.
fn reading<F, Args>(path: &str, handler: F) -> Resource
where
    F: actix_web::Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: actix_web::Responder + 'static,
{
    let route = web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(handler);
    web::resource(path).route(route).default_service(web::to(|| async {
        Err::<HttpResponse, _>(Problem::method_not_allowed("GET, HEAD"))
    }))
}

fn writing(path: &'static str, route: actix_web::Route) -> Resource {
    let post_or_put = guard::fn_guard(|ctx| {
        guard::Method(Method::POST).check(ctx) || guard::Method(Method::PUT).check(ctx)
    });
    web::resource(path).route(route.guard(post_or_put)).default_service(web::to(|| async {
        Err::<HttpResponse, _>(Problem::method_not_allowed("POST, PUT"))
    }))
}

async fn nothing_here(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let detail = format!("there is nothing at {}; GET /api/streams lists the streams", request.path());
    Err(Problem::new(StatusCode::NOT_FOUND, detail))
}

/// mjpg-streamer's words, which its clients are known to work with.
fn never_cached(head: &mut HttpResponseBuilder) {
    let all = "no-store, no-cache, must-revalidate, pre-check=0, post-check=0, max-age=0";
    head.insert_header((header::CACHE_CONTROL, all));
    head.insert_header((header::PRAGMA, "no-cache"));
    head.insert_header((header::EXPIRES, "Mon, 3 Jan 2000 12:34:56 GMT"));
}

fn allow_origin(head: &mut HttpResponseBuilder, state: &WebState) {
    if let Some(origin) = &state.cors {
        head.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.as_str()));
    }
}

/// The value of a query parameter, decoded; the first one counts.
fn query(request: &HttpRequest, wanted: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
    pairs.into_iter().find(|(key, _)| key == wanted).map(|(_, value)| value.into_owned())
}

/// A switch in the query: `1`, `true` or just its name.
fn switched_on(request: &HttpRequest, wanted: &str) -> bool {
    matches!(query(request, wanted).as_deref(), Some("1" | "true" | ""))
}

/// A switch in the query that was set to off.
fn switched_off(request: &HttpRequest, wanted: &str) -> bool {
    matches!(query(request, wanted).as_deref(), Some("0" | "false"))
}
