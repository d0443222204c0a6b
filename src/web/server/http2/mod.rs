//! A connection of HTTP/2: many requests at a time, each with a task of its own.
//!
//! This replaces actix-http's own dispatcher, which has no limits and no settings for them: a client could
//! have any number of requests open at a time, each with headers that unfold to 16 MB (twenty of them took
//! 570 MB), and too many headers caused a panic. It used h2 0.3, which keeps each empty DATA frame
//! (RUSTSEC-2026-0258). Here h2 0.4 is given its limits, what it does not limit is counted before it
//! ([`flood_limit`]), and an answer that the client does not read is ended.
//!
//! Limits of one connection: [`CONNECTION_WINDOW`] of unread bodies, twice while they are copied;
//! [`MAX_OPEN_HEAD_BYTES`](open_requests::MAX_OPEN_HEAD_BYTES) of heads; [`MAX_STREAMS`] tasks;
//! [`MAX_UNSENT_BYTES`] on its way into the socket. The bytes of answers are charged by
//! [`crate::web::server::response_budget`].

mod body;
mod convert;
#[cfg(all(unix, any(test, fuzzing)))]
pub(crate) mod fuzzing;
mod flood_limit;
mod open_requests;
mod consumed_bytes;
mod response;

use std::{
    cell::Cell,
    future::Future,
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use actix_http::{BoxedPayloadStream, HttpMessage, Payload, Request, Response};
use actix_service::Service;
use actix_web::body::{BoxBody, MessageBody};
use body::BodyReceiver;
use bytes::Bytes;
use convert::ConvertError;
use flood_limit::Metered;
use futures_util::future::poll_fn;
use h2::{
    Reason, RecvStream,
    server::{Builder, Connection, SendResponse},
};
use open_requests::{OpenHead, OpenStream};
pub(in crate::web) use response::AnswerTimeout;
use response::send;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Semaphore, SemaphorePermit},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::debug;

use super::{
    connections,
    response_budget::ConnectionBytes,
    transport::{DirectWrite, Outbox, ViewerSocket},
};
use crate::{
    observability::task_counts::{TaskGuard, TaskKind},
    web::middleware::rejections::Rejection,
};
use consumed_bytes::ReadBytes;

/// Requests of one connection at a time, viewers above all; more than a page shows streams, and than other
/// servers allow.
pub(in crate::web) const MAX_STREAMS: u32 = 256;

/// Requests that are being answered at a time, those that were cancelled and are not gone yet included.
const MAX_TASKS: usize = MAX_STREAMS as usize;

/// A request's headers, as HTTP/2 counts them (32 bytes for each besides). What reaches a handler is bounded
/// there, too; this is what is unfolded at all.
const MAX_HEADER_BYTES: u32 = 64 * 1024;

/// Bytes of one answer that the handler has produced and the connection has not taken: as much again is asked
/// for in time.
const MAX_UNSENT_BYTES: usize = 64 * 1024;

/// Bytes of bodies that no handler has read, of one request and of all. The least that HTTP/2 allows (RFC
/// 9113, section 6.9.2), since a connection costs its client nothing: 64 of them hold 4 MiB, where 1 MiB each
/// held 64.
const STREAM_WINDOW: u32 = 65_535;
const CONNECTION_WINDOW: u32 = STREAM_WINDOW;

/// The window of connections whose handlers do read: a publisher far away (50 ms) gets 10 MB/s by it, and 1.3
/// MB/s else.
const LARGE_WINDOW: u32 = 512 * 1024;

/// Connections of the process that have a large window, for as long as they last: 8 MiB in all.
static LARGE_WINDOWS: Semaphore = Semaphore::const_new(16);

/// h2 ends a connection with this many bytes less in its unread DATA frames than if each had 256 bytes: it is
/// for 1,000 points that are sent one by one while the handler is busy.
const SMALL_DATA_BUDGET: usize = 256 * 1024;

/// The timeouts of a connection.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Deadlines {
    /// The time until the handshake is complete.
    pub(in crate::web) begin: Duration,
    /// The time without a request in progress.
    pub(in crate::web) idle: Duration,
    /// The time in which a client reads nothing of a response.
    pub(in crate::web) stall: Duration,
}

