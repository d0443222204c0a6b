//! A connection of HTTP/2: many requests at a time, each with a task of its own.
//!
//! In place of actix-http's own dispatcher, which bounds nothing and lets nobody bound it: a client could have any number of
//! requests open at a time, each with headers that unfold to 16 MB (twenty of them took 570 MB), and a header too many was a panic.
//! The same library is below it (h2); here it is given its bounds, and an answer that is not taken ends.

use std::{
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use actix_http::{
    BoxedPayloadStream, HttpMessage, Payload, Request, Response,
    error::{DispatchError, PayloadError},
};
use actix_service::Service;
use actix_web::{
    body::{BodySize, BoxBody, MessageBody},
    http::{Method, StatusCode, header},
};
use bytes::Bytes;
use futures_util::{Stream, future::poll_fn};
use h2::{
    Reason, RecvStream, SendStream,
    server::{Builder, SendResponse},
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::debug;

use super::transport::{Channel, Wire};
use crate::telemetry::tasks::{Counted, Kind};

/// Requests of one connection at a time, viewers above all; more than a page shows streams, and than other servers allow.
pub(super) const MAX_STREAMS: u32 = 256;

/// A request's headers, as HTTP/2 counts them (32 bytes for each besides). What reaches a handler is bounded there, too; this is what
/// is unfolded at all.
const MAX_HEADER_BYTES: u32 = 64 * 1024;

/// What a handler has given and the connection has not taken, of one request: as much again is asked for in time.
const MAX_UNSENT_BYTES: usize = 64 * 1024;

/// What may be on its way to a handler that has not read it, of one request, and of all: half a picture each.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// So much of an answer is handed on at a time: the largest frame there is unless a client allows more.
const PIECE: usize = 16 * 1024;

/// How long an answer's client may take nothing of it, where that is not the server's setting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience(pub(super) Duration);

/// What a connection may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    /// Until HTTP/2 has begun.
    pub(super) begin: Duration,
    /// Without a request being answered.
    pub(super) idle: Duration,
    /// Without taking anything of an answer.
    pub(super) stall: Duration,
}

/// Serves a connection to its end.
pub(super) async fn serve<S, A, B>(
    wire: Wire<S>,
    app: Rc<A>,
    peer: Option<SocketAddr>,
    deadlines: Deadlines,
) -> Result<(), DispatchError>
where
    S: Channel + 'static,
    A: Service<Request>,
    A::Future: 'static,
    A::Response: Into<Response<B>>,
    A::Error: Into<Response<BoxBody>>,
    B: MessageBody + 'static,
{
    let outbox = wire.outbox();
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .max_send_buffer_size(MAX_UNSENT_BYTES)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    let begun = timeout(deadlines.begin, builder.handshake(wire)).await;
    let mut connection = begun.map_err(|_| DispatchError::SlowRequestTimeout)??;
    // They end with the connection.
    let mut answering = JoinSet::new();
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let Some((request, mut respond)) = accepted.transpose()? else { return Ok(()) };
                let is_head = request.method() == Method::HEAD;
                let request = taken(request, peer);
                request.extensions_mut().insert(outbox.clone());
                let answered = app.call(request);
                let counted = Counted::new(Kind::Work);
                answering.spawn_local(async move {
                    let _counted = counted;
                    // A client that cancels, or leaves, is seen at once, not at the next frame.
                    let answered = tokio::select! {
                        answered = answered => answered,
                        _ = poll_fn(|cx| respond.poll_reset(cx)) => return,
                    };
                    let sent = match answered {
                        Ok(response) => send(response.into(), respond, is_head, deadlines.stall).await,
                        Err(error) => send(error.into(), respond, is_head, deadlines.stall).await,
                    };
                    if let Err(error) = sent {
                        debug!("an answer broke off: {error}");
                    }
                });
            }
            // A panic in there was that request's own: the others go on.
            Some(_) = answering.join_next() => {}
            () = sleep(deadlines.idle), if answering.is_empty() => connection.graceful_shutdown(),
        }
    }
}

