//! go2rtc's WebSocket: `/api/ws?src=NAME`, on which a client asks for `{"type":"mjpeg"}` and gets JPEGs.
//!
//! Its clients acknowledge nothing, but every WebSocket client answers pings, in order: a ping after each
//! picture shows that the picture was received. Pictures that are not received in time are skipped, so that
//! no queue grows.

use std::{rc::Rc, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use actix_ws::{Closed, Message, MessageStream, Session};
use serde::Deserialize;
use tokio::{
    sync::Semaphore,
    time::{Instant, interval, sleep_until, timeout},
};

use crate::{
    auth::{ActiveGrant, Principal},
    config::Role,
    observability::task_counts,
    stream::{StreamHandle, ViewerGuard},
    viewer::ViewerCounters,
    web::{
        middleware::{
            access::{same_origin, viewer_permit},
            problem::Problem,
        },
        query::{is_switched_on, query},
        server::transport::Outbox,
        state::{State, WebState},
        streams::{viewer_list::Kind, viewer_registration},
        websocket,
        websocket::backpressure::Backpressure,
    },
};

/// The number of frames in transit: one is shown while the next is sent.
const MAX_IN_FLIGHT: usize = 2;

/// The interval of pings, which find out whether a client of a silent stream is still there.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// A client that sends nothing, not even pongs, is disconnected after this.
const PONG_TIMEOUT: Duration = Duration::from_secs(40);

/// Time after which a client that is shown nothing is disconnected: it is not a viewer yet, and only viewers
/// are limited in number. go2rtc's own page asks immediately.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The payload of pings that follow a picture.
const PICTURE_PING: &[u8] = b"picture";

/// A message of a client: `{"type":"mjpeg"}`, with more or less beside it.
#[derive(Deserialize)]
struct ClientMessage {
    #[serde(rename = "type")]
    kind: String,
}

/// `GET /api/ws?src=NAME`.
pub(in crate::web) async fn ws(
    request: HttpRequest,
    body: web::Payload,
    state: State,
    principal: Principal,
) -> Result<HttpResponse, Problem> {
    let stream = match query(&request, "src") {
        Some(name) => state.streams.find(&name)?,
        None => return Err(Problem::new(StatusCode::BAD_REQUEST, "say which stream: /api/ws?src=NAME")),
    };
    if !allowed_elsewhere(&request, &state) {
        same_origin(&request)?;
    }
    let (response, session, messages) = websocket::accept(&request, body)?;
    let permit = viewer_permit(&state, &request)?;
    let grant = ActiveGrant::new(&state.access.auth, &principal, Role::View, Some(stream.name()));
    let outbox = Outbox::of(&request);
    let meta = is_switched_on(&request, "meta");
    task_counts::spawn(async move {
        let _permit = permit;
        let backpressure = Rc::new(Backpressure::new(outbox));
        serve(state, request, stream, grant, (session, meta), messages, backpressure).await;
    });
    Ok(response)
}

/// Returns whether `server.cors` allows the origin of the request.
fn allowed_elsewhere(request: &HttpRequest, state: &WebState) -> bool {
    let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    state.runtime.settings.current().cors.as_deref().is_some_and(|cors| cors == "*" || Some(cors) == origin)
}

async fn serve(
    state: State,
    request: HttpRequest,
    stream: StreamHandle,
    mut grant: ActiveGrant,
    (mut session, meta): (Session, bool),
    mut messages: MessageStream,
    backpressure: Rc<Backpressure>,
) {
    let taken = Rc::new(Semaphore::new(MAX_IN_FLIGHT));
    let mut current = None;
    let mut pings = interval(PING_INTERVAL);
    let mut heard = Instant::now();
    let asked_by = Instant::now() + IDLE_TIMEOUT;
    loop {
        let message = tokio::select! {
            message = timeout(PONG_TIMEOUT.saturating_sub(heard.elapsed()), messages.recv()) => message,
            _ = pings.tick() => match session.ping(b"").await {
                Ok(()) => continue,
                Err(Closed) => break,
            },
            () = ended(&mut current) => break,
            () = sleep_until(asked_by), if current.is_none() => break,
            () = grant.ended() => break,
        };
        heard = Instant::now();
        let answered = match message {
            Ok(Some(Ok(Message::Ping(bytes)))) => session.pong(&bytes).await,
            Ok(Some(Ok(Message::Pong(bytes)))) => {
                // Unsolicited pongs do not raise the number of pictures in flight.
                if bytes == PICTURE_PING && taken.available_permits() < MAX_IN_FLIGHT {
                    taken.add_permits(1);
                }
                Ok(())
            }
            Ok(Some(Ok(Message::Text(text)))) => match on_message(&text, &state, &stream) {
                Ok(guard) => {
                    let told = session.text(r#"{"type":"mjpeg"}"#).await;
                    let counts: Arc<ViewerCounters> = Arc::default();
                    // The one before goes first.
                    drop(current.take());
                    let listed = viewer_registration::begin(
                        &state,
                        &request,
                        stream.name(),
                        Kind::WebSocket,
                        counts.clone(),
                    );
                    let shown =
                        show(guard, (session.clone(), meta), taken.clone(), backpressure.clone(), counts);
                    current = Some(Box::pin(async move {
                        let _listed = listed;
                        shown.await;
                    }));
                    told
                }
                Err(why) => {
                    session.text(serde_json::json!({"type": "error", "value": why}).to_string()).await
                }
            },
            Ok(Some(Ok(Message::Binary(_) | Message::Continuation(_) | Message::Nop))) => Ok(()),
            _ => break,
        };
        if answered.is_err() {
            break;
        }
    }
    // An error means that it is closed.
    let _ = session.close(None).await;
}

/// Ends when there is something to show and that has ended.
async fn ended(current: &mut Option<impl Future<Output = ()> + Unpin>) {
    match current {
        Some(current) => current.await,
        None => std::future::pending().await,
    }
}

/// Joins the stream if a message requests it.
///
/// # Errors
/// The reason why there are no pictures, as go2rtc reports it: the type, and the reason.
fn on_message(text: &str, state: &WebState, stream: &StreamHandle) -> Result<ViewerGuard, String> {
    match serde_json::from_str::<ClientMessage>(text) {
        Ok(said) if said.kind == "mjpeg" => {
            let joined = stream.join(
                &state.streams.viewer_limit,
                state.runtime.settings.current().limits.max_viewers_per_stream,
            );
            joined.map_err(|full| format!("mjpeg: {}", state.access.no_room(full)))
        }
        Ok(said) => {
            let kind: String = said.kind.chars().take(32).collect();
            Err(format!("{kind}: framecast has mjpeg only"))
        }
        Err(error) => Err(format!("not understood: {error}")),
    }
}

/// Sends each newest picture when the one but one before it was taken, until the stream ends.
async fn show(
    guard: ViewerGuard,
    (mut session, meta): (Session, bool),
    taken: Rc<Semaphore>,
    backpressure: Rc<Backpressure>,
    counts: Arc<ViewerCounters>,
) {
    let bus = guard.stream().bus().clone();
    let mut frames = bus.subscribe();
    let mut last = 0;
    while frames.changed().await.is_ok() {
        let first = frames.borrow_and_update().frame.as_ref().map_or(0, |newest| newest.seq);
        if first > last {
            let turn = async {
                taken.acquire().await.expect("it is never closed").forget();
                backpressure.wait_writable().await;
            };
            tokio::select! {
                () = turn => {}
                _ = frames.wait_for(|current| current.closed) => return,
            }
        }
        let current = bus.current();
        if current.closed {
            return;
        }
        let Some(newest) = current.frame.filter(|newest| newest.seq > last) else { continue };
        last = newest.seq;
        let skipped = newest.seq.saturating_sub(first);
        bus.stats().count_frame_out(newest.frame.jpeg().len(), skipped);
        counts.count_frame(newest.frame.jpeg().len(), skipped);
        backpressure.sent(newest.frame.jpeg().len());
        if meta && session.text(newest.frame.facts().json(r#","type":"frame""#)).await.is_err() {
            return;
        }
        if session.binary(newest.frame.jpeg().clone()).await.is_err()
            || session.ping(PICTURE_PING).await.is_err()
        {
            return;
        }
    }
}