/// The reason for which a connection did not end in an orderly way.
#[derive(Debug, thiserror::Error)]
pub(in crate::web) enum Error {
    #[error("HTTP/2 did not begin within {} s", .0.as_secs())]
    Slow(Duration),
    #[error(transparent)]
    Http2(#[from] h2::Error),
    #[error("the client sent too many frames without progress")]
    Flood,
}

impl Error {
    /// Returns the reason to count, if the client caused it.
    pub(in crate::web) fn rejection(&self) -> Option<Rejection> {
        match self {
            Self::Flood => Some(Rejection::Flood),
            Self::Http2(error) if error.is_library() && error.is_go_away() => {
                let calm = error.reason() == Some(Reason::ENHANCE_YOUR_CALM);
                Some(if calm { Rejection::Flood } else { Rejection::Malformed })
            }
            Self::Http2(_) | Self::Slow(_) => None,
        }
    }
}

/// Serves a connection to its end, and tells `refused` of requests that are not taken. An error is not
/// counted: see [`Error::rejection`].
pub(in crate::web) async fn serve<S, A, B>(
    viewer_socket: ViewerSocket<S>,
    app: Rc<A>,
    peer: Option<SocketAddr>,
    deadlines: Deadlines,
    refused: &impl Fn(Rejection),
) -> Result<(), Error>
where
    S: DirectWrite + 'static,
    A: Service<Request>,
    A::Future: 'static,
    A::Response: Into<Response<B>>,
    A::Error: Into<Response<BoxBody>>,
    B: MessageBody + 'static,
{
    let client = ConnectionState {
        peer,
        outbox: viewer_socket.outbox(),
        connection: viewer_socket.connection().cloned(),
        unsent: Arc::default(),
        read: Rc::default(),
        open_heads: Rc::default(),
        open_streams: Rc::default(),
    };
    let (io, meter) = Metered::new(viewer_socket);
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .max_send_buffer_size(MAX_UNSENT_BYTES)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .data_frame_budget(SMALL_DATA_BUDGET);
    let begun = timeout(deadlines.begin, builder.handshake(io)).await;
    let mut connection = begun.map_err(|_| Error::Slow(deadlines.begin))??;
    // They end with the connection.
    let mut answering = JoinSet::new();
    let (mut is_ending, mut is_flooded) = (false, false);
    let mut large_window: Option<Option<SemaphorePermit<'static>>> = None;
    loop {
        // Requests above the bound wait in h2, where no more of them wait than there may be streams.
        let has_room = answering.len() < MAX_TASKS;
        tokio::select! {
            accepted = poll_fn(|cx| poll_accept(&mut connection, cx, has_room)) => match accepted {
                Some(Ok((request, respond))) => match client.take(request) {
                    Ok(taken) => {
                        let answer = taken.answer(respond, app.clone(), deadlines.stall);
                        answering.spawn_local(answer);
                    }
                    Err(not_taken) => {
                        refused(not_taken.rejection());
                        not_taken.answer(respond);
                    }
                },
                _ if meter.is_flooded() => return Err(Error::Flood),
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(()),
            },
            // A panic in there was that request's own: the others go on.
            Some(_) = answering.join_next() => {}
            () = meter.flooded(), if !is_flooded => {
                (is_ending, is_flooded) = (true, true);
                connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            }
            () = client.read.wait_large(), if large_window.is_none() => {
                let permit = LARGE_WINDOWS.try_acquire().ok();
                if permit.is_some() {
                    connection.set_target_window_size(LARGE_WINDOW);
                    // It fails while the client has not answered the first settings: then its streams'
                    // windows stay small.
                    let _ = connection.set_initial_window_size(LARGE_WINDOW);
                }
                large_window = Some(permit);
            }
            () = sleep(deadlines.idle), if answering.is_empty() => {
                // A client that stays after GOAWAY holds the connection for nothing.
                if std::mem::replace(&mut is_ending, true) {
                    return Ok(());
                }
                connection.graceful_shutdown();
            }
        }
    }
}

type Accepted = Result<(http::Request<RecvStream>, SendResponse<Bytes>), h2::Error>;

/// Drives the connection, and takes the next request if there is room for it; none at the connection's end.
fn poll_accept<T: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut Connection<T, Bytes>,
    cx: &mut Context<'_>,
    has_room: bool,
) -> Poll<Option<Accepted>> {
    if has_room {
        return connection.poll_accept(cx);
    }
    connection.poll_closed(cx).map(|ended| ended.err().map(Err))
}

