//! `webhooks:`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::{
    auth::{StreamNames, StreamScope, all_streams},
    http_source::{HeaderName, HeaderValue, Login, SecretUrl, split_login},
};
use crate::config::values::{
    DAY, Entry, LongSecret, MINUTE, OneOrMany, OrNone, Pairs, Secret, Text, Time, Wrong, scalar, secs,
};

/// One of `webhooks`: who is told what.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// The name in the log and the metrics.
    #[serde(skip)]
    pub name: String,
    /// URL that events are sent to, by POST. It may contain user and password. It is never shown: the URLs of
    /// chat programs are secrets.
    #[serde(with = "Text::<SecretUrl>")]
    #[schemars(extend("x-need" = "the URL that events are sent to, such as https://example.org/hook"))]
    pub url: Secret,
    /// User and password, taken out of the URL.
    #[serde(skip)]
    pub login: Option<Login>,
    /// Events that are sent.
    #[serde(default = "default_events", with = "OneOrMany::<Event, Vec<HookEvent>>")]
    #[schemars(extend("x-default" = "`lost` and `back`"))]
    pub events: Vec<HookEvent>,
    /// Streams whose events are sent.
    #[serde(default = "all_streams", with = "OneOrMany::<StreamNames, StreamScope>")]
    pub streams: StreamScope,
    /// Time that a stream must have been away, or without viewers, before the event is sent.
    #[serde(default = "secs::<10>", with = "Text::<Time<0, DAY>>")]
    pub after: Duration,
    /// Key that signs requests (HMAC-SHA256).
    #[serde(default, with = "Text::<OrNone<LongSecret<16>>>")]
    pub secret: Option<Secret>,
    /// Headers sent with each request.
    #[serde(default, deserialize_with = "Pairs::<HeaderName, HeaderValue>::deserialize")]
    #[schemars(with = "Pairs::<HeaderName, HeaderValue>")]
    pub headers: Vec<(String, Secret)>,
    /// Longest duration of one attempt.
    #[serde(default = "secs::<10>", with = "Text::<Time<100, MINUTE>>")]
    pub timeout: Duration,
    /// Accept any certificate. Logged when used.
    #[serde(default)]
    pub insecure: bool,
}

impl Entry for WebhookConfig {
    fn complete(&mut self, name: String) {
        self.name = name;
        if let Ok(mut url) = Url::parse(self.url.reveal()) {
            self.login = split_login(&mut url);
            self.url = Secret::new(url);
        }
    }
}

fn default_events() -> Vec<HookEvent> {
    vec![HookEvent::Lost, HookEvent::Back]
}

/// An event that a webhook may be told.
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

    /// Returns the word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Back => "back",
            Self::NoViewers => "no-viewers",
        }
    }
}

scalar!(struct Event => HookEvent, "lost, back, no-viewers", "", |text| {
    let known = HookEvent::ALL.into_iter().find(|event| event.as_str() == text);
    known.ok_or_else(|| Wrong::shown("must be lost, back, no-viewers, or a list of them"))
});
