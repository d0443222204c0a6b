//! The route table: each address with its methods, and who may use it.
//!
//! This is the only way to be reached: a row cannot be written without its rule, and `access` asks the rule
//! before the handler runs. `tests/viewers/matrix.rs` tests the whole table with every kind of caller.

use std::borrow::Borrow;

use actix_web::{
    HttpRequest, HttpResponse, Resource, Route, guard,
    http::Method,
    middleware::from_fn,
    web::{self, to},
};

use super::{
    Problem, access, api, clip, compat, editing, events, go2rtc, health, history, live, login, metrics,
    openapi, page, peers, points, probe, pushing, replay, snapshot, viewers, viewing,
};
use crate::config::Role;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Whoever comes: it says nothing of the streams.
    Anybody,
    /// Whoever holds the role, or a higher one.
    Needs(Role, Of),
}

/// The streams for which a role is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The stream in the path, `{name}`.
    Named,
    /// The default stream.
    Default,
    /// The stream that the query names with this key.
    Asked(&'static str),
    /// The stream that the query names with this key; any stream if the query has no such key.
    AskedOrAny(&'static str),
    /// The stream `{n}` in the path, counted from 1; 0 is all of them in one picture.
    Counted,
    /// The stream `{n}` in the path, counted from 0.
    Position,
    /// The stream called `cam_{n}`, or else number `{n}`.
    Camera,
    /// The stream that mjpg-streamer's `?action=` means, counted from 0; any stream if it means none.
    Action,
    /// Any stream. The handler itself then asks for each stream that it shows or changes.
    Any,
    /// All streams, and those to come.
    All,
}

/// A route.
#[derive(Debug)]
pub struct Row {
    /// Its address below the base path, with `{name}` in it.
    pub path: &'static str,
    /// The allowed methods.
    pub methods: &'static [Method],
    /// Who may.
    pub rule: Rule,
    handler: fn() -> Route,
}

const READ: &[Method] = &[Method::GET, Method::HEAD];
const POST: &[Method] = &[Method::POST];
const WRITE: &[Method] = &[Method::POST, Method::PUT];
const PUT: &[Method] = &[Method::PUT];
const PATCH: &[Method] = &[Method::PATCH];
const DELETE: &[Method] = &[Method::DELETE];

const OPEN: Rule = Rule::Anybody;
const VIEW: Rule = Rule::Needs(Role::View, Of::Named);
const VIEW_DEFAULT: Rule = Rule::Needs(Role::View, Of::Default);
const VIEW_ANY: Rule = Rule::Needs(Role::View, Of::Any);
const VIEW_ALL: Rule = Rule::Needs(Role::View, Of::All);
const VIEW_ASKED: Rule = Rule::Needs(Role::View, Of::Asked("src"));
const VIEW_ASKED_OR_ANY: Rule = Rule::Needs(Role::View, Of::AskedOrAny("src"));
const VIEW_POSITION: Rule = Rule::Needs(Role::View, Of::Position);
const VIEW_ACTION: Rule = Rule::Needs(Role::View, Of::Action);
const VIEW_COUNTED: Rule = Rule::Needs(Role::View, Of::Counted);
const VIEW_CAMERA: Rule = Rule::Needs(Role::View, Of::Camera);
const PUSH_ASKED: Rule = Rule::Needs(Role::Push, Of::Asked("dst"));
const ADMIN: Rule = Rule::Needs(Role::Admin, Of::All);
const ADMIN_ANY: Rule = Rule::Needs(Role::Admin, Of::Any);
const ADMIN_ONE: Rule = Rule::Needs(Role::Admin, Of::Named);
const PUSH: Rule = Rule::Needs(Role::Push, Of::Named);

/// Every route. Fixed addresses stand before `/{name}`, so a stream called `snapshot` is at
/// `/streams/snapshot` only.
pub const ROUTES: &[Row] = &[
    read("/", VIEW_ACTION, || to(page::root)),
    read("/page/{asset}", OPEN, || to(page::asset)),
    read("/view/{name}", VIEW, || to(page::view)),
    read("/login", OPEN, || to(login::form)),
    row("/login", POST, OPEN, || to(login::enter)),
    row("/logout", POST, OPEN, || to(login::leave)),
    read("/api/session", OPEN, || to(login::who)),
    read("/healthz", OPEN, || to(health::live)),
    read("/readyz", OPEN, || to(health::ready)),
    read("/metrics", VIEW_ALL, || to(metrics::metrics)),
    read("/api/streams", VIEW_ASKED_OR_ANY, || to(api::streams)),
    read("/api/streams/{name}", VIEW, || to(api::stream)),
    row("/api/probe", &[Method::POST], ADMIN, || to(probe::ask)),
    read("/api/live", VIEW_ANY, || to(live::live)),
    read("/api/ws", VIEW_ASKED, || to(go2rtc::ws)),
    row("/api/streams", POST, ADMIN, || to(editing::create)),
    row("/api/streams/{name}", POST, ADMIN, || to(editing::create_named)),
    row("/api/streams/{name}", PUT, ADMIN, || to(editing::replace)),
    row("/api/streams/{name}", PATCH, ADMIN, || to(editing::merge)),
    row("/api/streams/{name}", DELETE, ADMIN, || to(editing::remove)),
    read("/api/streams/{name}/config", ADMIN, || to(editing::config)),
    row("/api/streams/{name}/restart", POST, ADMIN_ONE, || to(editing::restart)),
    row("/api/streams/{name}/pause", POST, ADMIN_ONE, || to(editing::pause)),
    row("/api/streams/{name}/resume", POST, ADMIN_ONE, || to(editing::resume)),
    read("/api/streams/{name}/history", VIEW, || to(history::of_stream)),
    read("/api/history", VIEW_ANY, || to(history::all)),
    read("/api/streams/{name}/viewers", ADMIN_ONE, || to(viewers::of_stream)),
    read("/api/viewers", ADMIN_ANY, || to(viewers::all)),
    row("/api/reload", POST, ADMIN, || to(editing::reload)),
    read("/api/events", VIEW_ANY, || to(events::events)),
    read("/api/openapi.json", VIEW_ANY, || to(openapi::document)),
    read("/api/docs", VIEW_ANY, || to(openapi::browse)),
    read("/streams/{name}", VIEW, || to(viewing::by_name)),
    read("/streams/{name}/snapshot", VIEW, || to(snapshot::by_name)),
    read("/streams/{name}/replay", VIEW, || to(replay::by_name)),
    read("/streams/{name}/clip", VIEW, || to(clip::by_name)),
    row("/streams/{name}/frame", WRITE, PUSH, || to(pushing::frame)),
    row("/streams/{name}/feed", WRITE, PUSH, || to(pushing::feed)),
    row("/streams/{name}/points", WRITE, PUSH, || to(points::points)),
    read("/stream", VIEW_DEFAULT, || to(compat::ustreamer_stream)),
    read("/snapshot", VIEW_DEFAULT, || to(compat::ustreamer_snapshot)),
    read("/state", VIEW_DEFAULT, || to(compat::ustreamer_state)),
    read("/video_feed", VIEW_DEFAULT, || to(viewing::of_default)),
    read("/program.json", VIEW_ANY, || to(compat::program_json)),
    read("/input_{n:[0-9]+}.json", VIEW_POSITION, || to(compat::input_json)),
    read("/output_{n:[0-9]+}.json", VIEW_ANY, || to(compat::output_json)),
    read("/api/stream.mjpeg", VIEW_ASKED, || to(peers::go2rtc::stream)),
    row("/api/stream.mjpeg", WRITE, PUSH_ASKED, || to(peers::go2rtc::feed)),
    read("/api/frame.jpeg", VIEW_ASKED, || to(peers::go2rtc::frame)),
    read("/go2rtc/api/streams", VIEW_ANY, || to(peers::go2rtc::streams)),
    read("/go2rtc/api/stream.mjpeg", VIEW_ASKED, || to(peers::go2rtc::stream)),
    row("/go2rtc/api/stream.mjpeg", WRITE, PUSH_ASKED, || to(peers::go2rtc::feed)),
    read("/go2rtc/api/ws", VIEW_ASKED, || to(go2rtc::ws)),
    read("/go2rtc/api/frame.jpeg", VIEW_ASKED, || to(peers::go2rtc::frame)),
    read("/api/{name}/latest.jpg", VIEW, || to(peers::frigate::latest)),
    read("/{n:[0-9]+}/stream", VIEW_COUNTED, || to(peers::motion::stream)),
    read("/{n:[0-9]+}/mjpg/stream", VIEW_COUNTED, || to(peers::motion::stream)),
    read("/{n:[0-9]+}/substream", VIEW_COUNTED, || to(peers::motion::substream)),
    read("/{n:[0-9]+}/mjpg/substream", VIEW_COUNTED, || to(peers::motion::substream)),
    read("/{n:[0-9]+}/current", VIEW_COUNTED, || to(peers::motion::current)),
    read("/{n:[0-9]+}/static/stream", VIEW_COUNTED, || to(peers::motion::current)),
    read("/cam_{n:[0-9]+}.mjpg", VIEW_CAMERA, || to(peers::webcam_xp::stream)),
    read("/cam_{n:[0-9]+}.jpg", VIEW_CAMERA, || to(peers::webcam_xp::picture)),
    read("/{name}.mjpg", VIEW, || to(viewing::by_name)),
    read("/{name}.jpg", VIEW, || to(snapshot::by_name)),
    read("/{name}", VIEW, || to(viewing::by_name)),
];

/// A route that is only read.
const fn read(path: &'static str, rule: Rule, handler: fn() -> Route) -> Row {
    row(path, READ, rule, handler)
}

/// A route with its methods. Several rows may have one path.
const fn row(path: &'static str, methods: &'static [Method], rule: Rule, handler: fn() -> Route) -> Row {
    Row { path, methods, rule, handler }
}

impl Row {
    fn route(&self) -> Route {
        let (methods, rule) = (self.methods, self.rule);
        let asked_with = guard::fn_guard(move |context| methods.contains(&context.head().method));
        (self.handler)()
            .guard(asked_with)
            .wrap(from_fn(move |request, next| access::check(rule, request, next)))
    }
}

/// Registers the table.
pub(super) fn register(config: &mut web::ServiceConfig) {
    for (position, row) in ROUTES.iter().enumerate() {
        if ROUTES[..position].iter().all(|before| before.path != row.path) {
            config.service(resource(row.path, ROUTES.iter().filter(|other| other.path == row.path)));
        }
    }
}

/// The base path without its final slash: who may use it is what `/` says.
pub(super) fn base(address: &str) -> Resource {
    let root = ROUTES.iter().filter(|row| row.path == "/");
    let rows = root.map(|row| Row { handler: || to(page::base), ..*row });
    resource(address, rows)
}

/// All that the table has for a path; 405 for other methods.
fn resource(address: &str, rows: impl Iterator<Item = impl Borrow<Row>>) -> Resource {
    let mut resource = web::resource(address);
    let mut allowed = Vec::new();
    for row in rows {
        resource = resource.route(row.borrow().route());
        allowed.extend(row.borrow().methods.iter().map(Method::as_str));
    }
    let allowed = allowed.join(", ");
    resource.default_service(to(move |request: HttpRequest| {
        let refused = access::in_turn(&request).err();
        let refused = refused.unwrap_or_else(|| Problem::method_not_allowed(allowed.clone()));
        async { Err::<HttpResponse, _>(refused) }
    }))
}
