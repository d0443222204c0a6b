//! Registers the route table: the only way to reach a handler.

pub(in crate::web) mod row;
mod table;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;

use actix_web::{
    HttpRequest, HttpResponse, Resource, Route, guard,
    http::{Method, StatusCode},
    middleware::from_fn,
    web,
    web::to,
};
pub(in crate::web) use row::RouteTable;
pub use row::Row;
pub use table::ROUTES;

use super::{
    middleware::{access, problem::Problem},
    ui::pages,
};

/// Returns the route of a row: its handler, for its methods, under its rule.
fn route(row: &Row) -> Route {
    let (methods, rule) = (row.methods, row.rule);
    let asked_with = guard::fn_guard(move |context| methods.contains(&context.head().method));
    (row.handler)().guard(asked_with).wrap(from_fn(move |request, next| access::check(rule, request, next)))
}

/// Registers the table.
pub(super) fn register(config: &mut web::ServiceConfig) {
    for (position, row) in ROUTES.iter().enumerate() {
        if ROUTES[..position].iter().all(|before| before.path != row.path) {
            config.service(resource(row.path, ROUTES.iter().filter(|other| other.path == row.path)));
        }
    }
}

/// Returns the resource of the base path without its final slash, with the rule of `/`.
pub(super) fn base(address: &str) -> Resource {
    let root = ROUTES.iter().filter(|row| row.path == "/");
    let rows = root.map(|row| Row { handler: || to(pages::base), ..*row });
    resource(address, rows)
}

/// Returns the resource of a path with all its rows; other methods get a 405.
fn resource(address: &str, rows: impl Iterator<Item = impl Borrow<Row>>) -> Resource {
    let mut resource = web::resource(address);
    let mut allowed = Vec::new();
    for row in rows {
        resource = resource.route(route(row.borrow()));
        allowed.extend(row.borrow().methods.iter().map(Method::as_str));
    }
    let allowed = allowed.join(", ");
    resource.default_service(to(move |request: HttpRequest| {
        let refused = access::check_rate_limit(&request).err();
        let refused = refused.unwrap_or_else(|| Problem::method_not_allowed(allowed.clone()));
        async { Err::<HttpResponse, _>(refused) }
    }))
}

/// Answers requests for addresses that do not exist.
pub(super) async fn not_found(request: HttpRequest) -> Result<HttpResponse, Problem> {
    access::check_rate_limit(&request)?;
    let detail = format!("there is nothing at {}; GET /api/streams lists the streams", request.path());
    Err(Problem::new(StatusCode::NOT_FOUND, detail))
}
