//! Ends an HTTP/1 connection where it was said to end.
//!
//! actix-http reads on behind a request that says `Connection: close` (and behind one of HTTP/1.0, which means the same),
//! and serves what it finds there. That a proxy took those bytes for something else is how requests are smuggled, so nothing
//! behind the last request is served (RFC 9112, section 9.6).

use std::cell::Cell;

use actix_web::{
    Error, ResponseError,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{ConnectionType, StatusCode},
    middleware::Next,
    web,
};

use super::{Problem, WebState, refusals::Refusal, transport::Outbox};

/// Whether either side said on this connection that it ends with the answer. HTTP/2 has no such thing.
#[derive(Debug, Default)]
pub(super) struct Ending(Cell<bool>);

/// Refuses requests behind the last one of their connection.
pub(super) async fn check(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(ending) = request.conn_data::<Ending>() else { return next.call(request).await };
    if let Some(outbox) = request.conn_data::<Outbox>() {
        outbox.begin_request();
    }
    if ending.0.get() {
        let state = request.app_data::<web::Data<WebState>>().expect("every app has its state");
        state.refusals.count(Refusal::Malformed);
        let detail = "the request before this one was the last of its connection: send it on another";
        let mut answer = Problem::new(StatusCode::BAD_REQUEST, detail).error_response();
        answer.head_mut().set_connection_type(ConnectionType::Close);
        return Ok(request.into_response(answer));
    }
    ending.0.set(request.head().connection_type() == ConnectionType::Close);
    let response = next.call(request).await?;
    if response.response().head().connection_type() == ConnectionType::Close
        && let Some(ending) = response.request().conn_data::<Ending>()
    {
        ending.0.set(true);
    }
    Ok(response)
}
