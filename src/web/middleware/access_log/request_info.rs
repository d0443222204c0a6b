//! The part of a request that log lines and the list of viewers contain.

use std::{fmt::Display, net::IpAddr, time::Instant};

use actix_web::http::Method;
use tracing::field::display;

/// The method, target and sender of a request.
#[derive(Debug, Clone)]
pub(in crate::web) struct RequestInfo {
    pub(in crate::web) method: Method,
    /// Path and query, without credentials.
    pub(in crate::web) target: String,
    pub(in crate::web) client: Option<IpAddr>,
    /// The name of the token or user.
    pub(in crate::web) user: Option<String>,
    /// Names and versions of known programs.
    pub(in crate::web) agent: Option<String>,
}

/// Returns the field of a value that may be absent; an absent field is left out.
pub(in crate::web) fn optional_field<T: Display>(
    value: Option<T>,
) -> Option<tracing::field::DisplayValue<T>> {
    value.map(display)
}

/// Returns the time since `begun` in milliseconds, rounded to microseconds.
pub(in crate::web) fn milliseconds(begun: Instant) -> f64 {
    (begun.elapsed().as_secs_f64() * 1e6).round() / 1e3
}
