//! The target of a request, and who may use it.
//!
//! A stream that does not exist and one that the caller may not see get the same answer: 401 without a valid
//! credential, 404 with one. Both texts are made here, from what the caller wrote in the request, so that no
//! answer depends on whether such a stream exists. 403 is for a role that is missing on a stream that the
//! caller may see.

use actix_web::HttpRequest;

use super::{
    mjpg_streamer_ids::{self, Which},
    rule::Scope,
};
use crate::{
    auth::{Credentials, Principal},
    config::{Publishers, Role, Secret, SourceConfig},
    media::stream_name::StreamName,
    stream::StreamHandle,
    web::{
        middleware::problem::Problem,
        query::query,
        state::{Streams, WebState},
    },
};

/// A hint for people on how to send credentials.
const CREDENTIALS_HINT: &str = "send Authorization: Bearer TOKEN, or ?token=TOKEN";

/// The target of a request.
pub(super) enum Resource {
    /// Any stream: the handler leaves out what the caller may not see.
    Any,
    /// All streams, also future ones.
    All,
    /// A stream, but the request does not say which: the handler reports it to everybody who may see
    /// anything.
    Unnamed,
    /// One stream.
    One {
        /// The stream as the request names it.
        called: StreamRef,
        /// The streams that may be meant, of which the first that the caller may use is the one.
        candidates: Vec<Candidate>,
        /// The address may mean two streams.
        is_either: bool,
    },
}

/// The request's words for a stream; nothing else may be repeated in a refusal.
pub(super) enum StreamRef {
    Name(String),
    Number { digits: String, from: u8 },
    Default,
}

/// A stream that may be meant.
pub(super) struct Candidate {
    /// The name, also of a stream that does not exist.
    name: Option<StreamName>,
    stream: Option<StreamHandle>,
}

/// The publishers that may push to a stream without a role.
enum PushAccess {
    /// The stream does not exist, or takes no pushes.
    None,
    Anybody,
    Holders(Secret),
}

impl Candidate {
    fn named(streams: &Streams, text: &str) -> Self {
        let name: Option<StreamName> = text.parse().ok();
        let stream = name.as_ref().and_then(|name| streams.registry.get(name));
        Self { name, stream }
    }

    fn found<E>(found: Result<StreamHandle, E>) -> Self {
        let stream = found.ok();
        Self { name: stream.as_ref().map(|stream| stream.name().clone()), stream }
    }

    fn is_allowed(&self, role: Role, principal: &Principal) -> bool {
        if principal.is_allowed(role, self.name.as_ref()) {
            return true;
        }
        role == Role::Push
            && match self.pushes() {
                PushAccess::Anybody => true,
                PushAccess::Holders(_) => false,
                // The handler says why it takes none, to those who may know.
                PushAccess::None => principal.is_allowed(Role::View, self.name.as_ref()),
            }
    }

    fn is_visible(&self, principal: &Principal) -> bool {
        self.stream.as_ref().is_some_and(|stream| principal.is_allowed(Role::View, Some(stream.name())))
    }

    fn pushes(&self) -> PushAccess {
        self.stream.as_ref().map_or(PushAccess::None, PushAccess::of_stream)
    }
}

impl PushAccess {
    fn of_stream(stream: &StreamHandle) -> Self {
        let config = stream.config();
        let sources = config.sources();
        // Of several sources one at most takes points, and none pictures.
        let mut takes = sources.filter_map(|source| match source {
            SourceConfig::Push { token: None, .. } => Some(Self::Anybody),
            SourceConfig::Push { token: Some(token), .. } => Some(Self::Holders(token.clone())),
            SourceConfig::Chart(chart) => Some(match &chart.publishers {
                Publishers::Nobody => Self::None,
                Publishers::Anybody => Self::Anybody,
                Publishers::Holders(token) => Self::Holders(token.clone()),
            }),
            _ => None,
        });
        takes.next().unwrap_or(Self::None)
    }
}

impl Resource {
    pub(super) fn from_request(state: &WebState, request: &HttpRequest, scope: Scope) -> Self {
        let one = |called, candidate| Self::One { called, candidates: vec![candidate], is_either: false };
        let named = |text: String| {
            let candidate = Candidate::named(&state.streams, &text);
            one(StreamRef::Name(text), candidate)
        };
        let default = || one(StreamRef::Default, Candidate::found(state.default_stream()));
        let nth = |digits: &str| {
            let called = StreamRef::Number { digits: digits.to_owned(), from: 0 };
            one(called, Candidate::found(state.streams.find_by_position(digits)))
        };
        match scope {
            Scope::Named => named(request.match_info().get("name").unwrap_or_default().to_owned()),
            Scope::Default => default(),
            Scope::Query(key) => query(request, key).map_or(Self::Unnamed, named),
            Scope::QueryOrAny(key) => query(request, key).map_or(Self::Any, named),
            Scope::Position => nth(number(request)),
            Scope::Action => match query(request, "action").as_deref().and_then(mjpg_streamer_ids::stream_of)
            {
                Some(Which::Default) => default(),
                Some(Which::Nth(digits)) => nth(digits),
                None => Self::Any,
            },
            Scope::Number | Scope::Camera => {
                let digits = number(request);
                let called = StreamRef::Number { digits: digits.to_owned(), from: 1 };
                let numbered = Candidate::found(state.streams.find_by_number(digits));
                // A stream of that name that the caller may not see must not change what the number means.
                let is_either = scope == Scope::Camera;
                let named = is_either
                    .then(|| Candidate::named(&state.streams, &mjpg_streamer_ids::camera_name(digits)));
                let named = named.filter(|named| named.stream.is_some());
                let candidates = named.into_iter().chain([numbered]).collect();
                Self::One { called, candidates, is_either }
            }
            Scope::Any => Self::Any,
            Scope::All => Self::All,
        }
    }

