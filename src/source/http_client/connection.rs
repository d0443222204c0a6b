//! One connection and the awc client that speaks over it.
//!
//! Each connection has a client of its own, whose connector hands out this one socket and never opens
//! another: so a camera sees exactly one at any time, connecting and the answer have separate deadlines, and
//! closing is dropping.

use std::{cell::RefCell, io, rc::Rc, time::Duration};

use actix_service::fn_service;
use actix_tls::connect::{ConnectError as TcpConnectError, ConnectInfo, Connection};
use awc::{
    Client, ClientResponse, Connector,
    error::{ConnectError, SendRequestError},
    http::{Uri, header},
};
use url::Url;

use super::{
    auth::Authorization,
    connect::Origin,
    head_repair::HeadError,
    repaired_stream::{Tap, Transport, Wire},
};
use crate::{
    config::Login,
    source::{Deadline, SourceError},
};

/// A connection may rest between two requests as long as the camera lets it, which is seen when it closes;
/// awc's own 15 s would close it below a `snapshot` source with a longer interval.
const KEEP_OPEN: Duration = Duration::from_hours(24);

/// Name of framecast in the `User-Agent` header.
const USER_AGENT: &str = concat!("framecast/", env!("CARGO_PKG_VERSION"));

/// An open connection.
pub(super) struct Line {
    origin: Origin,
    client: Client,
    tap: Tap,
}

/// A request that is about to be sent.
pub(super) struct Request<'a> {
    pub(super) url: &'a Url,
    pub(super) headers: Vec<(&'a str, &'a str)>,
    pub(super) login: Option<&'a Login>,
    pub(super) authorization: Authorization,
}

/// Why there is no answer.
pub(super) enum SendFailure {
    /// The connection had ended before a byte of the answer came: worth another one, if it was an old
    /// connection.
    Gone,
    /// Anything else.
    Failed(SourceError),
}

impl Line {
    /// Puts HTTP on `transport`.
    pub(super) fn new(origin: Origin, transport: Transport, max_header_bytes: usize) -> Self {
        let (wire, tap) = Wire::new(transport, max_header_bytes);
        let socket = Rc::new(RefCell::new(Some(wire)));
        let hand_out = fn_service(move |info: ConnectInfo<Uri>| {
            let wire = socket.borrow_mut().take();
            let gone = || TcpConnectError::Io(io::ErrorKind::NotConnected.into());
            std::future::ready(
                wire.map(|wire| Connection::new(info.request().clone(), wire)).ok_or_else(gone),
            )
        });
        let connector =
            Connector::new().connector(hand_out).conn_keep_alive(KEEP_OPEN).conn_lifetime(KEEP_OPEN).limit(1);
        let client = Client::builder()
            .connector(connector)
            .disable_redirects()
            .disable_timeout()
            .no_default_headers()
            .finish();
        Self { origin, client, tap }
    }

    /// Whether the socket is open (as far as is known without reading from it) and leads to `origin`.
    pub(super) fn leads_to(&self, origin: &Origin) -> bool {
        self.tap.is_open() && self.origin == *origin
    }

    /// The way to the socket itself.
    pub(super) fn tap(&self) -> Tap {
        self.tap.clone()
    }

    /// Sends `request` and waits for the head of its answer.
    pub(super) async fn send(
        &self,
        request: Request<'_>,
        within: Duration,
    ) -> Result<ClientResponse, SendFailure> {
        let host = self.origin.authority();
        // Always http for awc: TLS is below the wire. Path and query are all that it sends of this.
        let target = format!("http://{host}{}", path_and_query(request.url));
        // Some cameras know header names in one letter case only.
        let mut message = self.client.get(target).camel_case().no_decompress();
        let host_header = host_header(request.url);
        let ours = [("host", host_header.as_str()), ("accept", "*/*"), ("user-agent", USER_AGENT)];
        for (name, value) in ours.into_iter().chain(request.headers) {
            message = message.insert_header((name, value));
        }
        message = match (request.authorization, request.login) {
            (Authorization::Basic, Some(login)) => message.basic_auth(&login.user, login.password.reveal()),
            (Authorization::Digest(answer), _) => message.insert_header((header::AUTHORIZATION, answer)),
            _ => message,
        };
        match tokio::time::timeout(within, message.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(failure(&host, error)),
            Err(_) => Err(SendFailure::Failed(SourceError::late(&host, Deadline::Head, within))),
        }
    }
}

fn path_and_query(url: &Url) -> &str {
    &url[url::Position::BeforePath..url::Position::AfterQuery]
}

/// Returns the URI over which a digest is computed.
pub(super) fn digest_uri(url: &Url) -> &str {
    path_and_query(url)
}

fn host_header(url: &Url) -> String {
    url[url::Position::BeforeHost..url::Position::AfterPort].to_owned()
}

fn failure(host: &str, error: SendRequestError) -> SendFailure {
    use actix_http::error::ParseError;
    let host = host.to_owned();
    match error {
        SendRequestError::Connect(ConnectError::Io(_) | ConnectError::Disconnected) => SendFailure::Gone,
        SendRequestError::Send(error) | SendRequestError::Response(ParseError::Io(error)) => {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<HeadError>()) {
                Some(HeadError::NoAnswer) => SendFailure::Gone,
                Some(head) => SendFailure::Failed(SourceError::Head { host, source: head.clone() }),
                None if connection_ended(&error) => SendFailure::Gone,
                None => SendFailure::Failed(SourceError::Broken { host, reason: error.to_string() }),
            }
        }
        other => SendFailure::Failed(SourceError::Broken { host, reason: other.to_string() }),
    }
}

fn connection_ended(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
}
