//! Counts refused pushes at their stream. Names of streams that do not exist are not counted: a client can
//! send any name.

use actix_web::http::StatusCode;

use crate::{bus::PushRejection, web::state::Streams};

/// A push to the stream of this name was refused.
pub(in crate::web) fn count(streams: &Streams, name: &str, status: StatusCode) {
    let stream = name.parse().ok().and_then(|name| streams.registry.get(&name));
    if let (Some(stream), Some(why)) = (stream, reason(status)) {
        stream.bus().stats().push_rejections().count(why);
    }
}

/// Returns the reason that belongs to a status; none if the stream does not exist.
fn reason(status: StatusCode) -> Option<PushRejection> {
    Some(match status {
        StatusCode::NOT_FOUND => return None,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => PushRejection::NotAllowed,
        StatusCode::CONFLICT => PushRejection::Conflict,
        StatusCode::PAYLOAD_TOO_LARGE => PushRejection::TooLarge,
        StatusCode::REQUEST_TIMEOUT | StatusCode::BAD_REQUEST => PushRejection::Broken,
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => PushRejection::Busy,
        _ => PushRejection::Unreadable,
    })
}
