//! The report of the whole relay: `/api/streams`.

use std::{collections::BTreeMap, path::Path};

use schemars::JsonSchema;
use serde::Serialize;

use super::{renditions::RenditionsReport, stream::StreamReport};
use crate::{
    auth::Principal,
    config::{Mistake, Role},
    imaging::codec::codec,
    registry::{ConfigStatus, RenditionUse},
    stream::StreamHandle,
    web::{
        response::{json_numbers::unix_seconds, visibility::administers},
        server::connections::Connections,
        state::WebState,
    },
};

/// The maximum number of configuration mistakes in a response: with more of them it is the wrong file.
const MAX_MISTAKES: usize = 100;

/// The answer of `/api/streams`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Streams")]
pub(in crate::web) struct Report {
    version: &'static str,
    /// The library that decodes and encodes JPEGs.
    codec: &'static str,
    uptime_s: u64,
    default_stream: Option<String>,
    /// The stream that shows all others in one picture; not one of `streams`.
    mosaic: Option<String>,
    /// Those that viewers ask for in the URL.
    renditions: RenditionsReport,
    tile_renditions: RenditionsReport,
    /// Connections to framecast.
    connections: ConnectionsReport,
    /// Requests that were refused, by reason.
    refused: BTreeMap<&'static str, u64>,
    config: ConfigReport,
    streams: Vec<StreamReport>,
}

impl Report {
    /// Reports on all streams that the caller may watch.
    pub(in crate::web) fn of(state: &WebState, principal: &Principal) -> Self {
        let may_see = |stream: &StreamHandle| principal.is_allowed(Role::View, Some(stream.name()));
        let streams = state.streams.registry.all();
        let name = |stream: StreamHandle| stream.name().to_string();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            codec: codec().name(),
            uptime_s: state.runtime.started_at.elapsed().as_secs(),
            default_stream: state.default_stream().ok().filter(may_see).map(name),
            mosaic: state.streams.registry.overview().filter(may_see).map(name),
            renditions: RenditionsReport::of(&state.streams.renditions, RenditionUse::Viewers),
            tile_renditions: RenditionsReport::of(&state.streams.renditions, RenditionUse::Tiles),
            connections: ConnectionsReport::of(&state.runtime.connections),
            refused: state.access.rejections.totals(),
            config: ConfigReport::of(state.streams.control.config_status(), principal),
            streams: streams
                .iter()
                .filter(|s| may_see(s))
                .map(|s| StreamReport::of(s, state, principal))
                .collect(),
        }
    }
}

/// Connections, of which a page or program may have several.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Connections")]
struct ConnectionsReport {
    open: usize,
    /// Those without a request.
    idle: usize,
    /// The maximum number.
    most: usize,
    /// Closed to make room for new ones.
    closed_idle: u64,
    /// Refused, by reason.
    refused: BTreeMap<&'static str, u64>,
}

impl ConnectionsReport {
    fn of(connections: &Connections) -> Self {
        Self {
            open: connections.open(),
            idle: connections.idle(),
            most: connections.max(),
            closed_idle: connections.closed_idle(),
            refused: connections.refused().collect(),
        }
    }
}

/// The configuration as it was read last.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Configuration")]
struct ConfigReport {
    /// Its name, without the folder; absent for the demo.
    file: Option<String>,
    #[schemars(extend("enum" = ["ok", "needs-restart", "wrong"]))]
    state: &'static str,
    /// Unix seconds.
    loaded_at: f64,
    /// Settings that hold after a restart.
    needs_restart: Vec<&'static str>,
    /// One line a mistake.
    error: Option<Vec<String>>,
}

impl ConfigReport {
    /// Reports the configuration to this caller. Errors are for administrators, since they quote the file;
    /// its name is for callers that may see all streams.
    fn of(known: ConfigStatus, principal: &Principal) -> Self {
        let of_all = principal.is_allowed_on_all(Role::View);
        let name = known.file.as_deref().and_then(Path::file_name);
        Self {
            file: name.filter(|_| of_all).map(|name| name.to_string_lossy().into_owned()),
            state: match (&known.error, known.needs_restart.is_empty()) {
                (Some(_), _) => "wrong",
                (None, false) => "needs-restart",
                (None, true) => "ok",
            },
            loaded_at: unix_seconds(known.loaded_at),
            needs_restart: known.needs_restart,
            error: known.error.filter(|_| administers(principal, None)).map(|wrong| {
                let line = |mistake: &Mistake| Mistake { file: String::new(), ..mistake.clone() }.to_string();
                wrong.mistakes().iter().take(MAX_MISTAKES).map(line).collect()
            }),
        }
    }
}
