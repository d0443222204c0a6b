//! Options of accepted sockets.

use std::{io, net::SocketAddr, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tracing::debug;

/// Unsent bytes the kernel keeps beyond what is on its way. Without this bound a viewer behind an 8 Mbit/s
/// link sees frames 0.9 s old, with it 0.19 s.
#[cfg(target_os = "linux")]
const NOT_SENT_LOW_WATER: u32 = 16 * 1024;

/// The time after which TCP probes a peer that sends nothing (an idle viewer, a silent publisher).
const KEEPALIVE_PROBE_AFTER: Duration = Duration::from_secs(30);

/// The time after which unacknowledged bytes end the connection: the peer's machine is gone.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// Sets the options of a socket, and returns the address of its peer.
pub(super) fn tune_and_peer(socket: &TcpStream) -> Option<SocketAddr> {
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
