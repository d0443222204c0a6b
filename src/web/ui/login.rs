//! Login with a browser: a form without scripts, and the session's cookie.
//!
//! All addresses that are sent here are relative, so that they hold behind a proxy that strips or adds a
//! prefix.
//!
//! A session begins from what the request itself shows, never from a cookie. An address may have been
//! written by anybody, and browsers do not distinguish links in mails from typed addresses
//! (`Sec-Fetch-Site: none` for both) nor, over plain HTTP, send their origin at all. So an address never
//! replaces a session: the session stays if it permits as much, otherwise the page asks the user.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{Method, StatusCode, header},
    web,
};
use schemars::JsonSchema;
use serde::Serialize;
use url::form_urlencoded;

use crate::{
    auth::{Credentials, Principal, SessionRelation, signed_link::LinkSignature},
    config::Role,
    media::stream_name::StreamName,
    web::{
        middleware::{
            access,
            access::login_redirect::{KEYS, query_without_keys, root_and_rest},
            problem::Problem,
            rejections::Rejection,
            security_headers::REFERRER_POLICY,
            uploads::{admission, body::RequestBody},
        },
        query::query,
        server::connections::Connection,
        state::{State, WebState},
    },
};

const FORM: &str = include_str!("assets/login/login.html");

/// The page that asks whether the browser is to be logged in as somebody else.
const SWITCH: &str = include_str!("assets/login/switch_user.html");

/// The content security policy of the form: its own style, and in no other page's frame.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; \
                              form-action 'self'; frame-ancestors 'none'";

/// A name, a password and an address.
const MAX_FORM_BYTES: usize = 8 * 1024;

/// The time limit for receiving the form, which the first bytes of its connection hold, or the next ones.
const FORM_TIMEOUT: Duration = Duration::from_secs(10);

/// `GET /login`: the form.
pub(in crate::web) async fn form(request: HttpRequest) -> HttpResponse {
    answer(HttpResponse::Ok(), &query(&request, "next").unwrap_or_default(), "")
}

/// `POST /login`: name and password, or a token in the password's place; or a link, which [`SWITCH`] sends.
pub(in crate::web) async fn log_in(
    request: HttpRequest,
    state: State,
    payload: web::Payload,
) -> HttpResponse {
    let mut body = RequestBody::new(&request, payload).with_timeout(FORM_TIMEOUT);
    let too_large =
        || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the request body is too large for a login");
    // Anybody may send this, and take their time.
    let waiting = Connection::from_request(&request).map(|connection| connection.wait_for_client());
    let received = match admission::login(&state, &request) {
        Ok(upload) => body.whole(upload, MAX_FORM_BYTES, too_large).await,
        Err(problem) => Err(problem),
    };
    drop(waiting);
    let text = match received {
        Ok(text) => text,
        Err(problem) => return body.refuse(problem).await,
    };
    let field = |name: &str| {
        let mut fields = form_urlencoded::parse(&text);
        fields.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let next = field("next");
    let link = || {
        let signed = LinkSignature { expires: field("expires").parse().ok()?, signature: field("signature") };
        Some((field("stream").parse().ok()?, signed))
    };
    let shown = match link() {
        Some(link) => Credentials { link: Some(link), ..Credentials::default() },
        None => Credentials { login: Some((field("name"), field("password"))), ..Credentials::default() },
    };
    match access::principal_with(&state, &request, &shown).await {
        Ok(principal) => {
            match state.access.auth.begin_session(&principal, access::cookie(&request).as_deref()) {
                Some((cookie, lasts)) => {
                    let mut head = HttpResponse::SeeOther();
                    set_cookie(&mut head, &state, &request, &cookie, lasts);
                    head.insert_header((header::LOCATION, relative_address(&next))).finish()
                }
                None => {
                    state.access.rejections.count(Rejection::Unauthorized);
                    answer(HttpResponse::Unauthorized(), &next, "Wrong user name, password or token.")
                }
            }
        }
        Err(problem) => {
            let mut head = HttpResponse::build(problem.status());
            problem.headers().iter().for_each(|(name, value)| {
                head.insert_header((name.clone(), value.as_ref()));
            });
            answer(head, &next, &problem.to_string())
        }
    }
}

/// `POST /logout`.
pub(in crate::web) async fn log_out(request: HttpRequest, state: State) -> HttpResponse {
    if let Some(cookie) = access::cookie(&request) {
        state.access.auth.end_session(&cookie);
    }
    let mut head = HttpResponse::SeeOther();
    set_cookie(&mut head, &state, &request, "", Duration::ZERO);
    head.insert_header((header::LOCATION, "login")).finish()
}

/// The answer of `/api/session`.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct Session<'a> {
    /// Whom the shown credentials belong to.
    name: Option<&'a str>,
    /// The highest role held for any stream.
    #[schemars(extend("enum" = ["view", "push", "admin", null]))]
    role: Option<&'static str>,
    /// For every stream, and those to come.
    all_streams: bool,
    /// The cookie of a session that has not ended was shown.
    session: bool,
}

/// `GET /api/session`: who the caller is.
pub(in crate::web) async fn session(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    let principal = access::principal(&state, &request, None).await?;
    let role = principal.highest_role();
    let session = Session {
        name: principal.name(),
        role: role.map(Role::as_str),
        all_streams: role.is_some_and(|role| principal.is_allowed_on_all(role)),
        session: principal.has_session(),
    };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(session))
}

