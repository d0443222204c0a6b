//! The outbox of a request's connection, and the `100 Continue` of the request.

use std::future::{Ready, ready};

use actix_http::Request;
use actix_web::{HttpMessage, HttpRequest};
use bytes::Bytes;

use super::{
    interim::{CONTINUE, Interim},
    outbox::Outbox,
};

impl Outbox {
    /// Returns the outbox of the request's connection, which HTTP/1 keeps with the connection and HTTP/2 with
    /// each request.
    pub(in crate::web) fn of(request: &HttpRequest) -> Self {
        let outbox = request.conn_data::<Self>().cloned();
        let outbox = outbox.or_else(|| request.extensions().get::<Self>().cloned());
        outbox.expect("every connection is a Wire, which has an outbox")
    }

    /// Sends `100 Continue` if the client waits for it: a handler waits for the body.
    pub(in crate::web) fn send_continue(&self) {
        let mut pending = self.lock();
        match pending.interim {
            Interim::Buffered => pending.interim = Interim::Wanted,
            Interim::Held => {
                pending.pieces.put([Bytes::from_static(CONTINUE)]);
                pending.interim = Interim::Queued;
            }
            Interim::None | Interim::Wanted | Interim::Queued => {}
        }
    }

    /// Returns whether the client sends no body before it has got `100 Continue`.
    pub(in crate::web) fn awaits_continue(&self) -> bool {
        matches!(self.lock().interim, Interim::Buffered | Interim::Held)
    }
}

/// The service that actix-http calls for a request that expects `100 Continue`, before the request itself.
pub(in crate::web) fn expect(request: Request) -> Ready<Result<Request, actix_http::Error>> {
    if let Some(outbox) = request.conn_data::<Outbox>() {
        outbox.lock().interim = Interim::Buffered;
    }
    ready(Ok(request))
}
