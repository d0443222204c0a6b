//! Checks before each handler whether the caller may use its route, and the rate limit of its address.
//!
//! For a route that everybody may use only the rule is read; credentials are checked only if the answer
//! depends on them. The bodies of requests and answers are not touched.

mod address;
mod origin;
mod credentials;
pub(in crate::web) mod mjpg_streamer_ids;
pub(in crate::web) mod login_redirect;
mod resource;
pub(in crate::web) mod rule;

use std::{
    future::{Ready, ready},
    time::Duration,
};

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest, HttpResponse,
    body::BoxBody,
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::{Method, StatusCode, header},
    middleware::Next,
    web,
};
pub(in crate::web) use address::{address, is_secure};
use credentials::credentials_of;
pub(in crate::web) use credentials::{cookie, cookie_name, signed};
pub(in crate::web) use origin::{is_foreign, same_origin};
use resource::Resource;

use super::{
    access_log::extensions::{Rejected, RequestedStream},
    rejected_pushes,
    uploads::body::RequestBody,
};
use super::{
    problem::Problem,
    rejections::{FullLimit, Rejection},
    viewers_per_address::AddressPermit,
};
use crate::{
    auth::{ActiveGrant, AuthError, Credentials, Principal},
    config::{Role, Secret},
    media::stream_name::StreamName,
    stream::StreamHandle,
    web::{server::connections::Connection, state::WebState},
};
use rule::Rule;

/// Names and values of a request's headers together: four times what browsers with many cookies send.
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// The `Retry-After` of a client whose address has too many viewers.
const PERMIT_RETRY_AFTER: Duration = Duration::from_secs(4);

/// Lets the handler run if the rule allows it. The [`Principal`] is then there for it.
pub(in crate::web) async fn check(
    rule: Rule,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match admit(rule, request.request()).await {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.call(request).await
        }
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED && is_navigation(request.request()) => {
            let state = request.app_data::<web::Data<WebState>>().expect("every app has its state");
            let to = login_redirect::address_for(request.request(), &state.runtime.base_path);
            let answer = HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish();
            Ok(request.into_response(answer))
        }
        Err(problem) => {
            let (request, mut payload) = request.into_parts();
            let payload = web::Payload::from_request(&request, &mut payload).await?;
            // Only the rest of the refused body is still read.
            let _waiting = Connection::from_request(&request).map(|connection| connection.wait_for_client());
            let answer = RequestBody::new(&request, payload).refuse(problem).await;
            Ok(ServiceResponse::new(request, answer))
        }
    }
}

/// The principal of the request. Every handler has one, since every route has its rule.
impl FromRequest for Principal {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(authenticate(request))
    }
}

fn authenticate(request: &HttpRequest) -> Result<Principal, Problem> {
    let principal = request.extensions().get::<Principal>().cloned();
    principal.ok_or_else(|| Problem::forbidden("this route is not accessible: it has no access rule"))
}

/// Returns whether a valid credential was sent and checked; it is not checked where everybody may push.
pub(in crate::web) fn is_known(request: &HttpRequest) -> bool {
    request.extensions().get::<Principal>().is_some_and(Principal::is_authenticated)
}

/// Counts a request among those of its address. Addresses that do not exist are asked for, too.
///
/// # Errors
/// 429 when there are too many.
pub(in crate::web) fn check_rate_limit(request: &HttpRequest) -> Result<(), Problem> {
    let state: &WebState = request.app_data::<web::Data<WebState>>().expect("every app has its state");
    state.access.requests.try_acquire(|| address(&state.runtime, request)).map_err(|wait| {
        state.access.rejections.count(Rejection::Rate);
        let detail = "more requests than limits.max_requests_per_second allows an address".to_owned();
        too_many(detail, wait)
    })
}

