//! The pages: all streams as live tiles, and one stream at full size. Everything they need is in the program.

use std::sync::LazyLock;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};

use super::login;
use crate::web::{
    compat::mjpg_streamer,
    middleware::{problem::Problem, security_headers::REFERRER_POLICY},
    query::query,
    server::response_budget::Permanent,
    state::{State, WebState},
};

const PAGE: &str = include_str!("assets/dashboard/dashboard.html");
const VIEW: &str = include_str!("assets/stream/view.html");

/// The content security policy of the pages: nothing from elsewhere, nothing inline. Frame ancestors are a
/// setting.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
                              connect-src 'self'; base-uri 'none'; form-action 'none'";

const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The files that the pages refer to: name, type, content.
const ASSETS: &[(&str, &str, &str)] = &[
    ("base.css", STYLE, include_str!("assets/shared/base.css")),
    ("dashboard.css", STYLE, include_str!("assets/dashboard/dashboard.css")),
    ("form.css", STYLE, include_str!("assets/shared/form.css")),
    ("login.css", STYLE, include_str!("assets/login/login.css")),
    ("view.css", STYLE, include_str!("assets/stream/view.css")),
    ("api.js", SCRIPT, include_str!("assets/shared/api.js")),
    ("reorder.js", SCRIPT, include_str!("assets/dashboard/reorder.js")),
    ("dashboard.js", SCRIPT, include_str!("assets/dashboard/dashboard.js")),
    ("events.js", SCRIPT, include_str!("assets/dashboard/events.js")),
    ("form.js", SCRIPT, include_str!("assets/shared/form.js")),
    ("live.js", SCRIPT, include_str!("assets/shared/live.js")),
    ("manage.js", SCRIPT, include_str!("assets/stream/manage.js")),
    ("settings.js", SCRIPT, include_str!("assets/dashboard/settings.js")),
    ("snippets.js", SCRIPT, include_str!("assets/stream/snippets.js")),
    ("sparkline.js", SCRIPT, include_str!("assets/shared/sparkline.js")),
    ("tile.js", SCRIPT, include_str!("assets/dashboard/tile.js")),
    ("view.js", SCRIPT, include_str!("assets/stream/view.js")),
    ("viewers.js", SCRIPT, include_str!("assets/stream/viewers.js")),
    ("full_screen.js", SCRIPT, include_str!("assets/dashboard/full_screen.js")),
    ("format.js", SCRIPT, include_str!("assets/shared/format.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/shared/icon.svg")),
];

/// The common `ETag` of the pages and their files: a page never works with a script of another version. It
/// changes with any of them.
static TAG: LazyLock<String> = LazyLock::new(|| {
    let mut sum = crc32fast::Hasher::new();
    [PAGE, VIEW]
        .iter()
        .chain(ASSETS.iter().map(|(.., text)| text))
        .for_each(|text| sum.update(text.as_bytes()));
    format!("\"{}-{:08x}\"", env!("CARGO_PKG_VERSION"), sum.finalize())
});

/// `GET /`: the page, or what `?action=` of mjpg-streamer asks for.
pub(in crate::web) async fn root(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    match query(&request, "action") {
        Some(action) => mjpg_streamer::mjpg_streamer(&request, &state, &action).await,
        None => {
            let exchanged = login::exchange(&request, &state, None).await?;
            Ok(exchanged.unwrap_or_else(|| html(&request, &state, PAGE)))
        }
    }
}

/// The base path without its final slash: the page's relative addresses need it.
pub(in crate::web) async fn base(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    if query(&request, "action").is_some() {
        return root(request, state).await;
    }
    let to = format!("{}/", state.runtime.base_path);
    Ok(HttpResponse::PermanentRedirect().insert_header((header::LOCATION, to)).finish())
}

/// `GET /view/{name}`: one stream at full size.
pub(in crate::web) async fn view(
    request: HttpRequest,
    state: State,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let stream = state.streams.find(&name)?;
    let exchanged = login::exchange(&request, &state, Some(stream.name())).await?;
    Ok(exchanged.unwrap_or_else(|| html(&request, &state, VIEW)))
}

/// `GET /page/{asset}`: what the pages refer to.
pub(in crate::web) async fn asset(
    request: HttpRequest,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    match ASSETS.iter().find(|(asset, ..)| *asset == name.as_str()) {
        Some((_, kind, text)) => Ok(asset_or_not_modified(&request, kind, text)),
        None => Err(Problem::new(StatusCode::NOT_FOUND, format!("the page has no asset {name}"))),
    }
}

fn html(request: &HttpRequest, state: &WebState, text: &'static str) -> HttpResponse {
    let mut answer = asset_or_not_modified(request, "text/html; charset=utf-8", text);
    set_policies(&mut answer, state);
    answer
}

/// Adds the headers on what the page may do and who may frame it.
fn set_policies(answer: &mut HttpResponse, state: &WebState) {
    let settings = state.runtime.settings.current();
    let policy = format!("{CONTENT_POLICY}; {}", settings.frame_ancestors);
    let policy = header::HeaderValue::try_from(policy).expect("origins are visible ASCII");
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    answer.headers_mut().insert(header::REFERRER_POLICY, header::HeaderValue::from_static(REFERRER_POLICY));
    if let Some(options) = settings.frame_ancestors.frame_options() {
        let options = header::HeaderValue::from_static(options);
        answer.headers_mut().insert(header::X_FRAME_OPTIONS, options);
    }
}

/// The text, or 304 for those who have it. Browsers ask each time: after an update the old one must not stay.
fn asset_or_not_modified(request: &HttpRequest, kind: &'static str, text: &'static str) -> HttpResponse {
    let known = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    let is_known = known.flat_map(|tags| tags.split(',')).any(|tag| {
        let tag = tag.trim();
        tag.strip_prefix("W/").unwrap_or(tag) == *TAG
    });
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((header::CACHE_CONTROL, "no-cache")).insert_header((header::ETAG, TAG.as_str()));
    answer.content_type(kind);
    if is_known {
        return answer.finish();
    }
    let mut answer = answer.body(text);
    answer.extensions_mut().insert(Permanent);
    answer
}
