//! Listening, and the assembly of the server around [`Wire`].
//!
//! In place of actix-web's `HttpServer`, which fixes the I/O type, the same parts are put together here by
//! hand.

pub(crate) mod connections;
pub(crate) mod http2;
pub(crate) mod last_request;
pub(crate) mod listener;
pub(crate) mod tls;
pub(crate) mod transport;
pub(crate) mod slices;
pub(crate) mod unsent;

use std::{io, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use actix_http::{HttpService, Protocol, Request, Response, error::DispatchError};
use actix_server::{Server, ServerHandle};
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, fn_factory, fn_service, map_config,
};
use actix_web::{
    App, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{AppConfig, ServiceResponse},
    http::{StatusCode, header},
    middleware::from_fn,
    web,
};
use connections::{Accepted, Speech, limited};
use http2::Deadlines;
use last_request::Ending;
use listener::Listeners;
#[cfg(unix)]
use listener::SocketFiles;
use socket2::{SockRef, TcpKeepalive};
use tls::Tls;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tracing::debug;
use transport::{Channel, Outbox, SecuredSocket, SharedSocket, TooFarAhead, Wire};
use unsent::ConnectionBytes;
use url::Url;

use super::{
    middleware::{
        access_log, problem::Problem, rejections::Refusal, request_headers, security_headers, unsent_limit,
    },
    routes,
};
use crate::{
    observability::tasks,
    web::{api::openapi::row::RouteTable, routes::ROUTES, state::WebState},
};

/// An idle kept-alive connection is closed after this.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// A request's head must be here within this.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that is being closed gets so long to take its last bytes.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Any answer but a stream's (which has its own setting): a client that takes nothing for so long is let go.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Timeouts of HTTP/2.
const HTTP_2: Deadlines = Deadlines { begin: HEAD_TIMEOUT, idle: KEEP_ALIVE, stall: STALL_TIMEOUT };

/// The connections' share of the three seconds a shutdown may take; streams were ended before.
const SHUTDOWN_TIMEOUT_S: u64 = 2;

/// Unsent bytes the kernel keeps beyond what is on its way. Without this bound a viewer behind an 8 Mbit/s
/// link sees frames 0.9 s old, with it 0.19 s.
#[cfg(target_os = "linux")]
const NOT_SENT_LOW_WATER: u32 = 16 * 1024;

/// A peer that answers nothing at all is asked after so long whether it is alive (an idle viewer, a silent
/// publisher).
const KEEPALIVE_PROBE_AFTER: Duration = Duration::from_secs(30);

/// Bytes sent but not acknowledged for so long: the peer's machine is gone.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(20);

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
            tasks::spawn(tls::follow(Arc::downgrade(tls)));
        }
        let state = web::Data::from(state);
        let mut builder =
            Server::build().workers(workers).disable_signals().shutdown_timeout(SHUTDOWN_TIMEOUT_S);
        // Accepted connections count here before they have a permit, so that not even a burst takes more
        // descriptors.
        builder =
            builder.max_concurrent_connections(state.runtime.connections.most_accepted().div_ceil(workers));
        let port = listeners.tcp.first().map_or(443, |(address, _)| address.port());
        for (address, listener) in listeners.redirecting.drain(..) {
            let (name, state) = (format!("redirect-{address}"), state.clone());
            builder = builder.listen(name, listener, move || redirecting(state.clone(), port))?;
        }
        #[cfg(unix)]
        for (path, listener) in listeners.unix.drain(..) {
            let (name, state) = (format!("framecast-{}", path.display()), state.clone());
            builder = builder.listen_uds(name, listener, move || local(state.clone()))?;
        }
        for (address, listener) in listeners.tcp.drain(..) {
            let (name, state) = (format!("framecast-{address}"), state.clone());
            builder = match tls.clone() {
                None => builder.listen(name, listener, move || plain(state.clone()))?,
                Some(tls) => builder.listen(name, listener, move || secured(state.clone(), tls.clone()))?,
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

/// Returns the service of accepted TCP connections.
fn plain(
    state: web::Data<WebState>,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    let serve = fn_service(async |Accepted { io, connection }: Accepted<TcpStream>| {
        let peer = tuned(&io);
        let wire = Wire::new(SharedSocket::new(io), STALL_TIMEOUT).of(connection);
        Ok((wire, Protocol::Http1, peer))
    });
    let serve = serve.and_then(http_1(app(state.clone()))).map_err(counted(state.clone()));
    limited(state, Speech::Http, serve)
}

/// Returns the service of connections over a Unix socket, whose other end has no address. The connection's
/// task writes everything itself.
#[cfg(unix)]
fn local(
    state: web::Data<WebState>,
) -> impl ServiceFactory<UnixStream, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    let serve = fn_service(async |Accepted { io, connection }: Accepted<UnixStream>| {
        Ok((Wire::new(io, STALL_TIMEOUT).of(connection), Protocol::Http1, None))
    });
    let serve = serve.and_then(http_1(app(state.clone()))).map_err(counted(state.clone()));
    limited(state, Speech::Http, serve)
}

/// Redirects to TLS on `port`. Its answers contain neither pictures nor data.
fn redirecting(
    state: web::Data<WebState>,
    port: u16,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    // All of its connections are idle: it answers immediately.
    let socket = fn_service(async |Accepted { io, .. }: Accepted<TcpStream>| Ok::<_, DispatchError>(io));
    let redirecting = answering(move |request| {
        let mut answer = redirect(request, port);
        security_headers::no_sniffing(answer.headers_mut());
        answer
    });
    limited(state, Speech::Http, socket.and_then(redirecting))
}

/// Answers everything there and then, with no state.
fn answering(
    answer: impl Fn(&Request) -> Response<BoxBody> + Clone + 'static,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    let answer = move |request: Request| {
        let answer = answer.clone();
        if let Some(outbox) = request.conn_data::<Outbox>() {
            outbox.begin_request();
        }
        async move { Ok::<_, actix_http::Error>(answer(&request)) }
    };
    fn_service(async |socket: TcpStream| {
        let peer = tuned(&socket);
        Ok((Wire::new(SharedSocket::new(socket), STALL_TIMEOUT), Protocol::Http1, peer))
    })
    .and_then(
        HttpService::build()
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .on_connect_ext(|wire: &Wire<SharedSocket>, extensions| {
                extensions.insert(wire.outbox());
            })
            .finish(answer),
    )
}

