//! Addresses of the login form, and of the page to return to after it.

use actix_web::HttpRequest;
use url::form_urlencoded;

/// The parameters of a query that are credentials. It must not be seen longer than it takes.
pub(in crate::web) const KEYS: [&str; 3] = ["token", "expires", "signature"];

/// Returns the relative address of the login form, which returns to the requested page.
pub(in crate::web) fn address_for(request: &HttpRequest, base_path: &str) -> String {
    let path = request.path();
    if !base_path.is_empty() && path == base_path {
        // Without its final slash it is no folder.
        return format!("{}/login?next=", path.rsplit('/').next().unwrap_or_default());
    }
    let (root, next) = root_and_rest(request, base_path);
    let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    format!("{root}login?next={next}")
}

/// Returns the relative path from a page up to the base path, and the one from there to the page without
/// keys.
pub(in crate::web) fn root_and_rest(request: &HttpRequest, base_path: &str) -> (String, String) {
    let path = request.path();
    let wanted = path.strip_prefix(base_path).filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let up = "../".repeat(wanted.matches('/').count().saturating_sub(1));
    (up, format!("{}{}", wanted.trim_start_matches('/'), query_without_keys(request)))
}

pub(in crate::web) fn query_without_keys(request: &HttpRequest) -> String {
    let pairs = form_urlencoded::parse(request.query_string().as_bytes());
    let kept = pairs.filter(|(key, _)| !KEYS.contains(&key.as_ref()));
    let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
    if text.is_empty() { text } else { format!("?{text}") }
}
