//! What a request is about, and who may have it.

use actix_web::HttpRequest;

use crate::{
    auth::{Caller, Shown},
    config::{Publishers, Role, Secret, SourceConfig},
    frame::StreamName,
    stream::StreamHandle,
    web::{Of, Problem, WebState, peers, query},
};

/// How credentials are shown, for people.
const HOW: &str = "send Authorization: Bearer TOKEN, or ?token=TOKEN";

/// What a request is about.
pub(super) struct Target {
    of: Of,
    /// As in the path; for messages.
    text: String,
    name: Option<StreamName>,
    stream: Option<StreamHandle>,
}

/// Who may push to a stream without a role.
enum Pushes {
    /// It takes none, or is not there.
    None,
    Anybody,
    Holders(Secret),
}

impl Target {
    pub(super) fn of(state: &WebState, request: &HttpRequest, of: Of) -> Self {
        let text = match of {
            Of::Named => request.match_info().get("name").unwrap_or_default().to_owned(),
            Of::Default => state.default_stream().map(|stream| stream.name().to_string()).unwrap_or_default(),
            Of::Asked(key) => query(request, key).unwrap_or_default(),
            Of::Counted => name_of(peers::counted(state, number(request))),
            Of::Camera => name_of(peers::camera(state, number(request))),
            Of::Any | Of::All => String::new(),
        };
        let name: Option<StreamName> = text.parse().ok();
        let stream = name.as_ref().and_then(|name| state.registry.get(name));
        Self { of, text, name, stream }
    }

    pub(super) fn name(&self) -> Option<&StreamName> {
        self.name.as_ref()
    }

    /// Whether it does not matter who asks.
    pub(super) fn is_open(&self, role: Role, anybody: &Caller) -> bool {
        match self.of {
            // The answer depends on who asks, unless everybody sees everything.
            Of::Any => anybody.may_with_all(role),
            _ => self.may_be_used(role, anybody),
        }
    }

    pub(super) fn may_be_used(&self, role: Role, caller: &Caller) -> bool {
        match self.of {
            Of::All => caller.may_with_all(role),
            Of::Any => caller.may_with_any(role),
            _ if caller.may(role, self.name.as_ref()) => true,
            _ if role == Role::Push => match self.pushes() {
                Pushes::Anybody => true,
                Pushes::Holders(_) => false,
                // The handler says why it takes none, to those who may know.
                Pushes::None => caller.may(Role::View, self.name.as_ref()),
            },
            _ => false,
        }
    }

    fn pushes(&self) -> Pushes {
        let sources = self.stream.iter().flat_map(|stream| stream.config().sources());
        // Of several sources one at most takes points, and none pictures.
        let mut takes = sources.filter_map(|source| match source {
            SourceConfig::Push { token: None, .. } => Some(Pushes::Anybody),
            SourceConfig::Push { token: Some(token), .. } => Some(Pushes::Holders(token.clone())),
            SourceConfig::Chart(chart) => Some(match &chart.publishers {
                Publishers::Nobody => Pushes::None,
                Publishers::Anybody => Pushes::Anybody,
                Publishers::Holders(token) => Pushes::Holders(token.clone()),
            }),
            _ => None,
        });
        takes.next().unwrap_or(Pushes::None)
    }

    /// The token that the stream itself has for its publishers.
    pub(super) fn own_token(&self) -> Option<Secret> {
        match self.pushes() {
            Pushes::Holders(token) => Some(token),
            _ => None,
        }
    }

    fn what(&self, role: Role) -> String {
        let verb = match role {
            Role::View => "watch",
            Role::Push => "push to",
            Role::Admin => "change",
        };
        match self.of {
            Of::Any => format!("{verb} any stream"),
            Of::All => format!("{verb} all streams"),
            _ => format!("{verb} stream {}", self.text),
        }
    }

    /// For those who are somebody, but not the right one.
    pub(super) fn forbidden(&self, role: Role) -> String {
        format!("you may not {}: that needs the role {}", self.what(role), role.as_str())
    }

    /// For those who are nobody yet.
    pub(super) fn unauthorized(&self, role: Role, shown: &Shown) -> String {
        let (stream, what) = (&self.text, self.what(role));
        let is_push = role == Role::Push && self.own_token().is_some();
        match (shown.is_nothing(), is_push) {
            (true, true) => format!("stream {stream} wants its token: {HOW}"),
            (false, true) => format!("that is not the token of stream {stream}"),
            (true, false) => format!("to {what} you must say who you are: {HOW}"),
            (false, false) => format!("what you show is not known here, or over; to {what} it must be"),
        }
    }
}

fn name_of(found: Result<StreamHandle, Problem>) -> String {
    found.map(|stream| stream.name().to_string()).unwrap_or_default()
}

fn number(request: &HttpRequest) -> &str {
    request.match_info().get("n").unwrap_or_default()
}
