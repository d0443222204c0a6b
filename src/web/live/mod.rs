//! `/api/live`: all tiles of a page over one WebSocket.
//!
//! Browsers open six connections to one origin, so a page with more tiles cannot hold a stream each. Here a
//! page subscribes to streams by name and size, and gets their pictures as binary messages, and once a second
//! what all streams are doing. It says of each picture when it is drawn, and that paces it: what it does not
//! take in time is skipped, and nothing queues but the few pictures that are on their way.
//!
//! A page is not a viewer in the counts and limits of streams: otherwise each user of the dashboard would
//! count as a viewer of each stream. Connections have a limit of their own, `limits.max_live_connections`.
//!
//! The messages and their bounds: docs/http-api.md.

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
pub(in crate::web) mod connection_limit;
pub(in crate::web) mod frame_events;
mod session;
mod message;
mod size;
mod subscription;
mod congestion_window;

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use actix_rt::task::JoinHandle;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_ws::{CloseCode, CloseReason, Closed, Message, MessageStream};
use connection_limit::LiveConnectionGuard;
pub use connection_limit::LiveConnections;
use message::{ClientMessage, ServerMessage, Subscribe};
use serde::Serialize;
use session::LiveSession;
use subscription::Subscription;
use tokio::time::{Instant, timeout};

use super::{
    api::status,
    middleware::{
        access::{authenticate_fully, same_origin, viewer_permit},
        problem::Problem,
        rejections::FullLimit,
        viewers_per_address::AddressPermit,
    },
    server::transport::Outbox,
    websocket,
    websocket::backpressure::Backpressure,
};
use super::{
    query::is_switched_on,
    response::{
        json_numbers::{rounded, unix_seconds},
        visibility::may_see,
    },
    state::{State, WebState},
};
use crate::{auth::Principal, config::Role, observability::task_counts};

/// The maximum number of subscriptions of a page: far more tiles than fit on a video wall.
const MAX_SUBSCRIPTIONS: usize = 256;

/// The maximum length of a close reason: control frames have 125 bytes at most (RFC 6455, 5.5), two of which
/// are the code.
const MAX_REASON_BYTES: usize = 123;

/// The range of frame rates that a page may request.
const RATES: std::ops::RangeInclusive<f64> = 0.1..=240.0;

/// The interval of the reports to a page.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// The interval at which the streams' states are checked for changes.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The interval of pings, which browsers answer by themselves.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// A page that sends neither a message nor a pong is disconnected after this.
const PONG_TIMEOUT: Duration = Duration::from_secs(40);

/// `GET /api/live`.
pub(super) async fn live(
    request: HttpRequest,
    body: web::Payload,
    state: State,
    principal: Principal,
) -> Result<HttpResponse, Problem> {
    // Browsers let any site's page open a WebSocket anywhere.
    same_origin(&request)?;
    let permit = viewer_permit(&state, &request)?;
    let page =
        state.runtime.live_connections.join(state.runtime.settings.current().limits.max_live_connections);
    let page = page.inspect_err(|_| state.access.rejections.count_viewer(FullLimit::Pages))?;
    let principal = authenticate_fully(principal, &state, &request).await;
    let (response, session, messages) = websocket::accept(&request, body)?;
    let outbox = Outbox::of(&request);
    let meta = is_switched_on(&request, "meta");
    let connection = Rc::new(LiveConnection {
        state: state.into_inner(),
        principal,
        session: Rc::new(LiveSession::new(session, Backpressure::new(outbox), meta)),
        subscriptions: RefCell::default(),
        _page: page,
        _permit: permit,
    });
    task_counts::spawn(connection.run(messages));
    Ok(response)
}

struct LiveConnection {
    state: Arc<WebState>,
    principal: Principal,
    session: Rc<LiveSession>,
    subscriptions: RefCell<HashMap<u32, Subscription>>,
    _page: LiveConnectionGuard,
    _permit: AddressPermit,
}

