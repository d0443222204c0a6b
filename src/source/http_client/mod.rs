//! Asks cameras over HTTP. The only place that knows the HTTP client, but for webhooks, which need none of
//! its repairs.
//!
//! [`HttpClient`] holds at most one connection, plain or TLS, and closes it before it opens another: an
//! ESP32-CAM serves only one. It answers basic and digest challenges, follows redirects without taking
//! credentials along to another origin, and keeps the deadlines for connecting and for the head. Bodies come
//! with the caller's deadlines: pictures through awc, streams read beside it ([`BodyReader`]).
//!
//! What cameras write in place of HTTP is repaired below awc, in [`head_repair`].

mod auth;
mod body;
mod chunked;
mod client;
mod connect;
mod connection;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod head_repair;
mod redirect;
mod repaired_stream;
mod response;
mod tls;

pub use body::{BodyDeadline, BodyReader};
pub use client::HttpClient;
pub use response::Response;
pub(crate) use tls::client_config;