    fn candidates(&self) -> &[Candidate] {
        match self {
            Self::One { candidates, .. } => candidates,
            Self::Any | Self::All | Self::Unnamed => &[],
        }
    }

    /// Returns the names of the streams that may be meant.
    pub(super) fn names(&self) -> impl Iterator<Item = &StreamName> {
        self.candidates().iter().filter_map(|candidate| candidate.name.as_ref())
    }

    /// Returns the name of the stream that the request means for this caller.
    pub(super) fn name_for(&self, role: Role, principal: &Principal) -> Option<&StreamName> {
        let used = self.candidates().iter().find(|candidate| candidate.is_allowed(role, principal));
        used.or(self.candidates().first())?.name.as_ref()
    }

    /// Returns whether the target is open to everybody.
    pub(super) fn is_open(&self, role: Role, anybody: &Principal) -> bool {
        match self {
            // The answer depends on the caller, unless everybody may see everything.
            Self::Any => anybody.is_allowed_on_all(role),
            // The same holds where an address may mean two streams, whether or not both exist.
            Self::One { is_either: true, .. } => anybody.is_allowed_on_all(role),
            _ => self.is_allowed(role, anybody),
        }
    }

    pub(super) fn is_allowed(&self, role: Role, principal: &Principal) -> bool {
        match self {
            Self::All => principal.is_allowed_on_all(role),
            Self::Any => principal.is_allowed_on_any(role),
            Self::Unnamed => principal.is_allowed_on_any(Role::View),
            Self::One { candidates, .. } => candidates.iter().any(|one| one.is_allowed(role, principal)),
        }
    }

    /// Returns whether the caller may know that the target exists.
    fn is_visible(&self, principal: &Principal) -> bool {
        match self {
            Self::One { candidates, .. } => candidates.iter().any(|one| one.is_visible(principal)),
            Self::Any | Self::All | Self::Unnamed => true,
        }
    }

    /// Returns the token that the stream itself has for its publishers.
    pub(super) fn own_token(&self) -> Option<(&StreamName, Secret)> {
        let candidate = self.candidates().first()?;
        match candidate.pushes() {
            PushAccess::Holders(token) => candidate.name.as_ref().map(|name| (name, token)),
            _ => None,
        }
    }

    fn describe(&self, role: Role) -> String {
        let verb = match role {
            Role::View => "watch",
            Role::Push => "push to",
            Role::Admin => "change",
        };
        match self {
            Self::Any | Self::Unnamed => format!("{verb} any stream"),
            Self::All => format!("{verb} all streams"),
            Self::One { called, .. } => match called {
                StreamRef::Name(name) => format!("{verb} stream {name}"),
                StreamRef::Number { digits, .. } => format!("{verb} stream number {digits}"),
                StreamRef::Default => format!("{verb} the default stream"),
            },
        }
    }

    /// Returns the refusal for a caller that is known but lacks the permission.
    pub(super) fn rejection(&self, role: Role, principal: &Principal) -> Problem {
        match self {
            Self::One { called, .. } if !self.is_visible(principal) => match called {
                StreamRef::Name(name) => Problem::no_such_stream(name),
                StreamRef::Number { digits, from } => Problem::no_such_number(digits, *from),
                StreamRef::Default => Problem::no_default_stream(),
            },
            _ => {
                let what = self.describe(role);
                Problem::forbidden(format!("you may not {what}: this needs the role {}", role.as_str()))
            }
        }
    }

    /// Returns the text for a caller without a valid credential.
    pub(super) fn unauthorized(&self, role: Role, principal: &Principal, shown: &Credentials) -> String {
        let what = self.describe(role);
        if let Self::One { called: StreamRef::Name(stream), .. } = self
            && role == Role::Push
            && self.own_token().is_some()
            && self.is_visible(principal)
        {
            return match shown.is_empty() {
                true => format!("stream {stream} requires its token: {CREDENTIALS_HINT}"),
                false => format!("that is not the token of stream {stream}"),
            };
        }
        match shown.is_empty() {
            true => format!("authentication is required to {what}: {CREDENTIALS_HINT}"),
            false => format!("the credentials are wrong or have expired; to {what}, send valid ones"),
        }
    }
}

fn number(request: &HttpRequest) -> &str {
    request.match_info().get("n").unwrap_or_default()
}
