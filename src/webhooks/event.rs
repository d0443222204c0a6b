//! The content of a notice: one event of one stream, as JSON.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::{config::HookEvent, media::stream_name::StreamName};

/// One thing that happened, to be told to one hook.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    /// Tells it from all others of all times.
    pub(super) id: String,
    pub(super) event: HookEvent,
    pub(super) stream: StreamName,
    /// Title of the stream, for people.
    pub(super) title: String,
    /// When it happened.
    pub(super) time: SystemTime,
    /// Why; without credentials.
    pub(super) message: String,
}

#[derive(Serialize)]
struct Body<'a> {
    id: &'a str,
    event: &'static str,
    stream: &'a str,
    title: &'a str,
    time: f64,
    message: &'a str,
    missed: u64,
}

impl Notice {
    /// As it is sent, with how many before it could not be kept.
    pub(super) fn body(&self, missed: u64) -> String {
        let since_epoch = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let body = Body {
            id: &self.id,
            event: self.event.as_str(),
            stream: self.stream.as_str(),
            title: &self.title,
            // More digits than milliseconds say nothing.
            time: (since_epoch.as_secs_f64() * 1000.0).round() / 1000.0,
            message: &self.message,
            missed,
        };
        serde_json::to_string(&body).expect("texts and numbers are always JSON")
    }
}
