//! The page: all streams as live tiles, and one stream at full size. Everything it needs is in the program.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, http::header, web};

use super::{State, compat, error::Problem, query};
use crate::auth::Caller;

const PAGE: &str = include_str!("assets/page.html");
const VIEW: &str = include_str!("assets/view.html");
const STYLE: &str = include_str!("assets/style.css");
const TILES: &str = include_str!("assets/tiles.js");
const VIEW_SCRIPT: &str = include_str!("assets/view.js");
const ICON: &str = include_str!("assets/icon.svg");

/// Nothing from elsewhere, nothing inline.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
                              connect-src 'self'; base-uri 'none'; form-action 'none'";

/// `GET /`: the page, or what `?action=` of mjpg-streamer asks for.
pub(super) async fn root(
    request: HttpRequest,
    state: State,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    match query(&request, "action") {
        Some(action) => compat::mjpg_streamer(&request, &state, &caller, &action).await,
        None => Ok(html(PAGE)),
    }
}

/// The base path without its final slash: the page's relative addresses need it.
pub(super) async fn base(
    request: HttpRequest,
    state: State,
    caller: Caller,
) -> Result<HttpResponse, Problem> {
    if query(&request, "action").is_some() {
        return root(request, state, caller).await;
    }
    let to = format!("{}/", state.base_path);
    Ok(HttpResponse::PermanentRedirect().insert_header((header::LOCATION, to)).finish())
}

/// `GET /view/{name}`: one stream at full size.
pub(super) async fn view(state: State, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    state.stream(&name)?;
    Ok(html(VIEW))
}

/// `GET /page/{asset}`: what the pages refer to.
pub(super) async fn asset(name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let (kind, text) = match name.as_str() {
        "style.css" => ("text/css; charset=utf-8", STYLE),
        "tiles.js" => ("text/javascript; charset=utf-8", TILES),
        "view.js" => ("text/javascript; charset=utf-8", VIEW_SCRIPT),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return Err(Problem::new(StatusCode::NOT_FOUND, format!("the page has no asset {name}"))),
    };
    // Asked again after each start of a new version; small enough.
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-cache")).content_type(kind).body(text))
}

fn html(text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .content_type("text/html; charset=utf-8")
        .body(text)
}
