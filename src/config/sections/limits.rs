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
    /// Larger frames are refused, and counted.
    #[serde(default = "count::<_, { 8 * MIB }>", with = "Text::<Bytes<usize, KIB, GIB>>")]
    pub max_frame_bytes: usize,
    /// Larger pictures (width times height) are refused, and counted, whether or not they are decoded here.
    #[serde(default = "count::<_, 50_000_000>", with = "Text::<Count<u64, 1, 1_000_000_000>>")]
    pub max_frame_pixels: u64,
    /// Longest header section of an upstream's answer or part.
    #[serde(default = "count::<_, { 16 * KIB }>", with = "Text::<Bytes<usize, KIB, MIB>>")]
    pub max_header_bytes: usize,
    /// Viewers of all streams together; one more gets 503.
    #[serde(default = "count::<_, 2000>", with = "Text::<Count<usize, 1, 1_000_000>>")]
    pub max_viewers: usize,
    /// Viewers of one stream; one more gets 503.
    #[serde(default = "count::<_, 1000>", with = "Text::<Count<usize, 1, 1_000_000>>")]
    pub max_viewers_per_stream: usize,
    /// Pages that show live tiles at the same time; one more gets 503. They are no viewers.
    #[serde(default = "count::<_, 200>", with = "Text::<Count<usize, 1, 1_000_000>>")]
    pub max_live_connections: usize,
    /// Viewers from one address, and pages with live tiles, each of which counts as one; one more gets 429.
    #[serde(default, with = "Text::<OrNone<Count<usize, 1, 1_000_000>>>")]
    pub max_viewers_per_address: Option<usize>,
    /// Requests a second from one address, ten times as many at once; more get 429.
    #[serde(default, with = "Text::<OrNone<Count<NonZeroU32, 1, 100_000>>>")]
    pub max_requests_per_second: Option<NonZeroU32>,
    /// Memory that one stream with `replay` uses; the oldest pictures go first.
    #[serde(default = "count::<_, { 64 * MIB }>", with = "Text::<Bytes<usize, MIB, GIB>>")]
    pub max_replay_bytes: usize,
    /// Renditions that viewers ask for in the URL (`?width=320`) and that run at the same time, of all
    /// streams together; one more gets 503.
    #[serde(default = "count::<_, 16>", with = "Text::<Count<usize, 0, 1000>>")]
    pub max_renditions: usize,
    /// Memory for decoding, drawing and encoding pictures, of all together. Three quarters are for pictures
    /// that are being processed, which wait for it, and are refused if they need more; pushed files that are
    /// converted have nine sixteenths (docs/operations.md says how much pictures take). A quarter is for what
    /// is kept between two pictures, such as mosaics. `auto`: 6/16 of the container's memory limit, 24MiB at
    /// least and 512MiB at most.
    #[serde(default, with = "Text::<Budget>")]
    pub max_decode_bytes: Option<usize>,
    /// Request bodies that are being received, of all together; one more byte gets 503 (docs/hardening.md
    /// says how it is divided). `auto`: 3/16 of the container's memory limit, 256MiB at most.
    #[serde(default, with = "Text::<Budget>")]
    pub max_upload_bytes: Option<usize>,
    /// Uploads to one stream at the same time; one more gets 503.
    #[serde(default = "count::<_, 8>", with = "Text::<Count<usize, 1, 1000>>")]
    pub max_uploads_per_stream: usize,
    /// Uploads without a credential (`token: none`) from one address at the same time; one more gets 503.
    /// Feeds do not count: a stream has one.
    #[serde(default = "some_count::<_, 16>", with = "Text::<OrNone<Count<usize, 1, 100_000>>>")]
    pub max_uploads_per_address: Option<usize>,
    /// Answers that clients have not taken yet, of all connections together; further requests wait, or get
    /// 503. `auto`: 2/16 of the container's memory limit, 256MiB at most.
    #[serde(default, with = "Text::<Budget>")]
    pub max_unsent_bytes: Option<usize>,
    /// Answers that one client has not taken yet.
    #[serde(default = "count::<_, MIB>", with = "Text::<Bytes<usize, { 64 * KIB }, GIB>>")]
    pub max_unsent_bytes_per_connection: usize,
    /// Connections from one address at the same time. Behind a proxy all clients may be one address: see
    /// `server.trusted_proxies`.
    #[serde(default, with = "Text::<OrNone<Count<usize, 1, 100_000>>>")]
    pub max_connections_per_address: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        all_defaults()
    }
}
