//! Headers of responses that contain frames.

use actix_web::{HttpResponseBuilder, http::header};

use crate::web::state::Settings;

/// Forbids caching, with the values of mjpg-streamer, which its clients are known to work with.
pub(in crate::web) fn set_no_cache(head: &mut HttpResponseBuilder) {
    let all = "no-store, no-cache, must-revalidate, pre-check=0, post-check=0, max-age=0";
    head.insert_header((header::CACHE_CONTROL, all));
    head.insert_header((header::PRAGMA, "no-cache"));
    head.insert_header((header::EXPIRES, "Mon, 3 Jan 2000 12:34:56 GMT"));
}

/// Adds `Access-Control-Allow-Origin` if `server.cors` is set.
pub(in crate::web) fn allow_origin(head: &mut HttpResponseBuilder, settings: &Settings) {
    if let Some(origin) = &settings.cors {
        head.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.as_str()));
    }
}
