//! Connections to cameras: opening them, plain or over TLS, and reading and writing bytes.

pub(super) mod connect;
pub(super) mod camera_connection;
pub(super) mod origin;
pub(super) mod tls;
