//! Limits the bytes of responses that clients have not read: see
//! [`crate::web::server::response_budget`].

use std::sync::Arc;

use actix_web::{
    Error, HttpResponse, ResponseError,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
    web,
};

use super::{problem::Problem, rejections::Rejection};
use crate::web::{
    server::{
        bytes_body::Slices,
        response_budget::{CAPACITY_TIMEOUT, ConnectionBytes, Permanent},
    },
    state::WebState,
};
/// Shorter answers are not charged: 256 of them, of all streams of a connection, are as much as one of its
/// buffers.
const MIN_CHARGED: usize = 1024;

/// Bounds what the answers of all routes hold.
pub(in crate::web) async fn limit(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let state = request.app_data::<web::Data<WebState>>().expect("every app has its state").clone();
    let connection = ConnectionBytes::from_request(request.request());
    let most = state.runtime.settings.current().limits.max_unsent_bytes_per_connection;
    let Some(_room) = connection.wait_below(most).await else {
        state.access.rejections.count(Rejection::Unsent);
        let detail = format!(
            "this connection has not taken {most} bytes of its earlier answers for {} s, and \
             limits.max_unsent_bytes_per_connection allows no more: read them first",
            CAPACITY_TIMEOUT.as_secs()
        );
        return Ok(request.into_response(Problem::unavailable(detail).error_response()));
    };
    let response = next.call(request).await?.map_into_boxed_body();
    let is_charged = match response.response().body().size() {
        BodySize::Sized(length) => length >= MIN_CHARGED as u64,
        BodySize::None | BodySize::Stream => false,
    };
    if !is_charged || response.request().method() == Method::HEAD {
        return Ok(response);
    }
    let (request, response) = response.into_parts();
    Ok(ServiceResponse::new(request, charged(&state, response, &connection)))
}

/// The answer in slices, charged; or 503.
fn charged(state: &WebState, response: HttpResponse, connection: &Arc<ConnectionBytes>) -> HttpResponse {
    let is_permanent = response.extensions().get::<Permanent>().is_some();
    let (head, body) = response.into_parts();
    let bytes = match body.try_into_bytes() {
        Ok(bytes) if is_permanent => bytes,
        Ok(bytes) => match state.runtime.unsent.charge(bytes, connection) {
            Ok(bytes) => bytes,
            Err(error) => {
                state.access.rejections.count(Rejection::Unsent);
                let detail = format!("answers that clients have not taken are too many: {error}");
                return Problem::unavailable(detail).error_response();
            }
        },
        // It makes its pieces as they are asked for.
        Err(body) => return head.set_body(body),
    };
    head.set_body(BoxBody::new(Slices::new([bytes])))
}