fn redirect(request: &Request, port: u16) -> Response<BoxBody> {
    let host = request.head().headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let named = host.and_then(|host| Url::parse(&format!("http://{host}")).ok());
    let Some(mut to) = named.filter(|url| url.path() == "/" && url.query().is_none()) else {
        return Response::build(StatusCode::BAD_REQUEST)
            .body("the request names no host")
            .map_into_boxed_body();
    };
    // Neither fails for a URL with a host.
    let _ = to.set_scheme("https");
    let _ = to.set_port(Some(port));
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let location = format!("{}{path}", to.as_str().trim_end_matches('/'));
    Response::build(StatusCode::PERMANENT_REDIRECT)
        .insert_header((header::LOCATION, location))
        .body(())
        .map_into_boxed_body()
}

/// Returns the service of connections over TLS. Each connection has a task of its own: one that is slow to
/// shake hands delays no other.
fn secured(
    state: web::Data<WebState>,
    tls: Arc<Tls>,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    let accept = move |Accepted { io, connection }: Accepted<TcpStream>| {
        let tls = tls.clone();
        async move {
            let peer = tuned(&io);
            let stream = tls.accept(io, peer).await.map_err(DispatchError::Io)?;
            let protocol = tls::protocol(&stream);
            let wire = Wire::new(SecuredSocket::new(stream), STALL_TIMEOUT).of(connection);
            let wire = if protocol == Protocol::Http2 { wire.speaking_http2() } else { wire };
            Ok((wire, protocol, peer))
        }
    };
    // Either has routes of its own; they share the state.
    let counting = state.clone();
    let refused = move |refusal| counting.access.refusals.count(refusal);
    let either = either(http_1(app(state.clone())), app(state.clone()), refused);
    let serve = fn_service(accept).and_then(either).map_err(counted(state.clone()));
    limited(state, Speech::Tls, serve)
}

/// HTTP/1 or HTTP/2, as was agreed on.
fn either<S: Channel + 'static, B: MessageBody + 'static>(
    first: impl ServiceFactory<Connected<S>, Config = (), Response = (), Error = DispatchError, InitError = ()>,
    second: impl ServiceFactory<
        Request,
        Config = (),
        Response = ServiceResponse<B>,
        Error = HttpResponse,
        InitError = (),
        Service: Service<Request, Future: 'static>,
    >,
    refused: impl Fn(Refusal) + Clone + 'static,
) -> impl ServiceFactory<Connected<S>, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    fn_factory(move || {
        let refused = refused.clone();
        let (first, second) = (first.new_service(()), second.new_service(()));
        async move {
            let (first, second) = (Rc::new(first.await?), Rc::new(second.await?));
            Ok::<_, ()>(fn_service(move |(wire, protocol, peer): Connected<S>| {
                let (first, second, refused) = (first.clone(), second.clone(), refused.clone());
                async move {
                    match protocol {
                        Protocol::Http2 => {
                            let served = http2::serve(wire, second, peer, HTTP_2, &refused).await;
                            served.map_err(|error| {
                                error.refusal().into_iter().for_each(&refused);
                                DispatchError::Io(io::Error::other(error))
                            })
                        }
                        _ => first.call((wire, protocol, peer)).await,
                    }
                }
            }))
        }
    })
}

