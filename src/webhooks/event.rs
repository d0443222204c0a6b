//! The events that webhooks send, as JSON.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::{config::HookEvent, media::stream_name::StreamName};

/// One event of one stream, for one webhook.
#[derive(Debug, Clone)]
pub(super) struct WebhookEvent {
    /// Unique number, across restarts too.
    pub(super) id: String,
    pub(super) kind: HookEvent,
    pub(super) stream: StreamName,
    /// Title of the stream, for people.
    pub(super) title: String,
    /// Time of the event.
    pub(super) time: SystemTime,
    /// The reason, without credentials.
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

impl WebhookEvent {
    /// Returns the request body, with the number of events before it that were dropped.
    pub(super) fn body(&self, missed: u64) -> String {
        let since_epoch = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let body = Body {
            id: &self.id,
            event: self.kind.as_str(),
            stream: self.stream.as_str(),
            title: &self.title,
            // Milliseconds are precise enough.
            time: (since_epoch.as_secs_f64() * 1000.0).round() / 1000.0,
            message: &self.message,
            missed,
        };
        serde_json::to_string(&body).expect("texts and numbers are always JSON")
    }
}
