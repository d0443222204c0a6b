//! Keeps a connection from being closed to make room while a request on it is answered.

use std::{
    future::pending,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    Error,
    body::{BodySize, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
};
use bytes::Bytes;

use super::{ActiveRequest, Connection};

/// Marks the request's connection as busy, from the request's head to the end of its answer.
///
/// A refusal (4xx) does not count: what follows it is the rest of an unwanted body, which the client may send
/// for as long as it is read.
pub(in crate::web) async fn track<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<TrackedBody<B>>, Error> {
    let in_work = match Connection::from_request(request.request()) {
        None => None,
        Some(connection) => match connection.begin_request() {
            None => pending().await,
            begun => begun,
        },
    };
    let response = next.call(request).await?;
    let in_work = in_work.filter(|_| !response.status().is_client_error());
    Ok(response.map_body(|_, body| TrackedBody { body, _in_work: in_work }))
}

/// An answer's body.
#[derive(Debug)]
pub(in crate::web) struct TrackedBody<B> {
    body: B,
    _in_work: Option<ActiveRequest>,
}

impl<B: MessageBody + Unpin> MessageBody for TrackedBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(cx)
    }
}