async fn admit(rule: Rule, request: &HttpRequest) -> Result<Principal, Problem> {
    let state: &WebState = request.app_data::<web::Data<WebState>>().expect("every app has its state");
    check_rate_limit(request)?;
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
    if headers.sum::<usize>() > MAX_HEADER_BYTES {
        state.access.rejections.count(Rejection::Headers);
        let detail = format!("the headers are longer than {MAX_HEADER_BYTES} bytes");
        return Err(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail));
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        same_origin(request).inspect_err(|_| state.access.rejections.count(Rejection::CrossSite))?;
    }
    let mut principal = state.access.auth.anonymous();
    let Rule::Needs(role, scope) = rule else { return Ok(principal) };
    let target = Resource::from_request(state, request, scope);
    let admitted = match target.is_open(role, &principal) {
        true => Ok(()),
        false => authorize(state, request, role, &target, &mut principal).await,
    };
    if let Some(name) = target.name_for(role, &principal) {
        request.extensions_mut().insert(RequestedStream(name.clone()));
        if let (Role::Push, Err(problem)) = (role, &admitted) {
            // For the stream it is a push that was not allowed, whatever the caller is told about the stream.
            let status = match problem.status() {
                StatusCode::NOT_FOUND => StatusCode::FORBIDDEN,
                status => status,
            };
            rejected_pushes::count(&state.streams, name.as_str(), status);
        }
    }
    admitted.map(|()| principal)
}

/// Checks the credentials of the caller, and whether they are enough.
async fn authorize(
    state: &WebState,
    request: &HttpRequest,
    role: Role,
    target: &Resource,
    principal: &mut Principal,
) -> Result<(), Problem> {
    let mut names = target.names();
    let shown = credentials_of(request, names.next());
    let own = if role == Role::Push { target.own_token() } else { None };
    let own = own.as_ref().map(|(name, token)| (*name, token));
    let is_enough = |principal: &Principal| target.is_open(role, principal);
    let identified = identify(state, request, &shown, principal, own, is_enough).await;
    for name in names {
        // A link is for one stream, which may be the other one that the address may mean.
        let link =
            Credentials { link: signed(request).map(|link| (name.clone(), link)), ..Credentials::default() };
        identify(state, request, &link, principal, None, |_| false).await?;
    }
    let may_be_used = target.is_allowed(role, principal);
    // A credential that was not checked may be the one that permits it.
    if let Err(problem) = identified
        && !(principal.is_authenticated() && may_be_used)
    {
        state.access.rejections.count(Rejection::Guessing);
        return Err(problem);
    }
    if may_be_used {
        return Ok(());
    }
    if principal.is_authenticated() {
        state.access.rejections.count(Rejection::Forbidden);
        // For the access log, which names the user.
        request.extensions_mut().insert(principal.clone());
        request.extensions_mut().insert(Rejected);
        return Err(target.rejection(role, principal));
    }
    state.access.rejections.count(Rejection::Unauthorized);
    Err(challenged(state, request, role, target.unauthorized(role, principal, &shown)))
}

async fn identify(
    state: &WebState,
    request: &HttpRequest,
    shown: &Credentials,
    principal: &mut Principal,
    own: Option<(&StreamName, &Secret)>,
    is_enough: impl Fn(&Principal) -> bool,
) -> Result<(), Problem> {
    let from = address(&state.runtime, request);
    state.access.auth.identify(principal, shown, from, own, is_enough).await.map_err(
        |not_now| match not_now {
            AuthError::RateLimited(wait) => too_many(not_now.to_string(), wait),
            AuthError::Busy(_) => Problem::unavailable(not_now.to_string()),
        },
    )
}

/// Returns the principal of a request whose route does not check credentials. A link may be for `stream`.
pub(in crate::web) async fn principal(
    state: &WebState,
    request: &HttpRequest,
    stream: Option<&StreamName>,
) -> Result<Principal, Problem> {
    principal_with(state, request, &credentials_of(request, stream)).await
}

