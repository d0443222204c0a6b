//! TLS in the test bed: the baseline server's side, which is rustls and nothing else, and viewers that read
//! records without decrypting them.

use std::{
    fs,
    io::{self, ErrorKind, IoSlice, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use rcgen::generate_simple_self_signed;
use rustix::{
    io::Errno,
    net::{RecvFlags, recv},
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

/// The name in the certificate.
const NAME: &str = "bench";

/// The first bytes of a record contain its type and length.
const RECORD_HEAD: usize = 5;

/// A record that carries an answer's bytes.
const APPLICATION_DATA: u8 = 23;

/// Bytes that TLS 1.3 adds to a record: its type, and the tag.
const RECORD_TAIL: usize = 1 + 16;

/// A certificate and its key, as files; both sides of the comparison use them.
#[derive(Debug, Clone)]
pub(crate) struct CertFiles {
    /// Certificate in PEM.
    pub cert: PathBuf,
    /// Key in PEM.
    pub key: PathBuf,
}

impl CertFiles {
    /// Makes them: ECDSA P-256, as certificate authorities give them today.
    pub(crate) fn make(folder: &Path) -> anyhow::Result<Self> {
        let files = Self { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
        let made = generate_simple_self_signed([NAME.to_owned()])?;
        fs::write(&files.cert, made.cert.pem())?;
        fs::write(&files.key, made.signing_key.serialize_pem())?;
        Ok(files)
    }

    /// For a server that has nothing but rustls.
    pub(crate) fn server(&self) -> anyhow::Result<Arc<ServerConfig>> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth();
        let chain = vec![CertificateDer::from_pem_file(&self.cert)?];
        Ok(Arc::new(config.with_single_cert(chain, PrivateKeyDer::from_pem_file(&self.key)?)?))
    }
}

/// Bytes that the baseline server's rustls may encrypt ahead of the socket: a whole picture, the cheapest.
const AHEAD: usize = 128 * 1024;

/// A connection of the baseline server: rustls and nothing else.
#[derive(Debug)]
pub(crate) struct TlsConnection(Box<ServerConnection>);

impl TlsConnection {
    pub(crate) fn new(config: Arc<ServerConfig>) -> anyhow::Result<Self> {
        let mut session = ServerConnection::new(config)?;
        session.set_buffer_limit(Some(AHEAD));
        Ok(Self(Box::new(session)))
    }

    /// Whether the request may be read: the handshake goes on until then.
    pub(crate) fn read(&mut self, mut socket: &TcpStream, request: &mut [u8]) -> io::Result<usize> {
        loop {
            self.push(socket)?;
            match self.0.reader().read(request) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return read,
            }
            if self.0.read_tls(&mut socket)? == 0 {
                return Ok(0);
            }
            self.0.process_new_packets().map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
    }

    /// Encrypts as much as there is room for, and writes as much as the socket takes.
    pub(crate) fn write(&mut self, socket: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.push(socket)?;
        let taken = self.0.writer().write_vectored(slices)?;
        match self.push(socket) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// Writes what rustls holds.
    pub(crate) fn push(&mut self, mut socket: &TcpStream) -> io::Result<()> {
        while self.0.wants_write() {
            self.0.write_tls(&mut socket)?;
        }
        Ok(())
    }
}

/// A viewer's side: a real handshake, then only the lengths of records are read.
#[derive(Debug, Default)]
pub(crate) struct Records {
    head: [u8; RECORD_HEAD],
    head_read: usize,
    body_left: usize,
}

impl Records {
    /// Shakes hands, checks the certificate and sends `request`.
    pub(crate) fn begin(mut socket: &TcpStream, cert: &Path, request: &[u8]) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(cert)?)?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut session = ClientConnection::new(Arc::new(config), ServerName::try_from(NAME)?)?;
        // Record by record: what comes behind the handshake must stay in the socket.
        while session.is_handshaking() {
            while session.wants_write() {
                session.write_tls(&mut socket)?;
            }
            if session.is_handshaking() {
                let mut record = vec![0; RECORD_HEAD];
                socket.read_exact(&mut record)?;
                record.resize(RECORD_HEAD + body_of(&record), 0);
                socket.read_exact(&mut record[RECORD_HEAD..])?;
                let mut unread = &record[..];
                while !unread.is_empty() {
                    session.read_tls(&mut unread)?;
                    session.process_new_packets()?;
                }
            }
        }
        let suite = session.negotiated_cipher_suite().context("the handshake is done")?.suite();
        if !format!("{suite:?}").starts_with("TLS13") {
            bail!("{suite:?}: records of another version are counted wrong");
        }
        session.writer().write_all(request)?;
        while session.wants_write() {
            session.write_tls(&mut socket)?;
        }
        Ok(Self::default())
    }

    /// Throws away what has come, and tells how many bytes of the answer each whole record carried. False at
    /// the end.
    pub(crate) fn skip(
        &mut self,
        socket: &TcpStream,
        scratch: &mut [u8],
        mut carried: impl FnMut(usize),
    ) -> anyhow::Result<bool> {
        loop {
            let (asked, flags) = match self.body_left {
                0 => (RECORD_HEAD - self.head_read, RecvFlags::empty()),
                left => (left, RecvFlags::TRUNC),
            };
            let got = match recv(socket, &mut scratch[..asked], flags) {
                Ok((_, 0)) | Err(Errno::CONNRESET) => return Ok(false),
                Ok((_, got)) => got,
                Err(Errno::AGAIN) => return Ok(true),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            if self.body_left > 0 {
                self.body_left -= got;
                if self.body_left == 0 && self.head[0] == APPLICATION_DATA {
                    carried(body_of(&self.head).saturating_sub(RECORD_TAIL));
                }
                continue;
            }
            self.head[self.head_read..self.head_read + got].copy_from_slice(&scratch[..got]);
            self.head_read += got;
            if self.head_read == RECORD_HEAD {
                (self.head_read, self.body_left) = (0, body_of(&self.head));
            }
        }
    }
}

/// Returns the number of bytes that follow the head of a record.
fn body_of(head: &[u8]) -> usize {
    usize::from(head[3]) << 8 | usize::from(head[4])
}