/// Counts connections that ended with something that is no request. Nobody but the connection itself sees it.
fn counted(state: web::Data<WebState>) -> impl Fn(DispatchError) -> DispatchError + Clone {
    move |error| {
        let too_far_ahead =
            |error: &io::Error| error.get_ref().is_some_and(|inner| inner.is::<TooFarAhead>());
        let is_malformed = match &error {
            DispatchError::Parse(_) => true,
            DispatchError::Io(error) => too_far_ahead(error),
            _ => false,
        };
        // Over HTTP/2 it was counted already.
        if is_malformed {
            state.access.refusals.count(Refusal::Malformed);
        }
        error
    }
}

/// A connection as actix-http takes it.
type Connected<S> = (Wire<S>, Protocol, Option<SocketAddr>);

fn http_1<S: Channel + 'static, B: MessageBody + 'static>(
    app: impl ServiceFactory<
        Request,
        Config = (),
        Response = ServiceResponse<B>,
        Error = HttpResponse,
        InitError = (),
        Future: 'static,
        Service: Service<Request, Future: 'static>,
    > + 'static,
) -> impl ServiceFactory<Connected<S>, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    HttpService::build()
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        // A viewer that closes is seen at once, not at the next frame.
        .h1_allow_half_closed(false)
        .on_connect_ext(|wire: &Wire<S>, extensions| {
            extensions.insert(wire.outbox());
            extensions.insert(Arc::<ConnectionBytes>::default());
            if let Some(connection) = wire.connection() {
                extensions.insert(connection.clone());
            }
            extensions.insert(Ending::default());
        })
        .finish(app)
}

/// The routes, as a service of actix-http.
fn app(
    state: web::Data<WebState>,
) -> impl ServiceFactory<
    Request,
    Config = (),
    Response = ServiceResponse<impl MessageBody>,
    Error = HttpResponse,
    InitError = (),
