//! Headers on every answer that keep browsers from misusing it.
//!
//! They are added outside of the handlers, so that no handler can forget them: streams, pictures, JSON,
//! errors, redirects. Answers of actix-http to requests that it cannot read (400 and 408 without a body) are
//! not covered.

use actix_web::{
    Error,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{self, HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    web,
};

use crate::web::state::WebState;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The referrer policy of pages: their addresses may hold a token for a moment, and only framecast gets
/// them.
pub(in crate::web) const REFERRER_POLICY: &str = "same-origin";

/// Adds the headers to each answer of the routes.
pub(in crate::web) async fn add(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut response = next.call(request).await?;
    let state = response.request().app_data::<web::Data<WebState>>().expect("every app has its state");
    let settings = state.runtime.settings.current();
    let headers = response.headers_mut();
    no_sniffing(headers);
    if settings.cors.is_none() && settings.same_site_only {
        headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-site"));
    }
    Ok(response)
}

/// Tells browsers to trust the `Content-Type`: a picture that looks like a script is not run.
pub(in crate::web) fn no_sniffing(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}
