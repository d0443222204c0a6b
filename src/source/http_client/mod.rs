//! Asks cameras over HTTP. The only place that knows the HTTP client, but for webhooks, which need none of
//! its repairs.
//!
//! [`HttpClient`] holds at most one connection, plain or TLS, and closes it before it opens another: an
//! ESP32-CAM serves only one. It answers basic and digest challenges, follows redirects without taking
//! credentials along to another origin, and keeps the deadlines for connecting and for the head. Bodies come
//! with the caller's deadlines, read straight into the caller's buffer ([`BodyReader`]).
//!
//! Requests and heads are those of actix-http's codec; what cameras write in place of HTTP is repaired before
//! it reads them, in [`head_repair`].

mod auth;
mod body;
mod client;
mod connect;
mod connection;
mod exchange;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod head_repair;
mod origin;
mod redirect;
mod request;
mod response;
mod tls;

pub use body::{BodyDeadline, BodyReader};
pub use client::HttpClient;
pub use response::Response;
pub(crate) use tls::client_config;
