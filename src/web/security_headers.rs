//! Headers on every answer that keep browsers from using it for something else.
//!
//! They are added outside of the handlers, so that no handler can forget them: streams, pictures, JSON, errors, redirects.
//! What actix-http answers to a request that it cannot read (400 and 408 without a body) does not come here.

use actix_web::{
    Error,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{self, HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    web,
};

use super::WebState;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Adds the headers to each answer of the routes.
pub(super) async fn add(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut response = next.call(request).await?;
    let state = response.request().app_data::<web::Data<WebState>>().expect("every app has its state");
    let settings = state.settings.now();
    let headers = response.headers_mut();
    no_sniffing(headers);
    if settings.cors.is_none() && settings.same_site_only {
        headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-site"));
    }
    Ok(response)
}

/// Tells browsers to take a body for what its `Content-Type` says: a picture that reads as a script is none.
pub(super) fn no_sniffing(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}