/// Returns `principal` with all credentials of the request: a route that is open to everybody has not checked
/// them, and its answer tells administrators more. Wrong credentials do not cause a refusal; guesses are
/// limited as everywhere.
pub(in crate::web) async fn authenticate_fully(
    principal: Principal,
    state: &WebState,
    request: &HttpRequest,
) -> Principal {
    if principal.is_authenticated() {
        principal
    } else {
        super::access::principal(state, request, None).await.unwrap_or(principal)
    }
}

/// Returns the caller with the credentials given here, without any others of the request.
pub(in crate::web) async fn principal_with(
    state: &WebState,
    request: &HttpRequest,
    shown: &Credentials,
) -> Result<Principal, Problem> {
    let mut principal = state.access.auth.anonymous();
    let is_all = |principal: &Principal| principal.is_allowed_on_all(Role::Admin);
    match identify(state, request, shown, &mut principal, None, is_all).await {
        Err(problem) if !principal.is_authenticated() => {
            state.access.rejections.count(Rejection::Guessing);
            Err(problem)
        }
        _ => Ok(principal),
    }
}

/// Returns the grant that keeps a stream open for the caller, for as long as the rules permit it.
///
/// # Errors
/// Those of the access check, as for every handler.
pub(in crate::web) fn grant(
    state: &WebState,
    request: &HttpRequest,
    role: Role,
    stream: &StreamHandle,
) -> Result<ActiveGrant, Problem> {
    let principal = authenticate(request)?;
    Ok(ActiveGrant::new(&state.access.auth, &principal, role, Some(stream.name())))
}

/// Returns the grant of a publisher that pushes by a role; none if the stream accepts pushes from everybody.
///
/// # Errors
/// Those of the access check, as for every handler.
pub(in crate::web) fn push_grant(
    state: &WebState,
    request: &HttpRequest,
    stream: &StreamHandle,
) -> Result<Option<ActiveGrant>, Problem> {
    let principal = authenticate(request)?;
    let by_role = principal.is_allowed(Role::Push, Some(stream.name()));
    Ok(by_role.then(|| ActiveGrant::new(&state.access.auth, &principal, Role::Push, Some(stream.name()))))
}

/// Takes one of the viewer permits of the client's address.
///
/// # Errors
/// 429 when there are too many.
pub(in crate::web) fn viewer_permit(
    state: &WebState,
    request: &HttpRequest,
) -> Result<AddressPermit, Problem> {
    state.access.viewers_per_address.acquire(address(&state.runtime, request)).map_err(|most| {
        state.access.rejections.count_viewer(FullLimit::Address);
        let detail =
            format!("your address has all the viewers that limits.max_viewers_per_address allows: {most}");
        too_many(detail, PERMIT_RETRY_AFTER)
    })
}

/// Returns a 429 with the whole seconds to wait.
fn too_many(detail: String, wait: Duration) -> Problem {
    let seconds = (wait.as_secs() + 1).to_string();
    Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).with(header::RETRY_AFTER, seconds)
}

/// Returns the 401, with every scheme that is accepted: a publisher may send its token as a Basic password. A
/// page asks in its own way, where a browser would open a dialog.
fn challenged(state: &WebState, request: &HttpRequest, role: Role, detail: String) -> Problem {
    let by_page = request.headers().contains_key(header::REFERER)
        || request.headers().get("sec-fetch-mode").is_some_and(|mode| mode != "navigate");
    let problem = Problem::new(StatusCode::UNAUTHORIZED, detail);
    // ffmpeg reads only the beginning of a line.
    let problem = if (state.access.auth.has_users() || role == Role::Push) && !by_page {
        problem.with(header::WWW_AUTHENTICATE, "Basic realm=\"framecast\", charset=\"UTF-8\"")
    } else {
        problem
    };
    problem.with(header::WWW_AUTHENTICATE, "Bearer realm=\"framecast\"")
}

/// Returns whether the request opens a page in a browser's window.
fn is_navigation(request: &HttpRequest) -> bool {
    let accepts = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    request.method() == Method::GET && accepts.is_some_and(|accept| accept.contains("text/html"))
}
