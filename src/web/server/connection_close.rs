//! Serves no request after one that ends its HTTP/1 connection.
//!
//! actix-http reads on after a request with `Connection: close` (and after one of HTTP/1.0, which means the
//! same), and serves what follows. Request smuggling relies on a proxy that took those bytes for something
//! else, so nothing after the last request is served (RFC 9112, section 9.6).

use std::cell::Cell;

use actix_web::{
    Error, ResponseError,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{ConnectionType, StatusCode},
    middleware::Next,
    web,
};

use super::transport::Outbox;
use crate::web::{
    middleware::{problem::Problem, rejections::Rejection},
    state::WebState,
};

/// Records whether either side has announced that the connection ends with the answer. Not used for HTTP/2.
#[derive(Debug, Default)]
pub(in crate::web) struct Ending(Cell<bool>);

/// Refuses requests after the last one of their connection.
pub(in crate::web) async fn check(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(ending) = request.conn_data::<Ending>() else { return next.call(request).await };
    if let Some(outbox) = request.conn_data::<Outbox>() {
        outbox.begin_request();
    }
    if ending.0.get() {
        let state = request.app_data::<web::Data<WebState>>().expect("every app has its state");
        state.access.rejections.count(Rejection::Malformed);
        let detail = "the previous request ended this connection: send this one on a new connection";
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
