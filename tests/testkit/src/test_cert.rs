//! A certificate with its key, and a client that believes it.

use std::{fs, io, sync::Arc};

use rcgen::generate_simple_self_signed;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

pub struct TestCert {
    folder: TempDir,
    certificate: CertificateDer<'static>,
}

impl TestCert {
    pub fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        Self { folder, certificate: made.cert.der().clone() }
    }

    /// Of `cert.pem` or `key.pem`.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// The settings of `server.tls`.
    pub fn tls(&self) -> String {
        format!("cert_file: '{}', key_file: '{}'", self.path("cert.pem"), self.path("key.pem"))
    }

    /// The handshake of a client that believes it and nobody else, and agrees on one of `protocols`, or on
    /// none.
    pub async fn handshake(&self, socket: TcpStream, protocols: &[&str]) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, socket).await
    }
}