/// Takes a token or a link's signature out of the address of a page, and gives a cookie for it. None if the
/// page is to be shown instead: nothing good is in the address, or no browser is logged in by it (HEAD, and
/// what another site embeds).
pub(in crate::web) async fn exchange(
    request: &HttpRequest,
    state: &WebState,
    stream: Option<&StreamName>,
) -> Result<Option<HttpResponse>, Problem> {
    if !KEYS.iter().any(|key| query(request, key).is_some())
        || request.method() != Method::GET
        || access::is_foreign(request)
    {
        return Ok(None);
    }
    let shown = Credentials {
        tokens: query(request, "token").into_iter().collect(),
        link: stream.cloned().zip(access::signed(request)),
        ..Credentials::default()
    };
    let cookie = access::cookie(request);
    let cookie = cookie.as_deref();
    let principal = match access::principal_with(state, request, &shown).await {
        Ok(principal) => principal,
        // A user who is logged in sees the page, also with an invalid address.
        Err(_) if state.access.auth.has_session(cookie) => return Ok(None),
        Err(problem) => return Err(problem),
    };
    let last = request.path().rsplit('/').next().unwrap_or_default();
    let to = relative_address(&format!("{last}{}", query_without_keys(request)));
    let mut head = HttpResponse::SeeOther();
    match state.access.auth.session_relation(cookie, &principal) {
        _ if !principal.is_authenticated() => return Ok(None),
        SessionRelation::Other(owner) => {
            return Ok(Some(ask(request, state, &shown, (&owner, &principal), &to)));
        }
        SessionRelation::Covers => _ = head.insert_header((header::CACHE_CONTROL, "no-store")),
        SessionRelation::Same | SessionRelation::None => {
            match state.access.auth.begin_session(&principal, cookie) {
                Some((cookie, lasts)) => set_cookie(&mut head, state, request, &cookie, lasts),
                None => return Ok(None),
            }
        }
    }
    Ok(Some(head.insert_header((header::LOCATION, to)).finish()))
}

/// The page that asks whether what `shown` holds is to replace the running session.
fn ask(
    request: &HttpRequest,
    state: &WebState,
    shown: &Credentials,
    (owner, principal): (&str, &Principal),
    here: &str,
) -> HttpResponse {
    let (root, next) = root_and_rest(request, &state.runtime.base_path);
    let (stream, link) = shown.link.as_ref().map(|(stream, link)| (stream.as_str(), link)).unzip();
    let expires = link.map(|link| link.expires.to_string()).unwrap_or_default();
    // What is asked about is the first that is good: a token, if there is one.
    let token = shown.tokens.first().filter(|_| !principal.is_by_link());
    let (stream, expires, signature) = match token {
        Some(_) => Default::default(),
        None => (stream.unwrap_or_default(), expires.as_str(), link.map_or("", |link| &link.signature)),
    };
    let fields = [
        ("{root}", root.as_str()),
        ("{running}", owner),
        ("{shown}", principal.name().unwrap_or_default()),
        ("{here}", here),
        ("{token}", token.map_or("", String::as_str)),
        ("{stream}", stream),
        ("{expires}", expires),
        ("{signature}", signature),
        ("{next}", &next),
    ];
    let text = fields.iter().fold(SWITCH.to_owned(), |text, (at, field)| text.replace(at, &escaped(field)));
    html(HttpResponse::Ok(), text)
}

/// An address below the page that is shown, whatever is asked for: never another host.
fn relative_address(next: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\\\"<>".contains(&byte);
    let next = next.trim_start_matches(['/', '\\']);
    if next.bytes().all(plain) { format!("./{next}") } else { "./".to_owned() }
}

fn set_cookie(
    head: &mut HttpResponseBuilder,
    state: &WebState,
    request: &HttpRequest,
    value: &str,
    lasts: Duration,
) {
    let secure = if access::is_secure(&state.runtime, request) { "; Secure" } else { "" };
    let (name, seconds) = (access::cookie_name(request), lasts.as_secs());
    let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    head.insert_header((header::SET_COOKIE, cookie));
    head.insert_header((header::CACHE_CONTROL, "no-store"));
}

fn answer(head: HttpResponseBuilder, next: &str, message: &str) -> HttpResponse {
    html(head, FORM.replace("{next}", &escaped(next)).replace("{message}", &escaped(message)))
}

fn html(mut head: HttpResponseBuilder, text: String) -> HttpResponse {
    head.insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_POLICY))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::REFERRER_POLICY, REFERRER_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .content_type("text/html; charset=utf-8")
        .body(text)
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // The other placeholder.
            '{' => escaped.push_str("&#123;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_leads_nowhere_else() {
        for (next, to) in [
            ("", "./"),
            ("view/x", "./view/x"),
            ("//evil.example", "./evil.example"),
            ("/\\evil.example", "./evil.example"),
            ("https://evil.example", "./https://evil.example"),
            ("a\r\nSet-Cookie: x=y", "./"),
            ("?action=stream", "./?action=stream"),
        ] {
            assert_eq!(relative_address(next), to, "{next}");
        }
    }

    #[test]
    fn what_is_shown_again_is_text() {
        assert_eq!(escaped("<a href='\"&{next}"), "&lt;a href=&#39;&quot;&amp;&#123;next}");
    }
}
