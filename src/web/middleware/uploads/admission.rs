//! Admits the uploads of requests.

use actix_web::HttpRequest;

use super::{Upload, kind::UploadKind};
use crate::web::middleware::access;
use crate::{
    auth::limit_key,
    web::{middleware::problem::Problem, state::WebState},
};

/// Begins a single push to `stream`.
///
/// # Errors
/// 503 when the stream, or the address of a client without a credential, has as many as it may.
pub(in crate::web) fn push(state: &WebState, request: &HttpRequest, stream: &str) -> Result<Upload, Problem> {
    begin(state, request, kind_of_push(request), Some(stream))
}

/// Begins a feed. A stream has one at a time, so that it counts neither against its single pushes nor
/// against those of its address: one machine may feed many streams, and a feed that lost its network must
/// not keep out the one that replaces it.
///
/// # Errors
/// None now; as the others, so that callers need not know.
pub(in crate::web) fn feed(state: &WebState, request: &HttpRequest) -> Result<Upload, Problem> {
    let limits = &state.runtime.settings.current().limits;
    Ok(state.access.uploads.admit(limits, kind_of_push(request), None, None)?)
}

/// Begins a login.
///
/// # Errors
/// 503 when the client's address has as many as it may.
pub(in crate::web) fn login(state: &WebState, request: &HttpRequest) -> Result<Upload, Problem> {
    begin(state, request, UploadKind::Login, None)
}

/// Begins an administrator's request.
///
/// # Errors
/// None now; as the others, so that callers need not know.
pub(in crate::web) fn admin(state: &WebState, request: &HttpRequest) -> Result<Upload, Problem> {
    begin(state, request, UploadKind::Admin, None)
}

fn begin(
    state: &WebState,
    request: &HttpRequest,
    kind: UploadKind,
    stream: Option<&str>,
) -> Result<Upload, Problem> {
    let limits = &state.runtime.settings.current().limits;
    let address = kind.is_anonymous().then(|| limit_key(access::address(&state.runtime, request)));
    Ok(state.access.uploads.admit(limits, kind, stream, address)?)
}

/// Returns the kind of a push: whether a credential was checked and valid.
fn kind_of_push(request: &HttpRequest) -> UploadKind {
    if access::is_known(request) { UploadKind::Known } else { UploadKind::Anonymous }
}
