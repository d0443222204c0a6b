//! Asks before each handler whether the caller may use its route.
//!
//! A route that everybody may use costs a look at its rule; credentials are looked at only where the answer depends on
//! them. The bodies of requests and answers pass untouched.

mod origin;
mod shown;

use std::future::{Ready, ready};

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest,
    body::BoxBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::Method,
    middleware::Next,
    web,
};
use subtle::ConstantTimeEq;

use self::shown::Shown;
use super::{Of, Problem, Rule, WebState, peers, pushing::Body, query};
use crate::{
    auth::{Auth, Caller},
    config::{Publishers, Role, SourceConfig},
    frame::StreamName,
    stream::StreamHandle,
};
pub(super) use origin::same_origin;

/// Lets the handler run if the rule allows it. The [`Caller`] is then there for it.
pub(super) async fn check(
    rule: Rule,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match admit(rule, request.request()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.call(request).await
        }
        Err(problem) => {
            let (request, mut payload) = request.into_parts();
            let payload = web::Payload::from_request(&request, &mut payload).await?;
            let answer = Body::new(&request, payload).refuse(problem).await;
            Ok(ServiceResponse::new(request, answer))
        }
    }
}

/// Who asks. It is there in every handler, since every route has its rule.
impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Self>().cloned();
        ready(caller.ok_or_else(|| Problem::forbidden("nobody may use this address: it has no rule")))
    }
}

fn admit(rule: Rule, request: &HttpRequest) -> Result<Caller, Problem> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        same_origin(request)?;
    }
    let state: &WebState = request.app_data::<web::Data<WebState>>().expect("every app has its state");
    let mut caller = state.auth.anybody();
    let Rule::Needs(role, of) = rule else { return Ok(caller) };
    let target = Target::of(state, request, of);
    if target.is_open(role, &caller) {
        return Ok(caller);
    }
    let shown = Shown::by(request);
    identify(&state.auth, &shown, &mut caller);
    if role == Role::Push && target.has_token_among(&shown) {
        caller.publishes(target.name.clone().expect("a stream has a name"));
    }
    if target.may_be_used(role, &caller) { Ok(caller) } else { Err(target.refusal(role, &caller, &shown)) }
}

/// Adds what the shown credentials grant.
fn identify(auth: &Auth, shown: &Shown, caller: &mut Caller) {
    for token in shown.tokens() {
        if let Some(identity) = auth.of_token(token) {
            caller.is(identity);
        }
    }
}

/// What a request is about.
struct Target {
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
    Holders(crate::config::Secret),
}

impl Target {
    fn of(state: &WebState, request: &HttpRequest, of: Of) -> Self {
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

    fn is_open(&self, role: Role, anybody: &Caller) -> bool {
        match self.of {
            // The answer depends on who asks, unless everybody sees everything.
            Of::Any => anybody.may_with_all(role),
            _ => self.may_be_used(role, anybody),
        }
    }

    fn may_be_used(&self, role: Role, caller: &Caller) -> bool {
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
            SourceConfig::Push { token: None } => Some(Pushes::Anybody),
            SourceConfig::Push { token: Some(token) } => Some(Pushes::Holders(token.clone())),
            SourceConfig::Chart(chart) => Some(match &chart.publishers {
                Publishers::Nobody => Pushes::None,
                Publishers::Anybody => Pushes::Anybody,
                Publishers::Holders(token) => Pushes::Holders(token.clone()),
            }),
            _ => None,
        });
        takes.next().unwrap_or(Pushes::None)
    }

    fn has_token_among(&self, shown: &Shown) -> bool {
        let Pushes::Holders(token) = self.pushes() else { return false };
        shown.tokens().any(|shown| shown.as_bytes().ct_eq(token.reveal().as_bytes()).into())
    }

    /// 401 for those who are nobody yet, 403 for those who are somebody else.
    fn refusal(&self, role: Role, caller: &Caller, shown: &Shown) -> Problem {
        let stream = &self.text;
        let what = match self.of {
            Of::Any => format!("{} any stream", verb(role)),
            Of::All => format!("{} all streams", verb(role)),
            _ => format!("{} stream {stream}", verb(role)),
        };
        if caller.is_known() {
            return Problem::forbidden(format!("you may not {what}: that needs the role {}", role.as_str()));
        }
        let how = "send Authorization: Bearer TOKEN, or ?token=TOKEN";
        let is_push = role == Role::Push && matches!(self.pushes(), Pushes::Holders(_));
        Problem::unauthorized(match (shown.tokens().next().is_some(), is_push) {
            (false, true) => format!("stream {stream} wants its token: {how}"),
            (true, true) => format!("that is not the token of stream {stream}"),
            (false, false) => format!("to {what} you must say who you are: {how}"),
            (true, false) => format!("that token is not known, and to {what} one is needed"),
        })
    }
}

/// Nothing if there is no such stream: the handler says so, to those who may know.
fn name_of(found: Result<StreamHandle, Problem>) -> String {
    found.map(|stream| stream.name().to_string()).unwrap_or_default()
}

fn number(request: &HttpRequest) -> &str {
    request.match_info().get("n").unwrap_or_default()
}

fn verb(role: Role) -> &'static str {
    match role {
        Role::View => "watch",
        Role::Push => "push to",
        Role::Admin => "change",
    }
}
