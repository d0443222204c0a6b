//! Sockets, TLS, HTTP/1 and HTTP/2: everything below the routes.
//!
//! The parts of actix-web's `HttpServer`, which fixes the I/O type, are assembled by hand around
//! [`ViewerSocket`](transport::ViewerSocket).

pub(crate) mod connections;
pub(crate) mod http2;
pub(crate) mod connection_close;
pub(crate) mod listener;
pub(crate) mod tls;
pub(crate) mod redirect;
pub(crate) mod services;
pub(crate) mod bytes_body;
mod socket_options;
#[cfg(test)]
mod tests;
mod timeouts;
pub(crate) mod transport;
pub(crate) mod response_budget;
