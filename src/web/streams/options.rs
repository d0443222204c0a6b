//! The options that a viewer gives in the query of a stream.

use actix_web::HttpRequest;

use crate::web::query::{is_switched_off, is_switched_on, query, switch};

/// The options of one viewer's stream.
#[derive(Debug, Clone, Default)]
pub(in crate::web) struct StreamOptions {
    /// Raw bytes to the end of the connection, as mjpg-streamer and ustreamer send (`?chunked=0`).
    pub unchunked: bool,
    /// ustreamer's `?advance_headers=1`: the next part's headers are sent ahead, without a length.
    pub advance_headers: bool,
    /// ustreamer's `?extra_headers=1`: X-UStreamer-* on each part.
    pub extra_headers: bool,
    /// ustreamer's `?zero_data=1`: headers without pictures, to measure with.
    pub zero_data: bool,
    /// `?format=raw`: consecutive JPEGs, for programs that refuse multipart.
    pub raw: bool,
    /// `?adapt=1`: smaller pictures while the link carries no others; none as the stream is configured.
    pub adapt: Option<bool>,
    /// ustreamer's `Set-Cookie: stream_client=…`.
    pub cookie: Option<String>,
}

impl StreamOptions {
    /// Parses the query of a request.
    pub(in crate::web) fn from_request(request: &HttpRequest) -> Self {
        Self {
            unchunked: is_switched_off(request, "chunked"),
            advance_headers: is_switched_on(request, "advance_headers"),
            extra_headers: is_switched_on(request, "extra_headers"),
            zero_data: is_switched_on(request, "zero_data"),
            raw: query(request, "format").as_deref() == Some("raw"),
            adapt: switch(request, "adapt"),
            cookie: None,
        }
    }
}
