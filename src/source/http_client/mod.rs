//! An HTTP client for cameras: all requests to cameras are sent here. Webhooks, which need none of its
//! repairs, use awc.
//!
//! [`HttpClient`] holds at most one connection, plain or TLS, and closes it before it opens another: an
//! ESP32-CAM serves only one. It answers basic and digest challenges, follows redirects without sending
//! credentials to another origin, and enforces the deadlines for connecting and for the head. Bodies come
//! with the caller's deadlines, read straight into the caller's buffer ([`BodyReader`]).
//!
//! actix-http's codec writes requests and parses heads; deviations of cameras from HTTP are repaired before,
//! in [`head_repair`].

mod auth;
mod body;
mod client;
mod connection;
mod cookies;
mod exchange;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod head_repair;
mod redirect;
mod request;
mod response;

pub(in crate::source) use auth::{Authorizer, Verdict};
pub use body::{BodyDeadline, BodyReader};
pub use client::HttpClient;
pub(crate) use connection::tls::{client_config, client_config_trusting};
pub(in crate::source) use connection::{
    camera_connection::CameraConnection, connect::connect, origin::Origin,
};
pub use response::Response;
