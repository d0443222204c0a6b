//! The two UDP sockets of a session: packets and reports.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use bytes::{BufMut, BytesMut};
use tokio::net::UdpSocket;

/// Attempts to find an even port with a free one behind it: `RTP uses an even one` (RFC 3550, 11).
const MAX_ATTEMPTS: usize = 32;

/// Receive buffer of the packets' socket: a keyframe of 1 MiB comes at once.
const RECEIVE_BYTES: usize = 2 * 1024 * 1024;

/// Maximum datagrams that are read before they are passed on.
const MAX_BATCH: usize = 64;

/// An empty RTP packet and an empty report, which open the way back through a firewall.
const OPENING: [&[u8]; 2] = [&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[0x80, 201, 0, 1, 0, 0, 0, 0]];

/// Sockets for packets and for reports.
#[derive(Debug)]
pub(super) struct UdpPair {
    sockets: [UdpSocket; 2],
    port: u16,
    buffer: Box<[u8]>,
}

impl UdpPair {
    /// Binds two neighbouring ports of the address that the camera is reached from.
    pub(super) async fn bind(address: IpAddr) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..MAX_ATTEMPTS {
            let packets = UdpSocket::bind((address, 0)).await?;
            let port = packets.local_addr()?.port();
            if !port.is_multiple_of(2) {
                continue;
            }
            match UdpSocket::bind((address, port + 1)).await {
                Ok(reports) => {
                    // A system that allows less gives what it has.
                    let _ = socket2::SockRef::from(&packets).set_recv_buffer_size(RECEIVE_BYTES);
                    let buffer = vec![0; usize::from(u16::MAX)].into();
                    return Ok(Self { sockets: [packets, reports], port, buffer });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Returns the port for packets; that for reports is the next one.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Receives from these ports of the camera only, and opens the way back.
    pub(super) async fn connect(&self, camera: IpAddr, (packets, reports): (u16, u16)) -> io::Result<()> {
        for ((socket, port), opening) in self.sockets.iter().zip([packets, reports]).zip(OPENING) {
            socket.connect(SocketAddr::new(camera, port)).await?;
            // A camera whose port is closed sends anyhow.
            let _ = socket.send(opening).await;
        }
        Ok(())
    }

    /// Waits for datagrams, and appends them to `out` as interleaved packets of `channel` and the next one.
    pub(super) async fn receive(&mut self, channel: u8, out: &mut BytesMut) -> io::Result<()> {
        loop {
            let before = out.len();
            for (socket, channel) in self.sockets.iter().zip([channel, channel.saturating_add(1)]) {
                for _ in 0..MAX_BATCH {
                    match socket.try_recv(&mut self.buffer) {
                        Ok(length) => {
                            out.put_slice(&[b'$', channel]);
                            out.put_u16(length as u16);
                            out.put_slice(&self.buffer[..length]);
                        }
                        // The answer to a packet that opened the way.
                        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                        Err(error) => return Err(error),
                    }
                }
            }
            if out.len() > before {
                return Ok(());
            }
            let [packets, reports] = &self.sockets;
            tokio::select! {
                ready = packets.readable() => ready?,
                ready = reports.readable() => ready?,
            }
        }
    }
}
