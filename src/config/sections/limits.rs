//! `limits:`.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::values::{
    Bytes, Count, GIB, KIB, MIB, OrAuto, OrNone, Text, all_defaults, count, some_count,
};

/// A memory budget, which depends on the available memory unless it is given.
type Budget = OrAuto<Bytes<usize, MIB, { 64 * GIB }>>;

/// `limits:`, bounds that hold for all streams.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Maximum size of a frame; larger ones are refused and counted.
    #[serde(default = "count::<_, { 8 * MIB }>", with = "Text::<Bytes<usize, KIB, GIB>>")]
    pub max_frame_bytes: usize,
    /// Maximum pixels of a picture (width times height); larger ones are refused and counted, whether or not
    /// framecast decodes them.
    #[serde(default = "count::<_, 50_000_000>", with = "Text::<Count<u64, 1, 1_000_000_000>>")]
    pub max_frame_pixels: u64,
    /// Maximum length of the headers of a camera's response or part.
    #[serde(default = "count::<_, { 16 * KIB }>", with = "Text::<Bytes<usize, KIB, MIB>>")]
    pub max_header_bytes: usize,
    /// Maximum viewers of all streams; one more gets 503.
    #[serde(default = "count::<_, 2000>", with = "Text::<Count<usize, 1, 1_000_000>>")]
    pub max_viewers: usize,
    /// Maximum viewers of one stream; one more gets 503.
    #[serde(default = "count::<_, 1000>", with = "Text::<Count<usize, 1, 1_000_000>>")]
    pub max_viewers_per_stream: usize,
    /// Maximum open pages with live tiles; one more gets 503. They do not count as viewers.
    #[serde(default = "count::<_, 200>", with = "Text::<Count<usize, 1, 1_000_000>>")]
    pub max_live_connections: usize,
    /// Maximum viewers from one address; a page with live tiles counts as one. One more gets 429.
    #[serde(default, with = "Text::<OrNone<Count<usize, 1, 1_000_000>>>")]
    pub max_viewers_per_address: Option<usize>,
    /// Maximum requests per second from one address, with bursts of ten times as many; more get 429.
    #[serde(default, with = "Text::<OrNone<Count<NonZeroU32, 1, 100_000>>>")]
    pub max_requests_per_second: Option<NonZeroU32>,
    /// Memory that one stream with `replay` uses; the oldest pictures go first.
    #[serde(default = "count::<_, { 64 * MIB }>", with = "Text::<Bytes<usize, MIB, GIB>>")]
    pub max_replay_bytes: usize,
    /// Maximum concurrent renditions that viewers request in the URL (`?width=320`), of all streams; one more
    /// gets 503.
    #[serde(default = "count::<_, 16>", with = "Text::<Count<usize, 0, 1000>>")]
    pub max_renditions: usize,
    /// Maximum concurrent renditions for the tiles of dashboards, which all pages share that show a stream in
    /// about the same size. A tile beyond it gets the pictures of the stream itself.
    #[serde(default = "count::<_, 64>", with = "Text::<Count<usize, 0, 1000>>")]
    pub max_tile_renditions: usize,
    /// Memory for decoding, drawing and encoding, of all pictures. Three quarters are for pictures in
    /// progress, which wait for it, and are refused if they need more; pushed files that are converted get
    /// nine sixteenths (docs/operations.md lists the memory of pictures). A quarter is for pictures that are
    /// kept, such as mosaics. `auto`: 6/16 of the container's memory limit, at least 24MiB and at most
    /// 512MiB.
    #[serde(default, with = "Text::<Budget>")]
    pub max_decode_bytes: Option<usize>,
    /// Memory for request bodies that are being received; a request beyond it gets 503 (docs/hardening.md
    /// describes how it is divided). `auto`: 3/16 of the container's memory limit, at most 256MiB.
    #[serde(default, with = "Text::<Budget>")]
    pub max_upload_bytes: Option<usize>,
    /// Maximum concurrent uploads to one stream; one more gets 503.
    #[serde(default = "count::<_, 8>", with = "Text::<Count<usize, 1, 1000>>")]
    pub max_uploads_per_stream: usize,
    /// Maximum concurrent uploads from one address without a credential (`token: none`); one more gets 503.
    /// Feeds do not count, because a stream has one.
    #[serde(default = "some_count::<_, 16>", with = "Text::<OrNone<Count<usize, 1, 100_000>>>")]
    pub max_uploads_per_address: Option<usize>,
    /// Memory for responses that clients have not read yet, of all connections; further requests wait, or get
    /// 503. `auto`: 2/16 of the container's memory limit, at most 256MiB.
    #[serde(default, with = "Text::<Budget>")]
    pub max_unsent_bytes: Option<usize>,
    /// Answers that one client has not taken yet.
    #[serde(default = "count::<_, MIB>", with = "Text::<Bytes<usize, { 64 * KIB }, GIB>>")]
    pub max_unsent_bytes_per_connection: usize,
    /// Maximum concurrent connections from one address. Behind a proxy all clients may have one address: see
    /// `server.trusted_proxies`.
    #[serde(default, with = "Text::<OrNone<Count<usize, 1, 100_000>>>")]
    pub max_connections_per_address: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        all_defaults()
    }
}
