//! Parameters of a request's query.

use actix_web::HttpRequest;

/// Returns the decoded value of a query parameter. Of several with the same name, the first one counts.
pub(super) fn query(request: &HttpRequest, wanted: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
    pairs.into_iter().find(|(key, _)| key == wanted).map(|(_, value)| value.into_owned())
}

/// Returns whether a switch in the query is on: `1`, `true`, or its name without a value.
pub(super) fn is_switched_on(request: &HttpRequest, wanted: &str) -> bool {
    matches!(query(request, wanted).as_deref(), Some("1" | "true" | ""))
}

/// Returns whether a switch in the query is off: `0` or `false`.
pub(super) fn is_switched_off(request: &HttpRequest, wanted: &str) -> bool {
    matches!(query(request, wanted).as_deref(), Some("0" | "false"))
}

/// Returns a switch in the query; `None` if it is absent or has another value.
pub(super) fn switch(request: &HttpRequest, wanted: &str) -> Option<bool> {
    match (is_switched_on(request, wanted), is_switched_off(request, wanted)) {
        (false, false) => None,
        (on, _) => Some(on),
    }
}
