//! The services of accepted connections: HTTP/1 and HTTP/2, over TCP, Unix sockets and TLS.

use std::{io, net::SocketAddr, rc::Rc, sync::Arc};

use actix_http::{HttpService, Protocol, Request, error::DispatchError};
use actix_service::{Service, ServiceFactory, ServiceFactoryExt, fn_factory, fn_service};
use actix_web::{HttpResponse, body::MessageBody, dev::ServiceResponse, web};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::{
    connection_close::Ending,
    connections::{Accepted, AnswerProtocol, limited},
    http2,
    response_budget::ConnectionBytes,
    socket_options::tune_and_peer,
    timeouts::{DISCONNECT_TIMEOUT, HEAD_TIMEOUT, HTTP_2, KEEP_ALIVE, STALL_TIMEOUT},
    tls::{self, Tls},
    transport::{DirectWrite, SharedSocket, TlsSocket, TooManyPipelined, ViewerSocket, expect},
};
use crate::web::{middleware::rejections::Rejection, state::WebState};

/// The routes, as a service of actix-http.
pub(in crate::web) trait Application:
    ServiceFactory<
        Request,
        Config = (),
        Response = ServiceResponse<<Self as Application>::Body>,
        Error = HttpResponse,
        InitError = (),
        Future: 'static,
        Service: Service<Request, Future: 'static>,
    > + 'static
{
    /// The body of its responses.
    type Body: MessageBody + 'static;
}

impl<A, B: MessageBody + 'static> Application for A
where
    A: ServiceFactory<
            Request,
            Config = (),
            Response = ServiceResponse<B>,
            Error = HttpResponse,
            InitError = (),
            Future: 'static,
            Service: Service<Request, Future: 'static>,
        > + 'static,
{
    type Body = B;
}

/// Returns the service of accepted TCP connections.
pub(in crate::web) fn tcp_service(
    state: web::Data<WebState>,
    app: impl Application,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    let serve = fn_service(async |Accepted { io, connection }: Accepted<TcpStream>| {
        let peer = tune_and_peer(&io);
        let viewer_socket =
            ViewerSocket::new(SharedSocket::new(io), STALL_TIMEOUT).with_connection(connection);
        Ok((viewer_socket, Protocol::Http1, peer))
    });
    let serve = serve.and_then(http_1(app)).map_err(count_errors(state.clone()));
    limited(state, AnswerProtocol::Http, serve)
}

/// Returns the service of connections over a Unix socket, whose other end has no address. The connection's
/// task writes everything itself.
#[cfg(unix)]
pub(in crate::web) fn unix_service(
    state: web::Data<WebState>,
    app: impl Application,
) -> impl ServiceFactory<UnixStream, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    let serve = fn_service(async |Accepted { io, connection }: Accepted<UnixStream>| {
        Ok((ViewerSocket::new(io, STALL_TIMEOUT).with_connection(connection), Protocol::Http1, None))
    });
    let serve = serve.and_then(http_1(app)).map_err(count_errors(state.clone()));
    limited(state, AnswerProtocol::Http, serve)
}

/// Returns the service of connections over TLS, with one application for each version of HTTP. Each
/// connection has a task of its own: one that is slow to shake hands delays no other.
pub(in crate::web) fn tls_service<A: Application>(
    state: web::Data<WebState>,
    tls: Arc<Tls>,
    apps: [A; 2],
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    let accept = move |Accepted { io, connection }: Accepted<TcpStream>| {
        let tls = tls.clone();
        async move {
            let peer = tune_and_peer(&io);
            let stream = tls.accept(io, peer).await.map_err(DispatchError::Io)?;
            let protocol = tls::protocol(&stream);
            let viewer_socket =
                ViewerSocket::new(TlsSocket::new(stream), STALL_TIMEOUT).with_connection(connection);
            let viewer_socket =
                if protocol == Protocol::Http2 { viewer_socket.with_http2() } else { viewer_socket };
            Ok((viewer_socket, protocol, peer))
        }
    };
    let [first, second] = apps;
    let counting = state.clone();
    let refused = move |rejection| counting.access.rejections.count(rejection);
    let either = http_service(http_1(first), second, refused);
    let serve = fn_service(accept).and_then(either).map_err(count_errors(state.clone()));
    limited(state, AnswerProtocol::Tls, serve)
}

/// Serves HTTP/1 or HTTP/2, as negotiated.
pub(super) fn http_service<S: DirectWrite + 'static>(
    first: impl ServiceFactory<Connected<S>, Config = (), Response = (), Error = DispatchError, InitError = ()>,
    second: impl Application,
    refused: impl Fn(Rejection) + Clone + 'static,
) -> impl ServiceFactory<Connected<S>, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    fn_factory(move || {
        let refused = refused.clone();
        let (first, second) = (first.new_service(()), second.new_service(()));
        async move {
            let (first, second) = (Rc::new(first.await?), Rc::new(second.await?));
            Ok::<_, ()>(fn_service(move |(viewer_socket, protocol, peer): Connected<S>| {
                let (first, second, refused) = (first.clone(), second.clone(), refused.clone());
                async move {
                    match protocol {
                        Protocol::Http2 => {
                            let served = http2::serve(viewer_socket, second, peer, HTTP_2, &refused).await;
                            served.map_err(|error| {
                                error.rejection().into_iter().for_each(&refused);
                                DispatchError::Io(io::Error::other(error))
                            })
                        }
                        _ => first.call((viewer_socket, protocol, peer)).await,
                    }
                }
            }))
        }
    })
}

/// Counts connections that ended with bytes that are no request; no handler sees those.
fn count_errors(state: web::Data<WebState>) -> impl Fn(DispatchError) -> DispatchError + Clone {
    move |error| {
        let too_far_ahead =
            |error: &io::Error| error.get_ref().is_some_and(|inner| inner.is::<TooManyPipelined>());
        let is_malformed = match &error {
            DispatchError::Parse(_) => true,
            DispatchError::Io(error) => too_far_ahead(error),
            _ => false,
        };
        // Over HTTP/2 it was counted already.
        if is_malformed {
            state.access.rejections.count(Rejection::Malformed);
        }
        error
    }
}

/// A connection in the form that actix-http takes.
type Connected<S> = (ViewerSocket<S>, Protocol, Option<SocketAddr>);

pub(super) fn http_1<S: DirectWrite + 'static>(
    app: impl Application,
) -> impl ServiceFactory<Connected<S>, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    HttpService::build()
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        // A viewer that closes is seen at once, not at the next frame.
        .h1_allow_half_closed(false)
        .expect(expect)
        .on_connect_ext(|viewer_socket: &ViewerSocket<S>, extensions| {
            extensions.insert(viewer_socket.outbox());
            extensions.insert(Arc::<ConnectionBytes>::default());
            if let Some(connection) = viewer_socket.connection() {
                extensions.insert(connection.clone());
            }
            extensions.insert(Ending::default());
        })
        .finish(app)
}
