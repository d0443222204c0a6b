//! Listeners: addresses, Unix sockets, and sockets that systemd passes.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
};
#[cfg(unix)]
use std::{
    fs,
    os::unix::{
        fs::FileTypeExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::{Listen, ServerConfig};
#[cfg(unix)]
use crate::platform::atomic_file;

/// The maximum number of connections that wait to be accepted: many browsers reconnect at once after a
/// restart.
const BACKLOG: i32 = 1024;

/// The reason for which an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {hint}")]
pub struct ListenError {
    address: String,
    /// The system's reason in words, with what to do about it.
    hint: String,
}

impl ListenError {
    fn new(address: impl fmt::Display, cause: &io::Error) -> Self {
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
        Self { address: address.to_string(), hint }
    }

    #[cfg(unix)]
    fn of_socket(path: &Path, hint: impl Into<String>) -> Self {
        Self { address: Listen::Unix(path.to_owned()).to_string(), hint: hint.into() }
    }
}

/// The listening sockets.
#[derive(Debug, Default)]
pub struct Listeners {
    pub(in crate::web) tcp: Vec<(SocketAddr, TcpListener)>,
    /// Listeners of plain HTTP that only redirect to TLS.
    pub(in crate::web) redirecting: Vec<(SocketAddr, TcpListener)>,
    #[cfg(unix)]
    pub(in crate::web) unix: Vec<(PathBuf, UnixListener)>,
    /// Socket files that are removed at the end.
    #[cfg(unix)]
    files: SocketFiles,
}

/// Removes the files of sockets when the listeners are closed.
#[cfg(unix)]
#[derive(Debug, Default)]
pub(in crate::web) struct SocketFiles(Vec<PathBuf>);

#[cfg(unix)]
impl Drop for SocketFiles {
    fn drop(&mut self) {
        for file in &self.0 {
            // An error means that the file was removed already.
            let _ = fs::remove_file(file);
        }
    }
}

impl Listeners {
    /// Listens where the configuration says; or, if systemd hands sockets over, on those in its place.
    ///
    /// # Errors
    /// [`ListenError`] naming the first that cannot be had.
    pub fn bind(server: &ServerConfig) -> Result<Self, ListenError> {
        let mut listeners = Self::inherited()?;
        if listeners.is_empty() {
            for listen in &server.listen {
                match listen {
                    Listen::Tcp(address) => listeners.tcp.push(listen_on(*address, &server.listen)?),
                    #[cfg(unix)]
                    Listen::Unix(path) => {
                        listeners.unix.push((path.clone(), bind_socket(path, server.socket_mode)?));
                        listeners.files.0.push(path.clone());
                    }
                    #[cfg(not(unix))]
                    Listen::Unix(_) => {
                        let hint = "this system has no Unix sockets".to_owned();
                        return Err(ListenError { address: listen.to_string(), hint });
                    }
                }
            }
        }
        for address in server.tls.iter().flat_map(|tls| &tls.redirect_from) {
            listeners.redirecting.push(listen_on(*address, &server.listen)?);
        }
        Ok(listeners)
    }

    /// Takes the sockets that systemd listens on for us (`LISTEN_FDS`).
    #[cfg(unix)]
    fn inherited() -> Result<Self, ListenError> {
        let mut handed = listenfd::ListenFd::from_env();
        let mut listeners = Self::default();
        for number in 0..handed.len() {
            let name = format!("the socket number {number} of systemd");
            let wrong = |cause: &io::Error| ListenError::new(&name, cause);
            if let Ok(Some(listener)) = handed.take_tcp_listener(number) {
                let address = listener.local_addr().map_err(|cause| wrong(&cause))?;
                listeners.tcp.push((address, listener));
            } else if let Some(listener) = handed.take_unix_listener(number).map_err(|cause| wrong(&cause))? {
                let address = listener.local_addr().map_err(|cause| wrong(&cause))?;
                let path = address.as_pathname().map(Path::to_owned).unwrap_or_default();
                listeners.unix.push((path, listener));
            }
        }
        Ok(listeners)
    }

    #[cfg(not(unix))]
    fn inherited() -> Result<Self, ListenError> {
        Ok(Self::default())
    }

    fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.sockets().is_empty()
    }

    /// The addresses in use; a port 0 has become a real one.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.tcp.iter().map(|(address, _)| *address).collect()
    }

    /// The Unix sockets in use.
    pub fn sockets(&self) -> Vec<Listen> {
        #[cfg(unix)]
        return self.unix.iter().map(|(path, _)| Listen::Unix(path.clone())).collect();
        #[cfg(not(unix))]
        Vec::new()
    }

    /// Returns the guard that removes the sockets' files at the end.
    #[cfg(unix)]
    pub(in crate::web) fn take_files(&mut self) -> SocketFiles {
        std::mem::take(&mut self.files)
    }
}

fn listen_on(address: SocketAddr, all: &[Listen]) -> Result<(SocketAddr, TcpListener), ListenError> {
    let is_same = |other: &SocketAddr| other.is_ipv4() && other.port() == address.port();
    let is_beside = |other: &Listen| matches!(other, Listen::Tcp(other) if is_same(other));
    let listener =
        bind(address, all.iter().any(is_beside)).map_err(|cause| ListenError::new(address, &cause))?;
    let bound = listener.local_addr().map_err(|cause| ListenError::new(address, &cause))?;
    Ok((bound, listener))
}

fn bind(address: SocketAddr, ipv4_beside: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // [::] is every network, unless 0.0.0.0 stands in the list as well.
        socket.set_only_v6(ipv4_beside)?;
    }
    // A restart need not wait for the old connections' TIME_WAIT. Port 0 has none, and two programs that bind
    // at the same moment could be given the same one.
    #[cfg(unix)]
    socket.set_reuse_address(address.port() != 0)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Listens on a socket's file, in place of one that a program left behind which ended without removing it.
#[cfg(unix)]
fn bind_socket(path: &Path, mode: u32) -> Result<UnixListener, ListenError> {
    let wrong = |cause: io::Error| ListenError::of_socket(path, cause.to_string());
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(ListenError::of_socket(path, "there is a file of that name, which is no socket"));
        }
        Ok(_) if UnixStream::connect(path).is_ok() => {
            let hint = "another program listens there; stop it or choose another path";
            return Err(ListenError::of_socket(path, hint));
        }
        Ok(_) => fs::remove_file(path).map_err(wrong)?,
        Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(wrong)?;
    atomic_file::set_socket_mode(path, mode).map_err(wrong)?;
    Ok(listener)
}
