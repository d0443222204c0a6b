//! `webhooks:`.

use std::time::Duration;

use super::{Login, Secret, auth::Reach};

/// One of `webhooks`: who is told what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookConfig {
    /// What the log and the metrics call it.
    pub name: String,
    /// Where to. Its path alone may let people in, as those of chat programs do.
    pub url: Secret,
    /// Taken out of the URL.
    pub login: Option<Login>,
    /// What is told.
    pub events: Vec<HookEvent>,
    /// Of which streams.
    pub streams: Reach,
    /// What a stream must have been for so long before it is told.
    pub after: Duration,
    /// What is sent is signed with it.
    pub secret: Option<Secret>,
    /// Sent with each request.
    pub headers: Vec<(String, Secret)>,
    /// One try has so long.
    pub timeout: Duration,
    /// Accept any certificate.
    pub insecure: bool,
}

/// What a webhook may tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookEvent {
    /// A stream's source is away.
    Lost,
    /// It gives pictures again.
    Back,
    /// The last viewer of a stream has left.
    NoViewers,
}

impl HookEvent {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Lost, Self::Back, Self::NoViewers];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Back => "back",
            Self::NoViewers => "no-viewers",
        }
    }
}
