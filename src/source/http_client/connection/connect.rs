//! Opens a connection to a camera: name resolution, TCP and TLS, within one deadline.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use actix_rt::net::TcpStream;
use actix_service::Service;
use actix_tls::connect::{Connection, Host, rustls_0_23::TlsConnector};
use rustls::PeerIncompatible;
use tokio::time::{Instant, timeout_at};

use super::{camera_connection::CameraConnection, origin::Origin, tls};
use crate::source::error::{Deadline, SourceError};

/// Connects to `origin`, in at most `within`.
pub(in crate::source) async fn connect(
    origin: &Origin,
    insecure: bool,
    within: Duration,
) -> Result<CameraConnection, SourceError> {
    let host = origin.authority();
    let deadline = Instant::now() + within;
    let late = |_| SourceError::late(&host, Deadline::Connect, within);
    let addresses = timeout_at(deadline, resolve(origin)).await.map_err(late)??;
    let tcp = connect_tcp(&host, &addresses, deadline).await?;
    let tcp = tcp.ok_or_else(|| SourceError::late(&host, Deadline::Connect, within))?;
    if !origin.https {
        return Ok(CameraConnection::plain(origin.clone(), tcp));
    }
    let failed = |reason: String| SourceError::Tls { host: host.clone(), reason };
    let handshake_failed = |error: &io::Error| match old_tls_reason(error) {
        Some(reason) => SourceError::OldTls { host: host.clone(), reason },
        None => failed(tls_reason(error)),
    };
    let config = tls::client_config(insecure).map_err(failed)?;
    let name = ServerHost(origin.host.clone());
    let handshake = TlsConnector::service(Arc::clone(&config)).call(Connection::new(name, tcp));
    let secured = timeout_at(deadline, handshake).await.map_err(late)?;
    let secured = secured.map_err(|error| handshake_failed(&error))?;
    Ok(CameraConnection::tls(origin.clone(), secured.into_parts().0))
}

async fn resolve(origin: &Origin) -> Result<Vec<SocketAddr>, SourceError> {
    let failed = |reason: String| SourceError::Resolve { host: origin.host.clone(), reason };
    let found = tokio::net::lookup_host((origin.host.as_str(), origin.port)).await;
    let addresses: Vec<_> = found.map_err(|error| failed(error.to_string()))?.collect();
    if addresses.is_empty() { Err(failed("it has none".into())) } else { Ok(addresses) }
}

/// Tries one address after the other, never two at once: a camera may serve only one connection. `None` when
/// the deadline passed.
async fn connect_tcp(
    host: &str,
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Result<Option<TcpStream>, SourceError> {
    let mut last_error = None;
    for (tried, address) in addresses.iter().enumerate() {
        // Each address gets its share of the time, so that one that swallows packets leaves time for the
        // others.
        let left = deadline.saturating_duration_since(Instant::now());
        let share = Instant::now() + left / (addresses.len() - tried) as u32;
        match timeout_at(share, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                // A request is one write; there is nothing to coalesce.
                tcp.set_nodelay(true).map_err(|error| refused(host, &error))?;
                return Ok(Some(tcp));
            }
            Ok(Err(error)) => last_error = Some(error),
            Err(_) => {}
        }
    }
    match last_error {
        Some(error) => Err(refused(host, &error)),
        None => Ok(None),
    }
}

fn refused(host: &str, error: &io::Error) -> SourceError {
    let reason = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "connection refused: is the camera on, and is this its port?".into()
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            format!("{error}: is the camera on, and in this network?")
        }
        _ => error.to_string(),
    };
    SourceError::Connect { host: host.to_owned(), reason }
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// Returns what shows that the camera has no TLS that rustls speaks: 1.2 or newer, with ECDHE and AEAD.
/// Cameras of before 2014 have TLS 1.0, or RSA key exchange with CBC only.
fn old_tls_reason(error: &io::Error) -> Option<String> {
    use rustls::AlertDescription::{HandshakeFailure, InsufficientSecurity, ProtocolVersion};
    match rustls_error(error)? {
        rustls::Error::AlertReceived(ProtocolVersion) => Some("it refuses TLS 1.2 and newer".into()),
        rustls::Error::AlertReceived(HandshakeFailure | InsufficientSecurity) => {
            Some("it accepts none of those ciphers".into())
        }
        rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            Some("it answers with an older version".into())
        }
        rustls::Error::PeerIncompatible(why) => Some(format!("{why:?}")),
        _ => None,
    }
}

fn tls_reason(error: &io::Error) -> String {
    match rustls_error(error) {
        Some(rustls::Error::InvalidCertificate(why)) => format!(
            "its certificate is not accepted ({}); for a self-signed one set `insecure: true`",
            format!("{why:?}").split(['(', ' ', '{']).next().unwrap_or_default()
        ),
        Some(rustls::Error::InvalidMessage(_)) => {
            "it does not speak TLS: should the URL begin with http:?".into()
        }
        _ if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
            "it closed the connection inside the handshake: should the URL begin with http:, or is its TLS \
             older than 1.2?"
                .into()
        }
        _ => error.to_string(),
    }
}

/// The host name to expect in the certificate. actix-tls's own `Host for String` takes `::1` for a host and a
/// port.
struct ServerHost(String);

impl Host for ServerHost {
    fn hostname(&self) -> &str {
        &self.0
    }
}
