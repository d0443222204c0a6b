//! TLS towards viewers: certificate and key from their files, and the handshake.

mod reload;

use std::{
    fs::File,
    io::{self, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix_http::Protocol;
use arc_swap::ArcSwap;
pub(in crate::web) use reload::watch_files;
use rustls::{
    Error, InconsistentKeys, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tracing::debug;

use crate::config::TlsConfig;

/// A handshake takes two round trips; who needs longer holds a socket for nothing. As long as a request's
/// head may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum size of a certificate or key file: hundreds of certificates fit, and a device file by mistake
/// does not.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The ALPN name.
const HTTP_2: &[u8] = b"h2";

/// Returns the negotiated version of HTTP.
pub(in crate::web) fn protocol(stream: &TlsStream<TcpStream>) -> Protocol {
    match stream.get_ref().1.alpn_protocol() {
        Some(HTTP_2) => Protocol::Http2,
        _ => Protocol::Http1,
    }
}

/// An error in the files of `server.tls`.
#[derive(Debug, thiserror::Error)]
#[error("server.tls.{key}: {}: {reason}", path.display())]
pub struct TlsError {
    key: &'static str,
    path: PathBuf,
    /// The description, with what would be right.
    reason: String,
}

/// Certificate and key, ready for handshakes.
#[derive(Debug)]
pub struct Tls {
    files: ArcSwap<TlsConfig>,
    /// The configuration of the next handshake.
    config: ArcSwap<ServerConfig>,
    failed_handshakes: AtomicU64,
}

impl Tls {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// [`TlsError`] naming the setting, its file and what would be right.
    pub fn load(files: &TlsConfig) -> Result<Self, TlsError> {
        let config = ArcSwap::from_pointee(Self::read(files)?);
        Ok(Self { files: ArcSwap::from_pointee(files.clone()), config, failed_handshakes: AtomicU64::new(0) })
    }

    /// Reads the files again; what they hold is for connections to come.
    ///
    /// # Errors
    /// [`TlsError`]; what was read before stays in use.
    fn reload(&self) -> Result<(), TlsError> {
        self.set_files(&self.files())
    }

    /// Changes the files, or whether HTTP/2 is offered, from the next connection on.
    ///
    /// # Errors
    /// [`TlsError`]; what was read before stays in use.
    pub fn set_files(&self, files: &TlsConfig) -> Result<(), TlsError> {
        let config = Arc::new(Self::read(files)?);
        self.files.store(Arc::new(files.clone()));
        self.config.store(config);
        Ok(())
    }

    fn files(&self) -> Arc<TlsConfig> {
        self.files.load_full()
    }

    fn read(files: &TlsConfig) -> Result<ServerConfig, TlsError> {
        let wrong = |key, path: &Path| {
            let path = path.to_owned();
            move |reason| TlsError { key, path, reason }
        };
        let of_cert = wrong("cert_file", &files.cert_file);
        let of_key = wrong("key_file", &files.key_file);
        let chain = read(&files.cert_file).and_then(|pem| certificates(&pem)).map_err(of_cert.clone())?;
        let key = read(&files.key_file).and_then(|pem| private_key(&pem)).map_err(of_key.clone())?;
        // Given explicitly: with two providers in the build rustls would panic at the first use of its
        // default.
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| of_key.clone()(error.to_string()))?;
        let config = builder.with_no_client_auth().with_single_cert(chain, key);
        let mut config = config.map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => of_key(format!(
                "is not the key of the first certificate in {}: the server's own must stand first there",
                files.cert_file.display()
            )),
            Error::InvalidCertificate(error) => {
                of_cert(format!("its first certificate cannot be read ({error:?}): create a new one"))
            }
            _ => of_key(
                "is of a kind that is not supported: use ECDSA (P-256 or P-384), Ed25519, or RSA \
                         of 2048 bits and more"
                    .to_owned(),
            ),
        })?;
        let http2 = files.http2.then(|| HTTP_2.to_vec());
        config.alpn_protocols = http2.into_iter().chain([b"http/1.1".to_vec()]).collect();
        Ok(config)
    }

    /// Performs the handshake with a client.
    ///
    /// # Errors
    /// The reason for which there is no TLS with it, counted and logged.
    pub(in crate::web) async fn accept(
        &self,
        socket: TcpStream,
        peer: Option<SocketAddr>,
    ) -> io::Result<TlsStream<TcpStream>> {
        let config = self.config.load_full();
        let accepting = TlsAcceptor::from(config).accept(socket);
        let accepted = timeout(HANDSHAKE_TIMEOUT, accepting).await.unwrap_or_else(|_| {
            let text = format!("the handshake took more than {} s", HANDSHAKE_TIMEOUT.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, text))
        });
        match accepted {
            Ok(stream) => Ok(stream),
            Err(error) => {
                let count = self.failed_handshakes.fetch_add(1, Ordering::Relaxed) + 1;
                debug!(?peer, failed_handshakes = count, "no TLS with a client: {error}");
                Err(error)
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err("is larger than 1 MiB, which no certificate is".to_owned());
    }
    Ok(bytes)
}

fn has_section(pem: &[u8], of: &str) -> bool {
    let begin = format!("{of}-----");
    pem.split(|&byte| byte == b'\n').any(|line| {
        let line = line.trim_ascii_end();
        line.starts_with(b"-----BEGIN ") && line.ends_with(begin.as_bytes())
    })
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    const WANT: &str = "it must be PEM, with a line -----BEGIN CERTIFICATE-----";
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) if has_section(pem, "PRIVATE KEY") => {
            Err(format!("holds a private key and no certificate: {WANT}"))
        }
        Ok(_) => Err(format!("holds no certificate: {WANT}")),
        // The error may quote the file, and with it a key.
        Err(_) => Err(format!("is damaged: {WANT}")),
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    const WANT: &str = "it must be PEM, with a line -----BEGIN PRIVATE KEY-----";
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound if has_section(pem, "ENCRYPTED PRIVATE KEY") => {
            "is encrypted: decrypt it with `openssl pkey -in FILE -out NEW_FILE`".to_owned()
        }
        rustls::pki_types::pem::Error::NoItemsFound if has_section(pem, "CERTIFICATE") => {
            format!("holds a certificate and no private key: {WANT}")
        }
        rustls::pki_types::pem::Error::NoItemsFound => format!("holds no private key: {WANT}"),
        _ => format!("is damaged: {WANT}"),
    })
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt, net::TcpListener};

    use super::*;

    fn any() -> Tls {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsConfig {
            cert_file: folder.path().join("cert.pem"),
            key_file: folder.path().join("key.pem"),
            http2: true,
            redirect_from: Vec::new(),
        };
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&files.cert_file, made.cert.pem()).unwrap();
        std::fs::write(&files.key_file, made.signing_key.serialize_pem()).unwrap();
        Tls::load(&files).unwrap()
    }

    /// Returns both ends of a connection; the first one is the client's.
    async fn tcp() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_let_go_and_counted() {
        let (mut client, socket) = tcp().await;
        let tls = any();
        let error = tls.accept(socket, None).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "closed");
        assert_eq!(tls.failed_handshakes.load(Ordering::Relaxed), 1);
    }
}
