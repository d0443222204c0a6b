//! The outbox of a request's connection.

use actix_web::{HttpMessage, HttpRequest};

use super::outbox::Outbox;

impl Outbox {
    /// Returns the outbox of the request's connection, which HTTP/1 keeps with the connection and HTTP/2 with
    /// each request.
    pub(in crate::web) fn of(request: &HttpRequest) -> Self {
        let outbox = request.conn_data::<Self>().cloned();
        let outbox = outbox.or_else(|| request.extensions().get::<Self>().cloned());
        outbox.expect("every connection is a Wire, which has an outbox")
    }
}
