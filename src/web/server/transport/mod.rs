//! The viewer's transport: a socket that writes a frame's own bytes, without copying them.
//!
//! actix-http copies each body chunk into a buffer per connection: 1000 viewers of a 100 kB stream cost 140
//! MB and 1.6 times the CPU of a bare writer. Its dispatcher is generic over the I/O type, though, and calls
//! `poll_flush` on it at every poll, once its own buffer (the response head) is written. So a
//! [`ViewerSocket`] carries an [`Outbox`]: the pieces of a part are put there, the response body yields
//! nothing itself, and `poll_flush` writes them, vectored, from the shared frame. Ordinary answers pass
//! through untouched.
//!
//! Even that poll costs more than half of what the write does. So the stream's fan-out writes a new frame
//! directly to the socket of each idle connection; the connection's task writes only what the socket does not
//! accept at once.
//!
//! The socket returns an error for a peer that reads nothing for the stall timeout, that keeps a connection
//! open without using it, that sends more data after its request than is ever read, or that sends more
//! requests ahead than are kept.

mod after_head;
mod interim;
mod pipelining;
mod request_outbox;
mod direct_write;
mod outbox;
mod timeouts;
mod write_queue;
mod tcp;
mod tls;
mod viewer_socket;

pub(in crate::web) use direct_write::DirectWrite;
pub(in crate::web) use outbox::{BusBinding, Busy, BusyGuard, Fill, Outbox, PartProducer, ProducerGuard};
pub(in crate::web) use pipelining::TooManyPipelined;
pub(in crate::web) use request_outbox::expect;
pub(in crate::web) use tcp::SharedSocket;
pub(in crate::web) use tls::TlsSocket;
pub(in crate::web) use viewer_socket::ViewerSocket;
pub(in crate::web) use write_queue::WriteQueue;