> {
    let base_path = state.runtime.base_path.clone();
    let app = App::new().app_data(state).app_data(RouteTable(ROUTES)).app_data(unreadable_path());
    let app = app.wrap(from_fn(unsent_limit::bound)).wrap(from_fn(last_request::check));
    let app = app.wrap(from_fn(security_headers::add)).wrap(from_fn(access_log::log));
    let app = app.wrap(from_fn(connections::track));
    let app = app.wrap_fn(|mut request, routes| {
        request_headers::copy_values(&mut request);
        routes.call(request)
    });
    let app = app.configure(move |cfg| {
        if !base_path.is_empty() {
            // Before the scope, which takes its own bare prefix too and has nothing there.
            cfg.service(routes::base(&base_path));
            cfg.service(web::scope(&base_path).configure(routes::register));
        }
        routes::register(cfg);
        cfg.default_service(web::to(routes::nothing_here));
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

/// Makes a socket ready; answers who is at its other end.
fn tuned(socket: &TcpStream) -> Option<SocketAddr> {
    if let Err(error) = tune(socket) {
        debug!("a socket option could not be set: {error}");
    }
    socket.peer_addr().ok()
}

/// Sets a viewer's socket options, each for its reason.
fn tune(socket: &TcpStream) -> io::Result<()> {
    // A frame's last bytes must not wait for an acknowledgement.
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE_PROBE_AFTER))?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_notsent_lowat(NOT_SENT_LOW_WATER)?;
        socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, net::TcpListener};

    use actix_web::HttpRequest;
    use bytes::Bytes;
    use futures_util::{StreamExt, stream};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        task::yield_now,
    };

    use super::*;

    async fn ask(io: &mut TcpStream, path: &str) -> String {
        io.write_all(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = vec![0; 1024];
        let length = io.read(&mut answer).await.unwrap_or_default();
        String::from_utf8(answer[..length].to_vec()).unwrap()
    }

    /// All on one thread, so that what a panic takes along would be all of it.
    #[actix::test]
    async fn a_panic_while_a_request_is_answered_ends_its_connection_and_no_other() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let service = || {
            answering(|request| {
                assert_ne!(request.path(), "/injected", "by the test");
                Response::ok().map_into_boxed_body()
            })
        };
        let server = Server::build().workers(1).disable_signals().listen("test", listener, service).unwrap();
        let server = server.run();
        let handle = server.handle();
        actix_rt::spawn(server);
        let mut before = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut before, "/").await.starts_with("HTTP/1.1 200"));
        for _ in 0..10 {
            let mut other = TcpStream::connect(address).await.unwrap();
            assert_eq!(ask(&mut other, "/injected").await, "", "it is closed without an answer");
            assert!(ask(&mut before, "/").await.starts_with("HTTP/1.1 200"), "the other goes on");
        }
        let mut behind = TcpStream::connect(address).await.unwrap();
        assert!(ask(&mut behind, "/").await.starts_with("HTTP/1.1 200"), "new ones are served");
        handle.stop(false).await;
    }

    /// A handler, a body and a WebSocket that panic, beside one that does not.
    fn panicking() -> impl ServiceFactory<
        Request,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = HttpResponse,
        InitError = (),
        Future: 'static,
        Service: Service<Request, Future: 'static>,
    > {
        async fn handler() -> HttpResponse {
            panic!("injected by the test")
        }
        async fn body() -> HttpResponse {
            let pieces = stream::iter(0..2).then(async |n| {
                // Meanwhile the first chunk is sent: h2 drops unsent data of a stream that is reset.
                for _ in 0..n * 100 {
                    yield_now().await;
                }
                assert_eq!(n, 0, "injected by the test");
                Ok::<_, Infallible>(Bytes::from_static(b"the first piece"))
            });
            HttpResponse::Ok().streaming(Box::pin(pieces))
        }
        async fn socket(request: HttpRequest, payload: web::Payload) -> HttpResponse {
            let (answer, session, messages) = actix_ws::handle(&request, payload).unwrap();
            actix_rt::spawn(async move {
                let _held = (session, messages);
                panic!("injected by the test");
            });
            answer
        }
        let app = App::new()
            .route("/", web::to(HttpResponse::Ok))
            .route("/handler", web::to(handler))
            .route("/body", web::to(body))
            .route("/socket", web::to(socket));
        map_config(app.into_factory().map_err(|error: actix_web::Error| error.error_response()), |()| {
            AppConfig::default()
        })
    }

    /// Serves those on one thread; the second address speaks HTTP/2, in the clear.
    fn serve_panicking() -> (ServerHandle, [SocketAddr; 2]) {
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let addresses = [0, 1].map(|n| listeners[n].local_addr().unwrap());
        let mut builder = Server::build().workers(1).disable_signals();
        for (listener, protocol) in listeners.into_iter().zip([Protocol::Http1, Protocol::Http2]) {
            let service = move || {
                fn_service(move |socket: TcpStream| async move {
                    Ok((Wire::new(SharedSocket::new(socket), STALL_TIMEOUT), protocol, None))
                })
                .and_then(either(http_1(panicking()), panicking(), |_| {}))
            };
            builder = builder.listen("test", listener, service).unwrap();
        }
        let server = builder.run();
        let handle = server.handle();
        actix_rt::spawn(server);
        (handle, addresses)
    }

    /// Asks for something that panics; the connection's end comes, and what came before it.
    async fn broken(address: SocketAddr, path: &str, more: &str) -> String {
        let mut io = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n{more}\r\n");
        io.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        io.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    #[actix::test]
    async fn a_panic_of_a_handler_a_body_or_a_web_socket_ends_its_connection_and_no_other() {
        let (handle, [address, _]) = serve_panicking();
        let mut before = TcpStream::connect(address).await.unwrap();
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        for _ in 0..2 {
            assert!(ask(&mut before, "/").await.starts_with("HTTP/1.1 200"));
            assert_eq!(broken(address, "/handler", "").await, "");
            let cut_off = broken(address, "/body", "").await;
            assert!(!cut_off.ends_with("0\r\n\r\n"), "what is cut off does not look whole: {cut_off}");
            assert!(broken(address, "/socket", upgrade).await.starts_with("HTTP/1.1 101"));
            assert!(ask(&mut before, "/").await.starts_with("HTTP/1.1 200"), "the other goes on");
        }
        handle.stop(false).await;
    }

    #[actix::test]
    async fn a_panic_over_http_2_ends_its_request_and_not_even_its_connection() {
        let (handle, [_, address]) = serve_panicking();
        let io = TcpStream::connect(address).await.unwrap();
        let (client, connection) = h2::client::handshake(io).await.unwrap();
        actix_rt::spawn(connection);
        let ask = async |path: &str| {
            let request = http::Request::get(format!("http://test{path}")).body(()).unwrap();
            let mut client = client.clone().ready().await.unwrap();
            client.send_request(request, true).unwrap().0.await
        };
        for _ in 0..5 {
            assert_eq!(ask("/").await.unwrap().status(), 200);
            assert!(ask("/handler").await.unwrap_err().is_reset());
            let mut body = ask("/body").await.unwrap().into_body();
            let first = body.data().await.unwrap().unwrap();
            assert_eq!(first, "the first piece");
            let last = body.data().await.expect("its end is told").unwrap_err();
            assert!(last.is_reset(), "what is cut off does not look whole: {last}");
        }
        assert_eq!(ask("/").await.unwrap().status(), 200);
        handle.stop(false).await;
    }
}
