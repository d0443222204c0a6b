//! The parts of the API's answers that are shown. Fields that a server does not have, an older or a newer one, are nothing.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

/// `/api/streams`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Report {
    pub(super) version: String,
    pub(super) uptime_s: u64,
    pub(super) streams: Vec<Stream>,
}

/// One of `streams`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Stream {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) source: String,
    pub(super) source_id: Option<u64>,
    pub(super) state: String,
    pub(super) reason: Option<String>,
    pub(super) since: f64,
    pub(super) next_try_in_s: Option<f64>,
    pub(super) fps_in: f64,
    pub(super) frames_in: u64,
    pub(super) bytes_in: u64,
    pub(super) frames_out: u64,
    pub(super) bytes_out: u64,
    pub(super) size: Option<Size>,
    pub(super) frame_bytes: Option<u64>,
    pub(super) frame_age_s: Option<f64>,
    pub(super) viewers: u64,
    pub(super) skipped: u64,
    pub(super) dropped: BTreeMap<String, u64>,
    pub(super) quirks: BTreeMap<String, u64>,
    pub(super) reconnects: u64,
    pub(super) sources: Option<Vec<Source>>,
}

impl Stream {
    /// Frames that came and were no good.
    pub(super) fn errors(&self) -> u64 {
        let bad = ["invalid", "too_large", "unreadable"];
        bad.iter().filter_map(|reason| self.dropped.get(*reason)).sum()
    }
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(super) struct Size {
    pub(super) width: u32,
    pub(super) height: u32,
}

/// One of several sources.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Source {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) place: Option<String>,
    pub(super) state: String,
    pub(super) reason: Option<String>,
}

/// `/api/events`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Events {
    pub(super) last: u64,
    pub(super) events: Vec<Event>,
}

/// One event.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    pub(super) time: f64,
    pub(super) stream: Option<String>,
    pub(super) kind: String,
    pub(super) state: Option<String>,
    pub(super) message: String,
}

/// `/api/history`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct History {
    pub(super) fps: HashMap<String, Vec<f64>>,
}
