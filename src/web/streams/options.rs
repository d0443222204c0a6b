//! The options that a viewer gives in the query of a stream.

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderMap},
};

use crate::{
    media::multipart::writer::Framing,
    web::query::{is_switched_off, is_switched_on, query, switch},
};

/// The options of one viewer's stream.
#[derive(Debug, Clone, Default)]
pub(in crate::web) struct StreamOptions {
    /// Raw bytes to the end of the connection, as mjpg-streamer and ustreamer send (`?chunked=0`).
    pub unchunked: bool,
    /// ustreamer's `?advance_headers=1`: the next part's headers are sent ahead, without a length.
    pub advance_headers: bool,
    /// ustreamer's `?extra_headers=1`: X-UStreamer-* on each part.
    pub extra_headers: bool,
    /// `?meta=1`: number, capture time and JSON of the frame on each part.
    pub meta: bool,
    /// ustreamer's `?zero_data=1`: headers without pictures, to measure with.
    pub zero_data: bool,
    /// `?format=raw`: consecutive JPEGs, for programs that refuse multipart.
    pub raw: bool,
    /// `?adapt=1`: smaller pictures while the link carries no others; none as the stream is configured.
    pub adapt: Option<bool>,
    /// Another framecast asks, and wants to know whom.
    pub is_framecast: bool,
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
            meta: is_switched_on(request, "meta"),
            zero_data: is_switched_on(request, "zero_data"),
            raw: query(request, "format").as_deref() == Some("raw"),
            adapt: switch(request, "adapt"),
            is_framecast: user_agent(request).is_some_and(|agent| agent.starts_with("framecast/")),
            cookie: None,
        }
    }

    /// Returns the framing of a viewer's body. To an `<img>` the parts' headers are sent ahead, unless the
    /// query asks for another form of the parts.
    pub(in crate::web) fn framing(&self, request: &HttpRequest, is_chunked: bool) -> Framing {
        let framing = if is_chunked { Framing::Chunked } else { Framing::Raw };
        let other_parts = self.raw || self.advance_headers || self.extra_headers || self.zero_data;
        if !other_parts && is_for_image(request.headers()) { framing.with_head_ahead() } else { framing }
    }
}

/// Returns whether a browser requests a picture for an `<img>`. Browsers send `Sec-Fetch-*` over TLS and to
/// this machine only; elsewhere `Accept` tells.
fn is_for_image(headers: &HeaderMap) -> bool {
    if let Some(destination) = headers.get("sec-fetch-dest") {
        return destination == "image";
    }
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.as_bytes().first_chunk::<6>());
    accept.is_some_and(|accept| accept.eq_ignore_ascii_case(b"image/"))
        && !headers.keys().any(|name| name.as_str().starts_with("sec-fetch-"))
}

fn user_agent(request: &HttpRequest) -> Option<&str> {
    request.headers().get(header::USER_AGENT)?.to_str().ok()
}
