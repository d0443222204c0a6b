//! Adds the viewer of a request to the list.

use std::sync::Arc;

use actix_web::HttpRequest;

use super::viewer_list::Kind;
use super::viewer_list::ViewerListGuard;
use crate::{
    media::stream_name::StreamName,
    viewer::ViewerCounters,
    web::{middleware::access_log, state::WebState},
};

/// Adds the viewer of `stream` who sent `request`. `counts` are those of what it is sent.
pub(in crate::web) fn begin(
    state: &WebState,
    request: &HttpRequest,
    stream: &StreamName,
    kind: Kind,
    counts: Arc<ViewerCounters>,
) -> ViewerListGuard {
    let requested = (access_log::asked(state, request), request.version());
    ViewerListGuard::begin(&state.streams.viewers, requested, stream, kind, counts)
}
