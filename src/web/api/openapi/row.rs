//! A row of the route table.

use actix_web::{Route, http::Method};

use super::operation::Operation;
use crate::web::middleware::access::rule::Rule;

/// A route.
#[derive(Debug)]
pub struct Row {
    /// Its address below the base path, with `{name}` in it.
    pub path: &'static str,
    /// The allowed methods.
    pub methods: &'static [Method],
    /// Who may.
    pub rule: Rule,
    /// Its documentation in the OpenAPI document.
    pub(in crate::web) operation: Operation,
    pub(in crate::web) handler: fn() -> Route,
}

/// The whole table, as a handler finds it in the application's data.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct RouteTable(pub(in crate::web) &'static [Row]);
