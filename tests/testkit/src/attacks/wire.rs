//! Connections as no client library would make them.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, sink},
    net::{TcpSocket, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

use super::frames::preface;

/// Receive buffer of a connection that is not read; the handshake must fit in.
const UNREAD_BYTES: u32 = 4096;

static HANDSHAKES: AtomicU64 = AtomicU64::new(0);

/// Bytes in both directions.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// The relay that is attacked.
#[derive(Clone)]
pub struct Target {
    address: SocketAddr,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

impl Target {
    /// A relay that listens at this address of the loopback network with this certificate.
    pub fn new(address: SocketAddr, certificate: &Path) -> io::Result<Self> {
        if !address.ip().is_loopback() {
            return Err(io::Error::other(format!(
                "{address} is not of this machine: only 127.0.0.0/8 is attacked"
            )));
        }
        let certificate = CertificateDer::from_pem_file(certificate).map_err(io::Error::other)?;
        let config = |protocol: &[u8]| -> io::Result<_> {
            let mut roots = RootCertStore::empty();
            roots.add(certificate.clone()).map_err(io::Error::other)?;
            let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(io::Error::other)?
                .with_root_certificates(roots)
                .with_no_client_auth();
            config.alpn_protocols = vec![protocol.to_vec()];
            Ok(Arc::new(config))
        };
        Ok(Self { address, http1: config(b"http/1.1")?, http2: config(b"h2")? })
    }

    /// The address it listens at.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A TCP connection from an address of the loopback network.
    pub async fn tcp(&self, from: Ipv4Addr) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((IpAddr::V4(from), 0).into())?;
        socket.connect(self.address).await
    }

    /// A TLS connection for HTTP/1.1.
    pub async fn http1(&self, from: Ipv4Addr) -> io::Result<Box<dyn Io>> {
        tls(self.tcp(from).await?, &self.http1).await
    }

    /// A TLS connection that is never read: this kernel takes only a few kB for it, so that the relay has to
    /// keep the rest.
    pub async fn http1_unread(&self, from: Ipv4Addr) -> io::Result<Box<dyn Io>> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(UNREAD_BYTES)?;
        socket.bind((IpAddr::V4(from), 0).into())?;
        tls(socket.connect(self.address).await?, &self.http1).await
    }

    /// An HTTP/2 connection whose streams may be sent `window` bytes each; the answers are read and
    /// forgotten, or stay unread.
    pub async fn http2(&self, from: Ipv4Addr, window: u32, is_read: bool) -> io::Result<Http2> {
        let (from, to) = tokio::io::split(tls(self.tcp(from).await?, &self.http2).await?);
        let mut connection = Http2 { to, unread: None, reading: None };
        if is_read {
            connection.reading = Some(tokio::spawn(discard(from)));
        } else {
            connection.unread = Some(from);
        }
        connection.send(&preface(window)).await?;
        Ok(connection)
    }
}

async fn tls(socket: TcpStream, config: &Arc<ClientConfig>) -> io::Result<Box<dyn Io>> {
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let io = TlsConnector::from(config.clone()).connect(name, socket).await?;
    HANDSHAKES.fetch_add(1, Relaxed);
    Ok(Box::new(io))
}

/// Handshakes of this process that the relay completed.
pub fn handshakes() -> u64 {
    HANDSHAKES.load(Relaxed)
}

/// An HTTP/2 connection that may send anything.
pub struct Http2 {
    to: WriteHalf<Box<dyn Io>>,
    unread: Option<ReadHalf<Box<dyn Io>>>,
    reading: Option<JoinHandle<()>>,
}

impl Http2 {
    /// Sends bytes; an error is the end of the connection.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.reading.as_ref().is_some_and(JoinHandle::is_finished) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        self.to.write_all(bytes).await?;
        self.to.flush().await
    }

    /// Keeps the connection until the relay ends it. One that is not read never notices.
    pub async fn hold(mut self) {
        // Still the connection's: it ends with it.
        match &mut self.reading {
            Some(reading) => drop(reading.await),
            None => std::future::pending().await,
        }
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        if let Some(reading) = &self.reading {
            reading.abort();
        }
    }
}

/// Reads to the end, which may be an error.
pub async fn discard(mut from: impl AsyncRead + Unpin) {
    let _ended = tokio::io::copy(&mut from, &mut sink()).await;
}

/// Sends a request of HTTP/1.1 and reads until the connection ends or the answer is there.
///
/// Answers its status.
pub async fn exchange(io: &mut Box<dyn Io>, request: &[u8]) -> io::Result<u16> {
    io.write_all(request).await?;
    io.flush().await?;
    let mut answer = Vec::new();
    loop {
        if io.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&answer[..end]);
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
            return status.ok_or_else(|| io::ErrorKind::InvalidData.into());
        }
    }
}