/// A task that ends with its owner.
struct Task(JoinHandle<Option<(CloseCode, String)>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl LiveConnection {
    /// Serves the page until either side disconnects.
    async fn run(self: Rc<Self>, mut messages: MessageStream) {
        let reporter = self.clone();
        let mut reporter = Task(task_counts::spawn(async move { reporter.report().await }));
        let reason = loop {
            let heard = tokio::select! {
                reason = &mut reporter.0 => break reason.unwrap_or_default(),
                heard = timeout(PONG_TIMEOUT, messages.recv()) => heard,
            };
            match heard {
                Err(_) => break Some((CloseCode::Away, "no message from the page".to_owned())),
                Ok(None | Some(Err(_)) | Some(Ok(Message::Close(_)))) => break None,
                Ok(Some(Ok(message))) => match self.on_message(message).await {
                    Ok(()) => {}
                    Err(reason) => break reason,
                },
            }
        };
        // They end now, and not when the last task drops the connection.
        self.subscriptions.take();
        let reason =
            reason.map(|(code, text)| CloseReason { code, description: Some(truncate_reason(text)) });
        // An error means that it is closed.
        let _ = self.session.session().close(reason).await;
    }

    /// Handles a message of the page.
    ///
    /// # Errors
    /// The reason for closing the connection; `None` if it is closed.
    async fn on_message(&self, message: Message) -> Result<(), Option<(CloseCode, String)>> {
        match message {
            Message::Ping(bytes) => self.session.session().pong(&bytes).await.map_err(|_| None),
            Message::Text(text) => match serde_json::from_str(&text) {
                Ok(client_message) => self.on_client_message(client_message).await.map_err(|_| None),
                Err(error) => Err(Some((CloseCode::Policy, format!("not understood: {error}")))),
            },
            Message::Binary(_) | Message::Continuation(_) => {
                Err(Some((CloseCode::Unsupported, "only whole text messages are accepted".to_owned())))
            }
            Message::Pong(_) | Message::Nop | Message::Close(_) => Ok(()),
        }
    }

    async fn on_client_message(&self, client_message: ClientMessage) -> Result<(), Closed> {
        match client_message {
            ClientMessage::Subscribe(request) => {
                let id = request.id;
                if let Err(detail) = self.subscribe(request) {
                    self.session.send_text(ServerMessage::Error { id, detail }.text()).await?;
                }
            }
            ClientMessage::Unsubscribe { id } => drop(self.subscriptions.borrow_mut().remove(&id)),
            ClientMessage::Ack { id, seq } => {
                if let Some(subscription) = self.subscriptions.borrow().get(&id) {
                    subscription.drawn(seq);
                }
            }
        }
        Ok(())
    }

    fn subscribe(&self, request: Subscribe) -> Result<(), String> {
        let mut subscriptions = self.subscriptions.borrow_mut();
        if subscriptions.len() >= MAX_SUBSCRIPTIONS && !subscriptions.contains_key(&request.id) {
            return Err(format!("a page has {MAX_SUBSCRIPTIONS} subscriptions at most"));
        }
        if let Some(fps) = request.fps.filter(|fps| !RATES.contains(fps)) {
            return Err(format!("fps must be from {} to {}, not {fps}", RATES.start(), RATES.end()));
        }
        let stream = self
            .state
            .streams
            .find_visible(&self.principal, &request.stream)
            .map_err(|problem| problem.to_string())?;
        let id = request.id;
        // The previous subscription ends first.
        drop(subscriptions.remove(&id));
        subscriptions
            .insert(id, Subscription::start(self.state.clone(), self.session.clone(), request, stream));
        Ok(())
    }

    /// Tells what the streams are doing; answers why the connection is to be closed, none if it is.
    async fn report(&self) -> Option<(CloseCode, String)> {
        let (mut told, mut pinged, mut states) = (None, Instant::now(), 0);
        loop {
            let now = Instant::now();
            if self.state.runtime.stopping.load(Ordering::Relaxed) {
                return Some((CloseCode::Away, "framecast stops".to_owned()));
            }
            // Who asks may do less now, or more: whatever is shown then is asked for anew.
            if self.state.access.auth.refresh(&self.principal) != self.principal {
                return Some((CloseCode::Policy, "what you may watch has changed: connect again".to_owned()));
            }
            let states_now = self.states();
            let due = told.is_none_or(|told: Instant| now - told >= REPORT_INTERVAL);
            if due || states_now != states {
                (told, states) = (Some(now), states_now);
                self.session.send_text(self.report_now()).await.ok()?;
            }
            if now - pinged >= PING_INTERVAL {
                pinged = now;
                self.session.session().ping(b"").await.ok()?;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Returns a hash that changes with the state of any stream that the page may show.
    fn states(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let streams = self.state.streams.registry.all().into_iter();
        for stream in streams.filter(|stream| self.principal.is_allowed(Role::View, Some(stream.name()))) {
            stream.name().as_str().hash(&mut hasher);
            stream.status().since.hash(&mut hasher);
        }
        hasher.finish()
    }

    fn report_now(&self) -> String {
        let subscriptions = self.subscriptions.borrow();
        let latency = |(id, it): (&u32, &Subscription)| Some((*id, rounded(it.latency_s()?)));
        let push = ReportMessage {
            kind: "report",
            time: unix_seconds(SystemTime::now()),
            last_event: self.state.streams.events.last_visible_id(may_see(&self.principal)),
            latency_s: subscriptions.iter().filter_map(latency).collect(),
            report: status::Report::of(&self.state, &self.principal),
        };
        serde_json::to_string(&push).expect("strings and numbers are always JSON")
    }
}

/// Cuts a reason, which may quote a message of the page, to the length that a close frame holds.
fn truncate_reason(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_REASON_BYTES));
    text
}

/// The report of `/api/streams`, pushed.
#[derive(Serialize)]
struct ReportMessage<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    time: f64,
    /// Its number: pages ask for the events behind the last one they have.
    last_event: u64,
    latency_s: BTreeMap<u32, f64>,
    #[serde(flatten)]
    report: status::Report,
}