/// A request as the routes know it.
fn taken(request: http::Request<RecvStream>, peer: Option<SocketAddr>) -> Request {
    let (parts, body) = request.into_parts();
    let payload: BoxedPayloadStream = Box::pin(RequestBody(body));
    let mut request = Request::with_payload(Payload::Stream { payload });
    let head = request.head_mut();
    head.uri = parts.uri;
    head.method = parts.method;
    head.version = parts.version;
    head.headers = parts.headers.into();
    head.peer_addr = peer;
    request
}

/// Makes room for more as it is read.
struct RequestBody(RecvStream);

impl Stream for RequestBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = ready!(self.0.poll_data(cx)).map(|piece| {
            let piece = piece?;
            self.0.flow_control().release_capacity(piece.len())?;
            Ok(piece)
        });
        Poll::Ready(piece)
    }
}

/// Why an answer was not sent to its end.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Http2(#[from] h2::Error),
    #[error("the client takes no more of it")]
    Left,
    #[error("the client took nothing for {} s", .0.as_secs_f32())]
    Stalled(Duration),
    #[error("its body failed: {0}")]
    Body(String),
}

async fn send<B: MessageBody>(
    response: Response<B>,
    mut respond: SendResponse<Bytes>,
    is_head: bool,
    stall: Duration,
) -> Result<(), Broken> {
    let size = response.body().size();
    let patience = response.extensions().get::<Patience>().map_or(stall, |patience| patience.0);
    let is_whole = is_head || size.is_eof();
    let head = head_of(&response, size);
    let mut sending = respond.send_response(head, is_whole)?;
    if is_whole {
        return Ok(());
    }
    let mut body = Box::pin(response.into_body());
    loop {
        let piece = tokio::select! {
            _ = poll_fn(|cx| sending.poll_reset(cx)) => return Err(Broken::Left),
            piece = poll_fn(|cx| body.as_mut().poll_next(cx)) => piece,
        };
        let Some(piece) = piece else { break };
        let piece = piece.map_err(|error| Broken::Body(error.into().to_string()))?;
        if let Err(broken) = send_piece(&mut sending, piece, patience).await {
            sending.send_reset(Reason::CANCEL);
            return Err(broken);
        }
    }
    Ok(sending.send_data(Bytes::new(), true)?)
}

/// Sends as much at a time as the client makes room for.
async fn send_piece(
    sending: &mut SendStream<Bytes>,
    mut piece: Bytes,
    patience: Duration,
) -> Result<(), Broken> {
    while !piece.is_empty() {
        sending.reserve_capacity(piece.len().min(PIECE));
        let room = timeout(patience, poll_fn(|cx| sending.poll_capacity(cx))).await;
        let room = room.map_err(|_| Broken::Stalled(patience))?.ok_or(Broken::Left)??;
        sending.send_data(piece.split_to(room.min(piece.len())), false)?;
    }
    Ok(())
}

/// Without what belongs to HTTP/1 (RFC 9113, section 8.2.2).
fn head_of<B>(response: &Response<B>, size: BodySize) -> http::Response<()> {
    const NOT_HERE: [header::HeaderName; 4] =
        [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE, header::CONTENT_LENGTH];
    let mut head = http::Response::new(());
    *head.status_mut() = response.status();
    *head.version_mut() = http::Version::HTTP_2;
    let headers = head.headers_mut();
    for (name, value) in response.headers().iter().filter(|(name, _)| !NOT_HERE.contains(name)) {
        headers.append(name, value.clone());
    }
    if let BodySize::Sized(length) = size
        && response.status() != StatusCode::NO_CONTENT
    {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    if !headers.contains_key(header::DATE) {
        let now = header::HttpDate::from(SystemTime::now()).to_string();
        headers.insert(header::DATE, now.try_into().expect("a date is ASCII"));
    }
    head
}
