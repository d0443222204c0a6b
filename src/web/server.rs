//! Listening, and the assembly of the server around [`Wire`].
//!
//! In place of actix-web's `HttpServer`, which fixes the I/O type, the same parts are put together here by hand.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_http::{HttpService, Protocol, error::DispatchError};
use actix_server::{Server, ServerHandle};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::{App, dev::AppConfig, http::StatusCode, web};
use socket2::{Domain, Protocol as IpProtocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpStream;
use tracing::debug;

use super::{
    Problem, Tls, WebState, nothing_here, routes,
    transport::{Channel, SecuredSocket, SharedSocket, Wire},
};

/// Connections that wait to be accepted: a wall of browsers that reconnects at once after a restart.
const BACKLOG: i32 = 1024;

/// An idle kept-alive connection is closed after this.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// A request's head must be here within this.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that is being closed gets so long to take its last bytes.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Any answer but a stream's (which has its own setting): a client that takes nothing for so long is let go.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The connections' share of the three seconds a shutdown may take; streams were ended before.
const SHUTDOWN_TIMEOUT_S: u64 = 2;

/// Unsent bytes the kernel keeps beyond what is on its way. Without this bound a viewer behind an 8 Mbit/s link sees
/// frames 0.9 s old, with it 0.19 s.
#[cfg(target_os = "linux")]
const NOT_SENT_LOW_WATER: u32 = 16 * 1024;

/// A peer that answers nothing at all is asked after so long whether it is alive (an idle viewer, a silent publisher).
const KEEPALIVE_PROBE_AFTER: Duration = Duration::from_secs(30);

/// Bytes sent but not acknowledged for so long: the peer's machine is gone.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {hint}")]
pub struct ListenError {
    address: SocketAddr,
    /// The system's reason in words, with what to do about it.
    hint: String,
}

impl ListenError {
    fn new(address: SocketAddr, cause: &io::Error) -> Self {
        let hint = match cause.kind() {
            io::ErrorKind::AddrInUse => {
                "the address is in use; stop the other program or choose another port".to_owned()
            }
            io::ErrorKind::PermissionDenied => {
                "not allowed; ports below 1024 are for root, choose a higher one".to_owned()
            }
            io::ErrorKind::AddrNotAvailable => {
                "this machine has no such address; 0.0.0.0 means all".to_owned()
            }
            _ => cause.to_string(),
        };
        Self { address, hint }
    }
}

/// Sockets that listen already.
#[derive(Debug)]
pub struct Listeners(Vec<(SocketAddr, TcpListener)>);

impl Listeners {
    /// Listens on all `addresses`.
    ///
    /// # Errors
    /// [`ListenError`] naming the first that cannot be had.
    pub fn bind(addresses: &[SocketAddr]) -> Result<Self, ListenError> {
        let listen = |&address: &SocketAddr| {
            let beside = addresses.iter().any(|other| other.is_ipv4() && other.port() == address.port());
            let listener = bind(address, beside).map_err(|cause| ListenError::new(address, &cause))?;
            let bound = listener.local_addr().map_err(|cause| ListenError::new(address, &cause))?;
            Ok((bound, listener))
        };
        addresses.iter().map(listen).collect::<Result<_, _>>().map(Self)
    }

    /// The addresses in use; a port 0 has become a real one.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().map(|(address, _)| *address).collect()
    }
}

fn bind(address: SocketAddr, ipv4_beside: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(IpProtocol::TCP))?;
    if address.is_ipv6() {
        // [::] is every network, unless 0.0.0.0 stands in the list as well.
        socket.set_only_v6(ipv4_beside)?;
    }
    // A restart need not wait for the old connections' TIME_WAIT. Port 0 has none, and two programs that bind at the
    // same moment could be given the same one.
    #[cfg(unix)]
    socket.set_reuse_address(address.port() != 0)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The running HTTP server.
#[derive(Debug)]
pub struct WebServer {
    handle: ServerHandle,
}

impl WebServer {
    /// Serves `state` on `listeners` with `workers` threads, over TLS if there is one. The returned future ends when the
    /// server has stopped.
    ///
    /// # Errors
    /// The system's, when a listener cannot be used.
    pub fn start(
        state: Arc<WebState>,
        listeners: Listeners,
        workers: usize,
        tls: Option<Tls>,
    ) -> io::Result<(Self, Server)> {
        let tls = tls.map(Arc::new);
        let state = web::Data::from(state);
        let mut builder =
            Server::build().workers(workers).disable_signals().shutdown_timeout(SHUTDOWN_TIMEOUT_S);
        for (address, listener) in listeners.0 {
            let (name, state) = (format!("framecast-{address}"), state.clone());
            builder = match tls.clone() {
                None => builder.listen(name, listener, move || plain(state.clone()))?,
                Some(tls) => builder.listen(name, listener, move || secured(state.clone(), tls.clone()))?,
            };
        }
        let server = builder.run();
        Ok((Self { handle: server.handle() }, server))
    }

    /// Stops accepting, and waits until the connections are done or their time is up.
    pub async fn stop(&self) {
        self.handle.stop(true).await;
    }
}

/// What serves one accepted connection.
fn plain(
    state: web::Data<WebState>,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    fn_service(async |socket: TcpStream| {
        let peer = tuned(&socket);
        Ok((Wire::new(SharedSocket::new(socket), STALL_TIMEOUT), Protocol::Http1, peer))
    })
    .and_then(http(state))
}

/// The same over TLS. Each connection has a task of its own: one that is slow to shake hands delays no other.
fn secured(
    state: web::Data<WebState>,
    tls: Arc<Tls>,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    let accept = move |socket: TcpStream| {
        let tls = tls.clone();
        async move {
            let peer = tuned(&socket);
            let stream = tls.accept(socket, peer).await.map_err(DispatchError::Io)?;
            Ok((Wire::new(SecuredSocket::new(stream), STALL_TIMEOUT), Protocol::Http1, peer))
        }
    };
    fn_service(accept).and_then(http(state))
}

/// A connection as actix-http takes it.
type Connected<S> = (Wire<S>, Protocol, Option<SocketAddr>);

fn http<S: Channel + 'static>(
    state: web::Data<WebState>,
) -> impl ServiceFactory<Connected<S>, Config = (), Response = (), Error = DispatchError, InitError = ()> {
    let base_path = state.base_path.clone();
    let app = App::new().app_data(state).app_data(unreadable_path()).configure(move |cfg| {
        if !base_path.is_empty() {
            // Before the scope, which takes its own bare prefix too and has nothing there.
            cfg.service(routes::base(&base_path));
            cfg.service(web::scope(&base_path).configure(routes::register));
        }
        routes::register(cfg);
        cfg.default_service(web::to(nothing_here));
    });
    let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
    HttpService::build()
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        // A viewer that closes is seen at once, not at the next frame.
        .h1_allow_half_closed(false)
        .on_connect_ext(|wire: &Wire<S>, extensions| {
            extensions.insert(wire.outbox());
        })
        .finish(map_config(app, |()| AppConfig::default()))
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