/// The state that all requests of a connection share.
struct ConnectionState {
    peer: Option<SocketAddr>,
    outbox: Outbox,
    /// The connection's permit; `None` in tests without a listener.
    connection: Option<connections::Connection>,
    unsent: Arc<ConnectionBytes>,
    read: Rc<ReadBytes>,
    open_heads: Rc<Cell<usize>>,
    open_streams: Rc<Cell<usize>>,
}

/// A request that reaches no handler.
enum RequestRejection {
    /// All connections together have as many as there may be.
    Streams,
    /// The heads of the connection's open requests are too long together.
    Heads,
    /// The request cannot be parsed.
    Unreadable(ConvertError),
}

impl RequestRejection {
    fn rejection(&self) -> Rejection {
        match self {
            Self::Streams => Rejection::Streams,
            Self::Heads => Rejection::Headers,
            Self::Unreadable(_) => Rejection::Malformed,
        }
    }

    /// Answers without a body: who made such a request by hand reads none.
    fn answer(self, mut respond: SendResponse<Bytes>) {
        let mut head = http::Response::new(());
        *head.status_mut() = match self {
            // Nothing was done for it: a browser asks again by itself (RFC 9113, section 8.7).
            Self::Streams => return respond.send_reset(Reason::REFUSED_STREAM),
            Self::Heads => http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Unreadable(error) => {
                debug!("a request over HTTP/2 cannot be read: {error}");
                http::StatusCode::BAD_REQUEST
            }
        };
        // It fails when the client has left meanwhile.
        let _ = respond.send_response(head, true);
    }
}

impl ConnectionState {
    fn take(&self, request: http::Request<RecvStream>) -> Result<AcceptedRequest, RequestRejection> {
        let (parts, from) = request.into_parts();
        let headers = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32);
        let bytes = headers.sum::<usize>() + parts.uri.path().len();
        let stream = OpenStream::new(&self.open_streams).ok_or(RequestRejection::Streams)?;
        let head = OpenHead::new(bytes, &self.open_heads).ok_or(RequestRejection::Heads)?;
        // What comes with a GET is thrown away as it comes: no handler of ours reads it.
        let takes_body = parts.method != http::Method::GET && parts.method != http::Method::HEAD;
        let (receiver, payload) = if takes_body && !from.is_end_stream() {
            let (receiver, body) = body::channel(from, self.read.clone());
            let payload: BoxedPayloadStream = Box::pin(body);
            (Some(receiver), Payload::Stream { payload })
        } else {
            (None, Payload::None)
        };
        let request = convert::request(&parts, payload, self.peer).map_err(RequestRejection::Unreadable)?;
        request.extensions_mut().insert(self.outbox.clone());
        request.extensions_mut().insert(self.unsent.clone());
        if let Some(connection) = &self.connection {
            request.extensions_mut().insert(connection.clone());
        }
        Ok(AcceptedRequest { is_head: parts.method == http::Method::HEAD, request, receiver, head, stream })
    }
}

/// A request that is about to be answered.
struct AcceptedRequest {
    request: Request,
    is_head: bool,
    receiver: Option<BodyReceiver>,
    head: OpenHead,
    stream: OpenStream,
}

impl AcceptedRequest {
    fn answer<A, B>(
        self,
        mut respond: SendResponse<Bytes>,
        app: Rc<A>,
        stall: Duration,
    ) -> impl Future<Output = ()> + 'static
    where
        A: Service<Request>,
        A::Future: 'static,
        A::Response: Into<Response<B>>,
        A::Error: Into<Response<BoxBody>>,
        B: MessageBody + 'static,
    {
        let Self { request, is_head, receiver, head, stream } = self;
        let (answered, counted) = (app.call(request), TaskGuard::new(TaskKind::Work));
        async move {
            let _counted = (counted, stream);
            let mut work = pin!(async move {
                // A client that cancels, or leaves, is seen at once, not at the next frame.
                let answered = tokio::select! {
                    answered = answered => answered,
                    _ = poll_fn(|cx| respond.poll_reset(cx)) => return,
                };
                drop(head);
                let sent = match answered {
                    Ok(response) => send(response.into(), respond, is_head, stall).await,
                    Err(error) => send(error.into(), respond, is_head, stall).await,
                };
                if let Err(error) = sent {
                    debug!("a response was cut off: {error}");
                }
            });
            poll_fn(|cx| {
                if let Some(receiver) = &receiver {
                    receiver.fill(cx);
                }
                work.as_mut().poll(cx)
            })
            .await;
        }
    }
}
