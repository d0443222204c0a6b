//! Acquires a permit for each connection before it is served, and answers connections that get none.

use std::{
    io::{self, Read},
    net::{IpAddr, Shutdown},
    rc::Rc,
};

use actix_http::error::DispatchError;
use actix_service::{Service, ServiceFactory, fn_factory, fn_service};
use actix_web::web;
use socket2::SockRef;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::{Connection, ConnectionRejection};
use crate::web::state::WebState;

/// Bytes of a request that are read before it is refused: closing a socket with unread bytes resets the
/// connection, which may discard the answer. Requests of browsers are shorter.
const READ_BEFORE_ANSWER: usize = 4096;

/// A connection with its permit.
pub(in crate::web) struct Accepted<Io> {
    pub(in crate::web) io: Io,
    pub(in crate::web) connection: Connection,
}

/// A socket of either kind.
pub(in crate::web) trait AcceptedSocket {
    /// Returns the peer's address; `None` over a Unix socket.
    fn peer(&self) -> Option<IpAddr>;

    /// Returns the system's socket.
    fn socket(&self) -> SockRef<'_>;
}

impl AcceptedSocket for TcpStream {
    fn peer(&self) -> Option<IpAddr> {
        self.peer_addr().ok().map(|peer| peer.ip().to_canonical())
    }

    fn socket(&self) -> SockRef<'_> {
        SockRef::from(self)
    }
}

#[cfg(unix)]
impl AcceptedSocket for UnixStream {
    fn peer(&self) -> Option<IpAddr> {
        None
    }

    fn socket(&self) -> SockRef<'_> {
        SockRef::from(self)
    }
}

/// The answer to a connection that is not served, which depends on whether it is in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum AnswerProtocol {
    /// Plain HTTP: a whole answer.
    Http,
    /// TLS: nothing, since the handshake would cost more than the refused request.
    Tls,
}

/// Serves connections that get a permit with `serve`, each for as long as it may keep the permit.
pub(in crate::web) fn limited<Io, F>(
    state: web::Data<WebState>,
    protocol: AnswerProtocol,
    serve: F,
) -> impl ServiceFactory<Io, Config = (), Response = (), Error = DispatchError, InitError = ()>
where
    Io: AcceptedSocket + 'static,
    F: ServiceFactory<Accepted<Io>, Config = (), Response = (), Error = DispatchError, InitError = ()>,
{
    fn_factory(move || {
        let (state, service) = (state.clone(), serve.new_service(()));
        async move {
            let service = Rc::new(service.await?);
            Ok::<_, ()>(fn_service(move |io: Io| {
                let (state, service) = (state.clone(), service.clone());
                async move {
                    let peer = io.peer();
                    let is_proxy = state.runtime.settings.current().proxies.trust(peer);
                    let admitted = state.runtime.connections.admit(peer, is_proxy).await;
                    match admitted {
                        Ok(admitted) => {
                            let serve =
                                async move |connection| service.call(Accepted { io, connection }).await;
                            // A connection that is closed to make room has ended regularly.
                            admitted.serve(serve).await.unwrap_or(Ok(()))
                        }
                        Err(why) => {
                            if protocol == AnswerProtocol::Http {
                                // A client that reads nothing gets no answer.
                                let _ = answer(&io.socket(), why);
                            }
                            Ok(())
                        }
                    }
                }
            }))
        }
    })
}

/// Sends the answer as far as the socket takes it without blocking.
fn answer(socket: &SockRef<'_>, why: ConnectionRejection) -> io::Result<()> {
    let (status, detail) = match why {
        ConnectionRejection::Full => {
            ("503 Service Unavailable", "all connections are in use; try again later")
        }
        ConnectionRejection::Address => (
            "429 Too Many Requests",
            "your address has as many connections as limits.max_connections_per_address allows",
        ),
    };
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\nRetry-After: 5\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{detail}\n",
        detail.len() + 1
    );
    socket.send(text.as_bytes())?;
    socket.shutdown(Shutdown::Write)?;
    let mut request = [0; READ_BEFORE_ANSWER];
    (&**socket).read(&mut request).map(drop)
}
